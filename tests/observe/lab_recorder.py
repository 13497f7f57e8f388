#!/usr/bin/env python3
"""Findings that take a memory, provoked for real: `salut doctor` must name each, and no other.

    lab_recorder.py [PATTERN]

Each fault is made with a recorder at work, in a network namespace of its own, over its loopback or
against a peer that misbehaves on purpose (fake_peer.py). Doctor is asked until it names the fault,
first of the recorder's memory, then of the file the recorder kept: both must come to the same. Some
faults bring others along by their nature: those are named with them. Prints a table: finding,
sources, detected. Needs root, for tracepoints; where they may not be read it says so and exits 77.
"""
import contextlib
import fnmatch
import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../peers"))
import peers  # noqa: E402
from fake_peer import KERNEL, RST  # noqa: E402
from lab import HOST, Lab, connect_to, listen, start_connect  # noqa: E402
from record import Recorder, linger_zero, wait_for_end  # noqa: E402

LOCAL = "127.0.0.1"
DEADLINE_S = 25
TCP_USER_TIMEOUT = 18
CASES = []


def case(finding, *beside, options=()):
    """A fault: a function that makes it; what it returns is closed when doctor has looked."""
    def add(function):
        CASES.append((finding, set(beside), list(options), function))
        return function
    return add


def doctor(*words):
    got = subprocess.run([peers.SALUT, "doctor", "--json", *words], capture_output=True, text=True,
                         timeout=30, check=False)
    peers.check(got.returncode in (0, 1), f"doctor exits {got.returncode}: {got.stderr}")
    return {line["id"]: line for line in map(json.loads, got.stdout.splitlines())}


# ---- tools -----------------------------------------------------------------------------------

def eventually(fact, what):
    end = time.monotonic() + DEADLINE_S
    while not fact():
        peers.check(time.monotonic() < end, f"{what}: not within {DEADLINE_S} s")
        time.sleep(0.02)


def readable(s):
    eventually(lambda: select.select([s], [], [], 0)[0], "data")


def pairs(count):
    """Connections over loopback: the clients' and the server's ends."""
    listener = listen(address=LOCAL)
    made = []
    for _ in range(count):
        here = connect_to(listener.getsockname()[1], LOCAL)
        made.append((here, listener.accept()[0]))
    listener.close()
    return made


def closed_port():
    listener = listen(address=LOCAL)
    port = listener.getsockname()[1]
    listener.close()
    return port


def refuse(count):
    port = closed_port()
    for _ in range(count):
        with socket.socket() as s:
            peers.check(s.connect_ex((LOCAL, port)) != 0, "nothing listens there")


def give_up_after(s, ms):
    s.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, ms)


# ---- set-up ----------------------------------------------------------------------------------

@case("SYN-3", "RST-8")
def refused_again_and_again(_lab):
    refuse(4)


@case("RST-8")
def refused_once(_lab):
    refuse(1)


@case("RST-8")
def refused_then_served(_lab):
    """A server that restarts: clients were refused, and are no more."""
    refuse(1)
    port = closed_port()
    for _ in range(4):
        with socket.socket() as s:
            s.connect_ex((LOCAL, port))
    listener = listen(address=LOCAL, port=port)
    here = connect_to(port, LOCAL)
    return [here, listener.accept()[0], listener]


@case("SYN-7")
def address_in_use(lab):
    listener = listen(address=LOCAL)
    lab.child(f"""
import socket, time
for _ in range(3):
    try:
        socket.socket().bind(("127.0.0.1", {listener.getsockname()[1]}))
    except OSError:
        pass
print("ready", flush=True)
time.sleep(60)
""")
    return [listener]


@case(None)
def found_another_port(lab):
    """bind() fails, and works with the next port: nobody is to be troubled with that."""
    listener = listen(address=LOCAL)
    lab.child(f"""
import socket, time
s = socket.socket()
try:
    s.bind(("127.0.0.1", {listener.getsockname()[1]}))
except OSError:
    s.bind(("127.0.0.1", 0))
s.listen()
print("ready", flush=True)
time.sleep(60)
""")
    return [listener]


@case("TW-4")
def old_connection_there(lab):
    return [connect_to(lab.behave(old_first=True))]


# ---- how programs end connections ------------------------------------------------------------

