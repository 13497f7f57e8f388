#!/usr/bin/env python3
"""Transfers over a bad link: 1 % of the frames lost, 1 % duplicated, 1 % reordered, 0.1 %
corrupted, in each direction.

    impaired.py [--size 32M] [--seed N]

Down and up, over IPv4 and IPv6. The digests must be equal and no connection may be lost. Every
corrupted frame must have been dropped by a checksum, and nothing else: what was flipped on the
way to salut by salut (its counters), what was flipped on the way to the kernel by the kernel (its
counters of this namespace). Impair flips only bits that a checksum covers, in frames that have
one, so the numbers must be equal, not close.

What would spoil that are packets the kernel sends of its own accord to groups salut has not
joined: salut drops them before it looks at any checksum. Those that can be are off in this
namespace (peers.enter); the multicast listener reports that remain come within milliseconds, as
the device comes up. They are the first frames, and the seed is one that leaves those alone.
"""
import argparse
import os

import peers

SPEC = "loss=1%,dup=1%,reorder=1%,corrupt=0.1%,seed={}"
OURS = ("tcp-checksum", "ip-checksum", "icmp-checksum", "udp-checksum")


def kernel_checksum_drops():
    """What this namespace's kernel dropped because a checksum was wrong."""
    total = 0
    for name in ("snmp", "netstat"):
        with open(f"/proc/net/{name}", encoding="ascii") as file:
            lines = file.read().splitlines()
        for names, numbers in zip(lines[::2], lines[1::2]):
            for key, value in zip(names.split()[1:], numbers.split()[1:]):
                # A wrong IPv4 header checksum is IpExt InCsumErrors, a TCP one Tcp InCsumErrors.
                total += int(value) if key == "InCsumErrors" else 0
    with open("/proc/net/snmp6", encoding="ascii") as file:
        for line in file:
            key, value = line.split()
            total += int(value) if key in ("Icmp6InCsumErrors", "Udp6InCsumErrors") else 0
    return total


def transfer(folder, size, limit):
    file = os.path.join(folder, "large")
    digest = peers.make_file(file, size)
    for family in (4, 6):
        with peers.Timer(f"download over IPv{family}", size):
            got = peers.download(family, "large", limit)
        peers.check(got == digest, f"download over IPv{family}: digests differ")
        with peers.Timer(f"upload over IPv{family}", size):
            got = peers.upload(family, file, limit)
        peers.check(got == digest, f"upload over IPv{family}: digests differ")


def check_ledger(serve, kernel):
    ours = sum(serve.counters.get(token, 0) for token in OURS)
    to_kernel, to_salut = serve.impaired["out"], serve.impaired["in"]
    print(f"to salut:      {to_salut['corrupted']} frames corrupted, {ours} dropped by a checksum")
    print(f"to the kernel: {to_kernel['corrupted']} frames corrupted, {kernel} dropped by a checksum")
    for name, faults in serve.impaired.items():
        print(f"{name}: " + ", ".join(f"{number} {what}" for what, number in faults.items()))
        for fault in ("lost", "duplicated", "reordered", "corrupted"):
            peers.check(faults[fault] > 0, f"{name}: no frame was {fault}")
    peers.check(ours == to_salut["corrupted"], "salut dropped another number than was corrupted")
    peers.check(kernel == to_kernel["corrupted"],
                "the kernel dropped another number than was corrupted")


def body():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=peers.parse_size, default=32 << 20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=int, default=100, help="seconds, for each transfer")
    arguments = parser.parse_args()
    before = kernel_checksum_drops()
    with peers.scratch() as folder:
        with peers.Serve("--http", folder, "--impair", SPEC.format(arguments.seed)) as serve:
            transfer(folder, arguments.size, arguments.limit)
    peers.check(serve.accepted() == 4, f"{serve.accepted()} connections, not 4")
    peers.check(serve.failed() == 0, f"{serve.failed()} connections were lost")
    check_ledger(serve, kernel_checksum_drops() - before)


peers.main(body)
