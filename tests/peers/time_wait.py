#!/usr/bin/env python3
"""TIME-WAIT under pressure: a client with 1,000 local ports makes 20,000 connections within 60 s.

    time_wait.py CLIENT [--connections 20000]

CLIENT is the program made from time_wait_client.c. 60 s are 2 MSL here, so no port may be used
again because its TIME-WAIT is over: each reuse has to be an early one.

The server closes first (source): salut keeps the TIME-WAIT, the kernel's socket is gone and the
kernel picks ports as it likes. salut lets a SYN take over where RFC 6191 allows it: its timestamp
is later than the last one seen, or equal and its sequence number is later. A capture of all frames
is looked at by this program's own reading of that rule: every SYN of a tuple in TIME-WAIT that was
answered with SYN,ACK must have been allowed, and salut must have counted exactly those
(tcp-tw-reused). Then SYNs that the rule does not allow are forged, within the 2 MSL of their
tuples: none may be answered with SYN,ACK, and the TIME-WAIT must still be there for one that is
allowed. All of it over both families.

The client closes first (echo): the kernel keeps the TIME-WAIT, salut keeps nothing and so has
nothing to reuse. The kernel's own rule for connect() applies: with net.ipv4.tcp_tw_reuse=1 and
timestamps it takes a port again a second (tcp_tw_reuse_delay) after it went into TIME-WAIT, which
is at most 1,000 connections a second with 1,000 ports and one server; without it the 1,001st
connect() would fail for a minute. Both families go at the same time: their tuples are different.
"""
import argparse
import os
import re
import socket
import struct
import subprocess
import threading
import time

import peers

PORTS = 1000
FIRST_PORT = 32768
TWO_MSL_S = 60
SOURCE, ECHO = 19, 7
LINE = 64
PARALLEL = 64
FIN, SYN, RST, ACK = 1, 2, 4, 16


class Segment:
    """A TCP segment in an Ethernet frame, as far as this test needs it."""

    def __init__(self, frame):
        kind = struct.unpack_from("!H", frame, 12)[0]
        self.frame = frame
        self.family = {0x0800: 4, 0x86DD: 6}.get(kind, 0)
        self.tcp = 14 + {4: (frame[14] & 15) * 4, 6: 40, 0: 0}[self.family]
        protocol = {4: 23, 6: 20, 0: 12}[self.family]
        self.valid = self.family != 0 and frame[protocol] == socket.IPPROTO_TCP
        if not self.valid:
            return
        (self.source, self.target, self.seq, self.ack, offset,
         self.flags) = struct.unpack_from("!HHIIBB", frame, self.tcp)
        self.header_end = self.tcp + (offset >> 4) * 4
        self.stamp_at = self._find_stamp()
        self.stamp = None
        if self.stamp_at is not None:
            self.stamp = struct.unpack_from("!I", frame, self.stamp_at)[0]

    def _find_stamp(self):
        at = self.tcp + 20
        while at < self.header_end and self.frame[at] != 0:
            if self.frame[at] == 8:
                return at + 2
            at += 1 if self.frame[at] == 1 else self.frame[at + 1]
        return None

    def forged(self, seq, stamp):
        """The frame of this segment with another number and timestamp, its checksum right."""
        frame = bytearray(self.frame)
        struct.pack_into("!I", frame, self.tcp + 4, seq % (1 << 32))
        struct.pack_into("!I", frame, self.stamp_at, stamp % (1 << 32))
        struct.pack_into("!H", frame, self.tcp + 16, 0)
        first = 26 if self.family == 4 else 22
        end = 14 + struct.unpack_from("!H", frame, 16)[0] if self.family == 4 else \
            54 + struct.unpack_from("!H", frame, 18)[0]
        text = frame[first:self.tcp] + struct.pack("!HH", socket.IPPROTO_TCP, end - self.tcp)
        text += frame[self.tcp:end] + b"\0" * ((end - self.tcp) % 2)
        total = sum(struct.unpack(f"!{len(text) // 2}H", text))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        struct.pack_into("!H", frame, self.tcp + 16, ~total & 0xFFFF)
        return bytes(frame)


def later(a, b):
    """Whether the 32-bit number a comes after b."""
    return 0 < (a - b) % (1 << 32) < 1 << 31


