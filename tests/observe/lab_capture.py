#!/usr/bin/env python3
"""Findings of captures, provoked for real: `salut explain` must name each, and no other beside it.

    lab_capture.py [PATTERN]

Three sources of captures: the kernel's sockets and a peer that misbehaves on purpose, captured with
`salut capture` in a network namespace of its own; salut's stack under scripts (`salut test`) and in
simulated networks (`salut sim`), both in virtual time, for what takes minutes or needs chance. A
fault may bring others along by its nature: those are named with it; findings that are no warnings
may always stand beside. Prints a table: finding, source, made by, detected. The part of the kernel
needs root or user namespaces, and /dev/net/tun; without, it says so and, the rest being right,
exits 77.
"""
import fnmatch
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import capture_lab  # noqa: E402
from capture_lab import (HOST, KERNEL, Behaviour, Capture, Flow, Lab, Segment, abort,  # noqa: E402
                         listen, pair, rewrite, take, wait_for)
from fake_peer import ACK, FIN, RST, SYN  # noqa: E402

peers = capture_lab.peers
PATTERN = sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("--") else "*"
BEHIND = "10.55.9.7"  # who answers behind HOST's address, where that is translated
STORIES = []
SCRIPTS = []
NETWORKS = []


def story(finding, *beside):
    """A fault between the kernel and the peer: makes it and returns a port that only it has."""
    def add(function):
        STORIES.append((finding, set(beside), function))
        return function
    return add


def explain(path):
    got = subprocess.run([peers.SALUT, "explain", "--json", "--flows", "100000", path],
                         capture_output=True, text=True, timeout=120, check=False)
    peers.check(got.returncode == 0, f"explain exits {got.returncode}: {got.stderr}")
    return [json.loads(line) for line in got.stdout.splitlines()]


def judge(finding, beside, hits):
    """What is wrong with what was found; an empty text: nothing."""
    found = {hit["id"]: hit for hit in hits}
    if finding is not None and finding not in found:
        return f"not named; found {sorted(found)}"
    evidence = "" if finding is None else found[finding]["evidence"]
    if "{" in evidence or "?" in evidence or (finding and len(evidence) < 10):
        return f"the evidence is broken: {evidence}"
    false = [hit for hit in hits if hit["severity"] != "info" and hit["id"] != finding
             and hit["id"] not in beside]
    return "; ".join(f"false {hit['id']}: {hit['evidence']}" for hit in false)


def report(finding, maker, name, trouble):
    real = {"kernel": "real", "script": "salut", "network": "salut"}[maker]
    print(f"{finding or '-':7} P  {maker:7} {real:6} {'detected' if not trouble else 'WRONG   '}  "
          f"{name.replace('_', ' ')}{': ' if trouble else ''}{trouble}", flush=True)
    return bool(trouble)


# ---- opening ---------------------------------------------------------------------------------

@story("SYN-1")
def to_nowhere(lab):
    port = lab.behave(answer_syn=False)
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex((HOST, port))
    wait_for(lambda: lab.peer.heard(port, SYN) >= 3, "three SYNs")
    lab.hold(s)
    return port


@story("SYN-3")
def refused(lab):
    listener = listen(address="127.0.0.1")
    port = listener.getsockname()[1]
    listener.close()
    with socket.socket() as s:
        s.connect_ex(("127.0.0.1", port))
    return port


@story("RST-8", "SYN-3")
def refused_by_reset(lab):
    return refused(lab)


@story("SYN-4")
def first_syn_lost(lab):
    port = lab.behave()
    lab.peer.second_syn.add(port)
    with socket.create_connection((HOST, port), timeout=60) as s:
        s.send(b"late")
    return port


@story("SYN-5")
def old_connection_there(lab):
    """Each SYN is answered by an acknowledgement of other numbers."""
    port = lab.behave(answer_syn=False)
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex((HOST, port))
    flow = Flow(Behaviour())
    for count in (1, 2, 3):
        wait_for(lambda: lab.peer.heard(port, SYN) >= count, "a SYN")
        syn = [h for h in lab.peer.history[port] if h.flags & SYN][-1]
        flow.key = (HOST, port, syn.sport)
        lab.peer.inject(flow, ACK, 77000, ack=syn.seq - 5000)
    lab.hold(s)
    return port


