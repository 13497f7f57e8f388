#!/usr/bin/env python3
"""Every state of the kernel's sockets, made for real, as `salut status` tells it; and the same of
salut's own stacks, through their control sockets.

    status.py [PATTERN]

A case makes a connection be in a state for a known reason, between the kernel and a peer that
misbehaves on purpose (fake_peer.py) or over loopback, and says what the record must tell. Needs root
or user namespaces, and /dev/net/tun; without, it says so and exits 77.
"""
import fnmatch
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402
from lab import HOST, connect_to, listen, peers, start_connect  # noqa: E402
from fake_peer import FIN, KERNEL, SYN, Segment  # noqa: E402

CASES = []


def case(function):
    CASES.append(function)
    return function


# ---- what salut says ---------------------------------------------------------------------------

def salut(*words, code=0, timeout=30, **how):
    got = subprocess.run([peers.SALUT] + list(words), capture_output=True, text=True,
                         timeout=timeout, check=False, stdin=subprocess.DEVNULL, **how)
    peers.check(got.returncode == code,
                f"salut {' '.join(words)}: exit {got.returncode}, not {code}: {got.stderr}")
    return got


def records(*words):
    return [json.loads(line) for line in salut("status", "--json", *words).stdout.splitlines()]


def one(*words):
    found = records(*words)
    peers.check(len(found) == 1, f"status {' '.join(words)}: {len(found)} records: {found}")
    return found[0]


def of(s, *words):
    """The record of a socket of this process."""
    return one("--source", "kernel", f"sport = :{s.getsockname()[1]}",
               f"dport = :{s.getpeername()[1]}", *words)


def soon(attempt, within_s=20):
    """What attempt() gives once it does not fail: states need their time, on a busy machine more."""
    end = time.monotonic() + within_s
    while True:
        try:
            return attempt()
        except peers.Failure:
            if time.monotonic() > end:
                raise
        time.sleep(0.02)


def is_so(record, says=None, **facts):
    for name, value in facts.items():
        peers.check(record.get(name) == value,
                    f"{name} is {record.get(name)}, not {value}: {record}")
    if says is not None:
        peers.check(says in record["why"], f"does not say '{says}': {record['why']}")
    return record


def ours(record):
    is_so(record, pid=os.getpid(), owner="seen", uid=os.getuid())
    return record


def nobodys(record):
    """Nobody has it any more; a recorder that happens to run on this machine may remember who did."""
    peers.check(record["owner"] in ("none", "remembered"), record)
    peers.check(("pid" in record) == (record["owner"] == "remembered"), record)
    return record


# ---- listeners ---------------------------------------------------------------------------------

@case
def listener_with_queue(_lab):
    s = listen(backlog=10, address="127.0.0.1")
    port = s.getsockname()[1]
    is_so(ours(one(f"sport = :{port}")), "waits for connections", state="LISTEN", kind="listener",
          accept_queue=0, accept_queue_limit=10, drops=0, fd=s.fileno(), next_move="nobody")
    clients = [connect_to(port, "127.0.0.1") for _ in range(2)]
    is_so(ours(one(f"sport = :{port}", "state", "listening")),
          "2 connections are complete and wait for accept()", accept_queue=2, next_move="program")
    waiting = records(f"sport = :{port}", "exclude", "listening")
    peers.check(len(waiting) == 2, f"{len(waiting)} connections wait, not 2")
    for record in waiting:
        is_so(record, "has not called accept()", state="ESTABLISHED", accepted=False, passive=True,
              owner="none", next_move="program")
        peers.check("pid" not in record, "nobody has it, yet a pid is told")
    accepted, _ = s.accept()
    is_so(ours(of(accepted)), accepted=True, fd=accepted.fileno())
    for c in clients + [accepted, s]:
        c.close()


@case
def listener_full(_lab):
    s = listen(backlog=1, address="127.0.0.1")
    port = s.getsockname()[1]
    clients = [connect_to(port, "127.0.0.1") for _ in range(2)]
    clients += [start_connect("127.0.0.1", port) for _ in range(2)]
    soon(lambda: peers.check(one(f"sport = :{port}", "state", "listening")["drops"] >= 2,
                             "2 drops are not told"))
    is_so(one(f"sport = :{port}", "state", "listening"), "the queue is full", accept_queue=2,
          accept_queue_limit=1)
    waiting = records(f"dport = :{port}", "state", "syn-sent")
    peers.check(len(waiting) == 2, "a full queue drops SYNs: the clients stay in SYN-SENT")
    for c in clients + [s]:
        c.close()


