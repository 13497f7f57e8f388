"""Tools for making faults: what the modules of faults (lab*.py) share.

A fault is a generator marked with @case: it makes the fault, yields while doctor looks, and takes
it away. Waits depend on a condition and have a generous end (until); how fast a machine is must
not matter.
"""
import collections
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../peers"))
import peers  # noqa: E402
from fake_peer import KERNEL, Behaviour, Peer  # noqa: E402

HOST = "10.55.7.7"
PATIENCE_S = 20  # what a busy machine may need longer than an idle one
CASES = []
Fault = collections.namedtuple("Fault", "finding beside options alone make")


class Skip(Exception):
    """A fault that cannot be made here; the text says why."""


def case(finding, *beside, options=(), alone=False):
    """A fault: a generator that makes it, yields while doctor looks, and takes it away; `alone`: it
    is felt outside of its network namespace."""
    def add(function):
        CASES.append(Fault(finding, set(beside), list(options), alone, function))
        return function
    return add


def until(condition, what, patience_s=PATIENCE_S):
    """Wait for a fact; what it gives is returned."""
    end = time.monotonic() + patience_s
    while True:
        got = condition()
        if got:
            return got
        peers.check(time.monotonic() < end, f"not within {patience_s} s: {what}")
        time.sleep(0.02)


def doctor(options):
    command = [peers.SALUT, "doctor", "--json", "--source", "kernel"] + options
    got = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    peers.check(got.returncode in (0, 1), f"doctor exits {got.returncode}: {got.stderr}")
    return {line["id"]: line for line in map(json.loads, got.stdout.splitlines())}


def listen(backlog=128, address=KERNEL, **options):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, options.get("reuse", True))
    if options.get("shared"):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind((address, options.get("port", 0)))
    s.listen(backlog)
    return s


def connect_to(port, address=HOST):
    s = socket.create_connection((address, port), timeout=3)
    s.settimeout(None)
    return s


def start_connect(address, port):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex((address, port))
    return s


def during(work):
    """Do something while the counters are watched."""
    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


def throughout(step):
    """Do something again and again for as long as doctor looks."""
    over = threading.Event()

    def work():
        while not over.is_set():
            step()
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def many_connections(server_first, count, **options):
    listener = listen(address="127.0.0.1", **options)
    for _ in range(count):
        here = connect_to(listener.getsockname()[1], "127.0.0.1")
        there, _ = listener.accept()
        first, second = (there, here) if server_first else (here, there)
        first.close()
        second.recv(1)
        second.close()
    return listener


SERVER = """
import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", {port})); s.listen(20); print("ready", flush=True)
time.sleep(60)
"""


class Lab:
    def __init__(self):
        self.peer = Peer()
        self.next_port = 2000
        self.open = []
        self.along = []  # findings beside the one that was made

    def behave(self, **how):
        """A port of the peer's that behaves so."""
        self.next_port += 1
        self.peer.ports[self.next_port] = Behaviour(**how)
        return self.next_port

    def served(self, **how):
        """A connection that the peer opened to a program here: the accepted socket and the flow."""
        listener = listen()
        self.next_port += 1
        flow = self.peer.open(HOST, self.next_port, listener.getsockname()[1], Behaviour(**how))
        socket_here, _ = listener.accept()
        listener.close()
        return socket_here, flow

    def child(self, code, program=sys.executable, **how):
        """A program of its own; it has said "ready" when this returns."""
        process = subprocess.Popen([program, "-c", code], stdout=subprocess.PIPE, text=True, **how)
        self.open.append(process)
        peers.check(process.stdout.readline().startswith("ready"), "the program did not start")
        return process

    def clean(self):
        for process in self.open:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
            process.stdout.close()
        self.open = []
        self.peer.flows.clear()


def examine(lab, fault):
    """Make a fault and look at it, again if a busy machine is not there yet. Returns what is wrong."""
    steps = fault.make(lab)
    next(steps)
    wanted = set() if fault.finding is None else {fault.finding}
    end = time.monotonic() + PATIENCE_S
    found = doctor(fault.options)
    while wanted - set(found) and time.monotonic() < end:
        found = doctor(fault.options)
    for _ in steps:
        pass
    lab.clean()
    if wanted - set(found):
        return f"not named; found {sorted(found)}"
    false = sorted(set(found) - wanted - fault.beside)
    lab.along = sorted(set(found) - wanted)
    if os.environ.get("LAB_EVIDENCE"):
        print(*(found[name]["evidence"] for name in sorted(wanted & set(found))))
    return "; ".join(f"false {name}: {found[name]['evidence']}" for name in false)
