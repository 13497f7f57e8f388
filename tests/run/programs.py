#!/usr/bin/env python3
"""Real programs, unmodified, under `salut run` with privilege; the kernel is their peer.

    programs.py [--only NAME[,NAME]] [--kernel]

Servers under salut are used by the kernel's clients, and clients under salut use the kernel's
servers, over IPv4 and IPv6. Files must arrive with their digests, and no program may report an
error. Each runs in a directory of its own. With --kernel a second kernel takes salut's place, which
tests the tests.
"""
import argparse
import os
import subprocess

import runs
import services as s

FAMILIES = (4, 6)


OTHER = []  # the second kernel, with --kernel


def under(words):
    """Under salut, or in its place."""
    return OTHER[0].command(*words) if OTHER else runs.under_salut(*words)


def each_fetch(fetch, digests, names=("1k", "large")):
    for name in names:
        runs.check(fetch(name) == digests[name], f"{name}: digests differ")


def count_workers():
    found = subprocess.run(["pgrep", "-c", "-f", "nginx: worker process"], check=False,
                           capture_output=True, text=True).stdout
    return int(found)


def nginx(folder, digests):
    command = under(s.nginx(folder, user="user nobody nogroup;"))
    with s.Running("nginx", command, folder) as server:
        server.wait_for(runs.SALUTS[4], s.HTTP)
        runs.wait_until(lambda: count_workers() == 2, "the master listens, then makes 2 workers")
        for family in FAMILIES:
            address = runs.SALUTS[family]
            each_fetch(lambda name, at=address: s.curl(at, s.HTTP, name), digests)
            print(f"nginx, IPv{family}: {s.wrk(address, s.HTTP, '1k'):.0f} requests/s")


def redis(folder, digests):
    with s.Running("redis", under(s.redis(folder)), folder) as server:
        server.wait_for(runs.SALUTS[4], s.REDIS)
        for family in FAMILIES:
            rates = s.redis_benchmark(runs.SALUTS[family])
            print(f"redis, IPv{family}: {rates}")
        ask = ["redis-cli", "-h", runs.SALUTS[6], "-p", str(s.REDIS)]
        with open(f"{folder}/files/large", "rb") as file:
            runs.check(subprocess.run(ask + ["-x", "set", "large"], stdin=file, timeout=60,
                                      capture_output=True, check=False).stdout == b"OK\n",
                       "redis-cli set")
        with open(f"{folder}/back", "wb") as file:
            subprocess.run(ask + ["--raw", "get", "large"], stdout=file, timeout=60, check=True)
        with open(f"{folder}/back", "r+b") as file:
            file.truncate(os.path.getsize(f"{folder}/back") - 1)  # the line's end
        runs.check(s.digest_of(f"{folder}/back") == digests["large"], "redis: digests differ")


def postgres(folder, digests):
    del digests
    command = s.postgres(folder)
    s.allow_postgres(folder)
    with s.Running("postgres", under(command), folder, cwd="/") as server:
        server.wait_for(runs.SALUTS[4], s.POSTGRES)
        runs.wait_until(lambda: s.postgres_is_ready(runs.SALUTS[4]), "PostgreSQL's start", 60)
        for family in FAMILIES:
            print(f"pgbench, IPv{family}: {s.pgbench(runs.SALUTS[family]):.0f} transactions/s")


def http_server(folder, digests):
    for bind in ("::", "0.0.0.0"):
        with s.Running("http.server", under(s.http_server(folder, bind)), folder) as server:
            server.wait_for(runs.SALUTS[4], s.HTTP)
            for family in FAMILIES if bind == "::" else (4,):
                address = runs.SALUTS[family]
                each_fetch(lambda name, at=address: s.curl(at, s.HTTP, name), digests)


