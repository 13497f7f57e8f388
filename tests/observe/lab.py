#!/usr/bin/env python3
"""Findings, provoked for real: each fault is made, and `salut doctor` must name it and no other.

    lab.py [PATTERN]

Everything happens in a network namespace of its own, between the kernel's sockets and a peer that
misbehaves on purpose (fake_peer.py), or over its loopback. A fault may bring others along by its
nature (a listener that nobody accepts from is full as well): those are named with it. Prints a
table: finding, source (K: the kernel's facts), real or replay, detected. Needs root or user
namespaces, and /dev/net/tun; without, it says so and exits 77.
"""
import concurrent.futures
import fnmatch
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from lab_tools import (CASES, HOST, SERVER, Lab, Skip, case, connect_to, during, examine, listen,
                       many_connections, peers, start_connect)
import lab_kernel  # noqa: F401
from fake_peer import FIN, KERNEL, RST, SYN, Behaviour, Segment

# ---- opening ---------------------------------------------------------------------------------

@case("SYN-1")
def to_nowhere(lab):
    port = lab.behave(answer_syn=False)
    sockets = [start_connect(HOST, port) for _ in range(4)]
    time.sleep(1.3)
    yield
    for s in sockets:
        s.close()


@case("SYN-2")
def sweep(lab):
    port = lab.behave(answer_syn=False)
    sockets = [start_connect(f"10.55.8.{i}", port) for i in range(1, 15)]
    time.sleep(0.1)
    yield
    for s in sockets:
        s.close()


@case("SYN-6")
def ports_used_up(lab):
    peers.sysctl("ipv4/ip_local_port_range", "40000\t40003")
    port = lab.behave()
    sockets = [connect_to(port) for _ in range(4)]
    yield
    peers.sysctl("ipv4/ip_local_port_range", "32768\t60999")
    for s in sockets:
        s.close()


@case("SR-1")
def flood(lab):
    listener = listen()
    port = listener.getsockname()[1]
    for i in range(100):
        lab.peer.send(Segment(f"10.55.{20 + i}.9", KERNEL, 5000 + i, port, i * 1000, 0, SYN))
    time.sleep(0.1)
    yield
    listener.close()


@case("SR-2")
def handshakes_lost(lab):
    listener = listen()
    port = listener.getsockname()[1]
    for i in range(5):
        lab.peer.send(Segment(HOST, KERNEL, 6000 + i, port, i * 1000, 0, SYN))
    time.sleep(1.3)
    yield
    listener.close()


@case("SR-3", options=["--interval", "1s"])
def scan(lab):
    listener = listen()
    port = listener.getsockname()[1]

    def reset_all():
        time.sleep(0.3)
        for i in range(15):
            flow = lab.peer.open(f"10.55.30.{i + 1}", 7000 + i, port,
                                 Behaviour(answer_syn=False), wait=True)
            lab.peer.send(Segment(flow.key[0], KERNEL, flow.key[1], port, flow.nxt, 0, RST))
    yield from during(reset_all)
    listener.close()


@case("HS-1")
def not_accepted(lab):
    listener = listen(backlog=10, address="127.0.0.1")
    sockets = [connect_to(listener.getsockname()[1], "127.0.0.1") for _ in range(2)]
    time.sleep(0.2)
    yield
    for s in sockets:
        s.close()
    listener.close()


# ---- listeners -------------------------------------------------------------------------------

@case("LIS-1", "HS-1")
def queue_full(lab):
    listener = listen(backlog=1, address="127.0.0.1")
    port = listener.getsockname()[1]
    sockets = [connect_to(port, "127.0.0.1") for _ in range(2)]
    more = start_connect("127.0.0.1", port)
    yield
    for s in sockets + [more]:
        s.close()
    listener.close()


@case("LIS-3", "HS-1")
def stopped(lab):
    process = lab.child(SERVER.format(port=7101))
    sockets = [connect_to(7101, "127.0.0.1") for _ in range(2)]
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.2)
    yield
    for s in sockets:
        s.close()


