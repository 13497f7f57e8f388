#!/usr/bin/env python3
"""salut and the kernel over the same bad network: goodput by path, in one table.

    bench/paths.py [--out FILE] [--text FILE] [--cells PATTERN] [--seeds N] [--jobs N] [--table]
                   [--congestion NAME] [--quick | --bbr]
    bench/paths.py --short N [--out FILE]
    bench/paths.py --spurious N [--out FILE]

Two kernels, each in a network namespace of its own, are joined by `salut wire` (rate, drop-tail
queue, delay, faults by seed). The data goes from host A to host B; its way has the bottleneck and
the faults, the way back only the delay. What sends and what receives:

    A, A'   the kernel to the kernel, twice: how much two equal runs differ
    SK      salut to the kernel: `salut serve --source` on a packet socket of A's device
    KS      the kernel to salut: `salut serve --sink` likewise on B's

Everything is CUBIC, or what --congestion names. Goodput is what the receiving application got (A,
A', SK) or what was acknowledged (KS) from the opened connection on, slow start included. The
results are appended to FILE (a TSV); what is there already is not run again, so that the series may
be interrupted. The wire is measured first (`salut wire --check`), and it reports how late it was in
each run: a run with a 99th percentile above 0.5 ms is void and is repeated.

--jobs N makes N runs at a time (six a processor, at most twelve, when it is not said), or a quarter
as many of those that fill 200 Mb/s, with everything at real-time priority: on two processors and
with 12 jobs the wire's lateness stays far below the limit, and all kinds run under the same load.

A cell fails when salut's median is below 0.95 of the lower median of A and A' and below everything
A and A' have shown.

--quick          six named cells, three seeds, A once, failing below 0.7
--bbr            BBR against the kernel's BBR: the cells with a short queue or 1 % loss, A and SK,
                 three seeds, failing below 0.9. The draft backs off when more than 2 % are lost,
                 the kernel's first version never does; where the path itself takes more, by
                 losses or by reordering, SL is salut told to bear it (--bbr-loss), and one of
                 SK and SL has to reach 0.9
--short N        N transfers of 100 KB under 2 % loss, by the kernel and by salut: paths_short.py
--spurious N     N seeds of paths that only reorder: what is sent again in vain: paths_spurious.py

Needs root. SALUT names the program (default: build/salut).
"""
import argparse
import fnmatch
import itertools
import os
import statistics
import threading

import paths_short
import paths_spurious
import wires

RATES = {"20M": "20mbit", "200M": "200mbit"}
ROUND_TRIPS_MS = (10, 50, 200)
FAULTS = {
    "loss0": [],
    "loss0.1": ["--loss", "0.1%"],
    "loss1": ["--loss", "1%"],
    "loss3": ["--loss", "3%"],
    "burst": ["--burst-loss", "1%,8"],
    "reorder": ["--reorder", "5%,10ms"],
}
QUEUES = ("1", "0.25")
KINDS = ("A", "A'", "SK", "KS")
BBR_KINDS = ("A", "SK", "SL")
QUICK_CELLS = ("20M-50ms-loss0-q1", "20M-50ms-loss1-q1", "20M-10ms-burst-q1",
               "20M-50ms-reorder-q1", "200M-10ms-loss0-q1", "200M-50ms-loss0.1-q0.25")
COLUMNS = ("cell", "kind", "seed", "goodput_mbit", "seconds", "retransmitted", "seen", "lost",
           "overflowed", "reordered", "late_p99_us", "verdict")
BBR_BEARS = "8"  # per cent: SL
AROUND_S = 1.5  # what a run takes beside its transfer


# ---- cells -----------------------------------------------------------------------------------

