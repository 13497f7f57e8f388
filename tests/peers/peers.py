"""Real peers: the Linux kernel's TCP on one end of a device, salut on the other.

Every test of this folder is a program that moves itself into a network namespace of its own
(enter), starts `salut serve` there (Serve), talks to it with what a user would take, and says
what it found. As root the device is a TAP. As anybody else the namespace comes with a user
namespace; where /dev/net/tun may not be opened the device is a packet socket on a virtual
Ethernet pair. Where neither can be had the test says why and exits 77: skipped.

What a test starts it ends, by its process id; the namespace, devices and sockets go with the
last process inside. SALUT names the program under test (default: build/salut).
"""
import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SALUT = os.path.abspath(os.environ.get("SALUT", os.path.join(ROOT, "build/salut")))
SKIPPED = 77
INSIDE = "SALUT_PEERS_INSIDE"
TRACING = "/sys/kernel/tracing"

KERNEL = {4: "10.99.0.1", 6: "fd99::1"}
SALUTS = {4: "10.99.0.2", 6: "fd99::2"}
BITS = {4: 24, 6: 64}


class Failure(Exception):
    """What was expected did not happen; the text says what did."""


def skip(why):
    print(why)
    sys.exit(SKIPPED)


def check(fact, text):
    if not fact:
        raise Failure(text)


def sysctl(name, value):
    with open("/proc/sys/net/" + name, "w", encoding="ascii") as file:
        file.write(value)


def enter(tracing=False):
    """Go on in a new network namespace; this returns inside it. `tracing`: the kernel's tracepoints
    are needed; where nobody has mounted them they are, in a mount namespace of the test's own."""
    if os.environ.get(INSIDE) != "yes":
        if not os.access(SALUT, os.X_OK):
            raise SystemExit(f"there is no {SALUT}: run `make` first, or set SALUT")
        command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "-r", "--net"]
        command += ["--mount"] * tracing
        probe = subprocess.run(command + ["true"], capture_output=True, text=True, check=False)
        if probe.returncode != 0:
            skip("no private network can be made: " + probe.stderr.strip())
        os.environ[INSIDE] = "yes"
        os.execvp(command[0], command + [sys.executable] + sys.argv)
    if tracing and not os.path.exists(TRACING + "/events"):
        subprocess.run(["mount", "-t", "tracefs", "tracefs", TRACING], check=False)
    run(["ip", "link", "set", "lo", "up"])
    # Silence on the kernel's side: nothing is to travel but what the test sends, and what that needs.
    sysctl("ipv6/conf/default/router_solicitations", "0")
    sysctl("ipv6/conf/default/accept_dad", "0")
    sysctl("ipv6/conf/default/mldv2_unsolicited_report_interval", "1")  # ms: said at once, or never


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    check(done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def device_options():
    """How salut gets its device here; makes the pair where a TAP cannot be had."""
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
        return ["--tap", "salut0"]
    except OSError:
        pass
    if not have_pair() and not make_pair():
        skip("neither a TAP (/dev/net/tun) nor a virtual Ethernet pair can be had here")
    addresses = [f"{SALUTS[family]}/{BITS[family]}" for family in (4, 6)]
    return ["--packet", "salut1", "--address", addresses[0], "--address", addresses[1]]


def have_pair():
    look = ["ip", "link", "show", "salut1"]
    return subprocess.run(look, capture_output=True, check=False).returncode == 0


def make_pair():
    pair = ["ip", "link", "add", "salut0", "type", "veth", "peer", "name", "salut1"]
    if subprocess.run(pair, capture_output=True, check=False).returncode != 0:
        return False
    sysctl("ipv6/conf/salut1/disable_ipv6", "1")
    for family in (4, 6):
        address = f"{KERNEL[family]}/{BITS[family]}"
        run(["ip", "address", "add", address, "dev", "salut0"] + ["nodad"] * (family == 6))
    for name in ("salut0", "salut1"):
        run(["ip", "link", "set", name, "up"])
    return True


class Serve:
    """A running `salut serve`. Afterwards: .out, .counters by token, .impaired by direction."""

    def __init__(self, *options):
        command = [SALUT, "serve", "--stats"] + device_options() + list(options)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.counters = {}
        self.impaired = {}
        self.out = self.err = ""
        first = self.process.stdout.readline()
        if not first:
            self.out, self.err = self.process.communicate()
            if self.process.returncode == 3:
                skip("salut cannot have its device: " + self.err.strip())
            raise Failure(f"{' '.join(command)}: exit {self.process.returncode}: {self.err}")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stop()
        if kind is not None:
            print(self.out + self.err, end="")

    def stop(self):
        if self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.out, self.err = self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.out, self.err = self.process.communicate()
            raise Failure("salut serve did not end within 20 s of SIGTERM") from None
        for line in self.err.splitlines():
            self._take_line(line)
        check(self.process.returncode == 0,
              f"salut serve: exit {self.process.returncode}: {self.err}")

    def _take_line(self, line):
        counter = re.match(r" *(\d+) ([a-z0-9-]+) ", line)
        impaired = re.match(r"impair (out|in) +(.*)", line)
        if counter:
            self.counters[counter[2]] = int(counter[1])
        elif impaired:
            pairs = re.findall(r"([a-z]+) (\d+)", impaired[2])
            self.impaired[impaired[1]] = {name: int(number) for name, number in pairs}

    def failed(self):
        """Connections that ended with an error, of all services."""
        return sum(int(n) for n in re.findall(r"(\d+) failed", self.out))

    def accepted(self):
        return sum(int(n) for n in re.findall(r"(\d+) connections", self.out))


def make_file(path, size):
    """Bytes that are nowhere the same, and their SHA-256."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        while size > 0:
            chunk = os.urandom(min(size, 1 << 22))
            digest.update(chunk)
            file.write(chunk)
            size -= len(chunk)
    return digest.hexdigest()


def scratch():
    """A directory that goes away; in memory, so that disks do not count."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.TemporaryDirectory(prefix="salut-peers-", dir=place)


def url(address, path, port=80):
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}/{path}"


