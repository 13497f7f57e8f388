"""What is sent again in vain: `bench/paths.py --spurious N`.

The wires here lose nothing and have room for everything; they only reorder. Whatever is sent again
is then sent again in vain. The judge is the same for the kernel's sender and salut's: the receiving
kernel, which counts the data segments that it had already (the D-SACKs it sends, RFC 2883). Both
senders have to bring the same bytes. salut's sum over all paths and seeds may not be above the
kernel's.

Beside it stands what the sender itself counted as sent again: the kernel counts segments, salut a
super-segment once.
"""
import statistics

import wires

ROUND_TRIP_MS = 50
RATES = {"20M": 8 << 20, "100M": 40 << 20}  # and the bytes to bring
REORDERINGS = ("5%,10ms", "20%,3ms")
KINDS = ("kernel", "salut")
LIMIT_S = 60


class Path:
    def __init__(self, rate, reorder):
        self.rate, self.reorder = rate, reorder
        self.bytes = RATES[rate]
        self.name = f"{rate} {reorder.replace(',', ' by ')}"

    def wire_options(self):
        return ["--rate", f"{self.rate.rstrip('M')}mbit", "--delay", f"{ROUND_TRIP_MS * 500}us",
                "--queue", "100000p", "--reorder", self.reorder]


def bring(hosts, kind, path):
    """What the receiving application saw, and what the sender counted."""
    command = {"do": "receive", "seconds": LIMIT_S, "bytes": path.bytes}
    if kind == "salut":
        salut = wires.start_salut(hosts, "a", ["--source", "--stats"])
        with salut:
            hosts["b"].do(do="greet", address=wires.SALUT_ADDRESS["a"])
            got = hosts["b"].do(address=wires.SALUT_ADDRESS["a"], port=19, **command)
        return dict(got, own=salut.retransmissions())
    hosts["b"].do(do="greet", address=wires.ADDRESS["a"])
    got = hosts["b"].do(address=wires.ADDRESS["a"], port=19, **command)
    return dict(got, own=hosts["a"].do(do="source")["retransmitted"])


def bring_over(hosts, kind, path, seed):
    """One run and its wire: segments seen twice, the sender's count, seconds."""
    before = hosts["b"].do(do="seen_twice")["segments"]
    wire = wires.start_wire(hosts, path.wire_options(), seed)
    with wire:
        got = bring(hosts, kind, path)
        twice = hosts["b"].do(do="seen_twice")["segments"] - before
    ledger = wire.ledger()
    if got["bytes"] < path.bytes:
        raise wires.Trouble(f"{path.name} {kind}: {got['bytes']} bytes in {LIMIT_S} s")
    if ledger["lost"] + ledger["overflowed"] + ledger["refused"] > 0 or ledger["reordered"] == 0:
        raise wires.Trouble(f"{path.name} {kind}: the wire did not only reorder: {ledger}")
    return (twice, got["own"], got["bytes"] * 8 / got["seconds"] / 1e6), wire


def show(report, title, found):
    line = f"{title:16}"
    for kind in KINDS:
        twice, own, rates = zip(*found[kind])
        line += f"{sum(twice):16} {sum(own):9} {statistics.median(rates):9.2f}"
    report.line(line)


def run(seeds, jobs, out):
    """True when salut sends no more in vain than the kernel."""
    wires.check_wire()
    paths = [Path(rate, reorder) for rate in RATES for reorder in REORDERINGS]
    results = {}

    def measure(hosts, item):
        seed, path, kind = item
        what = f"{path.name} {kind} seed {seed}"
        twice, own, rate = wires.repeat_void(what, lambda: bring_over(hosts, kind, path, seed))
        results[item] = twice, own, rate
        wires.say(f"{what}: {twice} seen twice, {own} by its own count, {rate:.2f} Mbit/s")

    todo = [(seed, path, kind) for seed in range(1, seeds + 1) for path in paths for kind in KINDS]
    wires.work_by_load(todo, jobs, lambda item: item[1].rate != "20M", measure)
    report = wires.Report()
    wires.say()
    report.line(wires.machine())
    report.line(f"paths that only reorder, round trip {ROUND_TRIP_MS} ms, sums of {seeds} seeds, "
                "each " + ", ".join(f"{most >> 20} MB at {rate}" for rate, most in RATES.items()))
    report.line()
    report.line(f"{'':16}{'kernel':>36}{'salut':>36}")
    report.line(f"{'':16}" + f"{'seen twice':>16} {'own count':>9} {'Mbit/s':>9}" * 2)
    for path in paths:
        show(report, path.name, {kind: [results[seed, path, kind] for seed in range(1, seeds + 1)]
                                 for kind in KINDS})
    twice = {kind: sum(result[0] for (_, _, of), result in results.items() if of == kind)
             for kind in KINDS}
    fine = twice["salut"] <= twice["kernel"]
    report.line(f"all: the kernel {twice['kernel']}, salut {twice['salut']}")
    report.line("fine" if fine else "FAIL: salut sends more in vain than the kernel")
    report.save(out)
    return fine
