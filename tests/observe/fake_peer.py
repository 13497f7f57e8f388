"""A peer that does what no decent TCP would: for provoking each state of the kernel's sockets.

It lives behind a TUN device in the test's own network namespace, 10.55.0.1/16 being the kernel's
and every other address of it the peer's. What it does on a connection depends on the port and is
said by a Behaviour; it may also open connections itself. It knows just enough TCP for that, keeps
no timers, and never sends again.
"""
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import threading
import time

KERNEL = "10.55.0.1"
FIN, SYN, RST, PSH, ACK, ECE, CWR = 1, 2, 4, 8, 16, 64, 128
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Segment:
    def __init__(self, source, target, sport, dport, seq=0, ack=0, flags=0, window=65535,
                 options=b"", data=b""):
        self.source, self.target = source, target
        self.sport, self.dport = sport, dport
        self.seq, self.ack, self.flags, self.window = seq, ack, flags, window
        self.options, self.data = options, data

    def pack(self, spoilt=False):
        offset = (20 + len(self.options)) // 4
        tcp = struct.pack("!HHIIBBHHH", self.sport, self.dport, self.seq & 0xFFFFFFFF,
                          self.ack & 0xFFFFFFFF, offset << 4, self.flags, self.window, 0, 0)
        tcp += self.options + self.data
        ends = socket.inet_aton(self.source) + socket.inet_aton(self.target)
        total = checksum(ends + struct.pack("!BBH", 0, 6, len(tcp)) + tcp)
        tcp = tcp[:16] + struct.pack("!H", total ^ (0x5555 if spoilt else 0)) + tcp[18:]
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), random.randrange(65536), 0, 64, 6,
                             0) + ends
        return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + tcp

    @staticmethod
    def unpack(packet):
        if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != 6:
            return None
        bytes_of_ip = (packet[0] & 15) * 4
        tcp = packet[bytes_of_ip:]
        sport, dport, seq, ack, offset, flags, window = struct.unpack("!HHIIBBH", tcp[:16])
        s = Segment(socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20]), sport, dport,
                    seq, ack, flags, window)
        s.options = tcp[20:(offset >> 4) * 4]
        s.data = tcp[(offset >> 4) * 4:]
        return s


class Behaviour:
    """What the peer does at one port."""

    def __init__(self, answer_syn=True, ack_data=True, window=65535, ack_fin=True, fin_back=False,
                 fin_only=False, ack_probes=True, delay_s=0.0, mss=1460, quiet_after_handshake=False,
                 scale=7, sack=False, timestamps=False, ecn=False, syns_lost=0, stale=False,
                 lose=None, lose_ack=None, old_first=False):
        self.answer_syn = answer_syn      # with SYN,ACK
        self.ack_data = ack_data
        self.window = window              # told in every segment after the SYN,ACK
        self.ack_fin = ack_fin
        self.fin_back = fin_back          # answer a FIN with FIN,ACK
        self.fin_only = fin_only          # ... that does not acknowledge it (CLOSING)
        self.ack_probes = ack_probes      # answer probes of a closed window
        self.delay_s = delay_s            # how long its answers are on their way
        self.mss = mss                    # None: no options at all
        self.quiet_after_handshake = quiet_after_handshake
        self.scale = scale                # of its windows; None: no such option
        self.sack = sack                  # also tells of bytes that came twice
        self.timestamps = timestamps
        self.ecn = ecn                    # takes part, and finds a mark on all that comes
        self.syns_lost = syns_lost        # so many SYNs of a connection are not seen
        self.stale = stale                # answers a SYN with the ACK of a connection long gone
        self.old_first = old_first        # ... but only the first one
        self.lose = lose                  # f(flow, segment, how often it came): is it lost?
        self.lose_ack = lose_ack          # ... or the answer to it?


