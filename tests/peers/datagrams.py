#!/usr/bin/env python3
"""`salut nc -u` and the kernel's UDP: both roles, both families, whole and in fragments.

    datagrams.py

A kernel server echoes what nc sends it, a kernel client talks to a listening nc: from one byte to
the longest datagram there is, so that each side puts together what the other cut. A closed port is
refused on either side, where the sender is told. At the end the counters must show that nothing
was dropped, and that the kernel found no checksum wrong.
"""
import os
import select
import signal
import socket
import subprocess
import time

import peers
from peers import KERNEL, SALUT, SALUTS, check

PORT = 4711
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
SIZES = {4: [1, 17, 1200, 1472, 1473, 8000, 20001, 65507], 6: [1, 1452, 1453, 20001, 65487]}
GOOD = {"ip-not-ours", "udp-taken", "udp-sent", "udp-error", "udp-no-port", "frag-held", "frag-done"}


class Nc:
    """`salut nc -u` between two pipes; .counters by token once it has ended."""

    def __init__(self, *words):
        command = [SALUT, "nc", "-u", "--stats"] + peers.device_options() + list(words)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, bufsize=0)
        self.counters = {}
        self.err = ""
        self.code = None

    def put(self, data):
        """One write that fits a pipe is one read, and one datagram."""
        os.write(self.process.stdin.fileno(), data)

    def get(self, count, within_s=10):
        data = b""
        until = time.monotonic() + within_s
        while len(data) < count:
            left = until - time.monotonic()
            ready = select.select([self.process.stdout], [], [], max(left, 0))[0]
            check(ready, f"nc had {len(data)} of {count} bytes after {within_s} s")
            piece = os.read(self.process.stdout.fileno(), count - len(data))
            if not piece:
                self.end()
                raise peers.Failure(f"nc ended: {self.err}")
            data += piece
        return data

    def end(self, interrupt=False):
        """Let it end by itself, its input being over, or interrupt it."""
        if interrupt:
            self.process.send_signal(signal.SIGINT)
        try:
            err = self.process.communicate(timeout=20)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            err = self.process.communicate()[1]
            raise peers.Failure("salut nc -u did not end") from None
        self.err = err.decode()
        self.code = self.process.returncode
        for line in self.err.splitlines():
            words = line.split()
            if len(words) > 2 and words[0].isdigit():
                self.counters[words[1]] = int(words[0])
        return self.code


def pattern(size, seed):
    return bytes((seed + i * 7 + (i >> 8)) & 255 for i in range(size))


def kernel_errors():
    """What the kernel counted as wrong, over both families."""
    wrong = 0
    with open("/proc/net/snmp", encoding="ascii") as file:
        rows = [line.split() for line in file if line.startswith("Udp:")]
    wrong += int(rows[1][rows[0].index("InCsumErrors")]) + int(rows[1][rows[0].index("InErrors")])
    with open("/proc/net/snmp6", encoding="ascii") as file:
        for line in file:
            name, value = line.split()
            if name in ("Udp6InCsumErrors", "Udp6InErrors", "Ip6ReasmFails"):
                wrong += int(value)
    return wrong


def check_counters(nc, what):
    check(nc.code in (0, 1), f"{what}: exit {nc.code}: {nc.err}")
    strange = {token: count for token, count in nc.counters.items()
               if token.startswith(("udp", "frag", "ip-")) and token not in GOOD}
    check(not strange, f"{what}: counted {strange}")


def server_socket(family):
    sock = socket.socket(FAMILIES[family], socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE
    sock.bind(("", PORT))
    sock.settimeout(10)
    return sock


def salut_asks(family):
    """nc is the client of a kernel server that echoes."""
    with server_socket(family) as server:
        nc = Nc("--datagram", "65507", KERNEL[family], str(PORT))
        for number, size in enumerate(SIZES[family]):
            sent = pattern(size, number)
            nc.put(sent)
            got, client = server.recvfrom(1 << 16)
            check(got == sent, f"IPv{family}: {size} bytes came as {len(got)}")
            check(client[0] == SALUTS[family], f"came from {client[0]}")
            server.sendto(got, client)
            check(nc.get(size) == sent, f"IPv{family}: the echo of {size} bytes is another")
        nc.process.stdin.close()
        nc.process.stdin = None
        check(nc.end() == 0, f"IPv{family}: nc ended with {nc.code}: {nc.err}")
        check_counters(nc, f"IPv{family}, asking")
        check(nc.counters.get("udp-sent") == len(SIZES[family]), f"sent {nc.counters}")
        check(nc.counters.get("udp-taken") == len(SIZES[family]), f"took {nc.counters}")


def kernel_asks(family):
    """nc listens; the first datagram makes the kernel's client its peer."""
    nc = Nc("--datagram", "65507", "-l", str(PORT))
    with socket.socket(FAMILIES[family], socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)
        client.settimeout(10)
        until = time.monotonic() + 10
        while True:  # the device is nc's, and the port may not be open yet
            try:
                client.connect((SALUTS[family], PORT))
                client.send(b"hello")
                check(nc.get(5, 1) == b"hello", "another greeting")
                break
            except (OSError, peers.Failure):
                check(time.monotonic() < until, "salut nc -u -l could not be reached")
                time.sleep(0.05)
        for number, size in enumerate(SIZES[family]):
            sent = pattern(size, number)
            client.send(sent)
            check(nc.get(size) == sent, f"IPv{family}: {size} bytes came as others")
            nc.put(sent)
            got = client.recv(1 << 16)
            check(got == sent, f"IPv{family}: of {size} bytes {len(got)} came back")
        check(nc.end(interrupt=True) in (0, 130), f"nc ended with {nc.code}: {nc.err}")
    nc.code = 0
    check_counters(nc, f"IPv{family}, asked")


def closed_ports(family):
    # The refusal ends it. A second of quiet may be over before the kernel, busy with its new device,
    # has answered.
    nc = Nc("--timeout", "10s", KERNEL[family], str(PORT + 1))
    nc.put(b"anybody?")
    check(nc.end() == 1 and "refused" in nc.err, f"IPv{family}: exit {nc.code}: {nc.err}")
    check_counters(nc, f"IPv{family}, refused")
    nc = Nc("-l", str(PORT))
    with socket.socket(FAMILIES[family], socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        refused = False
        until = time.monotonic() + 10
        while not refused and time.monotonic() < until:
            try:
                client.connect((SALUTS[family], PORT + 2))
                client.send(b"anybody?")
                client.recv(1)
            except ConnectionRefusedError:
                refused = True
            except OSError:
                time.sleep(0.05)
        check(refused, f"IPv{family}: the kernel was not told that the port is closed")
    nc.end(interrupt=True)
    check(nc.counters.get("udp-no-port", 0) >= 1, f"no port: {nc.counters}")


def body():
    before = kernel_errors()
    for family in (4, 6):
        salut_asks(family)
        kernel_asks(family)
        closed_ports(family)
    check(kernel_errors() == before, "the kernel counted errors in what salut sent")
    print(f"datagrams of {', '.join(str(size) for size in SIZES[4])} bytes: echoed by either side")


peers.main(body)