@case
def only_bound(_lab):
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    found = records(f"sport = :{s.getsockname()[1]}")
    if found:  # kernels before 6.8 do not tell of them
        is_so(found[0], "neither listens nor is connected", kind="bound", state="CLOSED")
    s.close()


# ---- opening -----------------------------------------------------------------------------------

@case
def syn_sent(lab_):
    s = start_connect(HOST, lab_.behave(answer_syn=False))
    words = f"sport = :{s.getsockname()[1]}"
    record = soon(lambda: is_so(ours(one(words)), "nothing has come back", state="SYN-SENT",
                                timer="retransmit", retries=1, next_move="peer"))
    peers.check(0 < record["timer_in_ms"] <= 3000, f"next in {record['timer_in_ms']} ms")
    peers.check("idle_ms" not in record, "nothing was ever heard: no idle time is known")
    s.close()


@case
def syn_received(lab_):
    s = listen()
    port = s.getsockname()[1]
    lab_.peer.send(Segment(HOST, KERNEL, 6000, port, 1000, 0, SYN))
    soon(lambda: is_so(one(f"sport = :{port}", "exclude", "listening"), "SYN,ACK sent again 1 time",
                       state="SYN-RECEIVED", kind="half_open", owner="none", remote_port=6000,
                       next_move="peer"))
    s.close()


# ---- open --------------------------------------------------------------------------------------

@case
def established_idle(lab_):
    here, _flow = lab_.served()
    record = ours(of(here))
    is_so(record, "neither side owes the other anything", state="ESTABLISHED", keepalive=False,
          unread_bytes=0, unacked_bytes=0, timer="none", next_move="nobody", source="kernel")
    peers.check("age_ms_at_least" in record or record["age_ms"] < 5000, "the age is a bound, or exact")
    here.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    is_so(of(here), keepalive=True, timer="keepalive")
    here.close()


@case
def established_unread(lab_):
    here, flow = lab_.served()
    lab_.peer.say(flow, 0, b"x" * 700)
    soon(lambda: is_so(of(here), "700 bytes received that the program has not read",
                       unread_bytes=700, next_move="program"))
    here.recv(1000)
    is_so(of(here), unread_bytes=0)
    here.close()


@case
def established_unanswered(lab_):
    s = connect_to(lab_.behave(quiet_after_handshake=True))
    s.send(b"y" * 100)
    soon(lambda: peers.check(of(s).get("retries", 0) >= 1, "not sent again"))
    is_so(of(s), "100 bytes on the way", unacked_bytes=100, unsent_bytes=0, timer="retransmit",
          next_move="peer")
    s.close()


@case
def established_shut_out(lab_):
    here, flow = lab_.served(window=0)
    lab_.peer.say(flow, 0, b"give")
    here.recv(4)
    here.send(b"y" * 5000)
    soon(lambda: is_so(of(here), "the peer's window is closed", unsent_bytes=5000,
                       unacked_bytes=0, timer="persist", next_move="peer_program"))
    here.close()


# ---- closing -----------------------------------------------------------------------------------

@case
def close_wait_with_data(lab_):
    here, flow = lab_.served()
    lab_.peer.say(flow, FIN, b"bye")
    soon(lambda: is_so(ours(of(here)), "3 bytes are not even read", state="CLOSE-WAIT",
                       unread_bytes=3, fin_unread=True, next_move="program"))
    here.recv(10)
    is_so(of(here), "close() is all that is missing", unread_bytes=0, fin_unread=False)
    here.close()


@case
def close_wait_untouched(lab_):
    here, flow = lab_.served()
    lab_.peer.say(flow, FIN)
    soon(lambda: is_so(of(here), "nor read up to the end", state="CLOSE-WAIT", unread_bytes=0,
                       fin_unread=True, next_move="program"))
    here.recv(1)
    is_so(of(here), "close() is all that is missing", fin_unread=False)
    here.close()