@case("LIS-4")
def odd_place(lab):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        program = os.path.join(folder, "helper")
        shutil.copy(os.path.realpath(sys.executable), program)
        lab.child(SERVER.format(port=7102), program,
                  env=dict(os.environ, PYTHONHOME=sys.base_prefix))
        yield


@case("LIS-5", "LIS-1", "HS-1")
def abort_setting(lab):
    peers.sysctl("ipv4/tcp_abort_on_overflow", "1")
    listener = listen(backlog=0, address="127.0.0.1")
    port = listener.getsockname()[1]
    sockets = [connect_to(port, "127.0.0.1")]

    def more():
        time.sleep(0.3)
        sockets.extend(start_connect("127.0.0.1", port) for _ in range(3))
    yield from during(more)
    peers.sysctl("ipv4/tcp_abort_on_overflow", "0")
    for s in sockets:
        s.close()
    listener.close()


@case("LIS-6", "LIS-1", "HS-1")
def one_full_of_two(lab):
    first = listen(backlog=0, address="127.0.0.1", shared=True)
    port = first.getsockname()[1]
    sockets = [connect_to(port, "127.0.0.1")]
    second = listen(backlog=20, address="127.0.0.1", shared=True, port=port)
    yield
    for s in sockets + [first, second]:
        s.close()


@case("LIS-7", "HS-1")
def no_descriptors(lab):
    code = SERVER.format(port=7103).replace(
        "print(", "import os; held = [os.open('/dev/null', 0) for _ in range(20 - 4)]; print(")

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
    lab.child(code, preexec_fn=limit)
    sockets = [connect_to(7103, "127.0.0.1") for _ in range(2)]
    time.sleep(0.2)
    yield
    for s in sockets:
        s.close()


# ---- open ------------------------------------------------------------------------------------

@case("GH-1", options=["--idle", "1s"])
def idle(lab):
    here, _flow = lab.served()
    time.sleep(0.3)
    yield
    here.close()


@case("GH-2", options=["--silent", "1s"])
def came_back(lab):
    listener = listen()
    sockets = []
    for i in range(6):
        lab.peer.open(HOST, 8000 + i, listener.getsockname()[1], Behaviour())
        sockets.append(listener.accept()[0])
    time.sleep(1.2)

    def comes_back():
        time.sleep(0.7)
        lab.peer.open(HOST, 8100, listener.getsockname()[1], Behaviour())
        sockets.append(listener.accept()[0])
    yield from during(comes_back)
    for s in sockets + [listener]:
        s.close()


@case("GH-3", options=["--silent", "1s"])
def tuned_in_vain(lab):
    peers.sysctl("ipv4/tcp_keepalive_time", "60")
    made = [lab.served() for _ in range(6)]
    time.sleep(0.3)
    yield
    peers.sysctl("ipv4/tcp_keepalive_time", "7200")
    for s, _ in made:
        s.close()


@case("GH-4")
def keepalive_unanswered(lab):
    s = connect_to(lab.behave(quiet_after_handshake=True))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 20)
    time.sleep(2.2)
    yield
    s.close()


@case("RTO-1", "RTO-2")
def unanswered(lab):
    s = connect_to(lab.behave(quiet_after_handshake=True))
    s.send(b"x" * 1000)
    time.sleep(2.5)
    yield
    s.close()


@case("LOSS-7")
def spoilt(lab):
    here, flow = lab.served()

    def send():
        time.sleep(0.3)
        for _ in range(5):
            lab.peer.say(flow, 0, b"x" * 100, offset=0, spoilt=True)
            flow.nxt -= 100
    yield from during(send)
    here.close()


@case("MTU-2", "WS-1")
def no_mss(lab):
    here, _flow = lab.served(mss=None)
    yield
    here.close()


@case("WS-1")
def no_scaling(lab):
    s = connect_to(lab.behave(delay_s=0.04, scale=None))
    for _ in range(10):
        s.send(b"x" * 100)
        time.sleep(0.06)
    yield
    s.close()