class Cell:
    def __init__(self, rate, round_trip_ms, fault, queue):
        self.rate, self.round_trip_ms, self.fault, self.queue = rate, round_trip_ms, fault, queue
        self.name = f"{rate}-{round_trip_ms}ms-{fault}-q{queue}"

    def wire_options(self):
        return (["--rate", RATES[self.rate], "--delay", f"{self.round_trip_ms * 500}us",
                 "--queue", f"{self.queue}bdp"] + FAULTS[self.fault])

    def seed(self, turn):
        """The seed of the turn. Number 5 begins with a burst of loss that is so long that no SYN
        finds its way through for two minutes."""
        return turn + 1 if self.fault == "burst" and turn >= 5 else turn

    def seconds(self):
        return 6 if self.round_trip_ms < 200 else 12

    def is_busy(self, congestion):
        """It moves so many packets that only a few such runs go side by side."""
        spared = self.fault in ("loss0", "reorder") or (self.fault == "loss0.1" and
                                                        self.round_trip_ms == 10)
        return self.rate == "200M" and (spared or congestion == "bbr")

    def is_hard_for_bbr(self):
        return self.queue == "0.25" or self.fault == "loss1"

    def takes_more_than_bbr_bears(self):
        return self.fault in ("loss3", "reorder")


def all_cells():
    return [Cell(*each) for each in itertools.product(RATES, ROUND_TRIPS_MS, FAULTS, QUEUES)]


class Plan:
    """What one call of this program measures, and by what it judges."""

    def __init__(self, arguments):
        self.kinds, self.seeds, self.least, self.tsv = KINDS, 15, 0.95, "paths.tsv"
        cells = all_cells()
        if arguments.quick:
            self.kinds, self.seeds, self.least, self.tsv = ("A", "SK", "KS"), 3, 0.7, None
            cells = [cell for cell in cells if cell.name in QUICK_CELLS]
        if arguments.bbr:
            self.kinds, self.seeds, self.least, self.tsv = BBR_KINDS, 3, 0.9, "paths-bbr.tsv"
            cells = [cell for cell in cells if cell.is_hard_for_bbr()]
        elif arguments.congestion != "cubic" and self.tsv:
            self.tsv = f"paths-{arguments.congestion}.tsv"
        self.congestion = "bbr" if arguments.bbr else arguments.congestion
        self.seeds = arguments.seeds or self.seeds
        self.enough = 1 if arguments.quick else self.seeds  # runs of each cell and kind
        self.tsv = arguments.out or (self.tsv and os.path.join(wires.HERE, self.tsv))
        self.cells = [cell for cell in cells if fnmatch.fnmatch(cell.name, arguments.cells)]
        self.fixed_seconds = arguments.seconds

    def is_busy(self, cell):
        return cell.is_busy(self.congestion)

    def kinds_of(self, cell):
        return [kind for kind in self.kinds
                if kind != "SL" or cell.takes_more_than_bbr_bears()]

    def seconds(self, cell):
        return self.fixed_seconds or cell.seconds()


# ---- one run ---------------------------------------------------------------------------------

def transfer(hosts, kind, congestion, seconds):
    """Bytes, seconds and the sender's retransmissions of one transfer A to B."""
    if kind in ("SK", "SL"):
        bears = ["--bbr-loss", BBR_BEARS] if kind == "SL" else []
        salut = wires.start_salut(hosts, "a", ["--source", "--stats"] + bears, congestion)
        with salut:
            hosts["b"].do(do="greet", address=wires.SALUT_ADDRESS["a"])
            result = hosts["b"].do(do="receive", address=wires.SALUT_ADDRESS["a"], port=19,
                                   seconds=seconds)
        return dict(result, retransmitted=salut.retransmissions())
    if kind == "KS":
        with wires.start_salut(hosts, "b", []):
            hosts["a"].do(do="greet", address=wires.SALUT_ADDRESS["b"])
            return hosts["a"].do(do="send", address=wires.SALUT_ADDRESS["b"], port=9,
                                 congestion=congestion, seconds=seconds)
    hosts["b"].do(do="greet", address=wires.ADDRESS["a"])
    result = hosts["b"].do(do="receive", address=wires.ADDRESS["a"],
                           port=wires.SOURCE_PORT[congestion], seconds=seconds)
    return dict(result, retransmitted=hosts["a"].do(do="source")["retransmitted"])