@story("TW-4")
def syn_meets_time_wait(lab):
    """The kernel closed first and waits; the peer's new SYN has an older number."""
    here, flow, port = lab.served(fin_back=True)
    here.close()
    wait_for(lambda: lab.peer.heard(port, FIN) >= 1, "the kernel's FIN")
    lab.stay(0.3)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((KERNEL, flow.key[2]))
    listener.listen(5)
    before = lab.peer.heard(port, ACK)
    isn = flow.isn - 100000
    lab.peer.send(Segment(HOST, KERNEL, port, flow.key[2], isn, 0, SYN,
                          options=lab.peer.syn_options(flow.behaviour)))
    wait_for(lambda: lab.peer.heard(port, ACK) > before, "the old acknowledgement")
    old = lab.peer.last(port)
    lab.peer.inject(flow, RST, old.ack, ack=0)
    lab.stay(0.2)
    again = Flow(flow.behaviour)
    again.key, again.isn, again.nxt = flow.key, isn, isn + 1
    lab.peer.flows[flow.key] = again
    lab.peer.send(Segment(HOST, KERNEL, port, flow.key[2], isn, 0, SYN,
                          options=lab.peer.syn_options(flow.behaviour)))
    wait_for(again.established.is_set, "the handshake")
    lab.hold(listener)
    return port


@story("SR-2")
def handshake_not_completed(lab):
    listener = listen()
    port = next(lab.ports)
    lab.peer.send(Segment(HOST, KERNEL, port, listener.getsockname()[1], 1000, 0, SYN,
                          options=struct.pack("!BBH", 2, 4, 1460)))
    wait_for(lambda: lab.peer.heard(port, SYN | ACK) >= 3, "three SYN,ACKs")
    lab.hold(listener)
    return port


@story("LIS-1")
def queue_full(lab):
    """Two handshakes at once where one more fits: the second is complete for its client alone."""
    listener = listen(backlog=1)
    first = socket.create_connection(listener.getsockname())
    flows = []
    for _ in range(2):
        flow = Flow(Behaviour(answer_syn=False))
        flow.key = (HOST, next(lab.ports), listener.getsockname()[1])
        lab.peer.flows[flow.key] = flow
        flows.append(flow)
        lab.peer.send(Segment(HOST, KERNEL, flow.key[1], flow.key[2], flow.isn, 0, SYN,
                              options=struct.pack("!BBH", 2, 4, 1460)))
    for flow in flows:
        wait_for(flow.established.is_set, "a SYN,ACK")
    for flow in flows:
        lab.peer.say(flow, 0)
        lab.peer.say(flow, 0, b"hello")
    port = flows[-1].key[1]
    wait_for(lambda: lab.peer.heard(port, SYN | ACK) >= 3, "SYN,ACKs again")
    lab.hold(listener, first)
    return port


@story("HS-1")
def not_accepted(lab):
    listener = listen(address="127.0.0.1")
    s = socket.create_connection(listener.getsockname())
    s.send(b"GET / HTTP/1.0\r\n\r\n")
    lab.stay(5.5)
    lab.hold(listener, s)
    return listener.getsockname()[1]


@story("MTU-2")
def no_mss(lab):
    here, _flow, port = lab.served(mss=None, fin_back=True)
    here.close()
    wait_for(lambda: lab.peer.heard(port, FIN) >= 1, "the FIN")
    return port


# ---- silence ---------------------------------------------------------------------------------

@story("RTO-1")
def gone(lab):
    here, _flow, port = lab.connected(quiet_after_handshake=True)
    here.send(b"x" * 1000)
    wait_for(lambda: lab.peer.heard(port, data=True) >= 5, "copies")
    lab.hold(here)
    return port


@story("GH-4")
def keepalives_unanswered(lab):
    here, _flow, port = lab.connected(quiet_after_handshake=True)
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1),
                          (socket.TCP_KEEPCNT, 50)):
        here.setsockopt(socket.IPPROTO_TCP, option, value)
    here.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    start = lab.peer.heard(port)
    wait_for(lambda: lab.peer.heard(port) >= start + 3, "keepalives")
    lab.hold(here)
    return port


