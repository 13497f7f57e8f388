#!/usr/bin/env python3
"""How fast salut explain reads: bytes and packets a second on one core, and how much memory.

    bench/explain.py [--result FILE]

Four captures are made: one connection in full-size segments (bytes a second), many short ones and
one of bare acknowledgements (packets a second), and more connections than are kept. The median of
five runs each, the file in the page cache, output thrown away. Goals: 200 MB/s on the first,
500,000 packets/s on the next two; memory bounded on all.
"""
import argparse
import os
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SALUT = os.path.abspath(os.environ.get("SALUT", os.path.join(ROOT, "build/salut")))
RUNS = 5
SYN, ACK, FIN = 2, 16, 1


def segment(out, at_us, flow, up, flags, seq, ack, payload=0):
    """One packet of a pcap file; flow chooses address and port."""
    client, server = 0x0a000001 + (flow >> 15), 0x0b000001
    cport, sport = 32768 + (flow & 32767), 80
    ends = (client, server, cport, sport) if up else (server, client, sport, cport)
    total = 40 + payload
    out.append(struct.pack("<IIII", at_us // 1000000, at_us % 1000000, total, total))
    out.append(struct.pack(">BBHHHBBHII", 0x45, 0, total, at_us & 0xffff, 0x4000, 64, 6, 0,
                           ends[0], ends[1]))
    out.append(struct.pack(">HHIIBBHHH", ends[2], ends[3], seq & 0xffffffff, ack & 0xffffffff,
                           0x50, flags, 65535, 0, 0))
    out.append(b"x" * payload)


def begin():
    return [struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 101)]


def handshake(out, at_us, flow):
    segment(out, at_us, flow, True, SYN, 0, 0)
    segment(out, at_us + 20, flow, False, SYN | ACK, 0, 1)
    segment(out, at_us + 40, flow, True, ACK, 1, 1)


def bulk(count):
    out = begin()
    handshake(out, 1000, 0)
    for i in range(count):
        segment(out, 2000 + 10 * i, 0, True, ACK, 1 + 1448 * i, 1, 1448)
        if i % 2 == 1:
            segment(out, 2005 + 10 * i, 0, False, ACK, 1, 1 + 1448 * (i + 1))
    return out


def short(count):
    """Connections of ten packets each, a hundred at a time."""
    out = begin()
    for first in range(0, count, 100):
        base = 1000 + first * 100
        flows = range(first, min(first + 100, count))
        for flow in flows:
            handshake(out, base, flow)
        for flow in flows:
            segment(out, base + 200, flow, True, ACK, 1, 1, 200)
            segment(out, base + 300, flow, False, ACK, 1, 201)
            segment(out, base + 900, flow, False, ACK, 1, 201, 1000)
            segment(out, base + 950, flow, True, ACK, 201, 1001)
        for flow in flows:
            segment(out, base + 2000, flow, False, FIN | ACK, 1001, 201)
            segment(out, base + 2100, flow, True, FIN | ACK, 201, 1002)
            segment(out, base + 2200, flow, False, ACK, 1002, 202)
    return out


def acks(count):
    out = begin()
    handshake(out, 1000, 0)
    for i in range(count):
        segment(out, 2000 + 5 * i, 0, i % 2 == 0, ACK, 1, 1)
    return out


def make(path, maker, count):
    """Write a capture in a process of its own: what is spawned later inherits this one's size."""
    child = os.fork()
    if child == 0:
        with open(path, "wb") as f:
            f.writelines(maker(count))
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("bench/explain.py: a capture cannot be written")
    return {bulk: count + count // 2 + 3, short: 10 * count, acks: count + 3}[maker]


def measure(path):
    times, memory = [], 0
    for _ in range(RUNS):
        before = time.monotonic()
        with subprocess.Popen([SALUT, "explain", "--json", path], stdout=subprocess.DEVNULL) as p:
            _, status, usage = os.wait4(p.pid, 0)
            p.returncode = os.waitstatus_to_exitcode(status)
        times.append(time.monotonic() - before)
        memory = max(memory, usage.ru_maxrss)
        if p.returncode != 0:
            sys.exit(f"bench/explain.py: salut explain: exit {p.returncode}")
    return statistics.median(times), memory


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--result")
    args = parser.parse_args()
    cases = (("one connection, full-size segments", bulk, 200000, "MB/s", 200e6),
             ("50,000 connections of 10 packets", short, 50000, "packets/s", 500000),
             ("one connection, bare segments", acks, 1000000, "packets/s", 500000),
             ("150,000 connections of 10 packets", short, 150000, "packets/s", 500000))
    lines = [f"{'capture':38} {'packets':>9} {'MB':>7} {'s':>7} {'MB/s':>7} {'packets/s':>11} "
             f"{'memory MB':>9}"]
    slow = False
    for name, maker, count, unit, goal in cases:
        with tempfile.NamedTemporaryFile(suffix=".pcap") as f:
            packets = make(f.name, maker, count)
            size = os.path.getsize(f.name)
            seconds, memory = measure(f.name)
        rate = size / seconds if unit == "MB/s" else packets / seconds
        slow = slow or rate < goal
        lines.append(f"{name:38} {packets:9} {size / 1e6:7.1f} {seconds:7.3f} "
                     f"{size / seconds / 1e6:7.0f} {packets / seconds:11.0f} {memory / 1024:9.0f}"
                     + ("  below the goal" if rate < goal else ""))
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if args.result:
        with open(args.result, "w", encoding="utf-8") as f:
            f.write("salut explain, one core; goals: 200 MB/s, 500,000 packets/s, memory bounded "
                    "(at most 100,000\nconnections and 2 million packets are kept; the file, which is mapped, counts as well)\n\n" + text)
    return 1 if slow else 0


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main())
