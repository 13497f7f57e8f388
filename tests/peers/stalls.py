"""Request and response: what a delayed acknowledgement and Nagle's rule can cost when they meet.

Four ways of writing a request (write-write-read, an odd number of segments, header then body, byte
by byte), each sixty times over one connection with Nagle's rule on: kernel to kernel on the
loopback, salut as the client of a kernel server, and a kernel client of salut. A request that takes
as long as a delayed acknowledgement (40 ms) is a stall; salut must have none in either role. Where
the rules stall, they do so in nearly every request: a few slow ones are this machine's own pauses.
"""
import os
import socket
import subprocess
import sys
import time

from peers import (KERNEL, SALUT, SALUTS, Failure, check, device_options, enter)

ROUNDS = 60
STALL_S = 0.030
PAUSES_MAX = 3  # of the machine itself, in sixty requests
PAUSE_S = 0.0005  # between two writes, so that they are two for whoever reads them from a pipe
REPLY = b"0123456789"
PORT = 7100

PATTERNS = {
    "write-write-read": [100, 100],
    "odd segments": [3 * 1448 + 17],
    "header, body": [50, 3000],
    "byte by byte": [1] * 20,
}


class KernelEnd:
    """A connected socket of the kernel's."""

    def __init__(self, connected):
        self.socket = connected

    def put(self, data):
        self.socket.sendall(data)

    def get(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            check(piece, "the kernel's end was closed")
            data += piece
        return data

    def close(self):
        self.socket.close()


class SalutEnd:
    """`salut nc` between two pipes."""

    def __init__(self, *words):
        self.process = subprocess.Popen([SALUT, "nc"] + device_options() + list(words),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def put(self, data):
        os.write(self.process.stdin.fileno(), data)

    def get(self, count):
        data = b""
        while len(data) < count:
            piece = os.read(self.process.stdout.fileno(), count - len(data))
            check(piece, "salut nc ended")
            data += piece
        return data

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def listen(address):
    listener = socket.create_server((address, PORT))
    listener.settimeout(10)
    return listener


def kernel_pair():
    with listen("127.0.0.1") as listener:
        client = socket.create_connection(("127.0.0.1", PORT))
        return KernelEnd(client), KernelEnd(listener.accept()[0])


def salut_client():
    """The device is salut's: nc makes it, so the address is there once nc runs."""
    with socket.create_server(("0.0.0.0", PORT)) as listener:
        listener.settimeout(10)
        client = SalutEnd(KERNEL[4], str(PORT))
        return client, KernelEnd(listener.accept()[0])


def salut_server():
    server = SalutEnd("-l", str(PORT))
    until = time.monotonic() + 10
    while True:
        try:
            return KernelEnd(socket.create_connection((SALUTS[4], PORT), timeout=2)), server
        except OSError:
            check(time.monotonic() < until, "salut nc -l could not be reached")
            time.sleep(0.05)


def play(client, server, sizes):
    """Seconds of the requests, one after the other."""
    times = []
    for _ in range(ROUNDS):
        start = time.monotonic()
        for number, size in enumerate(sizes):
            if number > 0:
                time.sleep(PAUSE_S)
            client.put(b"r" * size)
        server.get(sum(sizes))
        server.put(REPLY)
        check(client.get(len(REPLY)) == REPLY, "a wrong answer")
        times.append(time.monotonic() - start)
    return times


def stalls_of(make, sizes):
    client, server = make()
    try:
        times = play(client, server, sizes)
    finally:
        client.close()
        server.close()
    return sum(t >= STALL_S for t in times), max(times), sorted(times)[len(times) // 2]


def main():
    enter()
    ways = {"kernel to kernel": kernel_pair, "salut to kernel": salut_client,
            "kernel to salut": salut_server}
    failures = []
    print(f"{'request':18} {'way':18} {'stalls':>6} {'longest':>9} {'median':>9}   of {ROUNDS}")
    for pattern, sizes in PATTERNS.items():
        for way, make in ways.items():
            stalls, longest, median = stalls_of(make, sizes)
            print(f"{pattern:18} {way:18} {stalls:6} {longest * 1000:6.1f} ms {median * 1000:6.2f} ms")
            if stalls > PAUSES_MAX and "salut" in way:
                failures.append(f"{pattern}, {way}: {stalls} of {ROUNDS} requests stalled")
    check(not failures, "; ".join(failures))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        print("stalls:", failure, file=sys.stderr)
        sys.exit(1)