def static(folder, digests):
    del digests
    talk = runs.tool("static_talk")
    for family in FAMILIES:
        here, there = runs.KERNEL[family], runs.SALUTS[family]
        with s.Running("static server", under([talk, "serve", there, str(s.TALK)]),
                       folder) as server:
            server.wait_for(there, s.TALK)
            s.output_of([talk, "talk", there, str(s.TALK), "20000000"])
        with s.Running("kernel's static server", [talk, "serve", "0.0.0.0" if family == 4 else "::",
                                                  str(s.TALK)], folder) as server:
            server.wait_for("127.0.0.1" if family == 4 else "::1", s.TALK)
            s.output_of(under([talk, "talk", here, str(s.TALK), "20000000"]))


def clients(folder, digests):
    """curl, wget and wrk under salut, nginx on the kernel."""
    with s.Running("kernel's nginx", s.nginx(folder, user="user root;"), folder) as server:
        server.wait_for("127.0.0.1", s.HTTP)
        for family in FAMILIES:
            address = runs.KERNEL[family]
            each_fetch(lambda name, at=address: s.curl(at, s.HTTP, name, wrap=under), digests)
            each_fetch(lambda name, at=address: s.wget(at, s.HTTP, name, wrap=under), digests)
            print(f"wrk, IPv{family}: {s.wrk(address, s.HTTP, '1k', wrap=under):.0f} requests/s")


def iperf(folder, digests):
    del digests
    serve = [runs.find("iperf3"), "-s", "-p", str(s.IPERF)]
    with s.Running("iperf3 server", under(serve), folder):
        for family in FAMILIES:
            for back in (False, True):
                rate = s.iperf(runs.SALUTS[family], back)
                print(f"iperf3 server, IPv{family}, {'sends' if back else 'receives'}: "
                      f"{rate / 1e6:.0f} Mbit/s")
    with s.Running("kernel's iperf3 server", serve, folder):
        for family in FAMILIES:
            for back in (False, True):
                rate = s.iperf(runs.KERNEL[family], back, wrap=under)
                print(f"iperf3 client, IPv{family}, {'receives' if back else 'sends'}: "
                      f"{rate / 1e6:.0f} Mbit/s")


def ssh(folder, digests):
    del digests
    runs.run(["mount", "-t", "tmpfs", "none", "/run"])  # in this namespace alone
    os.mkdir("/run/sshd", 0o755)
    with s.Running("sshd", under(s.sshd(folder)), folder) as server:
        server.wait_for(runs.SALUTS[4], s.SSH)
        for family in FAMILIES:
            s.ssh_session(folder, runs.SALUTS[family])
            s.scp(folder, runs.SALUTS[family], "large")
    with s.Running("kernel's sshd", s.sshd(folder), folder) as server:
        server.wait_for("127.0.0.1", s.SSH)
        for family in FAMILIES:
            s.ssh_session(folder, runs.KERNEL[family], wrap=under)


def haproxy(folder, digests):
    with s.Running("kernel's nginx", s.nginx(folder, user="user root;"), folder) as server:
        server.wait_for("127.0.0.1", s.HTTP)
        for family in FAMILIES:
            command = under(s.haproxy(folder, runs.KERNEL[family]))
            with s.Running("haproxy", command, folder) as proxy:
                proxy.wait_for(runs.SALUTS[family], s.PROXY)
                each_fetch(lambda name, at=runs.SALUTS[family]: s.curl(at, s.PROXY, name), digests)
                print(f"haproxy, IPv{family}: "
                      f"{s.wrk(runs.SALUTS[family], s.PROXY, '1k'):.0f} requests/s")


PROGRAMS = {function.__name__: function for function in (
    static, clients, http_server, nginx, redis, postgres, iperf, ssh, haproxy)}


def body():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help=",".join(PROGRAMS))
    parser.add_argument("--kernel", action="store_true")
    arguments = parser.parse_args()
    chosen = [name for name in arguments.only.split(",") if name] or list(PROGRAMS)
    if arguments.kernel:
        OTHER.append(runs.Other())
    failed = []
    for name in chosen:
        with s.files() as (folder, digests):
            try:
                with runs.Timer(name):
                    PROGRAMS[name](folder, digests)
            except runs.Failure as failure:
                print(f"{name}: FAIL: {failure}", flush=True)
                failed.append(name)
    for other in OTHER:
        other.close()
    runs.check(not failed, "these failed: " + ", ".join(failed))


runs.main(body)