class Flow:
    def __init__(self, behaviour):
        self.behaviour = behaviour
        self.isn = random.randrange(1 << 32)
        self.nxt = self.isn + 1           # ours
        self.expected = 0                 # theirs
        self.established = threading.Event()
        self.answered = threading.Event()  # the kernel sent a segment after its SYN
        self.key = None
        self.syns = 0
        self.copies = {}                  # how often each position came
        self.held = {}                    # bytes beyond a hole: position and count
        self.latest = 0                   # position of what came last
        self.clock = 1000                 # of its timestamps
        self.echo = 0                     # theirs


    def ranges(self):
        """What came beyond a hole, the range with the latest segment first (RFC 2018 4)."""
        ranges = []
        for at, count in sorted(self.held.items()):
            if ranges and ranges[-1][1] == at:
                ranges[-1] = (ranges[-1][0], at + count)
            else:
                ranges.append((at, at + count))
        return sorted(ranges, key=lambda r: not r[0] <= self.latest < r[1])


class Peer:
    """Behaviours are by the peer's port, for connections that the kernel opens to it."""

    def __init__(self, name="peer0"):
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
        self.ports = {}
        self.flows = {}
        self.seen_resets = 0
        self.lock = threading.Lock()
        self.late = []                    # what is on its way: when it is due, number, bytes
        self.number = 0
        self.over = False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        self.over = True
        self.thread.join()
        os.close(self.fd)

    def send(self, segment, spoilt=False, delay_s=0.0):
        if delay_s == 0.0:
            os.write(self.fd, segment.pack(spoilt))
            return
        self.number += 1
        heapq.heappush(self.late, (time.monotonic() + delay_s, self.number, segment.pack(spoilt)))

    # ---- connections of the peer's own

    def open(self, address, sport, dport, behaviour, wait=True):
        """Connect to the kernel's port; the three segments done, return the flow."""
        flow = Flow(behaviour)
        flow.key = (address, sport, dport)
        with self.lock:
            self.flows[flow.key] = flow
        self.send(Segment(address, KERNEL, sport, dport, flow.isn, 0, SYN,
                          options=self.syn_options(behaviour, flow)))
        if wait and not flow.established.wait(3):
            raise AssertionError(f"no SYN,ACK from port {dport}")
        return flow

    def say(self, flow, flags, data=b"", offset=0, spoilt=False, twice=None):
        """Send a segment; `twice` is a range of theirs that came again, told if SACK is on."""
        address, sport, dport = flow.key
        self.send(Segment(address, KERNEL, sport, dport, flow.nxt + offset, flow.expected,
                          flags | ACK, flow.behaviour.window, self.options(flow, twice), data),
                  spoilt, flow.behaviour.delay_s)
        if offset == 0:
            flow.nxt += len(data) + (1 if flags & FIN else 0)

    # ---- what comes in

    @staticmethod
    def syn_options(behaviour, flow=None):
        if behaviour.mss is None:
            return b""
        options = struct.pack("!BBH", 2, 4, behaviour.mss)
        if behaviour.scale is not None:
            options += struct.pack("!BBBB", 1, 3, 3, behaviour.scale)
        if behaviour.sack:
            options += bytes((1, 1, 4, 2))
        if behaviour.timestamps and flow:
            options += struct.pack("!BBBBII", 1, 1, 8, 10, flow.clock, flow.echo)
        return options

    @staticmethod
    def options(flow, twice):
        options = b""
        if flow.behaviour.timestamps:
            options += struct.pack("!BBBBII", 1, 1, 8, 10, flow.clock, flow.echo)
        blocks = ([twice] if twice else []) + flow.ranges()[:2]
        if flow.behaviour.sack and blocks:
            options += struct.pack("!BBBB", 1, 1, 5, 2 + 8 * len(blocks))
            for first, end in blocks:
                options += struct.pack("!II", first & 0xFFFFFFFF, end & 0xFFFFFFFF)
        return options

    @staticmethod
    def timestamp_of(segment):
        at = segment.options.find(bytes((8, 10)))
        return struct.unpack("!I", segment.options[at + 2:at + 6])[0] if at >= 0 else 0

    def run(self):
        while not self.over:
            now = time.monotonic()
            while self.late and self.late[0][0] <= now:
                os.write(self.fd, heapq.heappop(self.late)[2])
            wait_s = min(0.05, self.late[0][0] - now) if self.late else 0.05
            if not select.select([self.fd], [], [], wait_s)[0]:
                continue
            try:
                segment = Segment.unpack(os.read(self.fd, 65536))
            except BlockingIOError:
                continue
            if segment is not None:
                with self.lock:
                    self.take(segment)

    def take(self, s):
        key = (s.target, s.dport, s.sport)
        if s.flags & RST:
            self.seen_resets += 1
            return
        flow = self.flows.get(key)
        if s.flags & SYN and not s.flags & ACK:
            self.take_syn(s, key)
        elif flow is None:
            return
        elif s.flags & SYN:
            flow.expected = s.seq + 1
            flow.echo = self.timestamp_of(s)
            if not flow.established.is_set():
                flow.established.set()
                if flow.behaviour.answer_syn:
                    self.say(flow, 0)
        else:
            self.take_segment(s, flow)
            flow.answered.set()

    def take_syn(self, s, key):
        behaviour = self.ports.get(s.dport)
        if behaviour is None or not behaviour.answer_syn:
            return
        flow = self.flows.get(key)
        if flow is None:
            flow = self.flows[key] = Flow(behaviour)
            flow.key = key
        flow.syns += 1
        if flow.syns <= behaviour.syns_lost:
            return
        if behaviour.stale or behaviour.old_first:
            behaviour.old_first = False
            self.send(Segment(s.target, KERNEL, s.dport, s.sport, flow.isn, s.seq - 70000, ACK))
            return
        flow.expected = s.seq + 1
        flow.echo = self.timestamp_of(s)
        marks = ECE if behaviour.ecn and s.flags & ECE else 0
        self.send(Segment(s.target, KERNEL, s.dport, s.sport, flow.isn, flow.expected,
                          SYN | ACK | marks, 65535, self.syn_options(behaviour, flow)),
                  delay_s=behaviour.delay_s)
        flow.established.set()

    def take_segment(self, s, flow):
        b = flow.behaviour
        if b.quiet_after_handshake:
            return
        fin = bool(s.flags & FIN)
        probe = b.window == 0 and not fin and (not s.data or len(s.data) == 1)
        if probe:
            if b.ack_probes:
                self.say(flow, 0)
            return
        if s.data and b.ack_data and b.window > 0 and not self.take_data(s, flow, fin):
            return
        if fin:
            self.take_fin(s, flow)

    def take_data(self, s, flow, fin):
        """Take data, in order or not; false when it is lost."""
        ahead = (s.seq - flow.expected + (1 << 31)) % (1 << 32) - (1 << 31)
        at = flow.expected + ahead
        copies = flow.copies[at] = flow.copies.get(at, 0) + 1
        if flow.behaviour.lose and flow.behaviour.lose(flow, s, copies):
            return False
        flow.echo = self.timestamp_of(s)
        known = ahead + len(s.data) <= 0 or at in flow.held
        if ahead < 0 < ahead + len(s.data):
            flow.expected += ahead + len(s.data)
        elif not known:
            flow.held[at] = len(s.data)
            flow.latest = at
        while flow.expected in flow.held:
            flow.expected += flow.held.pop(flow.expected)
        unheard = flow.behaviour.lose_ack and flow.behaviour.lose_ack(flow, s, copies)
        if not fin and not unheard:
            self.say(flow, ECE if flow.behaviour.ecn else 0,
                     twice=(at, at + len(s.data)) if known else None)
        return True

    def take_fin(self, s, flow):
        b = flow.behaviour
        if b.fin_only:
            self.say(flow, FIN)
            b.fin_only = False
            return
        if not b.ack_fin:
            return
        flow.expected = s.seq + len(s.data) + 1
        self.say(flow, FIN if b.fin_back else 0)
