"""What lab_capture.py's stories are made with: a namespace, a peer that remembers, a capture.

All stories of the kernel happen at once, each with ports of its own, in one capture of the loopback
and of the peer's device. A story waits for what it needs to see, not for a time that must have been
enough; where only time itself is the story (a wait, an idle connection) the time is a least one.
"""
import itertools
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../peers"))
import peers  # noqa: E402
from fake_peer import ACK, KERNEL, SYN, Behaviour, Flow, Peer, Segment, checksum  # noqa: E402

HOST = "10.55.7.7"
# Each listener has a port of its own, and no program's: those that the kernel chooses are higher.
LISTENERS = itertools.count(20001)
PATIENCE = 60.0


def wait_for(condition, what):
    """Until it holds; the deadline is for a machine that is very busy."""
    end = time.monotonic() + PATIENCE
    while not condition():
        peers.check(time.monotonic() < end, f"waited in vain for {what}")
        time.sleep(0.02)


class Watcher(Peer):
    """A peer that remembers every segment it was sent, by its own port."""

    def __init__(self):
        super().__init__()
        self.history = {}
        self.deaf_above = {}  # port: segments with more payload are lost
        self.second_syn = set()  # ports that answer only the second SYN

    def take(self, s):
        heard = self.history.setdefault(s.dport, [])
        heard.append(s)
        if len(s.data) > self.deaf_above.get(s.dport, 65535):
            return
        if s.dport in self.second_syn and sum(bool(h.flags & SYN) for h in heard) < 2:
            return
        super().take(s)

    def heard(self, port, flags=0, data=False):
        return sum(s.flags & flags == flags and (not data or len(s.data) > 0)
                   for s in list(self.history.get(port, [])))

    def last(self, port):
        return self.history[port][-1]

    def inject(self, flow, flags, seq, data=b"", ack=None, ttl=64):
        """A segment of no flow's, or with another time-to-live."""
        address, sport, dport = flow.key
        packet = bytearray(Segment(address, KERNEL, sport, dport, seq, flow.expected if ack is None
                                   else ack, flags, flow.behaviour.window, data=data).pack())
        packet[8] = ttl
        packet[10:12] = b"\0\0"
        packet[10:12] = struct.pack("!H", checksum(bytes(packet[:20])))
        os.write(self.fd, bytes(packet))


class Lab:
    def __init__(self):
        self.peer = Watcher()
        self.ports = itertools.count(2001)
        self.over = threading.Event()
        self.held = []  # sockets that live as long as the capture does

    def behave(self, **how):
        """A port of the peer's that behaves so."""
        port = next(self.ports)
        self.peer.ports[port] = Behaviour(**how)
        return port

    def connected(self, **how):
        """A connection of a program here to the peer: the socket, the flow, the peer's port."""
        port = self.behave(**how)
        here = socket.create_connection((HOST, port), timeout=PATIENCE)
        here.settimeout(PATIENCE)
        key = (HOST, port, here.getsockname()[1])
        wait_for(lambda: key in self.peer.flows, "the peer's flow")
        return here, self.peer.flows[key], port

    def served(self, room=None, **how):
        """A connection that the peer opened to a program here."""
        listener = listen(room=room)
        port = next(self.ports)
        flow = Flow(Behaviour(**how))
        flow.key = (HOST, port, listener.getsockname()[1])
        with self.peer.lock:
            self.peer.flows[flow.key] = flow
        self.peer.send(Segment(HOST, KERNEL, port, flow.key[2], flow.isn, 0, SYN,
                               options=self.peer.syn_options(flow.behaviour)))
        listener.settimeout(PATIENCE)
        here, _ = listener.accept()
        here.settimeout(PATIENCE)
        listener.close()
        return here, flow, port

    def hold(self, *sockets):
        self.held.extend(sockets)

    def stay(self, seconds):
        """At least so long."""
        self.over.wait(seconds)


def listen(backlog=128, address=KERNEL, room=None, mss=None):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if room is not None:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    if mss is not None:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
    s.bind((address, next(LISTENERS)))
    s.listen(backlog)
    return s


def pair(**how):
    """A connection over the loopback: client's socket, server's, the server's port."""
    listener = listen(address="127.0.0.1", **how)
    port = listener.getsockname()[1]
    here = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    listener.settimeout(PATIENCE)
    there, _ = listener.accept()
    there.settimeout(PATIENCE)
    listener.close()
    return here, there, port


def take(s, count):
    """So many bytes, or what comes before the end."""
    got = b""
    while len(got) < count:
        more = s.recv(count - len(got))
        if not more:
            break
        got += more
    return got


def abort(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


class Capture:
    """salut capture on the interfaces, from when it is ready until it is stopped."""

    def __init__(self, path, *interfaces):
        words = [word for name in interfaces for word in ("-i", name)]
        self.process = subprocess.Popen([peers.SALUT, "capture", "--no-comments", *words, "-w",
                                         path], stderr=subprocess.PIPE, text=True)
        wait_for(lambda: self.process.poll() is not None or
                 (os.path.exists(path) and os.path.getsize(path) > 0), "the capture")
        if self.process.poll() is not None:
            said = self.process.stderr.read().strip()
            peers.check(self.process.returncode == 3, f"salut capture ended: {said}")
            peers.skip(said)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=PATIENCE)
        peers.check(self.process.returncode == 0, f"salut capture: {said}")
        peers.check(" 0 dropped" in said, f"packets were dropped: {said}")


def rewrite(source, target, copies):
    """A capture (pcapng) again, each packet as often as copies(number, bytes) says."""
    with open(source, "rb") as f:
        data = f.read()
    at, number = 0, 0
    with open(target, "wb") as f:
        while at + 12 <= len(data):
            kind, size = struct.unpack_from("<II", data, at)
            times = 1
            if kind == 6:
                number += 1
                bytes_ = struct.unpack_from("<I", data, at + 20)[0]
                times = copies(number, data[at + 28:at + 28 + bytes_])
            f.write(data[at:at + size] * times)
            at += size