@case
def fin_wait_1(lab_):
    port = lab_.behave(quiet_after_handshake=True)
    owned = connect_to(port)
    owned.shutdown(socket.SHUT_WR)
    is_so(ours(of(owned)), "our side closed first", state="FIN-WAIT-1", orphan=False, unacked_bytes=0,
          next_move="peer")
    orphan = connect_to(port)
    words = f"sport = :{orphan.getsockname()[1]}"
    orphan.send(b"z" * 10)
    orphan.close()
    soon(lambda: is_so(nobodys(one(words)), "10 bytes still to be delivered", state="FIN-WAIT-1",
                       orphan=True, unacked_bytes=10))
    owned.close()


@case
def fin_wait_2(lab_):
    port = lab_.behave()
    owned = connect_to(port)
    owned.shutdown(socket.SHUT_WR)
    soon(lambda: is_so(ours(of(owned)), "shut down sending and keeps reading", state="FIN-WAIT-2",
                       orphan=False, kind="connection", next_move="peer_program"))
    orphan = connect_to(port)
    words = f"sport = :{orphan.getsockname()[1]}"
    orphan.close()
    soon(lambda: is_so(nobodys(one(words)), "its program has not closed; gone in",
                       state="FIN-WAIT-2", timer="fin_wait_2", next_move="peer_program"))
    owned.close()


@case
def closing(lab_):
    s = connect_to(lab_.behave(fin_only=True, ack_fin=False))
    words = f"sport = :{s.getsockname()[1]}"
    s.close()
    soon(lambda: is_so(one(words), "both ends closed at the same time", state="CLOSING",
                       orphan=True, next_move="peer"))


@case
def last_ack(lab_):
    here, flow = lab_.served(quiet_after_handshake=True)
    words = f"sport = :{here.getsockname()[1]}", f"dport = :{flow.key[1]}"
    lab_.peer.say(flow, FIN)
    soon(lambda: is_so(of(here), state="CLOSE-WAIT"))
    here.close()
    soon(lambda: is_so(one(*words), "the peer closed first, then our program", state="LAST-ACK",
                       orphan=True, next_move="peer"))


@case
def time_wait(lab_):
    s = connect_to(lab_.behave(fin_back=True))
    words = f"sport = :{s.getsockname()[1]}"
    s.close()
    record = soon(lambda: is_so(nobodys(one(words)), "gone in", state="TIME-WAIT", kind="time_wait",
                                timer="time_wait", next_move="time"))
    peers.check(0 <= record["age_ms"] < 5000, f"the age is exact: {record}")
    peers.check(0 <= record["timer_in_ms"] + record["age_ms"] - 60000 < 100, f"it is 60 s: {record}")


# ---- the verb ----------------------------------------------------------------------------------

@case
def habits(_lab):
    s = listen(address="127.0.0.1")
    port = s.getsockname()[1]
    client = connect_to(port, "127.0.0.1")
    for words in (["-nat"], [f"-i:{port}"], ["--no-owners"], ["-tlnp"], ["--listening"]):
        text = salut("status", "--source", "kernel", *words).stdout
        peers.check(f"127.0.0.1:{port}" in text, f"{words}: the listener is not shown:\n{text}")
        peers.check(("ESTABLISHED" in text) == (words[0] not in ("-tlnp", "--listening")),
                    f"{words}:\n{text}")
    peers.check(str(os.getpid()) in salut("status", "-tlnp").stdout, "the owner is not shown")
    peers.check(str(os.getpid()) not in salut("status", "--no-owners").stdout, "owners are shown")
    got = salut("status", "frob", code=2)
    peers.check("frob" in got.stderr, got.stderr)
    client.close()
    s.close()


@case
def summary(_lab):
    s = listen(address="127.0.0.1", backlog=10)
    clients = [connect_to(s.getsockname()[1], "127.0.0.1") for _ in range(3)]
    line = json.loads(salut("status", "--summary", "--json", f":{s.getsockname()[1]}").stdout)
    peers.check(line["ESTABLISHED"] == 6 and line["LISTEN"] == 1 and line["TIME-WAIT"] == 0, line)
    text = salut("status", "--summary", f":{s.getsockname()[1]}").stdout
    peers.check(re.search(r"^ESTABLISHED +6$", text, re.M), text)
    peers.check("3 of them wait for accept()" in text, text)
    for c in clients + [s]:
        c.close()


