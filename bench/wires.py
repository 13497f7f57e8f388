"""What the measurements over bad networks share: hosts, wires, salut's servers, workers, reports.

Two kernels, each in a network namespace of its own (paths_host.py), are joined by `salut wire`; the
data goes from host A to host B. The wire reports how late it was itself: a run with a 99th
percentile above LATE_MAX_US says nothing about the peers, is void and is repeated.

Everything that a measurement starts runs at the lowest real-time priority (go_first), in turns of a
millisecond, so that a build beside it does not disturb; the wire goes before that. What no priority
helps against is a virtual machine whose host takes the processors away (steal): that is said beside
a void run.

Several runs share the machine, each with two hosts and a wire of its own: `jobs` of those that move
few packets, or a quarter as many of the busy ones, which fill 100 or 200 Mb/s. All kinds that are
compared run under that same load.
"""
import atexit
import concurrent.futures
import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time

import algorithms

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
SALUT = os.path.abspath(os.environ.get("SALUT", os.path.join(ROOT, "build/salut")))
ADDRESS = {"a": "10.98.0.1", "b": "10.98.0.2"}
SALUT_ADDRESS = {"a": "10.98.0.3", "b": "10.98.0.4"}
SOURCE_PORT = {"cubic": 19, "reno": 21, "bbr": 22}  # of the kernel's, as in paths_host.py
BUFFER_MAX = "64M"  # as the kernels' in paths_host.py
SKIPPED = 77
LATE_MAX_US = 500
TRIES = 8
PATIENCE_S = 300  # a host takes processors away for minutes at a time
PAUSE_MAX_S = 16
REALTIME_PRIORITY = 1
TIMESLICE = "/proc/sys/kernel/sched_rr_timeslice_ms"
BUSY_RUN = 4  # the runs that move few packets and load the machine as much
CLEAN_BACK = ["--back-loss", "0%", "--back-burst-loss", "0%,1", "--back-reorder", "0%",
              "--back-queue", "100000p"]


class Trouble(Exception):
    """A run could not be done; the text says why."""


# ---- hosts, wire, salut ----------------------------------------------------------------------

class Host:
    """A kernel in a namespace of its own, as paths_host.py."""

    def __init__(self):
        command = ["unshare", "--net", sys.executable, os.path.join(HERE, "paths_host.py")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.pid = self.process.pid
        if not self.process.stdout.readline():
            raise Trouble("a host did not start: root is needed, and ip(8)")

    def do(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": "a host is gone"}
        if "error" in answer:
            raise Trouble(answer["error"])
        return answer

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Process:
    """A salut that is ended with SIGTERM; .lines and .err are what it said after its first line."""

    def __init__(self, command):
        dies_with_us = ["setpriv", "--pdeathsig", "TERM"]
        self.process = subprocess.Popen(dies_with_us + command, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.lines = []
        self.err = ""
        if not self.process.stdout.readline():
            _, err = self.process.communicate()
            raise Trouble(f"{' '.join(command)}: exit {self.process.returncode}: {err.strip()}")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.send_signal(signal.SIGTERM)
        try:
            out, self.err = self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, self.err = self.process.communicate()
            self.err += " (did not end within 20 s of SIGTERM)"
        self.lines = out.splitlines()
        if self.process.returncode != 0 and kind is None:
            raise Trouble(f"salut: exit {self.process.returncode}: {self.err.strip()}")

    def retransmissions(self):
        """What `--stats` counted; a super-segment sent again counts once."""
        return sum(int(n) for n in re.findall(r"^ *(\d+) send-retransmit-", self.err, re.M))


def stolen_s():
    """Seconds in which the host of a virtual machine ran something else, of all processors."""
    with open("/proc/stat", encoding="ascii") as file:
        return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")


class Wire(Process):
    """A wire; what it says of the run is there once it has ended."""

    def __init__(self, command):
        self.stolen_before_s = stolen_s()
        super().__init__(command)

    def ledger(self):
        """What became of the packets from A to B."""
        return json.loads(self.lines[0])

    def lateness_us(self):
        """The worse direction's 99th percentile."""
        return max(json.loads(line)["late_p99_us"] for line in self.lines)

    def is_void(self):
        return self.lateness_us() > LATE_MAX_US

    def verdict(self):
        words = f"late {self.lateness_us()} us"
        if not self.is_void():
            return words
        return f"{words}: void ({stolen_s() - self.stolen_before_s:.1f} s stolen)"


def start_wire(hosts, options, seed):
    ends = [f"{hosts['a'].pid}:wa", f"{hosts['b'].pid}:wb"]
    command = [SALUT, "wire", "--json", "--realtime", "--seed", str(seed)]
    wire = Wire(command + options + CLEAN_BACK + ends)
    for end in "ab":
        hosts[end].do(do="up", device=f"w{end}", address=f"{ADDRESS[end]}/24")
    return wire


def start_salut(hosts, end, service, congestion="cubic"):
    inside = ["nsenter", "-t", str(hosts[end].pid), "-n"]
    return Process(inside + [SALUT, "serve", "--sink"] + service +
                   ["--packet", f"w{end}", "--address", f"{SALUT_ADDRESS[end]}/24",
                    "--congestion", congestion, "--connections", "64",
                    "--buffer-max", BUFFER_MAX])


# ---- before a series -------------------------------------------------------------------------

def need_salut():
    if not os.access(SALUT, os.X_OK):
        raise SystemExit(f"there is no {SALUT}: run `make` first, or set SALUT")
    if os.geteuid() != 0:
        print("root is needed: two network namespaces and devices in both")
        sys.exit(SKIPPED)


def go_first():
    """Before ordinary processes, with all that is started from here on."""
    if os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO):
        return
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(REALTIME_PRIORITY))
    except PermissionError:
        print("no real-time priority (CAP_SYS_NICE): what else runs here will disturb", flush=True)
        return
    with open(TIMESLICE, encoding="ascii") as file:
        before = file.read()
    try:
        take_turns_of("1")
    except OSError as why:
        print(f"real-time processes keep their turns of {before.strip()} ms, and salut waits: {why}",
              flush=True)
        return
    atexit.register(take_turns_of, before)


def take_turns_of(milliseconds):
    """How long one real-time process may keep another one waiting. Usually that is 100 ms, which a
    stack that is a process feels and the kernel's, at work in interrupts, does not."""
    with open(TIMESLICE, "w", encoding="ascii") as file:
        file.write(milliseconds)


def need_congestion(name):
    """The kernel's algorithm, tried in a namespace such as the hosts'."""
    for each in ("cubic", name):  # what every host begins with, and what this one is to use
        algorithms.allow(each)
    host = Host()
    try:
        host.do(do="try_congestion", congestion=name)
    except Trouble:
        with open(algorithms.ALLOWED, encoding="ascii") as file:
            allowed = file.read().strip()
        print(f"the kernel's sockets cannot use {name} in a network namespace here: "
              f"net.ipv4.tcp_allowed_congestion_control is '{allowed}'. `modprobe tcp_{name}` and "
              f"add it there, in the initial namespace")
        sys.exit(SKIPPED)
    finally:
        host.stop()


def check_wire():
    """The empty wire keeps its time, now or within PATIENCE_S; without that nothing is measured."""
    command = [SALUT, "wire", "--check", "--realtime"]
    before_s, until_s, pause_s = stolen_s(), time.monotonic() + PATIENCE_S, 1
    while True:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stdout + done.stderr, end="", flush=True)
        if done.returncode == 0:
            return
        if done.returncode == 3:
            print("the wire cannot have its devices here")
            sys.exit(SKIPPED)
        if time.monotonic() + pause_s > until_s:
            raise SystemExit("void: the wire does not keep its time on this machine at the moment "
                             f"({stolen_s() - before_s:.1f} s stolen in {PATIENCE_S} s)")
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, PAUSE_MAX_S)