def run_once(hosts, plan, seed, cell, kind):
    """The row of one run, and its wire."""
    wire = wires.start_wire(hosts, cell.wire_options(), seed)
    with wire:
        result = transfer(hosts, kind, plan.congestion, plan.seconds(cell))
    ledger = wire.ledger()
    return {"cell": cell.name, "kind": kind, "seed": str(seed),
            "goodput_mbit": f"{result['bytes'] * 8 / result['seconds'] / 1e6:.3f}",
            "seconds": f"{result['seconds']:.2f}",
            "retransmitted": str(result["retransmitted"]),
            **{name: str(ledger[name]) for name in ("seen", "lost", "overflowed", "reordered")},
            "late_p99_us": str(wire.lateness_us()),
            "verdict": "void" if wire.is_void() else "fine"}, wire


# ---- results ---------------------------------------------------------------------------------

class Results:
    """The TSV: rows by (cell, kind, seed)."""

    def __init__(self, path):
        self.path = path
        self.rows = {}
        if path and os.path.exists(path):
            with open(path, encoding="ascii") as file:
                for line in file.read().splitlines()[1:]:
                    self._keep(dict(zip(COLUMNS, line.split("\t"))))

    def _keep(self, row):
        if row["verdict"] == "fine":
            self.rows[row["cell"], row["kind"], row["seed"]] = row

    def has(self, cell, kind, seed):
        return (cell.name, kind, str(seed)) in self.rows

    def add(self, row):
        self._keep(row)
        if self.path:
            new = not os.path.exists(self.path)
            with open(self.path, "a", encoding="ascii") as file:
                file.write(("\t".join(COLUMNS) + "\n" if new else "") +
                           "\t".join(row[name] for name in COLUMNS) + "\n")

    def goodputs(self, cell, kind):
        return [float(row["goodput_mbit"]) for (name, of, _), row in self.rows.items()
                if name == cell.name and of == kind]


class Series:
    """What is still to be run, and the runs."""

    def __init__(self, plan, results):
        self.plan, self.results = plan, results
        self.todo = [(cell.seed(turn), cell, kind) for turn in range(1, plan.seeds + 1)
                     for cell in plan.cells for kind in plan.kinds_of(cell)
                     if not results.has(cell, kind, cell.seed(turn))]
        self.done = 0
        self.lock = threading.Lock()

    def minutes(self, jobs):
        return sum((self.plan.seconds(cell) + AROUND_S) /
                   wires.jobs_for(self.plan.is_busy(cell), jobs) for _, cell, _ in self.todo) / 60

    def run(self, jobs):
        if self.todo:
            wires.check_wire()
            wires.say(f"{len(self.todo)} runs, about {self.minutes(jobs):.0f} minutes")
            wires.work_by_load(self.todo, jobs, lambda item: self.plan.is_busy(item[1]),
                               self._run)

    def _run(self, hosts, item):
        seed, cell, kind = item
        for _ in range(wires.TRIES):
            row, wire = run_once(hosts, self.plan, seed, cell, kind)
            with self.lock:
                self.results.add(row)
                self.done += not wire.is_void()
                wires.say(f"{self.done}/{len(self.todo)} {cell.name} {kind} seed {seed}: "
                          f"{row['goodput_mbit']} Mbit/s, {wire.verdict()}")
            if not wire.is_void():
                return


# ---- the table -------------------------------------------------------------------------------

def judge(kernel, ours, least):
    """The ratio of medians, and whether it is good enough."""
    base = min(statistics.median(values) for values in kernel)
    median = statistics.median(ours)
    ratio = median / base if base > 0 else float("inf")
    lowest = min(min(values) for values in kernel)
    return ratio, ratio >= least or (least > 0.9 and median >= lowest)