@case
def part_of_a_finding(_lab):
    """Rows that a finding concerns: the listener that is full, the connections nobody accepts."""
    s = listen(backlog=1, address="127.0.0.1")
    port = s.getsockname()[1]
    clients = [connect_to(port, "127.0.0.1") for _ in range(2)]
    peers.check(one("--source", "kernel", "finding = LIS-1")["local_port"] == port, "the full listener")
    soon(lambda: peers.check(len(records("--source", "kernel", "finding = HS-1")) == 2, "HS-1"))
    waiting = records("--source", "kernel", "finding", "=", "HS-1")
    peers.check([r["local_port"] for r in waiting] == [port] * 2, waiting)
    peers.check(len(records("finding", f"port = {port}")) == 3, "the listener and what waits in it")
    peers.check(len(records("not finding", f"port = {port}")) == 2, "the clients' ends")
    said = salut("check", "--source", "kernel", "-w", "1", "finding = HS-1", code=1).stdout
    peers.check(said.startswith("TCP WARNING - 2 "), said)
    said = salut("kill", "--dry-run", f"sport = :{port} and finding = HS-1").stderr
    peers.check("2 connections to close" in said, said)
    wrong = salut("status", "finding = NO-1", code=2).stderr
    peers.check("no such finding" in wrong, wrong)
    for c in clients + [s]:
        c.close()


@case
def again_and_again(_lab):
    s = listen(address="127.0.0.1")
    follow = subprocess.Popen([peers.SALUT, "status", "--json", "--follow", "100ms",
                               f":{s.getsockname()[1]}"], stdout=subprocess.PIPE, text=True)
    lines = [json.loads(follow.stdout.readline()) for _ in range(3)]
    follow.send_signal(signal.SIGINT)
    peers.check(follow.wait(5) == 0, "an interrupt is no failure")
    follow.stdout.close()
    peers.check(all(line["state"] == "LISTEN" for line in lines), lines)
    s.close()


@case
def owner_is_hidden(_lab):
    """Another user sees the sockets, and is told that it may not see whose they are."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    may = subprocess.run(nobody + ["test", "-x", peers.SALUT], capture_output=True, check=False)
    if os.geteuid() != 0 or may.returncode != 0:
        return
    s = listen(address="127.0.0.1")
    got = subprocess.run(nobody + [peers.SALUT, "status", "--json", f":{s.getsockname()[1]}"],
                         capture_output=True, text=True, check=False)
    is_so(json.loads(got.stdout), owner="hidden", state="LISTEN")
    peers.check("owner is hidden" in got.stderr and "CAP_SYS_PTRACE" in got.stderr, got.stderr)
    s.close()


@case
def closed_meanwhile(_lab):
    """Sockets that close while they are listed are nobody else's: root sees all there are."""
    if os.geteuid() != 0:
        return
    listener = listen(address="127.0.0.1")
    port = listener.getsockname()[1]
    over = threading.Event()

    def churn():
        while not over.is_set():
            made = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
            accepted = [listener.accept()[0] for _ in made]
            for s in made + accepted:  # with RST: ports do not run out
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.close()

    thread = threading.Thread(target=churn)
    thread.start()
    owners = []
    try:
        for means in ("proc", "bpf") * 4:
            got = subprocess.run([peers.SALUT, "status", "--json", "--owners", means, f":{port}"],
                                 capture_output=True, text=True, check=False)
            owners += [json.loads(line)["owner"] for line in got.stdout.splitlines()]
    finally:
        over.set()
        thread.join()
        listener.close()
    peers.check("seen" in owners and "hidden" not in owners, {o: owners.count(o) for o in owners})


# One process with what is hard about owners: a number that is twice there, a listener shared with a
# child, a thread with descriptors of its own; and sockets enough for several threads of the search.
HOLDER = """
import ctypes, os, resource, socket, sys, threading
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(4096)
held = []
for _ in range(int(sys.argv[1])):
    here = socket.create_connection(listener.getsockname())
    held += [here, listener.accept()[0]]
held += [held[1].dup(), held[0].dup(), socket.socket(socket.AF_UNIX), socket.socketpair()]
stop = threading.Event()
ready = threading.Event()
def apart():
    ctypes.CDLL(None).unshare(0x400)  # CLONE_FILES
    own = socket.create_connection(listener.getsockname())
    ready.set()
    stop.wait()
threading.Thread(target=apart).start()
ready.wait()
read, write = os.pipe()
if os.fork() == 0:
    os.close(write)
    os.read(read, 1)
    os._exit(0)
print("ready", flush=True)
sys.stdin.read()
stop.set()
"""


