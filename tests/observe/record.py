#!/usr/bin/env python3
"""Causes, provoked for real: each is made on the kernel, and `salut record` must name it.

    record.py [PATTERN]

Everything happens in a network namespace of its own, over its loopback or against a peer that
misbehaves on purpose (fake_peer.py). A case makes a change of state happen and says what the
recorder must print of it: from which state, to which, and why. Needs root, for tracepoints; where
they may not be read, it says so and exits 77.
"""
import fnmatch
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../peers"))
import peers  # noqa: E402
from fake_peer import FIN, KERNEL, RST, Behaviour, Peer  # noqa: E402

HOST = "10.55.7.7"
CASES = []


def case(*expected):
    """A function that makes changes; it returns the local port whose lines are looked at."""
    def add(function):
        CASES.append((expected, function))
        return function
    return add


class Recorder:
    def __init__(self, folder):
        self.path = os.path.join(folder, "lines")
        self.at = 0
        self.process = subprocess.Popen(
            [peers.SALUT, "record", "--json", "--here", "--file-size", "1G", "-w", self.path],
            stderr=subprocess.PIPE, text=True)
        for _ in range(200):  # what it shares is there when it is ready
            time.sleep(0.05)
            if os.path.exists(os.environ["SALUT_RECORDER"]) or self.process.poll() is not None:
                break
        if self.process.poll() == 3:
            peers.skip(self.process.stderr.read().strip())
        self.check_runs()
        self.lines = []

    def check_runs(self):
        if self.process.poll() is not None:
            raise peers.Failure("salut record has ended: " + self.process.stderr.read())

    def read(self):
        with open(self.path, encoding="utf-8") as file:
            file.seek(self.at)
            for line in file:
                if line.endswith("\n"):
                    self.lines.append(json.loads(line))
                    self.at += len(line.encode())
        return self.lines

    def of_port(self, port, since):
        return [line for line in self.read()[since:]
                if line["event"] == "change" and line["local_port"] == port]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=10)
        peers.check(self.process.returncode == 0, f"exit {self.process.returncode}: {said}")
        return said


# ---- tools -----------------------------------------------------------------------------------

def listen(address="127.0.0.1", backlog=16):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, 0))
    s.listen(backlog)
    return s


def pair():
    """Both ends of a connection over loopback; the client's and the server's."""
    listener = listen()
    here = socket.create_connection(listener.getsockname())
    there, _ = listener.accept()
    listener.close()
    return here, there


def port_of(s):
    return s.getsockname()[1]


def wait_for_end(s):
    """Until the kernel gives up: when that is depends on the round-trip time it saw."""
    s.settimeout(25)
    try:
        s.recv(1)
    except TimeoutError as error:
        peers.check(error.errno is not None, "the kernel did not give up within 25 s")
    except OSError:
        pass