@case("ZW-1")
def not_read_there(lab):
    here, flow = lab.served(window=0)
    lab.peer.say(flow, 0, b"give")
    here.recv(4)
    here.send(b"y" * 5000)
    time.sleep(0.5)
    yield
    here.close()


@case("ZW-2")
def not_read_here(lab):
    here, flow = lab.served()
    for _ in range(40):
        lab.peer.say(flow, 0, b"z" * 1400)
        time.sleep(0.002)
    time.sleep(0.4)
    yield
    here.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    here.close()


@case("ZW-3")
def gone_with_closed_window(lab):
    here, flow = lab.served(window=0, ack_probes=False)
    lab.peer.say(flow, 0, b"give")
    here.recv(4)
    here.send(b"y" * 5000)
    time.sleep(2.5)
    yield
    here.close()


@case("ZW-4")
def closed_with_closed_window(lab):
    here, flow = lab.served(window=0)
    lab.peer.say(flow, 0, b"give")
    here.recv(4)
    here.send(b"y" * 5000)
    here.close()
    time.sleep(0.5)
    yield


# ---- closing ---------------------------------------------------------------------------------

@case("CW-1", options=["--close-wait", "1s"])
def close_is_missing(lab):
    here, flow = lab.served()
    lab.peer.say(flow, FIN)
    time.sleep(0.1)
    here.recv(10)
    yield
    here.close()


@case("CW-1", options=["--close-wait", "1s"])
def close_wait_unread(lab):
    here, flow = lab.served()
    lab.peer.say(flow, FIN, b"bye")
    time.sleep(0.1)
    yield
    here.close()


@case("CW-2", "RTO-1", "RTO-2", options=["--close-wait", "1s"])
def answer_not_taken(lab):
    here, flow = lab.served(quiet_after_handshake=True)
    lab.peer.say(flow, FIN)
    time.sleep(0.1)
    here.send(b"answer")
    yield
    here.close()


@case("FW1-1")
def fin_unanswered(lab):
    s = connect_to(lab.behave(quiet_after_handshake=True))
    s.close()
    time.sleep(0.5)
    yield


@case("FW2-1")
def peer_does_not_close(lab):
    s = connect_to(lab.behave())
    s.close()
    time.sleep(4.4)
    yield


@case("FW2-2", options=["--close-wait", "1s"])
def half_closed(lab):
    s = connect_to(lab.behave())
    s.shutdown(socket.SHUT_WR)
    time.sleep(0.3)
    yield
    s.close()


@case("CLS-1")
def both_close(lab):
    s = connect_to(lab.behave(fin_only=True, ack_fin=False))
    s.close()
    time.sleep(0.6)
    yield


@case("LA-1")
def last_ack(lab):
    here, flow = lab.served(quiet_after_handshake=True)
    lab.peer.say(flow, FIN)
    time.sleep(0.1)
    here.close()
    time.sleep(0.6)
    yield


@case("TW-1", options=["--time-waits", "200"])
def server_closes_first(lab):
    listener = many_connections(True, 250)
    yield
    listener.close()


@case("TW-2", options=["--time-waits", "200"])
def client_closes_first(lab):
    listener = many_connections(False, 250)
    yield
    listener.close()


@case("TW-3")
def time_wait_full(lab):
    peers.sysctl("ipv4/tcp_max_tw_buckets", "5")
    made = []

    def more():
        time.sleep(0.3)
        made.append(many_connections(True, 20))
    yield from during(more)
    made[0].close()


# ---- resets ----------------------------------------------------------------------------------

@case("RST-1")
def closed_unread(lab):
    def work():
        time.sleep(0.3)
        listener = listen(address="127.0.0.1")
        for _ in range(8):
            here = connect_to(listener.getsockname()[1], "127.0.0.1")
            there, _ = listener.accept()
            here.send(b"unread")
            time.sleep(0.01)
            there.close()
            here.close()
        listener.close()
    yield from during(work)


@case("RST-2")
def linger_zero(lab):
    def work():
        time.sleep(0.3)
        listener = listen(address="127.0.0.1")
        for _ in range(8):
            here = connect_to(listener.getsockname()[1], "127.0.0.1")
            there, _ = listener.accept()
            there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            there.close()
            here.close()
        listener.close()
    yield from during(work)