@story("ZW-3")
def gone_with_closed_window(lab):
    here, flow, port = lab.served(window=0, ack_probes=False)
    lab.peer.say(flow, 0, b"give")
    take(here, 4)
    start = lab.peer.heard(port)
    here.send(b"y" * 5000)
    wait_for(lambda: lab.peer.heard(port) >= start + 5, "probes")
    lab.hold(here)
    return port


@story("FW1-1")
def fin_unanswered(lab):
    here, _flow, port = lab.connected(quiet_after_handshake=True)
    here.close()
    wait_for(lambda: lab.peer.heard(port, FIN) >= 5, "FINs")
    return port


@story("LA-1")
def last_fin_unanswered(lab):
    here, flow, port = lab.served(quiet_after_handshake=True)
    lab.peer.say(flow, FIN)
    take(here, 1)
    here.close()
    wait_for(lambda: lab.peer.heard(port, FIN) >= 5, "FINs")
    return port


@story("MTU-1")
def large_ones_vanish(lab):
    here, flow, port = lab.connected()
    lab.peer.deaf_above[port] = 1000
    here.send(b"small")
    wait_for(lambda: flow.expected and lab.peer.heard(port, data=True) >= 1, "the small one")
    here.send(b"z" * 1460)
    wait_for(lambda: lab.peer.heard(port, data=True) >= 4, "copies")
    lab.peer.say(flow, 0)
    wait_for(lambda: lab.peer.heard(port, data=True) >= 6, "more copies")
    lab.hold(here)
    return port


# ---- windows, data ---------------------------------------------------------------------------

@story("ZW-1")
def not_read_there(lab):
    here, flow, port = lab.served(window=0)
    lab.peer.say(flow, 0, b"give")
    take(here, 4)
    start = lab.peer.heard(port)
    here.send(b"y" * 5000)
    wait_for(lambda: lab.peer.heard(port) >= start + 3, "probes")
    lab.hold(here)
    return port


@story("ZW-2")
def not_read_here(lab):
    here, flow, port = lab.served(room=4096)
    wait_for(lambda: lab.peer.history.get(port), "a segment")
    for _ in range(40):
        if lab.peer.last(port).window == 0:
            break
        heard = lab.peer.heard(port)
        room = min(lab.peer.last(port).window, 1000)
        lab.peer.say(flow, 0, b"z" * room)
        wait_for(lambda: lab.peer.heard(port) > heard, "an acknowledgement")
    peers.check(lab.peer.last(port).window == 0, "the kernel does not close its window")
    lab.stay(1.2)
    heard = lab.peer.heard(port)
    lab.peer.inject(flow, ACK, flow.nxt - 1)  # a probe
    wait_for(lambda: lab.peer.heard(port) > heard, "an answer")
    lab.hold(here)
    return port


@story("NAG-1")
def write_write_read(lab):
    here, there, port = pair()
    for _ in range(30):
        here.send(b"head")
        here.send(b"and the body")
        take(there, 16)
        there.send(b"answer")
        take(here, 6)
    here.close()
    there.close()
    return port


@story("SRV-1")
def server_thinks(lab):
    here, there, port = pair()
    here.send(b"question")
    take(there, 8)
    lab.stay(1.0)
    there.send(b"answer")
    take(here, 6)
    here.close()
    there.close()
    return port


@story("CLI-1")
def client_thinks(lab):
    here, there, port = pair()
    lab.stay(1.0)
    here.send(b"question")
    take(there, 8)
    there.send(b"answer")
    take(here, 6)
    here.close()
    there.close()
    return port


@story("APP-1")
def closes_the_idle(lab):
    here, there, port = pair()
    here.send(b"question")
    take(there, 8)
    there.send(b"answer")
    take(here, 6)
    lab.stay(1.5)
    there.close()
    take(here, 1)
    here.close()
    return port


@story("APP-3")
def short_ones(lab):
    listener = listen(address="127.0.0.1")
    port = listener.getsockname()[1]
    for _ in range(30):
        here = socket.create_connection(listener.getsockname())
        there, _ = listener.accept()
        here.send(b"question")
        take(there, 8)
        there.send(b"answer")
        take(here, 6)
        here.close()
        there.close()
    listener.close()
    return port