@case("RST-1")
def closed_unread(_lab):
    made = pairs(5)
    for here, there in made:
        here.send(b"unread")
        readable(there)
        there.close()
    return [here for here, _ in made]


@case("RST-2")
def lingered(_lab):
    made = pairs(5)
    for _here, there in made:
        linger_zero(there)
        there.close()
    return [here for here, _ in made]


@case("HC-1")
def data_with_the_ack(lab):
    """The FIN is acknowledged by a segment with data that nobody will read."""
    for _ in range(4):
        s = connect_to(lab.behave(ack_fin=False))
        flow = lab.peer.flows[(HOST, s.getpeername()[1], s.getsockname()[1])]
        before = lab.peer.seen_resets
        s.close()
        flow.expected += 1
        lab.peer.say(flow, 0, b"late")
        eventually(lambda: lab.peer.seen_resets > before, "a RST")


@case("HC-1")
def data_after_the_ack(lab):
    """The connection is no socket any more when the data comes."""
    for _ in range(4):
        s = connect_to(lab.behave())
        flow = lab.peer.flows[(HOST, s.getpeername()[1], s.getsockname()[1])]
        before = lab.peer.seen_resets
        expected = flow.expected
        s.close()
        eventually(lambda: flow.expected > expected, "a FIN")
        time.sleep(0.05)  # its acknowledgement is taken before the data
        lab.peer.say(flow, 0, b"late")
        eventually(lambda: lab.peer.seen_resets > before, "a RST")


SERVER = """
import socket, time
s = socket.socket()
s.bind(("127.0.0.1", {port}))
s.listen()
held = []
print("ready", flush=True)
while True:
    held.append(s.accept())
    print("accepted", flush=True)
"""


@case("RST-4")
def server_killed(lab):
    process = lab.child(SERVER.format(port=7201))
    made = [connect_to(7201, LOCAL) for _ in range(2)]
    for _ in made:
        process.stdout.readline()
    process.kill()
    process.wait()
    return made


@case("RST-11")
def stopped_with_a_queue(_lab):
    listener = listen(address=LOCAL)
    made = [connect_to(listener.getsockname()[1], LOCAL) for _ in range(2)]
    for s in made:
        s.send(b"hello")
    time.sleep(0.05)
    listener.close()
    return made


@case("ADM-1")
def destroyed(_lab):
    made = pairs(1)
    port = made[0][0].getsockname()[1]
    peers.run([peers.SALUT, "kill", "--yes", "sport", "=", f":{port}"])
    return made[0]


# ---- what peers and the path do --------------------------------------------------------------

@case("RST-7")
def not_acknowledged(lab):
    s = connect_to(lab.behave(quiet_after_handshake=True))
    give_up_after(s, 1200)
    s.send(b"x" * 100)
    wait_for_end(s)
    s.close()


@case("RST-7")
def probes_unanswered(lab):
    s = connect_to(lab.behave(quiet_after_handshake=True))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT):
        s.setsockopt(socket.IPPROTO_TCP, option, 1)
    wait_for_end(s)
    s.close()


@case("RST-3", options=["--silent", "1s"])
def forgotten_there(lab):
    s = connect_to(lab.behave(quiet_after_handshake=True))
    flow = lab.peer.flows[(HOST, s.getpeername()[1], s.getsockname()[1])]
    time.sleep(1.5)
    s.send(b"are you there?")
    lab.peer.say(flow, RST)
    wait_for_end(s)
    s.close()


@case("NAT-1", "RST-7", options=["--silent", "1s"])
def dropped_on_the_way(lab):
    port = lab.behave()
    s = connect_to(port)
    flow = lab.peer.flows[(HOST, port, s.getsockname()[1])]
    flow.behaviour = lab.peer.ports[lab.behave(quiet_after_handshake=True)]
    time.sleep(2)
    give_up_after(s, 1500)
    s.send(b"are you there?")
    wait_for_end(s)
    another = connect_to(port)
    s.close()
    return [another]


# ---- habits ----------------------------------------------------------------------------------

