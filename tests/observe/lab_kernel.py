"""More faults for lab.py: of the host itself, of the path, and of programs that hold ports."""
import array
import contextlib
import ctypes
import errno
import fcntl
import itertools
import os
import random
import select
import socket
import struct
import subprocess
import threading
import time

from lab_tools import (HOST, Skip, case, connect_to, listen, many_connections, peers,
                       start_connect, throughout, until)
from fake_peer import KERNEL, SYN, Behaviour, Segment

SIOCOUTQ = 0x5411
SIOCETHTOOL, SET_TSO = 0x8946, 0x1F


# ---- the host --------------------------------------------------------------------------------

def switch_off_tso(device):
    order = array.array("B", struct.pack("II", SET_TSO, 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sP8x", device.encode(), order.buffer_info()[0]))


@case("LOSS-6", "LOSS-1", "LOSS-2", "LOSS-3", "LOSS-5", "BUF-4", alone=True)
def queue_of_the_host(lab):
    """The kernel cuts 64 KB into segments of 48 bytes at once: its queue has room for a thousand."""
    peers.sysctl("ipv4/tcp_congestion_control", "reno")
    peers.sysctl("ipv4/tcp_no_metrics_save", "1")
    subprocess.run(["ip", "route", "change", "local", "127.0.0.1", "dev", "lo", "table", "local",
                    "initcwnd", "8000", "initrwnd", "8000", "advmss", "60"], check=True)
    switch_off_tso("lo")
    listener = listen(address="127.0.0.1")

    def burst():
        """On a new connection: an old one has learnt to be careful."""
        here = connect_to(listener.getsockname()[1], "127.0.0.1")
        there, _ = listener.accept()
        here.sendall(b"x" * 200000)
        left = 200000
        while left > 0:
            left -= len(there.recv(1 << 20))
        for s in (here, there):
            s.close()
        time.sleep(0.05)
    yield from throughout(burst)
    listener.close()


# ---- ports -----------------------------------------------------------------------------------

def is_in_use(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
            return False
        except OSError as error:
            return error.errno == errno.EADDRINUSE


@case("SYN-7")
def left_by_the_server(lab):
    listener = many_connections(True, 3, port=8080, reuse=False)
    listener.close()
    peers.check(is_in_use(8080), "the port is free")
    yield


@case("SYN-7", options=["sport", "=", ":8081", "state", "time-wait"])
def left_and_asked_for(lab):
    listener = many_connections(True, 3, port=8081, reuse=False)
    listener.close()
    yield


BOUND_TWICE = """
import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", 8082)); print("ready", flush=True)
{wait}
try:
    s.listen(5)
except OSError:
    pass
print("ready", flush=True)
time.sleep(60)
"""


@case("SYN-7")
def two_servers(lab):
    """Both may bind, for neither listens yet; then the second listen() fails, and it waits."""
    ours = socket.socket()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ours.bind(("127.0.0.1", 8082))
    other = lab.child(BOUND_TWICE.format(wait="input()"), stdin=subprocess.PIPE)
    ours.listen(5)
    other.stdin.write("\n")
    other.stdin.close()
    other.stdout.readline()
    yield
    ours.close()


@case(None, options=["state", "time-wait"])
def served_and_served_on(lab):
    """A listener that the filter leaves out is there all the same."""
    listener = many_connections(True, 3, port=8083)
    yield
    listener.close()


# ---- opening ---------------------------------------------------------------------------------

@case("SYN-4")
def first_syn_lost(lab):
    port = lab.behave(syns_lost=1)
    sockets = [start_connect(HOST, port) for _ in range(3)]
    until(lambda: len(select.select([], sockets, [], 1)[1]) == 3, "all are connected")
    yield
    for s in sockets:
        s.close()


@case("SYN-5")
def peer_has_an_old_one(lab):
    port = lab.behave()
    fine = connect_to(port)
    lab.peer.ports[port].stale = True
    waits = start_connect(HOST, port)
    yield
    waits.close()
    fine.close()


@case("SR-4", "SR-1")
def made_of_cookies(lab):
    peers.sysctl("ipv4/tcp_syncookies", "2")  # for every SYN
    listener = listen()
    ports = itertools.count(3000)
    sockets = []

    def open_one():
        lab.peer.open(HOST, next(ports), listener.getsockname()[1], Behaviour(sack=True))
        sockets.append(listener.accept()[0])
        time.sleep(0.1)
    yield from throughout(open_one)
    for s in sockets + [listener]:
        s.close()


@case("HS-2", options=["--silent", "1s"])
def request_not_looked_at(lab):
    here, flow = lab.served()
    lab.peer.say(flow, 0, b"give")
    yield
    here.close()


@case("HS-4")
def fast_open_in_vain(lab):
    peers.sysctl("ipv4/tcp_fastopen", "5")  # as a client, without a cookie
    port = lab.behave()
    sockets = []

    def ask():
        s = socket.socket()
        s.sendto(b"x" * 100, socket.MSG_FASTOPEN, (HOST, port))
        sockets.append(s)
        time.sleep(0.2)
    yield from throughout(ask)
    for s in sockets:
        s.close()


@case("LIS-2", "SR-2")
def no_room_for_half_open(lab):
    peers.sysctl("ipv4/tcp_syncookies", "0")
    peers.sysctl("ipv4/tcp_max_syn_backlog", "8")
    listener = listen()
    ports = itertools.cycle(range(20000, 30000))

    def knock():
        lab.peer.send(Segment(HOST, KERNEL, next(ports), listener.getsockname()[1], 1, 0, SYN))
        time.sleep(0.01)
    yield from throughout(knock)
    listener.close()


# ---- the path --------------------------------------------------------------------------------

def keep_sending(sockets, size):
    """A message on each, again and again; those that have no room are left out."""
    for s in sockets:
        s.setblocking(False)

    def send():
        for s in sockets:
            with contextlib.suppress(BlockingIOError):
                s.send(b"m" * size)
        time.sleep(0.05)
    yield from throughout(send)
    for s in sockets:
        s.close()


def unacknowledged(s):
    return struct.unpack("i", fcntl.ioctl(s, SIOCOUTQ, b"    "))[0]


def lose_one_in(count):
    """Of the segments that come for the first time, every n-th."""
    numbers = itertools.count(1)
    return lambda _flow, _segment, copies: copies == 1 and next(numbers) % count == 0


@case("LOSS-1")
def one_in_twelve_lost(lab):
    s = connect_to(lab.behave(sack=True, lose=lose_one_in(12)))
    s.settimeout(20)
    s.sendall(b"x" * 2000000)
    yield
    s.close()


@case("LOSS-2")
def noticed_late(lab):
    port = lab.behave(timestamps=True, lose=lambda _flow, _segment, copies: copies <= 2)
    yield from keep_sending([connect_to(port) for _ in range(40)], 100)


@case("LOSS-3", "LOSS-2")
def answers_lost(lab):
    port = lab.behave(sack=True, timestamps=True,
                      lose_ack=lambda _flow, _segment, copies: copies == 1)
    yield from keep_sending([connect_to(port) for _ in range(40)], 100)


@case("SACK-1", "LOSS-1")
def no_selective_acks(lab):
    port = lab.behave(lose=lose_one_in(40))
    yield from keep_sending([connect_to(port) for _ in range(5)], 50000)


@case("TS-1")
def clock_went_back(lab):
    here, flow = lab.served(timestamps=True)
    lab.peer.say(flow, 0, b"now")
    here.recv(10)
    flow.clock -= 500

    def say():
        lab.peer.say(flow, 0, b"before")
        flow.nxt -= 6
        time.sleep(0.02)
    yield from throughout(say)
    here.close()


@case("CC-1", "LOSS-2")
def one_segment_at_a_time(lab):
    """Each is lost once, and nothing but the timeout notices; timestamps keep that short."""
    peers.sysctl("ipv4/tcp_congestion_control", "reno")
    peers.sysctl("ipv4/tcp_early_retrans", "0")
    bad = threading.Event()
    port = lab.behave(sack=True, timestamps=True,
                      lose=lambda _flow, _segment, copies: bad.is_set() and copies == 1)
    s = connect_to(port)
    s.settimeout(20)
    s.sendall(b"x" * 1200000)
    until(lambda: unacknowledged(s) == 0, "all is acknowledged")
    bad.set()
    yield from keep_sending([s], 100)


@case("RST-9")
def syns_that_do_not_fit(lab):
    peers.sysctl("ipv4/tcp_invalid_ratelimit", "0")
    here, flow = lab.served()
    address, sport, dport = flow.key

    def knock():
        lab.peer.send(Segment(address, KERNEL, sport, dport, flow.nxt + 7, 0, SYN))
        time.sleep(0.01)
    yield from throughout(knock)
    here.close()


# ---- windows and buffers ---------------------------------------------------------------------

@case("BUF-1")
def small_send_buffer(lab):
    s = connect_to(lab.behave(sack=True, delay_s=0.05))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
    s.settimeout(1)

    def send():
        with contextlib.suppress(TimeoutError):
            s.send(b"x" * 20000)
    yield from throughout(send)
    s.close()


@case("BUF-2")
def small_window(lab):
    s = connect_to(lab.behave(scale=0, sack=True, delay_s=0.05, window=3000))
    s.settimeout(1)

    def send():
        with contextlib.suppress(TimeoutError):
            s.send(b"x" * 20000)
    yield from throughout(send)
    s.close()


def served_with_small_buffer(lab):
    listener = listen()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    flow = lab.peer.open(HOST, 2000, listener.getsockname()[1], Behaviour())
    here, _ = listener.accept()
    listener.close()
    return here, flow


@case("BUF-4", options=["--interval", "3s"])
def copied_together(lab):
    """A segment of one byte takes the room of hundreds: they are copied together to make some."""
    here, flow = served_with_small_buffer(lab)

    def say():
        for _ in range(5000):
            lab.peer.say(flow, 0, b"z")
        flow.nxt -= 5000
        with contextlib.suppress(BlockingIOError):
            while True:
                flow.nxt += len(here.recv(65536, socket.MSG_DONTWAIT))
    yield from throughout(say)
    here.close()


@case("LOSS-5")
def no_room_beyond_a_hole(lab):
    here, flow = served_with_small_buffer(lab)

    def say():
        for i in range(500):
            lab.peer.say(flow, 0, b"z", offset=2 + 2 * i)
        time.sleep(0.02)
    yield from throughout(say)
    here.close()


# ---- no answer, or not to all ----------------------------------------------------------------

@case("MTU-1")
def only_small_segments_pass(lab):
    s = connect_to(lab.behave(sack=True, lose=lambda _flow, segment, _copies:
                              len(segment.data) > 1000))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.send(b"x" * 3000)
    yield
    s.close()


@case("RTO-2", "RTO-1")
def to_be_given_up(lab):
    s = connect_to(lab.behave(quiet_after_handshake=True))
    s.send(b"x" * 100)
    yield
    s.close()


@case("NAT-1", "RTO-1", "RTO-2", options=["--silent", "1s"])
def forgotten_on_the_way(lab):
    forgotten = connect_to(lab.behave(quiet_after_handshake=True))
    other, flow = lab.served()
    time.sleep(1.5)
    forgotten.send(b"hello?")

    def say():
        lab.peer.say(flow, 0, b"here")
        other.recv(10)
        time.sleep(0.05)
    yield from throughout(say)
    other.close()
    forgotten.close()


@case("LOSS-4", "LOSS-2", "LOSS-3")
def lost_on_the_way_in(lab):
    here, flow = lab.served(sack=True, lose_ack=lambda _flow, _segment, copies: copies == 1)
    for _ in range(8):
        lab.peer.say(flow, 0, b"later", offset=5)
        lab.peer.say(flow, 0, b"sooner" + b"later")
        here.send(b"m" * 100)
        until(lambda: unacknowledged(here) == 0, "all is acknowledged")
    yield
    here.close()


@case("ECN-1")
def marked(lab):
    peers.sysctl("ipv4/tcp_ecn", "1")
    s = connect_to(lab.behave(ecn=True, sack=True))
    yield from keep_sending([s], 1000)


@case("NAG-2")
def corked(lab):
    port = lab.behave(sack=True)
    sockets = [connect_to(port) for _ in range(16)]
    for s in sockets:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)

    def send():  # not in step, or all might always be looked at too early
        for s in random.sample(sockets, 4):
            s.send(b"m" * 10)
        time.sleep(0.02)
    yield from throughout(send)
    for s in sockets:
        s.close()


@case("FW1-2")
def shut_down_with_closed_window(lab):
    here, flow = lab.served(window=0)
    lab.peer.say(flow, 0, b"give")
    here.recv(4)
    here.send(b"y" * 5000)
    here.shutdown(socket.SHUT_WR)
    yield
    here.close()


@case("CC-2", "BUF-2")
def slow_after_a_rest(lab):
    peers.sysctl("ipv4/tcp_congestion_control", "reno")
    s = connect_to(lab.behave(sack=True, delay_s=0.1, window=800))  # 100 KB, scaled
    s.settimeout(20)
    s.sendall(b"x" * 1500000)
    until(lambda: unacknowledged(s) == 0, "all is acknowledged")

    def rest_and_send():
        time.sleep(1.2)
        s.send(b"x" * 100)
    yield from throughout(rest_and_send)
    s.close()


# ---- closing ---------------------------------------------------------------------------------

@case("CW-3", "CW-1", options=["--close-wait", "1s"])
def other_end_is_no_more(lab):
    peers.sysctl("ipv4/tcp_fin_timeout", "1")
    listener = listen(address="127.0.0.1")
    here = connect_to(listener.getsockname()[1], "127.0.0.1")
    there, _ = listener.accept()
    here.close()
    yield
    there.close()
    listener.close()


@case("RST-7", "GH-4", options=["--interval", "5s"])
def died_of_silence(lab):
    port = lab.behave(quiet_after_handshake=True)
    sockets = []

    def open_one():
        s = connect_to(port)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT):
            s.setsockopt(socket.IPPROTO_TCP, option, 1)
        sockets.append(s)
        time.sleep(0.1)
    yield from throughout(open_one)
    for s in sockets:
        s.close()


@case("APP-3")
def connection_for_each_request(lab):
    def serve():
        many_connections(False, 20).close()
        time.sleep(0.02)
    yield from throughout(serve)


# ---- settings and limits of the host -----------------------------------------------------------

CLONE_NEWNS = 0x20000
NETLINK_NETFILTER = 12


@case("TW-5")
def recipe_of_old(lab):
    """In a mount namespace of our own the system has another /etc/sysctl.d."""
    peers.check(ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) == 0,
                "no mount namespace: " + os.strerror(ctypes.get_errno()))
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", "/etc/sysctl.d"], check=True)
    with open("/etc/sysctl.d/90-tuning.conf", "w", encoding="ascii") as file:
        file.write("# less TIME-WAIT\n#net.ipv4.tcp_tw_recycle = 0\nnet.ipv4.tcp_tw_recycle=1\n"
                   "net.ipv4.tcp_fin_timeout = 15\n")
    yield