@case(None)
def healthy(lab):
    """A busy server: requests and answers, connections that come and go."""
    def work():
        listener = listen(address="127.0.0.1")
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            here = connect_to(listener.getsockname()[1], "127.0.0.1")
            there, _ = listener.accept()
            for _ in range(5):
                here.sendall(b"q" * 200)
                there.recv(4096)
                there.sendall(b"a" * 5000)
                here.recv(65536)
            here.close()
            there.recv(1)
            there.close()
            time.sleep(0.002)
        listener.close()
    yield from during(work)


# ---- the run ---------------------------------------------------------------------------------

AT_ONCE = 3

# What a network namespace has not, told to the judge by tests/observe/test_judge.c.
REPLAYS = {
    "BUF-5": "tcp_mem is the machine's, and a sixteenth of its memory would have to be filled",
    "OR-1": "tcp_max_orphans is the machine's, and no network namespace sees it",
    "CPU-1": "a processor would have to be saturated with packets",
}


def replay(pattern):
    """A row for each replay; returns how many failed. Where no tests are built none is run."""
    chosen = [finding for finding in REPLAYS if fnmatch.fnmatch(finding, pattern)]
    places = [os.path.dirname(peers.SALUT), os.path.join(peers.ROOT, "build-debug")]
    programs = [os.path.join(place, "tests/observe/test_judge") for place in places]
    program = next((path for path in programs if os.access(path, os.X_OK)), None)
    failures = 0
    for finding in chosen:
        verdict = "not run "
        if program:
            name = "replay_" + finding.replace("-", "_")
            done = subprocess.run([program, name], capture_output=True, text=True, check=False)
            fine = f"OK ] {name}" in done.stdout + done.stderr and done.returncode == 0
            verdict = "detected" if fine else "WRONG   "
            failures += not fine
        print(f"{finding:7} K      replay {verdict}  {REPLAYS[finding]}", flush=True)
    return failures


def run(fault):
    """Make one in a namespace of its own; true when it was judged wrongly."""
    command = ["unshare", "--net", sys.executable, os.path.abspath(__file__), "--one",
               fault.make.__name__]
    return subprocess.run(command, check=False).returncode != 0


def inside():
    pattern = sys.argv[1] if len(sys.argv) > 1 else "*"
    chosen = [fault for fault in CASES if fnmatch.fnmatch(fault.finding or "healthy", pattern)]
    print("finding source how    detected", flush=True)
    failures = sum(run(fault) for fault in chosen if fault.alone)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:  # they mostly wait
        failures += sum(pool.map(run, (fault for fault in chosen if not fault.alone)))
    failures += replay(pattern)
    shown = {fault.finding for fault in chosen} - {None}
    print(f"{len(chosen)} faults of {len(shown)} findings, {failures} of them judged wrongly")
    return 1 if failures else 0


def one(name):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    lab = Lab()
    subprocess.run(["ip", "addr", "add", "10.55.0.1/16", "dev", "peer0"], check=True)
    subprocess.run(["ip", "link", "set", "peer0", "up"], check=True)
    lab.peer.start()
    fault = next(fault for fault in CASES if fault.make.__name__ == name)
    try:
        trouble = examine(lab, fault)
    except Skip as skip:
        print(f"{fault.finding:7} K      real   not made  {name.replace('_', ' ')}: {skip}")
        return 0
    finally:
        lab.peer.stop()
    along = f" (with {', '.join(lab.along)})" if lab.along else ""
    print(f"{fault.finding or '-':7} K      real   {'detected' if not trouble else 'WRONG   '}  "
          f"{name.replace('_', ' ')}{along}{': ' if trouble else ''}{trouble}", flush=True)
    return 1 if trouble else 0


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--one":
        sys.exit(one(sys.argv[2]))
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        peers.skip("/dev/net/tun cannot be opened: the peer needs it")
    peers.enter()
    sys.exit(inside())
