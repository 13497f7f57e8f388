#!/usr/bin/env python3
"""salut and the kernel over the same bad network: goodput by path, in one table.

    bench/paths.py [--out FILE] [--cells PATTERN] [--seeds N] [--jobs N] [--quick] [--table]
    bench/paths.py --short N

Two kernels, each in a network namespace of its own, are joined by `salut wire` (rate, drop-tail
queue, delay, faults by seed). The data goes from host A to host B; its way has the bottleneck and
the faults, the way back only the delay. What sends and what receives:

    A, A'   the kernel to the kernel, twice: how much two equal runs differ
    SK      salut to the kernel: `salut serve --source` on a packet socket of A's device
    KS      the kernel to salut: `salut serve --sink` likewise on B's

Everything is CUBIC. Goodput is what the receiving application got (A, A', SK) or what was
acknowledged (KS) from the opened connection on, slow start included. The results are appended to
FILE (a TSV); what is there already is not run again, so that the series may be interrupted. The
wire is measured first (`salut wire --check`), and it reports how late it was in each run: a run with
a 99th percentile above 0.5 ms is void and is repeated.

A cell fails when salut's median is below 0.95 of the lower median of A and A' and below everything
A and A' have shown. --quick: six named cells, three seeds, A once, failing below 0.7.
--short N: N transfers of 100 KB under 2 % loss instead, by the kernel and by salut.

Needs root. SALUT names the program (default: build/salut).
"""
import argparse
import concurrent.futures
import fnmatch
import itertools
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
SALUT = os.path.abspath(os.environ.get("SALUT", os.path.join(ROOT, "build/salut")))
ADDRESS = {"a": "10.98.0.1", "b": "10.98.0.2"}
SALUT_ADDRESS = {"a": "10.98.0.3", "b": "10.98.0.4"}
SKIPPED = 77
LATE_MAX_US = 500
TRIES = 8
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
CLEAN_BACK = ["--back-loss", "0%", "--back-burst-loss", "0%,1", "--back-reorder", "0%",
              "--back-queue", "100000p"]
QUEUES = ("1", "0.25")
KINDS = ("A", "A'", "SK", "KS")
QUICK_CELLS = ("20M-50ms-loss0-q1", "20M-50ms-loss1-q1", "20M-10ms-burst-q1",
               "20M-50ms-reorder-q1", "200M-10ms-loss0-q1", "200M-50ms-loss0.1-q0.25")
COLUMNS = ("cell", "kind", "seed", "goodput_mbit", "seconds", "retransmitted", "seen", "lost",
           "overflowed", "reordered", "late_p99_us", "verdict")


class Trouble(Exception):
    """A run could not be done; the text says why."""


# ---- cells -----------------------------------------------------------------------------------

class Cell:
    def __init__(self, rate, round_trip_ms, fault, queue):
        self.rate, self.round_trip_ms, self.fault, self.queue = rate, round_trip_ms, fault, queue
        self.name = f"{rate}-{round_trip_ms}ms-{fault}-q{queue}"

    def wire_options(self):
        return (["--rate", RATES[self.rate], "--delay", f"{self.round_trip_ms * 500}us",
                 "--queue", f"{self.queue}bdp"] + FAULTS[self.fault] + CLEAN_BACK)

    def seconds(self):
        return 6 if self.round_trip_ms < 200 else 12


def all_cells():
    return [Cell(*each) for each in itertools.product(RATES, ROUND_TRIPS_MS, FAULTS, QUEUES)]


# ---- hosts, wire, salut ----------------------------------------------------------------------