@story("LOSS-7")
def spoilt(lab):
    here, flow, port = lab.served(fin_back=True)
    for _ in range(3):
        lab.peer.say(flow, 0, b"x" * 100, spoilt=True)
        flow.nxt -= 100
        lab.peer.say(flow, 0, b"x" * 100)
        take(here, 100)
    here.close()
    wait_for(lambda: lab.peer.heard(port, FIN) >= 1, "the FIN")
    return port


# ---- closing ---------------------------------------------------------------------------------

@story("APP-2")
def three_segments(lab):
    here, _flow, port = lab.connected(fin_back=True)
    here.close()
    wait_for(lambda: lab.peer.heard(port, FIN) >= 1, "the FIN")
    return port


@story("CLS-1")
def fins_cross(lab):
    here, _flow, port = lab.connected(fin_only=True, ack_fin=False)
    here.close()
    wait_for(lambda: lab.peer.heard(port, FIN) >= 2, "the FIN again")
    return port


@story("FW2-1", "CW-1")  # the other side of it, after a minute
def peer_does_not_close(lab):
    here, _flow, port = lab.connected()
    here.shutdown(socket.SHUT_WR)
    wait_for(lambda: lab.peer.heard(port, FIN) >= 1, "the FIN")
    lab.stay(5.5)
    lab.hold(here)
    return port


@story("HC-1")
def data_after_close(lab):
    here, flow, port = lab.connected()
    here.close()
    wait_for(lambda: lab.peer.heard(port, FIN) >= 1, "the FIN")
    lab.stay(0.2)
    lab.peer.say(flow, 0, b"too late")
    wait_for(lambda: lab.peer.heard(port, RST) >= 1, "an RST")
    return port


# ---- resets ----------------------------------------------------------------------------------

@story("RST-1")
def closed_with_unread(lab):
    here, there, port = pair()
    here.send(b"never read")
    lab.stay(0.3)
    there.close()
    here.close()
    return port


@story("RST-2")
def linger_zero(lab):
    here, there, port = pair()
    here.send(b"question")
    take(there, 8)
    there.send(b"answer")
    take(here, 6)
    abort(there)
    here.close()
    return port


@story("RST-3")
def peer_has_forgotten(lab):
    here, flow, port = lab.connected()
    here.send(b"first")
    wait_for(lambda: lab.peer.heard(port, data=True) >= 1, "data")
    lab.stay(0.5)
    with lab.peer.lock:
        del lab.peer.flows[flow.key]
    here.send(b"second")
    wait_for(lambda: lab.peer.heard(port, data=True) >= 2, "more data")
    lab.peer.inject(flow, RST, lab.peer.last(port).ack, ack=0)
    return port


@story("RST-6")
def not_translated(lab):
    """The service's address is its gateway's; one segment comes with that of who really sent it."""
    here, flow, port = lab.connected()
    lab.stay(0.2)
    lab.peer.send(Segment(BEHIND, KERNEL, port, flow.key[2], flow.nxt, flow.expected, ACK,
                          data=b"late"))
    lab.stay(0.3)
    lab.hold(here)
    return port


@story("RST-5")
def injected(lab):
    here, flow, port = lab.connected()
    for count in range(1, 5):
        here.send(b"data")
        wait_for(lambda: lab.peer.heard(port, data=True) >= count, "data")
    lab.stay(0.2)
    lab.peer.inject(flow, RST | ACK, flow.nxt, ttl=121)
    return port


@story("RST-9")
def challenged(lab):
    here, flow, port = lab.connected()
    here.send(b"data")
    wait_for(lambda: lab.peer.heard(port, data=True) >= 1, "data")
    for _ in range(4):
        heard = lab.peer.heard(port)
        while lab.peer.heard(port) == heard:  # at most one challenge in half a second
            lab.peer.inject(flow, RST, flow.nxt + 100, ack=0)
            lab.stay(0.7)
    lab.hold(here)
    return port


