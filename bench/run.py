#!/usr/bin/env python3
"""Real programs under `salut run` and on the kernel, side by side, in one table.

    bench/run.py [--pairs 5] [--seconds 3] [--only WORD] [--out FILE] [--slack 1]

The same server runs twice: under salut, on a TAP, and on a second kernel, at the other end of a
virtual Ethernet pair; the client is this kernel's, the same for both. Samples alternate between the
two, so that what else the machine does meets both. A line gives the medians with their extremes,
the ratio, and the least that is wanted:

    nginx-1k, nginx-100k   requests a second, wrk with 64 connections, two workers
    accept                 the same with 1 KB and a connection for each request
    redis-get, redis-set   requests a second, 50 clients, one at a time
    redis-get16, -set16    ... 16 at a time
    iperf3-in, iperf3-out  Gb/s into and out of the program

Exit 1 when a ratio is below what is wanted times the slack (for machines that do other things as
well: salut's half is two processes, and suffers more). Needs root. SALUT names the program (default:
build/salut).
"""
import argparse
import os
import platform
import re
import statistics
import sys

import algorithms

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/run"))
import runs  # noqa: E402  pylint: disable=wrong-import-position
import services as s  # noqa: E402  pylint: disable=wrong-import-position


def wrk(address, path, seconds, *more):
    text = s.output_of([runs.find("wrk"), "-t", "1", "-c", "64", "-d", f"{seconds}s"] + list(more) +
                       [s.url(address, s.HTTP, path)])
    runs.check("Socket errors" not in text and "Non-2xx" not in text, f"wrk: {text}")
    return float(re.search(r"Requests/sec: +([\d.]+)", text)[1]) / 1e3


def redis(address, test, pipeline, seconds):
    requests = int(seconds * 30000 * (8 if pipeline > 1 else 1))
    text = s.output_of([runs.find("redis-benchmark"), "-h", address, "-p", str(s.REDIS), "-c", "50",
                        "-n", str(requests), "-P", str(pipeline), "-t", test, "--csv"])
    return float(text.splitlines()[-1].replace('"', "").split(",")[1]) / 1e3


# Name, unit, the least ratio that is wanted (None: none), the measurement.
LINES = (
    ("nginx-1k", "1000/s", 0.5, lambda to, t: wrk(to, "1k", t)),
    ("nginx-100k", "1000/s", 0.5, lambda to, t: wrk(to, "100k", t)),
    ("accept", "1000/s", None, lambda to, t: wrk(to, "1k", t, "-H", "Connection: close")),
    ("redis-get", "1000/s", 0.7, lambda to, t: redis(to, "get", 1, t)),
    ("redis-set", "1000/s", 0.7, lambda to, t: redis(to, "set", 1, t)),
    ("redis-get16", "1000/s", 0.7, lambda to, t: redis(to, "get", 16, t)),
    ("redis-set16", "1000/s", 0.7, lambda to, t: redis(to, "set", 16, t)),
    ("iperf3-in", "Gb/s", 0.3, lambda to, t: s.iperf(to, False, seconds=t) / 1e9),
    ("iperf3-out", "Gb/s", 0.3, lambda to, t: s.iperf(to, True, seconds=t) / 1e9),
)


def servers(folder):
    """The commands of all servers, by the beginning of the lines that use them."""
    return {"nginx": s.nginx(folder, user="user root;"), "redis": s.redis(folder),
            "iperf3": [runs.find("iperf3"), "-s", "-p", str(s.IPERF)]}


def command_of(name, folder):
    return servers(folder)["nginx" if name == "accept" else name.split("-")[0]]


def use_cubic(other):
    """Both kernels, as salut does: what they use otherwise is up to their machine."""
    for inside in ([], other.enter):
        runs.run(inside + ["sh", "-c", "echo cubic > /proc/sys/net/ipv4/tcp_congestion_control"])


def sample_line(name, measure, sides, arguments):
    """{side: samples}; both servers run all the while, and what is not asked does nothing."""
    samples = {side: [] for side in sides}
    with s.files() as (one, _), s.files() as (two, _):
        with s.Running("salut's", runs.under_salut(*command_of(name, one)), one), \
                s.Running("kernel's", sides["kernel"].command(*command_of(name, two)), two):
            addresses = {"salut": runs.SALUTS[4], "kernel": sides["kernel"].address}
            for address in addresses.values() if not name.startswith("iperf3") else ():
                port = s.REDIS if name.startswith("redis") else s.HTTP
                runs.wait_until(lambda to=address, at=port: s.answers(to, at), f"{name} {address}")
            for pair in range(arguments.pairs + 1):
                for side in ("salut", "kernel") if pair % 2 else ("kernel", "salut"):
                    value = measure(addresses[side], arguments.seconds)
                    if pair > 0:  # the first pair warms up
                        samples[side].append(value)
    return samples


def text_of(samples):
    return f"{statistics.median(samples):9.2f} ({min(samples):8.2f}-{max(samples):8.2f})"


def row(name, unit, least, samples, slack):
    """A line of the table, and whether it is as wanted, with some slack."""
    ratio = statistics.median(samples["salut"]) / statistics.median(samples["kernel"])
    fine = least is None or ratio >= least
    wanted = "-" if least is None else f">= {least}  {'ok' if fine else 'MISSED'}"
    return (f"{name:11} {unit:7} {text_of(samples['salut'])} {text_of(samples['kernel'])} "
            f"{ratio:6.2f}  {wanted}"), least is None or ratio >= least * slack


def body():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--out", default="")
    parser.add_argument("--slack", type=float, default=1)
    arguments = parser.parse_args()
    sides = {"salut": None, "kernel": runs.Other(apart=True)}
    use_cubic(sides["kernel"])
    version = runs.run([runs.SALUT, "version"]).split("\n")[0]
    lines = [f"{version}, {platform.system()} {platform.release()}, {os.cpu_count()} processors",
             f"{arguments.pairs} alternated pairs of {arguments.seconds} s, medians "
             "(lowest-highest)", "",
             f"{'':11} {'unit':7} {'salut run':27} {'kernel, veth':27}  ratio  wanted"]
    print("\n".join(lines), flush=True)
    fine = True
    for name, unit, least, measure in LINES:
        if arguments.only not in name:
            continue
        samples = sample_line(name, measure, sides, arguments)
        text, good = row(name, unit, least, samples, arguments.slack)
        print(text, flush=True)
        lines.append(text)
        fine = fine and good
    if arguments.out:
        with open(arguments.out, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
    runs.check(fine, "a ratio is below what is wanted")


algorithms.allow("cubic")  # while this is the initial namespace
runs.main(body)
