"""Programs under `salut run`, with the kernel's TCP at the other end.

Every test of this folder is a program that moves itself into a network namespace of its own
(enter), where the kernel's side is; `salut run` makes its TAP there. The same measurements and
programs run kernel against kernel over a virtual Ethernet pair into a second namespace (Other).
The tests need root, because namespaces, TAP devices, routes and forged packets do; what an
ordinary user gets is tested by giving root up (UNPRIVILEGED).

What a test starts it ends, by its process id, and everything is bounded in time; namespaces,
devices and sockets go with the last process inside. SALUT names the program under test (default:
build/salut), TOOLS the directory of the programs made for these tests (default: tests/run beside
it).
"""
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../peers"))
import peers  # noqa: E402  pylint: disable=wrong-import-position

from peers import Failure, Timer, check, run, scratch, skip  # noqa: E402,F401

SALUT = peers.SALUT
TOOLS = os.path.abspath(os.environ.get(
    "TOOLS", os.path.join(os.path.dirname(SALUT), "tests/run")))
INSIDE = "SALUT_RUNS_INSIDE"
KERNEL, SALUTS, BITS = peers.KERNEL, peers.SALUTS, peers.BITS
LOST = {4: "10.98.0.1", 6: "fd98::1"}      # routed to the kernel's side, which drops it
EMPTY = {4: "10.99.0.77", 6: "fd99::77"}   # on the wire, and nobody's
NOBODY = 65534
PROGRAMS = ("sockets_matrix", "static_talk", "syn_flood")
UNPRIVILEGED = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
READY_S = 15
STARTED = set()  # processes that somebody here waits for


def find(program):
    """The program's path; skips the test where it is not installed."""
    for folder in os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/sbin"]:
        if os.access(os.path.join(folder, program), os.X_OK):
            return os.path.join(folder, program)
    return skip(f"{program} is not installed: make deps-test")


def tool(name):
    path = os.path.join(TOOLS, name)
    if not os.access(path, os.X_OK):
        raise SystemExit(f"there is no {path}: build first, or set TOOLS")
    return path


def enter():
    """Go on as root in new network, mount and process namespaces; this returns inside them."""
    if os.geteuid() != 0:
        skip("these tests make namespaces, devices and routes: they need root")
    if os.environ.get(INSIDE) != "yes":
        if "--kernel" not in sys.argv and not os.access(SALUT, os.X_OK):
            raise SystemExit(f"there is no {SALUT}: run `make` first, or set SALUT")
        if "--kernel" not in sys.argv and "run" not in subprocess.run([SALUT, "help"], capture_output=True, text=True,
                                       check=False).stdout.split():
            skip("this salut was built without `run` (libseccomp-dev was missing)")
        os.environ[INSIDE] = "yes"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
                              "--mount-proc", sys.executable] + sys.argv)
    copy_programs()
    set_up_namespace([])
    drop_lost()


def copy_programs():
    """Where anybody may run them, and nobody builds meanwhile; in this mount namespace alone."""
    global SALUT, TOOLS  # pylint: disable=global-statement
    run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", "/mnt"])
    if os.path.isfile(SALUT):
        SALUT = shutil.copy(SALUT, "/mnt/salut")
    for name in PROGRAMS:
        if os.path.exists(os.path.join(TOOLS, name)):
            shutil.copy(os.path.join(TOOLS, name), "/mnt")
    TOOLS = "/mnt"


def set_up_namespace(inside):
    """Loopback up, and silence on the kernel's side of what nobody asked for."""
    run(inside + ["ip", "link", "set", "lo", "up"])
    for name, value in (("router_solicitations", "0"), ("accept_dad", "0"),
                        ("mldv2_unsolicited_report_interval", "1")):
        run(inside + ["sh", "-c", f"echo {value} > /proc/sys/net/ipv6/conf/default/{name}"])


def drop_lost():
    """Be the router to nowhere."""
    peers.sysctl("ipv4/ip_forward", "1")
    peers.sysctl("ipv6/conf/all/forwarding", "1")
    run(["ip", "route", "add", "blackhole", "10.98.0.0/16"])
    run(["ip", "-6", "route", "add", "blackhole", "fd98::/64"])


