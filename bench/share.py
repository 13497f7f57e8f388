#!/usr/bin/env python3
"""Who gets how much of one bottleneck: salut beside the kernel, beside kernel and kernel.

    bench/share.py [--runs N] [--seconds S] [--only WORD]

Two flows leave host A over the same device and wire at the same time, for host B; the kernel's and
salut's have the same round trip, the same queue and the same receiver. Each pair of rows is the
same first flow, once beside the kernel's CUBIC and once beside salut's.

    CUBIC beside salut's CUBIC    fair when salut's share is 45-55 %, or within what the kernel's
                                  share is beside the kernel (the lowest and highest of its runs)
    Reno beside salut's CUBIC     fair when Reno keeps at least the least it keeps beside the
                                  kernel's CUBIC, in the mean
    BBR beside salut's CUBIC      reported

Needs root. SALUT names the program (default: build/salut).
"""
import argparse
import os
import statistics
import sys

import paths

PORTS = {"cubic": 19, "reno": 21, "bbr": 22}
PATHS = {"20M-50ms-q1": ["--rate", "20mbit", "--delay", "25ms", "--queue", "1bdp"],
         "200M-10ms-q1": ["--rate", "200mbit", "--delay", "5ms", "--queue", "1bdp"]}


def run_valid(hosts, *what):
    """As run_flows, again when the wire was late."""
    for _ in range(paths.TRIES):
        rates, late_us = run_flows(hosts, *what)
        if late_us <= paths.LATE_MAX_US:
            return rates
    raise paths.Trouble("the wire does not keep its time on this machine at the moment")


def run_flows(hosts, options, seed, first, salut, seconds):
    """Goodputs of a kernel flow and of the one beside it in Mbit/s, and the wire's lateness."""
    wire = paths.start_wire(hosts, options + paths.CLEAN_BACK, seed)
    with wire:
        hosts["b"].do(do="greet", address=paths.ADDRESS["a"])
        flows = [{"address": paths.ADDRESS["a"], "port": PORTS[first]},
                 {"address": paths.SALUT_ADDRESS["a"] if salut else paths.ADDRESS["a"],
                  "port": PORTS["cubic"]}]
        if seed % 2 == 0:
            flows.reverse()  # neither is always the first to connect
        if salut:
            with paths.start_salut(hosts, "a", ["--source"]):
                hosts["b"].do(do="greet", address=paths.SALUT_ADDRESS["a"])
                got = hosts["b"].do(do="share", flows=flows, seconds=seconds)["flows"]
        else:
            got = hosts["b"].do(do="share", flows=flows, seconds=seconds)["flows"]
    rates = [flow["bytes"] * 8 / flow["seconds"] / 1e6 for flow in got]
    return rates if seed % 2 else rates[::-1], paths.lateness_us(wire)


def shares(hosts, options, first, salut, arguments):
    """The share of the flow beside `first`, of each run."""
    found = []
    for seed in range(1, arguments.runs + 1):
        one, other = run_valid(hosts, options, seed, first, salut, arguments.seconds)
        found.append(100 * other / (one + other))
    return found


def is_fair(first, kernel, ours):
    if first == "cubic":
        mean = statistics.mean(ours)
        return 45 <= mean <= 55 or min(kernel) <= mean <= max(kernel)
    # The other's share is what Reno does not keep.
    return first == "bbr" or statistics.mean(ours) <= max(statistics.mean(kernel), max(kernel))


def show(values):
    return f"{statistics.mean(values):5.1f} % ({min(values):.1f} to {max(values):.1f})"


def compare(hosts, name, first, arguments):
    kernel = shares(hosts, PATHS[name], first, False, arguments)
    ours = shares(hosts, PATHS[name], first, True, arguments)
    fair = is_fair(first, kernel, ours)
    print(f"{name:14} beside {first:6} kernel's cubic {show(kernel):24} salut's {show(ours):24}"
          f" {'' if first == 'bbr' else 'fair' if fair else 'UNFAIR'}", flush=True)
    return fair


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--only", default="", help="rows whose path or congestion control has it")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        print("root is needed: two network namespaces and devices in both")
        sys.exit(paths.SKIPPED)
    paths.check_wire()
    hosts = {"a": paths.Host(), "b": paths.Host()}
    try:
        fair = [compare(hosts, name, first, arguments) for name in PATHS for first in PORTS
                if arguments.only in f"{name} {first}"]
    finally:
        for host in hosts.values():
            host.stop()
    sys.exit(0 if all(fair) else 1)


if __name__ == "__main__":
    try:
        main()
    except paths.Trouble as trouble:
        raise SystemExit(f"FAIL: {trouble}") from None