@story("RST-10")
def reset_with_text(lab):
    here, flow, port = lab.connected()
    here.send(b"data")
    wait_for(lambda: lab.peer.heard(port, data=True) >= 1, "data")
    lab.peer.say(flow, 0, b"answer")
    take(here, 6)
    lab.stay(0.2)
    lab.peer.inject(flow, RST | ACK, flow.nxt, data=b"go away")
    return port


# ---- the capture itself, and nothing ---------------------------------------------------------

@story("CAP-3")
def offloaded(lab):
    here, there, port = pair(mss=1000)
    writer = threading.Thread(target=here.sendall, args=(b"o" * 300000,))
    writer.start()
    take(there, 300000)
    writer.join()
    here.close()
    there.close()
    return port


@story(None)
def healthy(lab):
    here, there, port = pair()
    for _ in range(20):
        here.sendall(b"q" * 200)
        take(there, 200)
        there.sendall(b"a" * 5000)
        take(here, 5000)
    here.close()
    take(there, 1)
    there.close()
    return port


@story(None)
def healthy_over_the_device(lab):
    here, _flow, port = lab.connected(fin_back=True)
    for count in range(1, 6):
        here.send(b"data")
        wait_for(lambda: lab.peer.heard(port, data=True) >= count, "data")
    here.close()
    wait_for(lambda: lab.peer.heard(port, FIN) >= 1, "the FIN")
    return port


# ---- salut's stack: scripts and networks in virtual time -------------------------------------

OPENED = """+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
"""
SCRIPTS += [
    ("NAT-1", set(), "idle too long", OPENED + """+0 < S 0:0(0) win 32792 <mss 1460>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.01 < . 1:1(0) ack 1 win 32792
+0 accept(3, ..., ...) = 4
+.1 < P. 1:101(100) ack 1 win 32792
+0 > . 1:1(0) ack 101
+0 read(4, ..., 1000) = 100
+350 write(4, ..., 100) = 100
+0 > P. 1:101(100) ack 101
+.2~+.5 > P. 1:101(100) ack 101
+.2~+1 > P. 1:101(100) ack 101
+.2~+2 > P. 1:101(100) ack 101
"""),
    ("TS-1", set(), "timestamps go back", OPENED + """+0 < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 50000 ecr 0,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 1 ecr 50000,nop,wscale 7>
+.1 < . 1:1(0) ack 1 win 257 <nop,nop,TS val 50100 ecr 1>
+0 accept(3, ..., ...) = 4
+.1 < P. 1:101(100) ack 1 win 257 <nop,nop,TS val 400 ecr 1>
+0 > . 1:1(0) ack 1 <nop,nop,TS val 1 ecr 50100>
+.3 < P. 1:101(100) ack 1 win 257 <nop,nop,TS val 700 ecr 1>
+0 > . 1:1(0) ack 1 <nop,nop,TS val 1 ecr 50100>
"""),
    ("CW-1", set(), "close is missing", "close-fin-wait-2-held.pkt"),
    ("ECN-1", set(), "marked by a router", "ecn-reduction.pkt"),
    ("HS-3", set(), "simultaneous open", "open-simultaneous.pkt"),
    ("SYN-1", set(), "no answer", "open-active-retries.pkt"),
    ("MTU-1", set(), "black hole", "send-black-hole.pkt"),
    ("RTO-1", set(), "given up", "send-retransmit-limit.pkt"),
    ("GH-4", set(), "keepalives unanswered", "keepalive.pkt"),
    ("ZW-1", set(), "window closed for ever", "window-probe-for-ever.pkt"),
    ("RST-1", set(), "closed with unread data", "close-unread.pkt"),
    ("RST-2", set(), "linger zero", "close-linger-zero.pkt"),
    ("HC-1", set(), "data after close", "close-data-after.pkt"),
    ("APP-2", set(), "three segments", "close-merged.pkt"),
    (None, set(), "healthy", "close-simultaneous.pkt"),
    (None, set(), "healthy, ready", "open-active.pkt"),
    (None, set(), "healthy, one loss", "send-fast-retransmit.pkt"),
]