def may_take_over(syn, stamp, fin_seq):
    """RFC 6191 2, for a connection that used timestamps: (3) and (4) of its list, or (5)."""
    if syn.stamp is None:
        return later(syn.seq, fin_seq)
    return later(syn.stamp, stamp) or (syn.stamp == stamp and later(syn.seq, fin_seq))


def frames_of(path):
    """The frames of a pcapng file written on this machine."""
    with open(path, "rb") as file:
        data = memoryview(file.read())
    at = 0
    while at + 12 <= len(data):
        kind, size = struct.unpack_from("=II", data, at)
        if kind == 6:
            captured = struct.unpack_from("=I", data, at + 20)[0]
            yield data[at + 28:at + 28 + captured]
        at += size


class Tuple:
    """What is known of one local port and family: the last connection that used it."""

    def __init__(self):
        self.waits = False  # salut closed first and saw the FIN of the kernel: TIME-WAIT
        self.salut_closed = False
        self.stamp = None
        self.fin_seq = None
        self.allowed = True
        self.judged = True


class Judge:
    """Reads a capture and holds every take-over against RFC 6191."""

    def __init__(self):
        self.tuples = {}
        self.reused = 0
        self.connections = 0
        self.refused = 0
        self.wrong = []

    def take(self, segment):
        from_kernel = segment.target == SOURCE
        port = segment.source if from_kernel else segment.target
        entry = self.tuples.setdefault((segment.family, port), Tuple())
        if from_kernel and segment.flags & (SYN | ACK) == SYN:
            self._syn(entry, segment)
        elif from_kernel:
            if segment.stamp is not None:  # a reset of no connection has none
                entry.stamp = segment.stamp
            if segment.flags & FIN:
                entry.waits = entry.salut_closed
                entry.fin_seq = segment.seq
        elif segment.flags & SYN:
            self._answered(entry, port)
        elif segment.flags & FIN:
            entry.salut_closed = True

    def _syn(self, entry, syn):
        entry.judged = False
        entry.allowed = not entry.waits or may_take_over(syn, entry.stamp, entry.fin_seq)
        self.refused += not entry.allowed

    def _answered(self, entry, port):
        if entry.judged:
            return  # the SYN,ACK again
        self.connections += 1
        self.reused += entry.waits
        if not entry.allowed:
            self.wrong.append(port)
        entry.judged = True
        entry.waits = entry.salut_closed = False


def start_client(client, family, port, count, who):
    command = [client, peers.SALUTS[family], str(port), str(count), str(PARALLEL), who]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish_client(process, what, count):
    text = process.communicate(timeout=2 * TWO_MSL_S)[0]
    print(f"{what}: {text.strip()}", flush=True)
    found = re.search(r"made (\d+) failed (\d+) no-port \d+ ms (\d+)", text)
    peers.check(process.returncode == 0 and found, f"{what}: exit {process.returncode}")
    peers.check(int(found[1]) == count, f"{what}: {found[1]} connections, not {count}")
    peers.check(int(found[3]) < TWO_MSL_S * 1000, f"{what}: {found[3]} ms is more than 60 s")


def server_first(client, count):
    with peers.scratch() as folder:
        capture = os.path.join(folder, "frames.pcapng")
        began = time.monotonic()
        with peers.Serve("--source", str(LINE), "--capture", capture) as serve:
            for family in (4, 6):
                process = start_client(client, family, SOURCE, count, "last")
                finish_client(process, f"server closes first, IPv{family}", count)
        took = time.monotonic() - began
        peers.check(took < TWO_MSL_S, f"{took:.0f} s: ports may have been free again by then")
        judge = Judge()
        for frame in frames_of(capture):
            segment = Segment(frame)
            if segment.valid:
                judge.take(segment)
    counted = serve.counters.get("tcp-tw-reused", 0)
    print(f"{judge.connections} connections on {len(judge.tuples)} tuples, {judge.reused} took over"
          f" a TIME-WAIT, {counted} counted, {judge.refused} SYNs had to be refused")
    peers.check(not judge.wrong, f"taken over against RFC 6191: ports {judge.wrong[:5]}")
    peers.check(judge.connections == 2 * count, f"not {2 * count} connections")
    peers.check(len(judge.tuples) <= 2 * PORTS, "more ports than there are")
    peers.check(judge.reused == 2 * count - len(judge.tuples), "a tuple was not in TIME-WAIT")
    peers.check(counted == judge.reused, "salut counted another number")