CURL = ["curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--connect-timeout", "20"]


def download(family, path, limit):
    """Fetch with the kernel's curl. Returns the SHA-256 of what came."""
    digest = hashlib.sha256()
    command = CURL + ["--max-time", str(limit), url(SALUTS[family], path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as curl:
        for chunk in iter(lambda: curl.stdout.read(1 << 18), b""):
            digest.update(chunk)
        trouble = curl.stderr.read().decode()
    check(curl.returncode == 0, f"download over IPv{family}: curl {curl.returncode}: {trouble}")
    return digest.hexdigest()


def upload(family, file, limit):
    """Send with the kernel's curl. Returns the SHA-256 salut says it got."""
    text = run(CURL + ["--max-time", str(limit), "-T", file, url(SALUTS[family], "upload")])
    found = re.search(r"sha256 ([0-9a-f]{64})", text)
    check(found, f"upload over IPv{family}: strange answer: {text}")
    return found[1]


class Timer:
    """Says what a step came to, and how fast it was."""

    def __init__(self, what, size=0):
        self.what = what
        self.size = size
        self.began = 0.0

    def __enter__(self):
        self.began = time.monotonic()
        return self

    def __exit__(self, kind, value, trace):
        took = time.monotonic() - self.began
        rate = f", {self.size * 8 / took / 1e6:.0f} Mbit/s" if self.size else ""
        if kind is None:
            print(f"{self.what}: {took:.2f} s{rate}", flush=True)


def parse_size(text):
    found = re.fullmatch(r"(\d+)([KMG]?)", text)
    if not found:
        raise ValueError(text)
    return int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2]]


def main(body, tracing=False):
    """Run a test inside its namespace. Exit 0, or 1 after saying what is wrong."""
    enter(tracing)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that it still ends what it started
    try:
        body()
    except Failure as failure:
        print(f"FAIL: {failure}")
        sys.exit(1)