class Table:
    """Medians of every cell beside each other, and what they mean."""

    def __init__(self, plan, results, report):
        self.plan, self.results, self.report = plan, results, report
        self.kernels = [kind for kind in plan.kinds if kind.startswith("A")]
        self.ratios = {kind: [] for kind in plan.kinds if kind not in self.kernels}
        self.fine = True
        self.spared = False  # some cell is good only for SL

    def _row(self, cell):
        kernel = {kind: self.results.goodputs(cell, kind) for kind in self.kernels}
        measured = [values for values in kernel.values() if values]
        line = f"{cell.name:26}"
        for values in kernel.values():
            line += f" {statistics.median(values):9.3f}" if values else f" {'-':>9}"
        ours = {kind: self.results.goodputs(cell, kind) for kind in self.ratios}
        judged = {kind: judge(measured, values, self.plan.least)
                  for kind, values in ours.items() if values and measured}
        spared = "SL" in judged and judged["SL"][1]
        for kind, ratios in self.ratios.items():
            if kind not in judged:
                line += f" {'-':>9} {'':>6}"
                continue
            ratio, good = judged[kind]
            ratios.append(ratio)
            self.fine = self.fine and (good or spared)
            self.spared = self.spared or (spared and not good)
            mark = " " if good else "*" if spared else "!"
            line += f" {statistics.median(ours[kind]):9.3f} {ratio:5.2f}{mark}"
        self.report.line(line)

    def show(self):
        """True when every cell has been measured and none fails."""
        missing = [f"{cell.name} {kind}" for cell in self.plan.cells
                   for kind in self.plan.kinds_of(cell)
                   if len(self.results.goodputs(cell, kind)) < self.plan.enough]
        self.report.line(wires.machine())
        self.report.line(f"{self.plan.congestion}, medians of up to {self.plan.seeds} seeds, "
                         "Mbit/s, and salut's by the kernel's")
        self.report.line()
        self.report.line(f"{'':26}" + "".join(f" {kind:>9}" for kind in self.kernels) +
                         "".join(f" {kind:>9} {'':6}" for kind in self.ratios))
        for cell in self.plan.cells:
            self._row(cell)
        for kind, ratios in self.ratios.items():
            if ratios:
                self.report.line(f"{kind}: median ratio over {len(ratios)} cells "
                                 f"{statistics.median(ratios):.3f}, lowest {min(ratios):.3f}")
        if missing:
            self.report.line(f"not run often enough: {', '.join(missing[:3])}"
                             f"{f' and {len(missing) - 3} more' if len(missing) > 3 else ''}")
        if not self.fine:
            self.report.line(f"FAIL: cells marked ! are below {self.plan.least} of the kernel")
        if self.spared:
            self.report.line(f"*: the path takes more than the draft's 2 %; SL, told to bear "
                             f"{BBR_BEARS} %, reaches {self.plan.least}")
        self.fine = self.fine and not missing
        if self.fine:
            self.report.line("fine")
        return self.fine


def run_grid(arguments):
    plan = Plan(arguments)
    results = Results(plan.tsv)
    if not arguments.table:
        wires.need_congestion(plan.congestion)
        Series(plan, results).run(arguments.jobs)
    report = wires.Report()
    wires.say()
    fine = Table(plan, results, report).show()
    report.save(arguments.text)
    return fine


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=None, metavar="FILE",
                        help="the TSV (bench/paths.tsv, bench/paths-bbr.tsv; --quick: none); "
                             "of --short and --spurious the table")
    parser.add_argument("--text", default=None, metavar="FILE", help="write the table there too")
    parser.add_argument("--cells", default="*", help="a pattern such as '20M-*-loss1-*'")
    parser.add_argument("--seeds", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=None, help="for each transfer")
    wires.add_jobs(parser)
    parser.add_argument("--congestion", choices=wires.SOURCE_PORT, default="cubic")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quick", action="store_true")
    which.add_argument("--bbr", action="store_true")
    which.add_argument("--short", type=int, default=0, metavar="N")
    which.add_argument("--spurious", type=int, default=0, metavar="N")
    arguments = parser.parse_args()
    wires.need_salut()
    wires.go_first()
    if arguments.short:
        return paths_short.run(arguments.short, arguments.jobs, arguments.out)
    if arguments.spurious:
        return paths_spurious.run(arguments.spurious, arguments.jobs, arguments.out)
    return run_grid(arguments)


if __name__ == "__main__":
    wires.exit_by(main)