class Other:
    """The second namespace, with a kernel's side in the place of salut's; with `apart` beside it, at
    an address of its own."""

    def __init__(self, apart=False):
        self.process = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 36000"],
                                        stdout=subprocess.PIPE, text=True)
        STARTED.add(self.process.pid)
        self.process.stdout.readline()
        self.enter = ["nsenter", "-t", str(self.process.pid), "-n"]
        set_up_namespace(self.enter)
        run(["ip", "link", "add", "pair0", "type", "veth", "peer", "name", "pair1", "netns",
             str(self.process.pid)])
        self.address = "10.96.0.2" if apart else SALUTS[4]
        near, far = ({4: "10.96.0.1"}, {4: "10.96.0.2"}) if apart else (KERNEL, SALUTS)
        for family in near:
            nodad = ["nodad"] * (family == 6)
            run(["ip", "address", "add", f"{near[family]}/{BITS[family]}", "dev", "pair0"] + nodad)
            run(self.enter + ["ip", "address", "add", f"{far[family]}/{BITS[family]}", "dev",
                              "pair1"] + nodad)
        run(["ip", "link", "set", "pair0", "up"])
        run(self.enter + ["ip", "link", "set", "pair1", "up"])
        for family in near:
            run(self.enter + ["ip", f"-{family}", "route", "add", "default", "via", near[family]])

    def command(self, *words):
        return self.enter + list(words)

    def close(self):
        subprocess.run(["ip", "link", "delete", "pair0"], check=False, capture_output=True)
        self.process.kill()
        self.process.wait()


def under_salut(*words, options=()):
    """The command line that runs `words` under salut, with the addresses the tests use."""
    command = [SALUT, "run", "--quiet"]
    for family in (4, 6):
        command += ["--gateway", KERNEL[family]]
    return command + list(options) + ["--"] + list(words)


def start(command, log=None, **more):
    """Start a program in a process group of its own."""
    output = log if log is not None else subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=more.pop("stdin", subprocess.DEVNULL),
                               stdout=more.pop("stdout", output), stderr=subprocess.STDOUT,
                               start_new_session=True, **more)
    STARTED.add(process.pid)
    return process


def stop(process, number=signal.SIGTERM, limit=10):
    """End a process that was started here; how it ended, or None when it had to be killed."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def reap():
    """Take leave of orphans: in this namespace they come to this process, its first."""
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in STARTED and is_zombie(name):
            try:
                os.waitpid(int(name), os.WNOHANG)
            except ChildProcessError:
                pass


def is_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def children(pid):
    """The processes below one, nearest first."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            below = [int(word) for word in file.read().split()]
    except OSError:
        return []
    return below + [far for near in below for far in children(near)]


class Leftovers:
    """What is there: processes, namespaces, devices, sockets, mounts, files, own descriptors."""

    def __init__(self):
        self.before = self.look()

    @staticmethod
    def look():
        reap()
        pids = [name for name in os.listdir("/proc") if name.isdigit()]
        spaces = set()
        for pid in pids:
            for kind in ("net", "user", "mnt", "pid"):
                try:
                    spaces.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
                except OSError:
                    pass
        with open("/proc/net/unix", encoding="ascii", errors="replace") as file:
            sockets = len(file.readlines())
        with open("/proc/self/mountinfo", encoding="ascii", errors="replace") as file:
            mounts = len(file.readlines())
        files = [f"{folder}/{name}" for folder in ("/tmp", "/run", "/dev/shm", "/var/run")
                 for name in os.listdir(folder) if name.startswith("salut-run")]
        names = sorted(f"{pid} {name_of(pid)}" for pid in pids)
        return {"processes": names, "namespaces": sorted(spaces), "unix sockets": sockets,
                "devices": links(),
                "mounts": mounts, "files": sorted(files),
                "descriptors": len(os.listdir("/proc/self/fd"))}

    def check(self, when, limit=5):
        """Wait a little for what is still going, then complain."""
        end = time.monotonic() + limit
        while True:
            now = self.look()
            wrong = [f"{what}: {self.before[what]} before, {now[what]} after"
                     for what in now if now[what] != self.before[what]]
            if not wrong:
                return
            check(time.monotonic() < end, f"{when} left: " + "; ".join(wrong))
            time.sleep(0.02)


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "gone"


def links():
    """The names of this namespace's devices."""
    with open("/proc/net/dev", encoding="ascii") as file:
        return sorted(line.split(":")[0].strip() for line in file if ":" in line)


def wait_until(fact, what, limit=READY_S):
    """Wait until `fact()` holds."""
    end = time.monotonic() + limit
    while not fact():
        check(time.monotonic() < end, f"waited {limit} s in vain: {what}")
        time.sleep(0.02)


def main(body):
    """Run a test inside its namespaces. Exit 0, or 1 after saying what is wrong."""
    enter()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        body()
    except Failure as failure:
        print(f"FAIL: {failure}")
        sys.exit(1)