def jobs_default():
    return min(12, 6 * (os.cpu_count() or 1))


def add_jobs(parser):
    parser.add_argument("--jobs", type=int, default=jobs_default(),
                        help=f"runs at a time ({jobs_default()} here), or a quarter as many of "
                             "those that fill 100 or 200 Mb/s")


def jobs_for(busy, jobs):
    return max(1, jobs // BUSY_RUN) if busy else jobs


# ---- many runs -------------------------------------------------------------------------------

def say(*words):
    print(*words, flush=True)


class _Work:
    """A list that several workers empty; the first who fails ends it."""

    def __init__(self, todo, do):
        self.todo, self.do = list(todo), do
        self.lock = threading.Lock()

    def _next(self):
        with self.lock:
            return self.todo.pop(0) if self.todo else None

    def work(self):
        hosts = {}
        try:
            while (item := self._next()) is not None:
                hosts = hosts or {"a": Host(), "b": Host()}
                self.do(hosts, item)
        except Exception:
            with self.lock:
                self.todo.clear()
            raise
        finally:
            for host in hosts.values():
                host.stop()


def work_through(todo, workers, do):
    """do(hosts, item) for every item, so many at a time, each worker with two hosts of its own."""
    work = _Work(todo, do)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for worker in [pool.submit(work.work) for _ in range(workers)]:
            worker.result()


def work_by_load(todo, jobs, is_busy, do):
    """The runs that move few packets first, then the busy ones."""
    for busy in (False, True):
        work_through([item for item in todo if is_busy(item) == busy], jobs_for(busy, jobs), do)


def repeat_void(what, run):
    """The result of run(), which returns it and its wire; again when the wire was late."""
    for _ in range(TRIES):
        result, wire = run()
        if not wire.is_void():
            return result
        say(f"{what}: {wire.verdict()}")
    raise Trouble(f"{what}: the wire does not keep its time on this machine at the moment")


# ---- reports ---------------------------------------------------------------------------------

def machine():
    """What was measured, and on what, in one line."""
    version = subprocess.run([SALUT, "--version"], capture_output=True, text=True, check=False)
    return (f"{version.stdout.split(chr(10))[0]}, Linux {platform.release()}, "
            f"{os.cpu_count()} processors")


class Report:
    """Lines that are printed, and kept for a file."""

    def __init__(self):
        self.lines = []

    def line(self, text=""):
        self.lines.append(text.rstrip())
        say(text.rstrip())

    def save(self, path):
        if path:
            with open(path, "w", encoding="ascii") as file:
                file.write("\n".join(self.lines) + "\n")


def exit_by(main):
    """Run a program's main; its exit status says whether all was fine."""
    try:
        sys.exit(0 if main() else 1)
    except Trouble as trouble:
        raise SystemExit(f"FAIL: {trouble}") from None
