#!/usr/bin/env python3
"""How long it takes to list many sockets with their programs: salut beside ss.

    bench/status.py [--sockets N] [--processes N] [--runs N] [--out FILE]

N sockets (50,000), connected over loopback and held by several processes in a network namespace of
its own. `salut status` and `ss -tanp` run in turn, each writing to a file; then their answers are
compared: both must name the same sockets with the same processes. Then the same for listings without
programs. FILE is a text with the table.

Needs root or user namespaces, and ss. SALUT names the program (default: build/salut).
"""
import argparse
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/peers"))
import peers  # noqa: E402

FASTER = 5

HOLDER = """
import socket, sys, time
address, pairs = sys.argv[1], int(sys.argv[2])
listener = socket.socket()
listener.bind((address, 9000))
listener.listen(4096)
held = []
for _ in range(pairs):
    here = socket.socket()
    here.connect((address, 9000))
    held += [here, listener.accept()[0]]
print("ready", flush=True)
sys.stdin.read()
"""


def start_holders(processes, sockets):
    each = sockets // processes // 2
    holders = []
    for i in range(processes):
        holders.append(subprocess.Popen([sys.executable, "-c", HOLDER, f"127.0.0.{i + 2}", str(each)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    for holder in holders:
        peers.check(holder.stdout.readline() == "ready\n", "the sockets cannot be opened")
    return holders, each * 2 * processes


def stop_holders(holders):
    for holder in holders:
        holder.stdin.close()
    for holder in holders:
        holder.wait()
        holder.stdout.close()


def run(command, path):
    """Wall-clock and CPU seconds of one run."""
    with open(path, "w", encoding="ascii") as out:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        subprocess.run(command, stdout=out, check=True)
        wall = time.monotonic() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Timed:
    def __init__(self, name, command):
        self.name, self.command = name, command
        self.wall, self.cpu = [], []

    def go(self, path):
        wall, cpu = run(self.command, path)
        self.wall.append(wall)
        self.cpu.append(cpu)

    def row(self):
        return (f"{self.name:44} {statistics.median(self.wall):8.3f} {min(self.wall):8.3f} "
                f"{max(self.wall):8.3f} {statistics.median(self.cpu):8.3f}")


def race(contestants, runs, folder):
    """In turn, so that what else the machine does meets all alike; one round is not counted."""
    paths = [os.path.join(folder, str(i)) for i in range(len(contestants))]
    for i in range(runs + 1):
        for contestant, path in zip(contestants, paths):
            contestant.go(path)
        if i == 0:
            for contestant in contestants:
                contestant.wall.clear()
                contestant.cpu.clear()
    return paths


SS_LINE = re.compile(r'ESTAB +\d+ +\d+ +(\S+) +(\S+) +users:\(\("([^"]+)",pid=(\d+),fd=(\d+)\)')


def answers_agree(folder, ss_path):
    """The sockets and owners that both tell."""
    with open(ss_path, encoding="ascii") as file:
        told = {m.groups() for m in map(SS_LINE.match, file) if m}
    path = os.path.join(folder, "json")
    run([peers.SALUT, "status", "--source", "kernel", "--json", "state", "established"], path)
    ours = set()
    with open(path, encoding="ascii") as file:
        for r in map(json.loads, file):
            ours.add((f"{r['local_address']}:{r['local_port']}",
                      f"{r['remote_address']}:{r['remote_port']}", r["program"], str(r["pid"]),
                      str(r["fd"])))
    peers.check(told == ours, f"ss tells {len(told)} sockets with owners, salut {len(ours)}, "
                              f"{len(told & ours)} alike")
    return len(told)


def times_as_fast(ours, other):
    return statistics.median(other.wall) / statistics.median(ours.wall)


def version(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sockets", type=int, default=50000)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--out")
    args = parser.parse_args()
    holders, sockets = start_holders(args.processes, args.sockets)
    with tempfile.TemporaryDirectory() as folder:
        own = Timed("salut status --no-why", [peers.SALUT, "status", "--no-why"])
        full = Timed("salut status", [peers.SALUT, "status"])
        walk = Timed("salut status --owners proc", [peers.SALUT, "status", "--owners", "proc"])
        other = Timed("ss -tanp", ["ss", "-tanp"])
        paths = race([other, own, full, walk], args.runs, folder)
        alike = answers_agree(folder, paths[0])
        plain = Timed("salut status --no-owners --no-why",
                      [peers.SALUT, "status", "--no-owners", "--no-why"])
        counts = Timed("salut status --summary", [peers.SALUT, "status", "--summary"])
        ss_plain = Timed("ss -tan", ["ss", "-tan"])
        ss_info = Timed("ss -tani", ["ss", "-tani"])
        race([ss_plain, ss_info, plain, counts], args.runs, folder)
    stop_holders(holders)
    ratio, bare, walked = (times_as_fast(t, other) for t in (full, own, walk))
    pairs = sorted(theirs / ours for theirs, ours in zip(other.wall, full.wall))
    lines = [f"{version([peers.SALUT, 'version'])}, {version(['ss', '-V'])}, "
             f"Linux {platform.release()}, {os.cpu_count()} processors",
             f"{sockets} sockets over loopback, held by {args.processes} processes; {args.runs} runs "
             "in turn, to a file",
             "", f"{'seconds':44} {'median':>8} {'least':>8} {'most':>8} {'CPU':>8}"]
    lines += [t.row() for t in (other, full, own, walk, ss_info, ss_plain, plain, counts)]
    lines += ["", f"both name the same {alike} sockets, processes and descriptors",
              f"with owners and reasons salut is {ratio:.1f} times as fast as ss -tanp, without "
              f"reasons {bare:.1f} times (at least {FASTER})",
              f"round by round {pairs[0]:.1f} to {pairs[-1]:.1f} times; CPU time "
              f"{statistics.median(other.cpu) / statistics.median(full.cpu):.1f} times less; where "
              f"only /proc can be asked {walked:.1f} times as fast",
              "" if ratio >= FASTER else "FAIL: salut is not fast enough"]
    text = "\n".join(lines).rstrip("\n") + "\n"
    print(text, end="")
    if args.out:
        with open(args.out, "w", encoding="ascii") as file:
            file.write(text)
    return 0 if ratio >= FASTER else 1


if __name__ == "__main__":
    peers.enter()
    sys.exit(main())