@case
def owners_both_ways(_lab):
    """The kernel's own list of descriptors tells the same as /proc, the first of several holders."""
    holders = [subprocess.Popen([sys.executable, "-c", HOLDER, "600"], text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    for holder in holders:
        peers.check(holder.stdout.readline() == "ready\n", "the sockets cannot be opened")
    told = {}
    for means in ("proc", "bpf"):
        got = subprocess.run([peers.SALUT, "status", "--json", "--source", "kernel", "--owners", means],
                             capture_output=True, text=True, check=False)
        if means == "bpf" and got.returncode == 3:
            peers.check("owners cannot be found by bpf" in got.stderr, got.stderr)
            break
        peers.check(got.returncode == 0, got.stderr)
        told[means] = sorted(tuple(str(r.get(k)) for k in (
            "local_address", "local_port", "remote_port", "state", "owner", "pid", "fd", "program"))
            for r in map(json.loads, got.stdout.splitlines())
            if r["state"] in ("LISTEN", "ESTABLISHED"))  # what other cases left goes away meanwhile
    for holder in holders:
        holder.stdin.close()
        holder.wait()
        holder.stdout.close()
    seen = [r for r in told["proc"] if r[4] == "seen" and int(r[5]) in [h.pid for h in holders]]
    peers.check(len(seen) == 4 * (1 + 2 * 600), f"{len(seen)} owners are seen")
    if "bpf" in told:
        differ = set(told["proc"]) ^ set(told["bpf"])
        peers.check(not differ, f"the ways differ: {sorted(differ)[:6]}")


# ---- salut's own stacks --------------------------------------------------------------------------

SALUTS = peers.SALUTS[4]


def folder():
    return os.path.join(os.environ["XDG_RUNTIME_DIR"], "salut")


def sockets():
    return [n for n in os.listdir(folder()) if n != "."] if os.path.isdir(folder()) else []


@case
def own_stack(_lab):
    with peers.Serve("--echo") as serve:
        s = socket.create_connection((SALUTS, 7), timeout=5)
        s.send(b"hello")
        s.recv(5)
        pid = serve.process.pid
        is_so(one("--source", "salut", "state", "listening"), "waits for connections", source="salut",
              pid=pid, program=os.path.basename(peers.SALUT), accept_queue=0, local_port=7)
        record = one("--source", "salut", "exclude", "listening")
        is_so(record, state="ESTABLISHED", source="salut", pid=pid, owner="seen", accepted=True,
              passive=True, remote_port=s.getsockname()[1], bytes_received=5, bytes_sent=5,
              unread_bytes=0, unsent_bytes=0)
        peers.check("age_ms" in record and "lifetime_ms" in record, "its ages are exact")
        both = records("state", "established", ":7")
        peers.check(sorted(r["source"] for r in both) == ["kernel", "salut"], both)
        text = salut("status", "--no-why").stdout
        peers.check(text.startswith("SOURCE ") and re.search(r"^salut +LISTEN", text, re.M), text)
        peers.check("SOURCE" not in salut("status", "--source", "salut").stdout, "a needless column")
        peers.check(str(pid) in sockets(), f"{pid} is not in {sockets()}")
        s.close()
    peers.check(sockets() == [], f"left behind: {sockets()}")


@case
def own_stack_shut_out(_lab):
    """The peer's program, ours, does not read: salut says that it waits for it."""
    with peers.Serve("--source"):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect((SALUTS, 19))
        record = soon(lambda: is_so(one("--source", "salut", "exclude", "listening"),
                                    "the peer's window is closed", timer="persist",
                                    next_move="peer_program"))
        peers.check(record["unsent_bytes"] > 0, record)
        s.close()


@case
def own_stack_bad_line(_lab):
    """Half a megabyte over a line that loses and reorders: what that came to, and what held it up."""
    with peers.Serve("--source=500K", "--impair", "loss=3%,reorder=3%,delay=10ms,seed=7"):
        s = socket.create_connection((SALUTS, 19), timeout=20)
        while s.recv(65536):
            pass
        record = soon(lambda: is_so(one("--source", "salut", "exclude", "listening"),
                                    state="FIN-WAIT-2", limited_by="nothing"))
        s.close()
        soon(lambda: peers.check(records("--source", "kernel", "dport = :19") == [], "LAST-ACK"))
    is_so(record, congestion="cubic", bytes_acked=512000)
    peers.check(record["recoveries"] >= 2 and record["retransmits"] >= 5, record)
    peers.check(record["overtaken"] >= 1, record)
    peers.check(record["recoveries"] + record["timeouts"] >= record["undone"], record)
    peers.check(15000 <= record["rtt_p50_us"] <= record["rtt_p90_us"] <= record["rtt_p99_us"], record)
    parts = sum(record[f"{who}_limited_us"] for who in ("app", "cwnd", "window", "buffer", "pacing"))
    peers.check(abs(parts - record["busy_us"]) <= 5 and record["busy_us"] > 100000, record)
    peers.check(record["cwnd_limited_us"] * 2 > record["busy_us"], record)


@case
def own_stack_closes_first(_lab):
    with peers.Serve("--source=100"):
        s = socket.create_connection((SALUTS, 19), timeout=5)
        soon(lambda: is_so(one("--source", "salut", "exclude", "listening"), state="FIN-WAIT-2",
                           passive=True))
        is_so(one("--source", "kernel", "dport = :19"), state="CLOSE-WAIT", unread_bytes=100)
        while s.recv(1000):
            pass
        s.close()
        soon(lambda: is_so(one("--source", "salut", "exclude", "listening"), "gone in",
                           state="TIME-WAIT", kind="time_wait", timer="time_wait", owner="none",
                           next_move="time"))
        doctor = salut("doctor", "--source", "salut", "--interval", "100ms").stdout
        peers.check("nothing is wrong with 2" in doctor, doctor)


@case
def own_stack_many(_lab):
    """More than one message, and while they change."""
    with peers.Serve("--echo"):
        clients = [socket.create_connection((SALUTS, 7), timeout=5) for _ in range(300)]
        ports = {c.getsockname()[1] for c in clients}

        def all_shown():
            found = records("--source", "salut", "state", "established")
            peers.check(len(found) == 300 and ports == {r["remote_port"] for r in found},
                        f"{len(found)} records")
        soon(all_shown)
        stop = threading.Event()

        def churn():
            while not stop.is_set():
                socket.create_connection((SALUTS, 7), timeout=5).close()
        thread = threading.Thread(target=churn)
        thread.start()
        for _ in range(10):
            steady = {r["remote_port"] for r in records("--source", "salut", "state", "established")}
            peers.check(ports <= steady, f"{len(ports - steady)} that are there were not shown")
        stop.set()
        thread.join()
        for c in clients:
            c.close()


@case
def no_control(_lab):
    with peers.Serve("--echo", "--no-control"):
        peers.check(sockets() == [] and records("--source", "salut") == [], sockets())


@case
def stopped_and_killed(_lab):
    """A stopped instance does not hold up the others; a dead one's socket is removed."""
    serve = peers.Serve("--echo")
    start = time.monotonic()
    salut("status")
    usual = time.monotonic() - start  # what this machine takes for it now
    serve.process.send_signal(signal.SIGSTOP)
    start = time.monotonic()
    got = salut("status")
    peers.check("1 instance of salut did not answer" in got.stderr, got.stderr)
    peers.check(time.monotonic() - start < 3 + usual, "a stopped instance holds up the others")
    serve.process.kill()
    serve.process.wait()
    serve.process.stdout.close()
    serve.process.stderr.close()
    peers.check(len(sockets()) == 1, sockets())
    peers.check(salut("status", "--source", "salut", "--json").stdout == "", "a dead one tells")
    peers.check(sockets() == [], f"left behind: {sockets()}")


# ---- hostile ends --------------------------------------------------------------------------------

MAGIC, VERSION = 0x74756C53, 1


def request(what=2, magic=MAGIC, version=VERSION, more=b""):
    return struct.pack("=IHHQ", magic, version, what, 0) + more


def connect_control():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(8)
    s.connect(os.path.join(folder(), sockets()[0]))
    return s


def exchange(s):
    """How long 200 questions and answers take."""
    start = time.monotonic()
    for _ in range(200):
        s.send(b"ping")
        s.recv(4)
    return time.monotonic() - start


@case
def hostile_readers(_lab):
    with peers.Serve("--echo"):
        clients = [socket.create_connection((SALUTS, 7), timeout=5) for _ in range(2000)]
        for bad in (b"", b"x", request(magic=1), request(version=9), request(more=b"y"), b"z" * 60000):
            s = connect_control()
            s.send(bad)
            peers.check(s.recv(1) == b"", f"an answer to {bad[:20]}")
            s.close()
        usual = exchange(clients[0])  # what this machine takes for it now
        # Ask for everything over and over, and read nothing; or ask for nothing: cut off, and the
        # places are free for others again. What they do not take costs the stack no time.
        idle = [connect_control() for _ in range(3)]
        deaf = [connect_control() for _ in range(3)]
        for s in deaf:
            s.send(request(0xFFFF))
        peers.check(exchange(clients[0]) < 2 + usual, "deaf readers slow the stack down")
        soon(lambda: peers.check(len(records("--source", "salut", "state", "established")) == 2000,
                                 "others wait"))
        for s in idle:
            peers.check(s.recv(1) == b"", "an idle reader is not cut off")
        time.sleep(1)
        for s in deaf:
            taken = 0
            try:
                while s.recv(65536):
                    taken += 1
            except ConnectionError:
                pass
            peers.check(taken < 60, f"{taken} messages were kept for a deaf reader")
        for s in clients + idle + deaf:
            s.close()


def head(kind, record_bytes, count, magic=MAGIC, version=VERSION):
    return struct.pack("=IHBBIIQ", magic, version, kind, 0, record_bytes, count, 0)


WRITERS = {
    "nothing": [],
    "a wrong magic": [head(4, 1, 0, magic=7)],
    "another version": [head(4, 1, 0, version=77)],
    "half a head": [b"abc"],
    "more records than there are": [head(1, 100, 1000) + b"x" * 100],
    "records of no size": [head(1, 0, 1000000)],
    "records of all ones": [head(1, 800, 10) + b"\xff" * 8000, head(4, 1, 0)],
    "records of zeros": [head(1, 1000, 10) + b"\0" * 10000, head(4, 1, 0)],
    "short records": [head(1, 3, 10) + b"abc" * 10, head(4, 1, 0)],
    "unknown kinds": [head(200, 8, 1) + b"x" * 8, head(4, 1, 0)],
    "no end": [head(0, 8, 1) + b"x" * 8],
}


def pretend(messages, endless=False):
    """An instance that says so, once."""
    os.makedirs(folder(), mode=0o700, exist_ok=True)
    path = os.path.join(folder(), "1")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(5)

    def answer():
        s, _ = listener.accept()
        s.recv(100)
        try:
            for m in messages:
                s.send(m)
            while endless:
                s.send(head(1, 800, 40) + b"\xff" * 32000)
        except OSError:
            pass
        s.close()
    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    return listener, thread, path


@case
def hostile_writers(_lab):
    for name, messages in WRITERS.items():
        listener, thread, path = pretend(messages)
        got = salut("status", "--json", "--source", "salut")
        peers.check(got.stdout == "", f"{name}: {got.stdout}")
        thread.join(5)
        listener.close()
        os.unlink(path)
    listener, _thread, path = pretend([], endless=True)
    start = time.monotonic()
    got = salut("status", "--json", "--source", "salut", timeout=60)
    peers.check("did not answer" in got.stderr, got.stderr)
    peers.check(time.monotonic() - start < 30, "an endless instance is read for ever")
    listener.close()
    os.unlink(path)


# ---- the run -------------------------------------------------------------------------------------

def main():
    pattern = sys.argv[1] if len(sys.argv) > 1 else "*"
    failures = 0
    chosen = [c for c in CASES if fnmatch.fnmatch(c.__name__, pattern)]
    place = lab.Lab()
    subprocess.run(["ip", "addr", "add", "10.55.0.1/16", "dev", "peer0"], check=True)
    subprocess.run(["ip", "link", "set", "peer0", "up"], check=True)
    place.peer.start()
    with tempfile.TemporaryDirectory() as run:
        os.environ["XDG_RUNTIME_DIR"] = run
        for function in chosen:
            try:
                function(place)
                print(f"ok    {function.__name__.replace('_', ' ')}", flush=True)
            except (peers.Failure, OSError, ValueError, LookupError,
                    subprocess.TimeoutExpired) as failure:
                failures += 1
                print(f"FAIL  {function.__name__.replace('_', ' ')}: {failure}", flush=True)
                traceback.print_tb(failure.__traceback__)
            place.clean()
    place.peer.stop()
    print(f"{len(chosen)} cases, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        peers.skip("/dev/net/tun cannot be opened: the peer needs it")
    peers.enter()
    sys.exit(main())