HOSTS = "host a; host b\n"
NETWORKS += [
    ("LOSS-1", set(), "a lossy path", HOSTS + "link a b rate 20Mb/s delay 20ms queue 1bdp loss 3%\n"
     "app bulk a -> b bytes 2MB\nrun 20s\n"),
    ("LOSS-2", set(), "losses of small requests", HOSTS + "link a b rate 20Mb/s delay 20ms loss 10%\n"
     "app request a -> b request 200B reply 300B think 50ms rounds 60\nrun 60s\n"),
    ("LOSS-3", set(), "spikes of delay", HOSTS + "link a b rate 20Mb/s delay 20ms\n"
     "app onoff a -> b rate 200kb/s on 30s off 1s\n" + "".join(
         f"at {2 + 4 * i}s link a b delay 500ms\nat {2.9 + 4 * i}s link a b delay 20ms\n"
         for i in range(6)) + "run 28s\n"),
    ("LOSS-4", set(), "acknowledgements lost", HOSTS +
     "link a b rate 20Mb/s delay 20ms back loss 45%\n"
     "app onoff a -> b rate 1Mb/s on 5ms off 600ms\nrun 20s\n"),
    ("WS-1", set(), "no window scaling", "host a window-scaling off; host b\n"
     "link a b rate 50Mb/s delay 25ms\napp bulk a -> b bytes 1MB\nrun 20s\n"),
    ("SACK-1", {"LOSS-1"}, "no selective acknowledgements", "host a sack off; host b\n"
     "link a b rate 20Mb/s delay 20ms queue 1bdp loss 2%\napp bulk a -> b bytes 2MB\nrun 40s\n"),
    ("CC-2", set(), "slow after idle", "host a cc reno; host b cc reno\n"
     "link a b rate 50Mb/s delay 25ms\n"
     "app request a -> b request 200B reply 800KB think 3s rounds 3\nrun 30s\n"),
    (None, set(), "healthy, reordered", HOSTS +
     "link a b rate 20Mb/s delay 20ms queue 4bdp reorder 5%,10ms\n"
     "app bulk a -> b bytes 3MB\nrun 20s\n"),
    (None, set(), "healthy, far away", HOSTS + "link a b rate 10Mb/s delay 150ms queue 4bdp\n"
     "app request a -> b request 300B reply 20KB think 20ms rounds 20\nrun 60s\n"),
]


def try_scripts(work):
    failures = 0
    for finding, beside, name, script in SCRIPTS:
        if not fnmatch.fnmatch(finding or "healthy", PATTERN):
            continue
        path = os.path.join(peers.ROOT, "tests/scripts", script)
        if "\n" in script:
            path = os.path.join(work, name.replace(" ", "-") + ".pkt")
            with open(path, "w", encoding="ascii") as f:
                f.write(script)
        got = subprocess.run([peers.SALUT, "test", "--pcapng=" + work, path], capture_output=True,
                             text=True, timeout=120, check=False)
        peers.check(got.returncode == 0, f"{name}: the script does not pass: {got.stdout}")
        flows = explain(os.path.join(work, os.path.basename(path) + ".pcapng"))
        failures += report(finding, "script", name, judge(finding, beside, flows[0]["findings"]))
    return failures


def play(work, name, text):
    folder = os.path.join(work, name.replace(" ", "-").replace(",", ""))
    os.mkdir(folder)
    path = os.path.join(folder, "network.scn")
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    got = subprocess.run([peers.SALUT, "sim", path, "--pcap", folder], capture_output=True,
                         text=True, timeout=120, check=False)
    peers.check(got.returncode == 0, f"{name}: the scenario fails: {got.stderr}")
    return folder


def try_networks(work):
    """Captured at the sender's end and at the other: each must tell, or at least nothing false."""
    failures = 0
    for finding, beside, name, text in NETWORKS:
        if not fnmatch.fnmatch(finding or "healthy", PATTERN):
            continue
        folder = play(work, name, text)
        ends = [explain(os.path.join(folder, host + ".pcapng"))[0]["findings"]
                for host in ("a", "b")]
        named = [judge(finding, beside, hits) for hits in ends]
        false = [judge(None, beside | {finding}, hits) for hits in ends]
        trouble = ("" if "" in named else named[0]) or "".join(false)
        failures += report(finding, "network", name, trouble)
    return failures


