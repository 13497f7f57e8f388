#!/usr/bin/env python3
"""Who gets how much of one bottleneck: salut beside the kernel, beside kernel and kernel.

    bench/share.py [--runs N] [--seconds S] [--jobs N] [--only WORD] [--out FILE]

Two flows leave host A over the same device and wire at the same time, for host B; the kernel's and
salut's have the same round trip, the same queue and the same receiver. Each comparison is a pair of
flows of the kernel, and the same pair with one of the two by salut. What is compared is the first
flow's share of what both got, from the opened connections on, as the mean of the runs:

    CUBIC beside CUBIC    with salut's CUBIC as the first: fair when its share is 45-55 %, or within
                          what the kernel's share is beside the kernel (its lowest and highest run)
    Reno beside CUBIC     with salut's CUBIC as the second: fair when Reno keeps at least what it
                          keeps beside the kernel's CUBIC, or misses it by less than two standard
                          errors of the difference of the means, which is then said
    BBR beside CUBIC      with salut's BBR as the first, and with salut's CUBIC as the second: both
                          are reported

As in paths.py a run in which the wire was late is repeated, all runs have real-time priority, and
--jobs paths share the machine. FILE is a text with the table.

Needs root. SALUT names the program (default: build/salut).
"""
import argparse
import math
import statistics

import wires

PATHS = {"20M-50ms-q1": ["--rate", "20mbit", "--delay", "25ms", "--queue", "1bdp"],
         "200M-10ms-q1": ["--rate", "200mbit", "--delay", "5ms", "--queue", "1bdp"]}
FAIR_PERCENT = (45, 55)
STANDARD_ERRORS = 2


class Flow:
    def __init__(self, stack, congestion):
        self.stack, self.congestion = stack, congestion
        self.name = f"{stack}'s {congestion}"

    def source(self):
        if self.stack == "salut":
            return {"address": wires.SALUT_ADDRESS["a"], "port": 19}
        return {"address": wires.ADDRESS["a"], "port": wires.SOURCE_PORT[self.congestion]}


KERNEL = {name: Flow("kernel", name) for name in wires.SOURCE_PORT}
SALUT = {name: Flow("salut", name) for name in wires.SOURCE_PORT}


# ---- what is fair ----------------------------------------------------------------------------

def judge_even(kernel, ours):
    mean = statistics.mean(ours)
    if FAIR_PERCENT[0] <= mean <= FAIR_PERCENT[1]:
        return True, "fair"
    within = min(kernel) <= mean <= max(kernel)
    return within, "fair: within the kernel's spread" if within else "UNFAIR"


def standard_error(values):
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def judge_kept(kernel, ours):
    missed = statistics.mean(kernel) - statistics.mean(ours)
    noise = STANDARD_ERRORS * math.hypot(standard_error(kernel), standard_error(ours))
    if missed <= 0:
        return True, "fair"
    return missed <= noise, f"{'fair' if missed <= noise else 'UNFAIR'}: less by {missed:.1f}, " \
                            f"noise {noise:.1f}"


def report_only(kernel, ours):
    return True, f"{statistics.mean(ours) - statistics.mean(kernel):+.1f}"


# The first flow and the one beside it, of the kernel alone and with one by salut.
COMPARISONS = (
    ((KERNEL["cubic"], KERNEL["cubic"]), (SALUT["cubic"], KERNEL["cubic"]), judge_even),
    ((KERNEL["reno"], KERNEL["cubic"]), (KERNEL["reno"], SALUT["cubic"]), judge_kept),
    ((KERNEL["bbr"], KERNEL["cubic"]), (SALUT["bbr"], KERNEL["cubic"]), report_only),
    ((KERNEL["bbr"], KERNEL["cubic"]), (KERNEL["bbr"], SALUT["cubic"]), report_only),
)


# ---- runs ------------------------------------------------------------------------------------

def name_of(pair):
    return f"{pair[0].name} beside {pair[1].name}"


def receive(hosts, sources, seconds):
    hosts["b"].do(do="greet", address=wires.ADDRESS["a"])
    return hosts["b"].do(do="share", flows=sources, seconds=seconds)["flows"]


def run_flows(hosts, path, pair, seed, seconds):
    """Goodputs of the pair in Mbit/s, and the wire."""
    flip = 1 if seed % 2 else -1  # neither is always the first to connect
    sources = [flow.source() for flow in pair][::flip]
    ours = [flow.congestion for flow in pair if flow.stack == "salut"]
    wire = wires.start_wire(hosts, PATHS[path], seed)
    with wire:
        if ours:
            with wires.start_salut(hosts, "a", ["--source"], ours[0]):
                hosts["b"].do(do="greet", address=wires.SALUT_ADDRESS["a"])
                got = receive(hosts, sources, seconds)
        else:
            got = receive(hosts, sources, seconds)
    return [flow["bytes"] * 8 / flow["seconds"] / 1e6 for flow in got][::flip], wire


class Runs:
    """The goodputs of every path, pair and seed."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.rates = {}

    def measure(self, hosts, item):
        seed, path, pair = item
        what = f"{path} {name_of(pair)} seed {seed}"
        rates = wires.repeat_void(
            what, lambda: run_flows(hosts, path, pair, seed, self.seconds))
        self.rates.setdefault((path, pair), []).append(rates)
        wires.say(f"{what}: {rates[0]:.2f} and {rates[1]:.2f} Mbit/s")

    def shares(self, path, pair):
        return [100 * first / (first + other) for first, other in self.rates[path, pair]]

    def total(self, path, pair):
        return statistics.mean(first + other for first, other in self.rates[path, pair])

    def row(self, path, pair, verdict):
        shares = self.shares(path, pair)
        return (f"{path:13} {name_of(pair):36} {statistics.mean(shares):5.1f} %"
                f" ({min(shares):4.1f} to {max(shares):4.1f}){self.total(path, pair):9.2f}"
                f"  {verdict}")


def show(runs, wanted, arguments):
    report = wires.Report()
    wires.say()
    report.line(wires.machine())
    report.line(f"share of the first of two flows, mean (lowest to highest) of {arguments.runs} "
                f"runs of {arguments.seconds:g} s; Mbit/s of both together")
    fine = True
    for path, (kernel, ours, judge) in wanted:
        fair, verdict = judge(runs.shares(path, kernel), runs.shares(path, ours))
        fine = fine and fair
        report.line()
        report.line(runs.row(path, kernel, ""))
        report.line(runs.row(path, ours, verdict))
    report.line()
    report.line("fine" if fine else "FAIL: something is unfair")
    report.save(arguments.out)
    return fine


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--only", default="", help="comparisons whose path or pairs have it")
    parser.add_argument("--out", default=None, metavar="FILE")
    wires.add_jobs(parser)
    arguments = parser.parse_args()
    wires.need_salut()
    wires.go_first()
    wanted = [(path, each) for each in COMPARISONS for path in PATHS
              if arguments.only in f"{path} {name_of(each[0])} {name_of(each[1])}"]
    pairs = dict.fromkeys((path, pair) for path, each in wanted for pair in each[:2])
    for congestion in {flow.congestion for _, pair in pairs for flow in pair}:
        wires.need_congestion(congestion)
    wires.check_wire()
    runs = Runs(arguments.seconds)
    todo = [(seed, *each) for seed in range(1, arguments.runs + 1) for each in pairs]
    wires.work_by_load(todo, arguments.jobs, lambda item: item[1].startswith("200M"), runs.measure)
    return show(runs, wanted, arguments)


if __name__ == "__main__":
    wires.exit_by(main)