class Wire:
    """A packet socket on the kernel's end of the device."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind(("salut0", 0))

    def segments(self, for_s):
        """TCP segments that pass within that time."""
        end = time.monotonic() + for_s
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                segment = Segment(self.socket.recv(65536))
            except socket.timeout:
                return
            if segment.valid:
                yield segment


def one_connection(family):
    with socket.create_connection((peers.SALUTS[family], SOURCE), 10) as sock:
        while sock.recv(4096):
            pass


def answers(wire, frame):
    """What salut answers to a frame: the flags of its segments."""
    wire.socket.send(frame)
    return [segment.flags for segment in wire.segments(0.4) if segment.source == SOURCE]


def forge(family):
    """SYNs that RFC 6191 does not let take over, and at last one that it does."""
    wire = Wire()
    one_connection(family)
    seen = list(wire.segments(0.4))
    syn = next(s for s in seen if s.flags & (SYN | ACK) == SYN and s.target == SOURCE)
    last = [s for s in seen if s.source == syn.source][-1]
    fin = next(s for s in seen if s.source == syn.source and s.flags & FIN)
    attempts = (("an older timestamp, a later number", fin.seq + 100000, last.stamp - 1),
                ("an older timestamp, an older number", fin.seq - 100000, last.stamp - 1000),
                ("the same timestamp and number", fin.seq, last.stamp),
                ("the same timestamp, an older number", fin.seq - 1, last.stamp))
    for what, seq, stamp in attempts:
        got = answers(wire, syn.forged(seq, stamp))
        peers.check(not any(flags & SYN for flags in got),
                    f"IPv{family}: a SYN with {what} took over a TIME-WAIT")
    got = answers(wire, syn.forged(fin.seq - 100000, last.stamp + 1))
    peers.check(any(flags & SYN for flags in got),
                f"IPv{family}: a SYN with a later timestamp did not take over: {got}")
    wire.socket.close()


def refused():
    with peers.Serve("--source", str(LINE)) as serve:
        for family in (4, 6):
            forge(family)
    counted = serve.counters.get("tcp-tw-reused", 0)
    challenged = serve.counters.get("tcp-syn-challenged", 0)
    print(f"forged: {challenged} SYNs refused, {counted} took over")
    peers.check((challenged, counted) == (8, 2), "8 and 2 were to be")


def client_first(client, count):
    with peers.Serve("--echo") as serve:
        running = [(family, start_client(client, family, ECHO, count, "first"))
                   for family in (4, 6)]
        troubles = []

        def wait(family, process):
            try:
                finish_client(process, f"client closes first, IPv{family}", count)
            except (peers.Failure, subprocess.TimeoutExpired) as trouble:
                process.kill()
                troubles.append(str(trouble))

        threads = [threading.Thread(target=wait, args=pair) for pair in running]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        peers.check(not troubles, "; ".join(troubles))
    peers.check(serve.failed() == 0, f"{serve.failed()} connections failed")
    peers.check(serve.accepted() == 2 * count, f"{serve.accepted()} accepted, not {2 * count}")
    reused = serve.counters.get("tcp-tw-reused", 0)
    peers.check(reused == 0, f"salut had {reused} TIME-WAITs to reuse, though it closed last")


def body():
    parser = argparse.ArgumentParser()
    parser.add_argument("client")
    parser.add_argument("--connections", type=int, default=20000)
    arguments = parser.parse_args()
    peers.sysctl("ipv4/ip_local_port_range", f"{FIRST_PORT} {FIRST_PORT + PORTS - 1}")
    peers.sysctl("ipv4/tcp_tw_reuse", "1")
    peers.sysctl("ipv4/tcp_max_tw_buckets", "100000")
    with peers.Timer("server first"):
        server_first(arguments.client, arguments.connections)
    with peers.Timer("forged SYNs"):
        refused()
    with peers.Timer("client first"):
        client_first(arguments.client, arguments.connections)


peers.main(body)