class Impatient:
    """A server that closes connections idle for so long; clients come one after another."""

    def __init__(self, limit_s):
        self.limit_s = limit_s
        self.listener = listen(address=LOCAL)
        self.over = False
        self.threads = [threading.Thread(target=work) for work in (self.serve, self.visit)]
        for thread in self.threads:
            thread.start()

    def serve(self):
        held = {}
        while not self.over:
            now = time.monotonic()
            for s in [s for s, since in held.items() if now - since >= self.limit_s]:
                s.close()
                del held[s]
            for s in select.select([self.listener, *held], [], [], 0.02)[0]:
                if s is self.listener:
                    held[s.accept()[0]] = time.monotonic()
                elif s.recv(100):
                    s.send(b"answer")
                    held[s] = time.monotonic()
        for s in held:
            s.close()

    def visit(self):
        made = []
        while not self.over:
            s = connect_to(self.listener.getsockname()[1], LOCAL)
            s.send(b"question")
            s.recv(100)
            made.append(s)
            time.sleep(0.2)
        for s in made:
            s.close()

    def close(self):
        self.over = True
        for thread in self.threads:
            thread.join()
        self.listener.close()


@case("APP-1")
def impatient_server(_lab):
    return [Impatient(1.5)]


@case("APP-3")
def one_for_each_request(_lab):
    listener = listen(address=LOCAL)
    for _ in range(150):
        here = connect_to(listener.getsockname()[1], LOCAL)
        there, _ = listener.accept()
        here.send(b"question")
        readable(there)
        there.recv(100)
        there.send(b"answer")
        readable(here)
        here.recv(100)
        here.close()
        there.close()
    return [listener]


@case(None)
def healthy(lab):
    """Servers and clients that come and go, and what happens to everybody once in a while."""
    listener = listen(address=LOCAL)
    for i in range(30):
        here = connect_to(listener.getsockname()[1], LOCAL)
        there, _ = listener.accept()
        here.send(b"question")
        readable(there)
        there.recv(100 if i != 7 else 2)  # one closes before it has read all
        first, second = (here, there) if i % 2 else (there, here)
        if i == 9:
            linger_zero(first)
        first.close()
        readable(second)
        second.close()
    client = lab.child(f"""
import socket, time
s = socket.create_connection(("127.0.0.1", {listener.getsockname()[1]}))
print("ready", flush=True)
time.sleep(60)
""")
    there, _ = listener.accept()
    client.terminate()
    readable(there)
    late = start_connect(LOCAL, listener.getsockname()[1])
    accepted, _ = listener.accept()
    return [there, listener, late, accepted]


def only_ours(path):
    """The lines of this namespace: others are at work on this machine as well, and of what is over
    before the recorder asks for it the namespace is not known."""
    inode = os.stat("/proc/self/ns/net").st_ino
    with open(path, encoding="utf-8") as file:
        lines = [line for line in file if json.loads(line).get("netns_inode") == inode]
    with open(path + ".ours", "w", encoding="utf-8") as file:
        file.writelines(lines)
    return path + ".ours"


def start_recorder(folder):
    recorder = Recorder(folder)
    ask = [peers.SALUT, "doctor", "--source", "recorder", "--json"]
    eventually(lambda: subprocess.run(ask, capture_output=True, check=False).returncode != 3,
               "a recorder that may be asked")
    return recorder


# ---- the run ---------------------------------------------------------------------------------

def look(wanted, beside, words):
    """What doctor finds wrong with the judgement; empty when it is right."""
    found = doctor(*words)
    if wanted - set(found):
        others = [f"{id}: {found[id]['evidence']}" for id in sorted(found)]
        return f"not named; found {others}"
    false = set(found) - wanted - beside
    return "; ".join(f"false {id}: {found[id]['evidence']}" for id in sorted(false))


def look_until_right(wanted, beside, words):
    """A recorder that has to wait for a processor knows late; what is false for good is false."""
    end = time.monotonic() + DEADLINE_S
    trouble = look(wanted, beside, words)
    while trouble and time.monotonic() < end:
        time.sleep(0.1)
        trouble = look(wanted, beside, words)
    return trouble


def examine(lab, finding, beside, options, function):
    wanted = set() if finding is None else {finding}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SALUT_RECORDER"] = os.path.join(folder, "recorder")
        recorder = start_recorder(folder)
        held = function(lab) or []
        if finding is None:
            time.sleep(0.5)
        trouble = look_until_right(wanted, beside, ["--source", "recorder", *options])
        for each in held:
            each.close()
        recorder.stop()
        if not trouble:
            trouble = look(wanted, beside, [only_ours(recorder.path), *options])
            trouble = trouble and "of the file: " + trouble
    lab.clean()
    return trouble


