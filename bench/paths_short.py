"""Short transfers under loss, by the kernel and by salut: `bench/paths.py --short N`.

N transfers of 100 KB over 2 % loss each, eight at a time on one wire. They are made in blocks: in
each the kernel and salut take turns at the same wire with the same seed, and which of the two is
first alternates. salut's median over all blocks may not be longer than the kernel's, its 99th
percentile not longer than 1.1 times the kernel's.
"""
import statistics

import wires

BLOCKS = 5
AT_ONCE = 8
KINDS = ("kernel", "salut")
WIRE = ["--rate", "200mbit", "--delay", "25ms", "--queue", "1bdp", "--loss", "2%"]
LONGER_MAX = 1.1


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def fetch(hosts, kind, count):
    command = {"do": "short", "count": count, "at_once": AT_ONCE}
    if kind == "salut":
        with wires.start_salut(hosts, "a", ["--source=100K"]):
            hosts["b"].do(do="greet", address=wires.SALUT_ADDRESS["a"])
            return hosts["b"].do(address=wires.SALUT_ADDRESS["a"], port=19, **command)["times"]
    hosts["b"].do(do="greet", address=wires.ADDRESS["a"])
    return hosts["b"].do(address=wires.ADDRESS["a"], port=20, **command)["times"]


class Blocks:
    """The times of every block and kind."""

    def __init__(self, count):
        self.sizes = [count * (i + 1) // BLOCKS - count * i // BLOCKS for i in range(BLOCKS)]
        self.times = {}

    def _fetch_over(self, hosts, kind, block):
        wire = wires.start_wire(hosts, WIRE, block + 1)
        with wire:
            times = fetch(hosts, kind, self.sizes[block])
        return times, wire

    def measure(self, hosts, block):
        for kind in KINDS if block % 2 == 0 else reversed(KINDS):
            what = f"block {block + 1} {kind}"
            self.times[block, kind] = wires.repeat_void(
                what, lambda kind=kind: self._fetch_over(hosts, kind, block))
            wires.say(f"{what}: {self.sizes[block]} transfers")

    def all_of(self, kind):
        return [time for (_, of), times in self.times.items() if of == kind for time in times]


def show(report, title, count, found):
    line = f"{title:8} {count:>9}"
    for kind in KINDS:
        line += f"{found[kind][0] * 1e3:13.1f} {found[kind][1] * 1e3:9.1f}"
    report.line(line)


def run(count, jobs, out):
    """True when salut takes no longer. Blocks share the machine: none of them fills its wire."""
    wires.check_wire()
    blocks = Blocks(count)
    todo = [block for block in range(BLOCKS) if blocks.sizes[block] > 0]
    wires.work_through(todo, min(jobs, len(todo)), blocks.measure)
    report = wires.Report()
    wires.say()
    report.line(wires.machine())
    report.line(f"{count} transfers of 100 KB, {AT_ONCE} at a time, 2 % loss, 200 Mb/s, round trip "
                "50 ms")
    report.line()
    report.line(f"{'':18}{'kernel':>23}{'salut':>23}")
    report.line(f"{'':8} {'transfers':>9}" + f"{'median ms':>13} {'99 % ms':>9}" * 2)
    for block in todo:
        show(report, f"block {block + 1}", blocks.sizes[block],
             {kind: _median_and_late(blocks.times[block, kind]) for kind in KINDS})
    found = {kind: _median_and_late(blocks.all_of(kind)) for kind in KINDS}
    show(report, "all", count, found)
    ratios = [found["salut"][i] / found["kernel"][i] for i in range(2)]
    fine = ratios[0] <= 1 and ratios[1] <= LONGER_MAX
    report.line(f"salut by the kernel: median {ratios[0]:.3f} (at most 1), 99 % {ratios[1]:.3f} "
                f"(at most {LONGER_MAX})")
    report.line("fine" if fine else "FAIL: salut takes longer")
    report.save(out)
    return fine


def _median_and_late(times):
    return statistics.median(times), quantile(times, 0.99)