def try_rewritten(work):
    """Faults of the capture: a whole one, of which packets are left out or doubled."""
    folder = play(work, "rewritten", HOSTS + "link a b rate 20Mb/s delay 5ms\n"
                  "app request a -> b request 300B reply 9KB think 10ms rounds 20\nrun 20s\n")
    source = os.path.join(folder, "b.pcapng")
    target = os.path.join(folder, "again.pcapng")
    ends = (socket.inet_aton("10.0.0.1"), socket.inet_aton("10.0.0.2"))

    def is_from(packet, end):
        return ends[end] + ends[1 - end] in packet[:64]
    failures = 0
    for finding, name, copies in (
            ("CAP-1", "captured twice", lambda number, packet: 2),
            ("CAP-2", "data not captured",
             lambda number, packet: 0 if len(packet) > 1000 and number % 3 == 0 else 1),
            ("ASYM-1", "one direction", lambda number, packet: is_from(packet, 0))):
        if fnmatch.fnmatch(finding, PATTERN):
            rewrite(source, target, copies)
            hits = explain(target)[0]["findings"]
            failures += report(finding, "network", name, judge(finding, set(), hits))
    return failures


# ---- the kernel ------------------------------------------------------------------------------

class Teller(threading.Thread):
    def __init__(self, lab, finding, beside, function):
        super().__init__(daemon=True)
        self.lab, self.finding, self.beside, self.function = lab, finding, beside, function
        self.port = None
        self.trouble = ""

    def run(self):
        try:
            self.port = self.function(self.lab)
        except (OSError, peers.Failure) as e:
            self.trouble = f"could not be made: {e}"


def hits_of(objects, port):
    """The findings of the port's connections, and of all of them together."""
    ends = [f"{address}:{port}" for address in ("127.0.0.1", HOST, BEHIND)]
    flows = [o for o in objects[1:] if any(o[end]["end"] in ends for end in ("client", "server"))]
    mine = {flow["connection"] for flow in flows}
    hits = [hit for flow in flows for hit in flow["findings"]]
    return hits + [hit for hit in objects[0]["findings"]
                   if hit["id"] == "APP-3" and hit["connection"] in mine]


def try_kernel(work):
    """All at once: every story has its ports."""
    path = os.path.join(work, "kernel.pcapng")
    lab = Lab()
    peers.run(["ip", "addr", "add", KERNEL + "/16", "dev", "peer0"])
    peers.run(["ip", "link", "set", "peer0", "up"])
    lab.peer.start()
    capture = Capture(path, "lo", "peer0")
    tellers = [Teller(lab, *s) for s in STORIES if fnmatch.fnmatch(s[0] or "healthy", PATTERN)]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join(3 * capture_lab.PATIENCE)
    time.sleep(0.3)
    socket.socket().connect_ex(("127.0.0.1", 9))  # the last packet says how long it was watched
    time.sleep(0.3)
    capture.stop()
    lab.peer.stop()
    objects = explain(path)
    failures = 0
    for teller in tellers:
        name = teller.function.__name__
        trouble = teller.trouble or ("" if teller.port else "it does not end")
        trouble = trouble or judge(teller.finding, teller.beside, hits_of(objects, teller.port))
        failures += report(teller.finding, "kernel", name, trouble)
    if failures and os.environ.get("KEEP"):
        os.rename(path, os.environ["KEEP"])
    return failures


def in_virtual_time():
    with tempfile.TemporaryDirectory(dir="/tmp") as work:
        return try_scripts(work) + try_networks(work) + try_rewritten(work)


def inside():
    with tempfile.TemporaryDirectory(dir="/tmp") as work:
        return try_kernel(work)


def main():
    """The part in virtual time first, then again inside, where the kernel is."""
    if os.environ.get(peers.INSIDE) != "yes":
        os.environ["LAB_WRONG"] = str(in_virtual_time())
    before = int(os.environ.get("LAB_WRONG", "0"))
    try:
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            peers.skip("/dev/net/tun cannot be opened: the peer needs it")
        peers.enter()
        wrong = before + inside()
    except SystemExit as e:  # what was wrong before is not skipped
        sys.exit(1 if before else e.code)
    print(f"{len(STORIES) + len(SCRIPTS) + len(NETWORKS) + 3} captures, {wrong} of them judged "
          "wrongly")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