CONNTRACK_MOST = 300000  # of 256 bytes each


def attribute(kind, *parts):
    data = b"".join(parts)
    return struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def tracked(number):
    """A message that makes an entry of connection tracking: ESTABLISHED, for ten minutes."""
    nested = 0x8000
    client = socket.inet_aton("10.0.0.0")[:1] + struct.pack("!I", 256 + number // 60000)[1:]
    ends = [(client, 1000 + number % 60000), (socket.inet_aton(KERNEL), 80)]

    def tuple_of(kind, source, target):
        addresses = attribute(1 | nested, attribute(1, source[0]), attribute(2, target[0]))
        ports = attribute(2 | nested, attribute(1, b"\x06"),
                          attribute(2, struct.pack("!H", source[1])),
                          attribute(3, struct.pack("!H", target[1])))
        return attribute(kind | nested, addresses, ports)
    body = struct.pack("!BBH", socket.AF_INET, 0, 0) + tuple_of(1, *ends) + \
        tuple_of(2, *reversed(ends)) + attribute(7, struct.pack("!I", 600)) + \
        attribute(4 | nested, attribute(1 | nested, attribute(1, b"\x03")))
    create = 0x1 | 0x200 | 0x400  # NLM_F_REQUEST, NLM_F_EXCL, NLM_F_CREATE
    return struct.pack("IHHII", 16 + len(body), 1 << 8, create, 0, 0) + body


def conntrack(what):
    with open("/proc/sys/net/netfilter/nf_conntrack_" + what, encoding="ascii") as file:
        return int(file.read())


@case("NAT-2")
def table_full(lab):
    """The limit is the machine's, the entries are this network namespace's: they go with it."""
    try:
        most = conntrack("max")
    except FileNotFoundError:
        raise Skip("this kernel tracks no connections") from None
    if most > CONNTRACK_MOST:
        raise Skip(f"{most} entries would be needed: too much memory")
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as s:
        for first in range(0, most * 92 // 100, 100):
            s.send(b"".join(tracked(first + i) for i in range(100)))
    until(lambda: conntrack("count") * 10 >= most * 9, "the table is nearly full")
    yield