def pause(seconds=0.05):
    """While this processor works: what a timer, as that of a delayed acknowledgement, does on an
    idle one may be told late (see no_answer and given_up)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def linger_zero(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Lab:
    def __init__(self):
        self.peer = Peer()
        self.next_port = 2000

    def behave(self, **how):
        self.next_port += 1
        self.peer.ports[self.next_port] = Behaviour(**how)
        return self.next_port

    def connect(self, **how):
        return socket.create_connection((HOST, self.behave(**how)), timeout=3)

    def flow_of(self, s):
        return self.peer.flows[(HOST, s.getpeername()[1], port_of(s))]


def child(code):
    """A program of its own that connects to nobody but us; it prints its port and waits."""
    listener = listen()
    process = subprocess.Popen([sys.executable, "-c", (
        "import socket, sys, os, time\n"
        f"s = socket.create_connection(('127.0.0.1', {port_of(listener)}))\n"
        "print(s.getsockname()[1], flush=True)\n") + code],
        stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    port = int(process.stdout.readline())
    there, _ = listener.accept()
    listener.close()
    return process, port, there


def end(process):
    process.wait()
    process.stdout.close()
    process.stdin.close()


# ---- opening ---------------------------------------------------------------------------------

@case(("CLOSED", "SYN-SENT", "connect"), ("SYN-SENT", "ESTABLISHED", "syn-answered"))
def opened(_lab):
    listener = listen()
    here = socket.socket()
    here.bind(("127.0.0.1", 0))  # otherwise the port is chosen after the change
    port = port_of(here)
    here.connect(listener.getsockname())
    there, _ = listener.accept()
    for s in (listener, here, there):
        s.close()
    return port


@case(("CLOSED", "LISTEN", "listen"), ("LISTEN", "SYN-RECEIVED", "passive-open"),
      ("SYN-RECEIVED", "ESTABLISHED", "passive-open"), ("LISTEN", "CLOSED", "listener-closed"))
def served(_lab):
    listener = listen()
    here = socket.create_connection(listener.getsockname())
    there, _ = listener.accept()
    port = port_of(listener)
    listener.close()
    here.close()
    there.close()
    return port


@case(("SYN-SENT", "CLOSED", "refused"))
def refused(_lab):
    listener = listen()
    address = listener.getsockname()
    listener.close()
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    port = port_of(s)
    peers.check(s.connect_ex(address) != 0, "nothing listens there")
    s.close()
    return port


@case(("SYN-SENT", "CLOSED", "connect-timeout"))
def no_answer(lab):
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_TCP, 7, 1)  # TCP_SYNCNT; the kernel adds tcp_syn_linear_timeouts
    s.settimeout(30)
    s.bind((KERNEL, 0))
    port = port_of(s)
    peers.check(s.connect_ex((HOST, lab.behave(answer_syn=False))) != 0, "nobody answers there")
    s.close()
    return port


@case(("SYN-SENT", "CLOSED", "close"))
def given_up(lab):
    s = socket.socket()
    s.bind((KERNEL, 0))
    s.setblocking(False)
    s.connect_ex((HOST, lab.behave(answer_syn=False)))
    port = port_of(s)
    s.close()
    return port


# ---- closing ---------------------------------------------------------------------------------

@case(("ESTABLISHED", "FIN-WAIT-1", "close"), ("FIN-WAIT-1", "FIN-WAIT-2", "fin-acked"),
      ("FIN-WAIT-2", "FIN-WAIT-2", "orphaned"))
def closed_first(_lab):
    here, there = pair()
    port = port_of(here)
    here.close()
    pause()
    there.close()
    return port


@case(("ESTABLISHED", "FIN-WAIT-1", "shutdown"), ("FIN-WAIT-1", "FIN-WAIT-2", "fin-acked"),
      ("FIN-WAIT-2", "TIME-WAIT", "time-wait"))
def shut_down(_lab):
    here, there = pair()
    port = port_of(here)
    here.shutdown(socket.SHUT_WR)
    pause()
    there.close()
    pause()
    here.close()
    return port


@case(("FIN-WAIT-2", "FIN-WAIT-2", "orphaned"))
def half_closed_then_closed(_lab):
    here, there = pair()
    port = port_of(here)
    here.shutdown(socket.SHUT_WR)
    pause()
    here.close()
    pause()
    there.close()
    return port


@case(("ESTABLISHED", "CLOSE-WAIT", "fin-received"), ("CLOSE-WAIT", "LAST-ACK", "close"),
      ("LAST-ACK", "CLOSED", "last-acked"))
def closed_second(_lab):
    here, there = pair()
    port = port_of(there)
    here.close()
    there.recv(1)
    pause()
    there.close()
    return port


@case(("FIN-WAIT-1", "CLOSING", "fin-received"))
def both_at_once(lab):
    s = lab.connect(fin_only=True, ack_fin=False)
    port = port_of(s)
    s.close()
    return port


@case(("ESTABLISHED", "FIN-WAIT-1", "killed"))
def killed(_lab):
    process, port, there = child("time.sleep(60)")
    process.kill()
    end(process)
    there.close()
    return port


@case(("ESTABLISHED", "FIN-WAIT-1", "exited"))
def exited(_lab):
    process, port, there = child("sys.stdin.readline()\nos._exit(0)")
    process.stdin.write("\n")
    process.stdin.flush()
    process.wait()
    end(process)
    there.close()
    return port


@case(("ESTABLISHED", "CLOSED", "unread-data"))
def unread(_lab):
    here, there = pair()
    port = port_of(here)
    there.send(b"not read")
    pause()
    here.close()
    there.close()
    return port


@case(("ESTABLISHED", "CLOSED", "unread-data-killed"))
def unread_killed(_lab):
    process, port, there = child("time.sleep(60)")
    there.send(b"not read")
    pause()
    process.kill()
    end(process)
    there.close()
    return port


@case(("ESTABLISHED", "CLOSED", "unread-data-exited"))
def unread_exited(_lab):
    process, port, there = child("sys.stdin.readline()\nos._exit(0)")
    there.send(b"not read")
    pause()
    process.stdin.write("\n")
    process.stdin.flush()
    end(process)
    there.close()
    return port


@case(("ESTABLISHED", "CLOSED", "linger-zero"))
def lingered(_lab):
    here, there = pair()
    port = port_of(here)
    linger_zero(here)
    here.close()
    there.close()
    return port


@case(("ESTABLISHED", "CLOSED", "disconnected"))
def disconnected(_lab):
    here, there = pair()
    port = port_of(here)
    import ctypes
    libc = ctypes.CDLL(None)
    nobody = ctypes.create_string_buffer(struct.pack("=H14x", socket.AF_UNSPEC))
    peers.check(libc.connect(here.fileno(), nobody, 16) == 0, "connect to AF_UNSPEC fails")
    here.close()
    there.close()
    return port


@case(("ESTABLISHED", "CLOSED", "listener-closed"))
def never_accepted(_lab):
    listener = listen()
    here = socket.create_connection(listener.getsockname())
    pause()
    port = port_of(listener)
    listener.close()
    here.close()
    return port


# ---- the peer, the path, time, others --------------------------------------------------------

@case(("ESTABLISHED", "CLOSED", "rst-received"))
def reset_by_peer(_lab):
    here, there = pair()
    port = port_of(here)
    linger_zero(there)
    there.close()
    pause()
    here.close()
    return port


@case(("CLOSE-WAIT", "CLOSED", "rst-received"))
def reset_in_close_wait(lab):
    s = lab.connect()
    port = port_of(s)
    flow = lab.flow_of(s)
    lab.peer.say(flow, FIN)
    pause(0.1)
    lab.peer.say(flow, RST)
    pause(0.1)
    s.close()
    return port


@case(("ESTABLISHED", "CLOSED", "retransmit-timeout"))
def unanswered(lab):
    s = lab.connect(quiet_after_handshake=True)
    port = port_of(s)
    s.setsockopt(socket.IPPROTO_TCP, 18, 1200)  # TCP_USER_TIMEOUT
    s.send(b"x" * 100)
    wait_for_end(s)
    s.close()
    return port


@case(("ESTABLISHED", "CLOSED", "keepalive-timeout"))
def keepalive(lab):
    s = lab.connect(quiet_after_handshake=True)
    port = port_of(s)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 1)
    wait_for_end(s)
    s.close()
    return port


@case(("ESTABLISHED", "CLOSED", "probe-timeout"))
def window_closed(lab):
    s = lab.connect(window=0, ack_probes=False)
    port = port_of(s)
    flow = lab.flow_of(s)
    lab.peer.say(flow, 0, b"give")
    s.recv(4)
    s.setsockopt(socket.IPPROTO_TCP, 18, 1200)  # TCP_USER_TIMEOUT
    s.send(b"y" * 5000)
    wait_for_end(s)
    s.close()
    return port


@case(("FIN-WAIT-2", "CLOSED", "data-after-close"))
def data_after_close(lab):
    s = lab.connect(ack_fin=False)
    port = port_of(s)
    flow = lab.flow_of(s)
    s.close()
    pause(0.1)
    flow.expected += 1  # the FIN is acknowledged, with data that nobody will read
    lab.peer.say(flow, 0, b"late")
    return port


@case(("ESTABLISHED", "CLOSED", "administrator"))
def destroyed(_lab):
    here, there = pair()
    port = port_of(here)
    got = subprocess.run(["ss", "-K", "sport", "=", f":{port}"], capture_output=True, check=False)
    peers.check(got.returncode == 0, "ss -K fails")
    pause(0.1)
    here.close()
    there.close()
    return port


# ---- what status learns of it ----------------------------------------------------------------

def status(*words):
    got = subprocess.run([peers.SALUT, "status", "--json", *words], capture_output=True, text=True,
                         timeout=20, check=True)
    return [json.loads(line) for line in got.stdout.splitlines()]


def check_status():
    """Ages are exact, and TIME-WAIT has an owner."""
    here, there = pair()
    port = port_of(here)
    here.shutdown(socket.SHUT_WR)
    pause()
    there.close()
    pause()
    here.close()
    second, other = pair()
    time.sleep(0.6)
    old = [r for r in status("sport", "=", str(port)) if r["state"] == "TIME-WAIT"]
    peers.check(len(old) == 1 and old[0]["owner"] == "remembered" and
                old[0]["pid"] == os.getpid(), f"TIME-WAIT's owner is not remembered: {old}")
    young = status("sport", "=", str(port_of(second)))
    peers.check(len(young) == 1 and 500 <= young[0].get("age_ms", 0) < 5000,
                f"the age is not exact: {young}")
    second.close()
    other.close()


# ---- the run ---------------------------------------------------------------------------------

def examine(recorder, lab, expected, function):
    since = len(recorder.read())
    port = function(lab)
    missing = list(expected)
    for _ in range(30):
        time.sleep(0.05)
        recorder.check_runs()
        found = [(c["from"], c["to"], c["cause"]) for c in recorder.of_port(port, since)]
        missing = [e for e in expected if e not in found]
        if not missing:
            return ""
    return f"{missing} not named; found {found}"


def inside():
    pattern = sys.argv[1] if len(sys.argv) > 1 else "*"
    failures = 0
    done = 0
    lab = Lab()
    peers.run(["ip", "addr", "add", "10.55.0.1/16", "dev", "peer0"])
    peers.run(["ip", "link", "set", "peer0", "up"])
    lab.peer.start()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SALUT_RECORDER"] = os.path.join(folder, "recorder")
        recorder = Recorder(folder)
        for expected, function in CASES:
            if not fnmatch.fnmatch(function.__name__, pattern):
                continue
            trouble = examine(recorder, lab, expected, function)
            done += 1
            failures += trouble != ""
            print(f"{'WRONG' if trouble else 'named'}  {function.__name__.replace('_', ' '):24}"
                  f"{', '.join(e[2] for e in expected)}{': ' if trouble else ''}{trouble}",
                  flush=True)
        check_status()
        said = recorder.stop()
    lab.peer.stop()
    peers.check("own cost" in said and " 0 lost" in said, f"its cost is not told: {said}")
    unknown = [line for line in recorder.lines if line.get("cause") == "unknown"
               and line.get("pid") == os.getpid()]
    peers.check(not unknown, f"of unknown cause: {unknown}")
    peers.check(failures == 0, f"{failures} of {done} causes were not named")
    print(f"{done} causes, each named")


if __name__ == "__main__":
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        peers.skip("/dev/net/tun cannot be opened: the peer needs it")
    peers.main(inside, tracing=True)