def check_beside_the_kernel(lab):
    """While a recorder runs, its memory is judged with all the rest."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SALUT_RECORDER"] = os.path.join(folder, "recorder")
        none = subprocess.run([peers.SALUT, "doctor", "--source", "recorder"], capture_output=True,
                              text=True, check=False)
        peers.check(none.returncode == 3 and "salut record" in none.stderr,
                    f"that no recorder runs is not told: {none}")
        recorder = start_recorder(folder)
        held = closed_unread(lab)
        eventually(lambda: "RST-1" in doctor("--interval", "0"), "RST-1 beside the kernel's")
        line = doctor("--interval", "0")["RST-1"]
        peers.check(line["source"] == "recorder" and line["count"] == 5 and
                    line["pid"] == os.getpid(), f"RST-1 is not the recorder's: {line}")
        for s in held:
            s.close()
        recorder.stop()


class Sender:
    """A program that sends a piece over loopback, computes for a while, and so on; the other end
    reads all that comes."""

    def __init__(self, pause_s):
        (self.here, self.there), = pairs(1)
        self.pause_s = pause_s
        self.over = False
        self.threads = [threading.Thread(target=work) for work in (self.send, self.read)]
        for thread in self.threads:
            thread.start()

    def send(self):
        while not self.over:
            self.here.sendall(bytes(65536))
            time.sleep(self.pause_s)
        self.here.shutdown(socket.SHUT_WR)

    def read(self):
        while self.there.recv(1 << 20):
            pass

    def close(self):
        self.over = True
        for thread in self.threads:
            thread.join()
        self.here.close()
        self.there.close()


def check_slow_program(lab):
    """BUF-3 is judged of open connections, by the lifetime that the recorder knows; a server that
    answers whoever asks, with pauses as well, is no slow program."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SALUT_RECORDER"] = os.path.join(folder, "recorder")
        recorder = start_recorder(folder)
        asked = lab.child(ANSWERER.format(port=7202))
        sender = Sender(0.1)
        port = sender.here.getsockname()[1]
        with connect_to(7202, LOCAL) as client:
            asker = threading.Thread(target=ask_again_and_again, args=(client, sender))
            asker.start()
            try:
                found = []  # not while a piece is under way, which the network has
                eventually(lambda: found.append(doctor("--interval", "0").get("BUF-3")) or found[-1],
                           "BUF-3")
            finally:
                sender.close()
                asker.join()
        line = found[-1]
        peers.check(line["count"] == 1 and line["local_port"] == port and
                    line["pid"] == os.getpid() and "nothing to send" in line["evidence"], line)
        asked.kill()
        asked.wait()
        recorder.stop()


ANSWERER = """
import socket
s = socket.socket()
s.bind(("127.0.0.1", {port}))
s.listen()
print("ready", flush=True)
s, _ = s.accept()
while s.recv(100):
    s.sendall(bytes(65536))
"""


def ask_again_and_again(client, sender):
    while not sender.over:
        client.send(b"more")
        got = 0
        while got < 65536:
            got += len(client.recv(1 << 20))
        time.sleep(0.1)


def inside():
    pattern = sys.argv[1] if len(sys.argv) > 1 else "*"
    failures = 0
    done = 0
    lab = Lab()
    peers.run(["ip", "addr", "add", KERNEL + "/16", "dev", "peer0"])
    peers.run(["ip", "link", "set", "peer0", "up"])
    lab.peer.start()
    check_beside_the_kernel(lab)
    check_slow_program(lab)
    for finding, beside, options, function in CASES:
        if not fnmatch.fnmatch(finding or "healthy", pattern):
            continue
        trouble = examine(lab, finding, beside, options, function)
        done += 1
        failures += trouble != ""
        print(f"{finding or '-':7} recorder, file  real  {'WRONG   ' if trouble else 'detected'}  "
              f"{function.__name__.replace('_', ' ')}{': ' if trouble else ''}{trouble}",
              flush=True)
    lab.peer.stop()
    peers.check(failures == 0, f"{failures} of {done} faults were judged wrongly")
    print(f"{done} faults, each judged rightly")


if __name__ == "__main__":
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        peers.skip("/dev/net/tun cannot be opened: the peer needs it")
    with contextlib.suppress(KeyboardInterrupt):
        peers.main(inside, tracing=True)