class Host:
    """A kernel in a namespace of its own, as paths_host.py."""

    def __init__(self):
        command = ["unshare", "--net", sys.executable, os.path.join(HERE, "paths_host.py")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.pid = self.process.pid
        if not self.process.stdout.readline():
            raise Trouble("a host did not start: root is needed, and ip(8)")

    def do(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": "a host is gone"}
        if "error" in answer:
            raise Trouble(answer["error"])
        return answer

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Process:
    """A salut that is ended with SIGTERM; .lines and .err are what it said after its first line."""

    def __init__(self, command):
        dies_with_us = ["setpriv", "--pdeathsig", "TERM"]
        self.process = subprocess.Popen(dies_with_us + command, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.lines = []
        self.err = ""
        if not self.process.stdout.readline():
            _, err = self.process.communicate()
            raise Trouble(f"{' '.join(command)}: exit {self.process.returncode}: {err.strip()}")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.send_signal(signal.SIGTERM)
        try:
            out, self.err = self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, self.err = self.process.communicate()
            self.err += " (did not end within 20 s of SIGTERM)"
        self.lines = out.splitlines()
        if self.process.returncode != 0 and kind is None:
            raise Trouble(f"salut: exit {self.process.returncode}: {self.err.strip()}")

    def retransmissions(self):
        """What `--stats` counted; a super-segment sent again counts once."""
        return sum(int(n) for n in re.findall(r"^ *(\d+) send-retransmit-", self.err, re.M))


def start_wire(hosts, options, seed):
    ends = [f"{hosts['a'].pid}:wa", f"{hosts['b'].pid}:wb"]
    command = [SALUT, "wire", "--json", "--realtime", "--seed", str(seed)] + options + ends
    wire = Process(command)
    for end in "ab":
        hosts[end].do(do="up", device=f"w{end}", address=f"{ADDRESS[end]}/24")
    return wire


def start_salut(hosts, end, service):
    inside = ["nsenter", "-t", str(hosts[end].pid), "-n"]
    return Process(inside + [SALUT, "serve", "--sink"] + service +
                   ["--packet", f"w{end}", "--address", f"{SALUT_ADDRESS[end]}/24",
                    "--connections", "64"])


def check_wire():
    command = [SALUT, "wire", "--check", "--realtime"]
    for _ in range(TRIES):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stdout + done.stderr, end="", flush=True)
        if done.returncode == 0:
            return
        time.sleep(1)
        if done.returncode == 3:
            print("the wire cannot have its devices here")
            sys.exit(SKIPPED)
    raise SystemExit("void: the wire does not keep its time on this machine at the moment")


# ---- one run ---------------------------------------------------------------------------------

def transfer(hosts, kind, seconds):
    """Bytes, seconds and the sender's retransmissions of one transfer A to B."""
    if kind == "SK":
        salut = start_salut(hosts, "a", ["--source", "--stats"])
        with salut:
            hosts["b"].do(do="greet", address=SALUT_ADDRESS["a"])
            result = hosts["b"].do(do="receive", address=SALUT_ADDRESS["a"], port=19,
                                   seconds=seconds)
        return dict(result, retransmitted=salut.retransmissions())
    if kind == "KS":
        with start_salut(hosts, "b", []):
            hosts["a"].do(do="greet", address=SALUT_ADDRESS["b"])
            return hosts["a"].do(do="send", address=SALUT_ADDRESS["b"], port=9, seconds=seconds)
    hosts["b"].do(do="greet", address=ADDRESS["a"])
    result = hosts["b"].do(do="receive", address=ADDRESS["a"], port=19, seconds=seconds)
    result["retransmitted"] = hosts["a"].do(do="source")["retransmitted"]
    return result


def lateness_us(wire):
    """The worse direction's 99th percentile, of a wire that has ended."""
    return max(json.loads(line)["late_p99_us"] for line in wire.lines)


def run_once(hosts, cell, kind, seed, seconds):
    wire = start_wire(hosts, cell.wire_options(), seed)
    with wire:
        result = transfer(hosts, kind, seconds)
    ledger = json.loads(wire.lines[0])
    late = lateness_us(wire)
    return {"cell": cell.name, "kind": kind, "seed": str(seed),
            "goodput_mbit": f"{result['bytes'] * 8 / result['seconds'] / 1e6:.3f}",
            "seconds": f"{result['seconds']:.2f}",
            "retransmitted": str(result["retransmitted"]),
            **{name: str(ledger[name]) for name in ("seen", "lost", "overflowed", "reordered")},
            "late_p99_us": str(late), "verdict": "void" if late > LATE_MAX_US else "fine"}


# ---- the table -------------------------------------------------------------------------------

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


def judge(kernel, ours, least):
    """The ratio of medians, and whether it is good enough."""
    base = min(statistics.median(values) for values in kernel)
    median = statistics.median(ours)
    ratio = median / base if base > 0 else float("inf")
    lowest = min(min(values) for values in kernel)
    return ratio, ratio >= least or (least > 0.9 and median >= lowest)


def print_table(results, cells, kinds, least):
    """Returns True when every cell has been measured and none fails."""
    missing = [f"{cell.name} {kind}" for cell in cells for kind in kinds
               if not results.goodputs(cell, kind)]
    fine = not missing
    ratios = {"SK": [], "KS": []}
    print(f"\n{'cell':26} {'A':>9} {chr(65) + chr(39):>9} {'SK':>9} {'':>6} {'KS':>9} {'':>6}  Mbit/s")
    for cell in cells:
        kernel = [values for kind in ("A", "A'") if (values := results.goodputs(cell, kind))]
        if not kernel:
            continue
        line = f"{cell.name:26} " + " ".join(f"{statistics.median(v):9.3f}" for v in kernel)
        line += " " * (10 if len(kernel) == 1 else 0)
        for kind, all_ratios in ratios.items():
            ours = results.goodputs(cell, kind)
            if not ours:
                line += f" {'-':>9} {'':>6}"
                continue
            ratio, good = judge(kernel, ours, least)
            all_ratios.append(ratio)
            fine = fine and good
            line += f" {statistics.median(ours):9.3f} {ratio:5.2f}{' ' if good else '!'}"
        print(line)
    for kind, all_ratios in ratios.items():
        if all_ratios:
            print(f"{kind}: median ratio over {len(all_ratios)} cells "
                  f"{statistics.median(all_ratios):.3f}, lowest {min(all_ratios):.3f}")
    if missing:
        print(f"no valid run yet of {len(missing)}, the first is {missing[0]}")
    print("fine" if fine else f"FAIL: cells marked ! are below {least} of the kernel")
    return fine


class Series:
    """What is to be run, and the workers that run it: each has two hosts and a wire of its own."""

    def __init__(self, results, todo, seconds):
        self.results, self.seconds, self.todo = results, seconds, todo
        self.done = 0
        self.lock = threading.Lock()
        self.waiting = []

    def run(self, jobs):
        """Slow paths share the machine; a fast one has it for itself."""
        for rate, workers in (("20M", jobs), ("200M", 1)):
            self.waiting = [each for each in self.todo if each[1].rate == rate]
            with concurrent.futures.ThreadPoolExecutor(workers) as pool:
                for worker in [pool.submit(self._work) for _ in range(workers)]:
                    worker.result()

    def _work(self):
        hosts = {}
        try:
            while True:
                with self.lock:
                    if not self.waiting:
                        return
                    seed, cell, kind = self.waiting.pop(0)
                hosts = hosts or {"a": Host(), "b": Host()}
                self._run(hosts, seed, cell, kind)
        finally:
            for host in hosts.values():
                host.stop()

    def _run(self, hosts, seed, cell, kind):
        for _ in range(TRIES):
            row = run_once(hosts, cell, kind, seed, self.seconds or cell.seconds())
            with self.lock:
                self.results.add(row)
                self.done += row["verdict"] == "fine"
                print(f"{self.done}/{len(self.todo)} {cell.name} {kind} seed {seed}: "
                      f"{row['goodput_mbit']} Mbit/s, late {row['late_p99_us']} us"
                      f"{'' if row['verdict'] == 'fine' else ': void'}", flush=True)
            if row["verdict"] == "fine":
                return


def run_series(results, cells, kinds, arguments):
    todo = [(seed, cell, kind) for seed in range(1, arguments.seeds + 1) for cell in cells
            for kind in kinds if not results.has(cell, kind, seed)]
    if todo:
        check_wire()
        Series(results, todo, arguments.seconds).run(arguments.jobs)


# ---- short transfers -------------------------------------------------------------------------

def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def fetch_short(hosts, kind, count):
    at_once = {"do": "short", "count": count, "at_once": 8}
    if kind == "salut":
        with start_salut(hosts, "a", ["--source=100K"]):
            hosts["b"].do(do="greet", address=SALUT_ADDRESS["a"])
            return hosts["b"].do(address=SALUT_ADDRESS["a"], port=19, **at_once)["times"]
    hosts["b"].do(do="greet", address=ADDRESS["a"])
    return hosts["b"].do(address=ADDRESS["a"], port=20, **at_once)["times"]


def fetch_over(hosts, options, kind, count):
    for _ in range(TRIES):
        wire = start_wire(hosts, options, 1)
        with wire:
            times = fetch_short(hosts, kind, count)
        if lateness_us(wire) <= LATE_MAX_US:
            return times
        print(f"{kind}: void, the wire was late by {lateness_us(wire)} us", flush=True)
    raise Trouble("the wire does not keep its time on this machine at the moment")


def run_short(count):
    """100 KB under 2 % loss: salut's median no longer than the kernel's, its p99 1.1 times at most."""
    check_wire()
    hosts = {"a": Host(), "b": Host()}
    options = ["--rate", "200mbit", "--delay", "25ms", "--queue", "1bdp", "--loss", "2%"]
    found = {}
    try:
        for kind in ("kernel", "salut"):
            times = fetch_over(hosts, options + CLEAN_BACK, kind, count)
            found[kind] = statistics.median(times), quantile(times, 0.99)
            print(f"{kind:7} {count} transfers of 100 KB: median {found[kind][0] * 1e3:.1f} ms, "
                  f"99 % {found[kind][1] * 1e3:.1f} ms", flush=True)
    finally:
        for host in hosts.values():
            host.stop()
    fine = (found["salut"][0] <= found["kernel"][0] and
            found["salut"][1] <= 1.1 * found["kernel"][1])
    print("fine" if fine else "FAIL: salut takes longer")
    return fine


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=None, help="the TSV (bench/paths.tsv; --quick: none)")
    parser.add_argument("--cells", default="*", help="a pattern such as '20M-*-loss1-*'")
    parser.add_argument("--seeds", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=None, help="for each transfer")
    parser.add_argument("--jobs", type=int, default=1, help="slow paths at a time")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--short", type=int, default=0, metavar="N")
    arguments = parser.parse_args()
    if not os.access(SALUT, os.X_OK):
        raise SystemExit(f"there is no {SALUT}: run `make` first, or set SALUT")
    if os.geteuid() != 0:
        print("root is needed: two network namespaces and devices in both")
        sys.exit(SKIPPED)
    if arguments.short:
        sys.exit(0 if run_short(arguments.short) else 1)
    kinds = ("A", "SK", "KS") if arguments.quick else KINDS
    names = QUICK_CELLS if arguments.quick else [cell.name for cell in all_cells()]
    cells = [cell for cell in all_cells()
             if cell.name in names and fnmatch.fnmatch(cell.name, arguments.cells)]
    arguments.seeds = arguments.seeds or (3 if arguments.quick else 15)
    results = Results(arguments.out or (None if arguments.quick else
                                        os.path.join(HERE, "paths.tsv")))
    if not arguments.table:
        run_series(results, cells, kinds, arguments)
    fine = print_table(results, cells, kinds, 0.7 if arguments.quick else 0.95)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    try:
        main()
    except Trouble as trouble:
        raise SystemExit(f"FAIL: {trouble}") from None
