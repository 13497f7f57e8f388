#!/usr/bin/env python3
"""Where the packets of `salut run` go: private networks, the gateway, names, published ports, enter.

    test_net.py [--only WORD]

Everything happens in a network and mount namespace that this test makes for itself (so it needs
root), with servers of the kernel's on addresses of that namespace as "the outside". `run` is then
started as root and as nobody, with a TUN device that may be opened and without any. After each part
nothing may be left: no process, no socket, no interface, no file.
"""
import argparse
import contextlib
import errno
import hashlib
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(os.environ.get("SALUT", os.path.join(ROOT, "build-debug/salut")))
SALUT = f"/mnt/salut-{os.getpid()}"  # a copy, in a place that nobody can reach, too
OUTSIDE4, OUTSIDE6 = "198.51.100.1", "2001:db8::1"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
LIMIT_S = 30
SKIPPED = 77
BULK = hashlib.sha256(b"salut").digest() * 65536  # 2 MiB
DIGEST = hashlib.sha256(BULK).hexdigest()


class Failure(Exception):
    pass


def check(fine, why):
    if not fine:
        raise Failure(why)


# ---- the outside ---------------------------------------------------------------------------------

def serve_forever(family, address, port, handle):
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(64)

    def loop():
        while True:
            conn, _ = listener.accept()
            threading.Thread(target=handle, args=(conn,), daemon=True).start()
    threading.Thread(target=loop, daemon=True).start()


def handle_bulk(conn):
    """Sends all of it, and nothing else."""
    with conn, contextlib.suppress(OSError):
        conn.sendall(BULK)


def handle_digest(conn):
    """Reads to the end, then answers: the client shuts down and goes on reading."""
    with conn, contextlib.suppress(OSError):
        sha = hashlib.sha256()
        while piece := conn.recv(65536):
            sha.update(piece)
        conn.sendall(sha.hexdigest().encode())


def handle_reset(conn):
    conn.recv(10)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def handle_echo(conn):
    with conn, contextlib.suppress(OSError):
        while piece := conn.recv(65536):
            conn.sendall(piece)


resets_seen = []


def handle_see_reset(conn):
    try:
        conn.sendall(b"x")
        while conn.recv(10):
            pass
        resets_seen.append(False)
    except ConnectionResetError:
        resets_seen.append(True)


def answer_name(question, truncate):
    """A resolver that knows www.example.test."""
    name, at = [], 12
    while question[at]:
        name.append(question[at + 1:at + 1 + question[at]].decode())
        at += question[at] + 1
    kind = struct.unpack("!H", question[at + 1:at + 3])[0]
    asked = question[12:at + 5]
    known = ".".join(name).lower() == "www.example.test"
    data = {1: socket.inet_aton(OUTSIDE4),
            28: socket.inet_pton(socket.AF_INET6, OUTSIDE6)}.get(kind)
    flags = 0x8180 | (0x0200 if truncate else 0) | (0 if known else 3)
    count = 1 if known and data and not truncate else 0
    head = question[:2] + struct.pack("!HHHHH", flags, 1, count, 0, 0)
    record = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data if count else b""
    return head + asked + record


truncating = threading.Event()


def serve_names():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((OUTSIDE4, 53))

    def loop():
        while True:
            question, client = sock.recvfrom(2048)
            sock.sendto(answer_name(question, truncating.is_set()), client)
    threading.Thread(target=loop, daemon=True).start()

    def handle(conn):
        with conn, contextlib.suppress(OSError):
            while len(head := conn.recv(2, socket.MSG_WAITALL)) == 2:
                question = conn.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
                answer = answer_name(question, False)
                conn.sendall(struct.pack("!H", len(answer)) + answer)
    serve_forever(socket.AF_INET, OUTSIDE4, 53, handle)


def make_outside():
    for command in ("ip link set lo up", f"ip addr add {OUTSIDE4}/32 dev lo",
                    f"ip -6 addr add {OUTSIDE6}/128 dev lo nodad", "mount -t tmpfs none /mnt"):
        subprocess.run(command.split(), check=True)
    shutil.copy(PROGRAM, SALUT)
    with open("/mnt/resolv.conf", "w", encoding="ascii") as file:
        file.write(f"nameserver 198.51.100.99\nnameserver {OUTSIDE4}\nsearch example.test\n"
                   "options timeout:5\n")
    with open("/mnt/nsswitch.conf", "w", encoding="ascii") as file:
        file.write("hosts: files dns\n")
    for name in ("resolv.conf", "nsswitch.conf"):
        target = os.path.realpath(f"/etc/{name}")
        if not os.path.exists(target):
            with open(target, "w", encoding="ascii"):
                pass
        subprocess.run(["mount", "--bind", f"/mnt/{name}", target], check=True)
    # The first server refuses: nobody listens there.
    subprocess.run(["ip", "addr", "add", "198.51.100.99/32", "dev", "lo"], check=True)
    for command in ("route add unreachable 203.0.114.0/24",
                    "-6 route add unreachable 2001:db8:fffe::/48"):
        subprocess.run(["ip", *command.split()], check=True)
    for family, address in ((socket.AF_INET, OUTSIDE4), (socket.AF_INET6, OUTSIDE6)):
        serve_forever(family, address, 9001, handle_bulk)
        serve_forever(family, address, 9002, handle_digest)
        serve_forever(family, address, 9003, handle_reset)
        serve_forever(family, address, 9004, handle_see_reset)
        serve_forever(family, address, 9005, handle_echo)
    serve_names()


# ---- starting run --------------------------------------------------------------------------------

class Way:
    """Who starts it, with which device."""

    def __init__(self, name, prefix, options, device):
        self.name, self.prefix, self.options, self.device = name, prefix, options, device

    def command(self, program, *options):
        return [*self.prefix, SALUT, "run", *self.options, *options, "--", *program]

    def run(self, program, *options, limit=LIMIT_S):
        got = subprocess.run(self.command(program, *options), stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=limit, check=False)
        return got

    def python(self, code, *options):
        got = self.run(["python3", "-Ic", code], "--quiet", *options)
        check(got.returncode == 0, f"exit {got.returncode}: {got.stdout}{got.stderr}")
        return got.stdout.strip()

    @contextlib.contextmanager
    def background(self, program, *options):
        process = subprocess.Popen(self.command(program, *options), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    raise Failure("SIGTERM did not end it") from None
            process.stdout.close()
            process.stderr.close()


HEAD = "import socket,hashlib,sys\n"
FETCH = HEAD + """
s = socket.create_connection(({!r}, 9001), 10)
sha = hashlib.sha256()
while piece := s.recv(65536):
    sha.update(piece)
print(sha.hexdigest())
"""
UPLOAD = HEAD + """
s = socket.create_connection(({!r}, 9002), 10)
s.sendall(hashlib.sha256(b"salut").digest() * 65536)
s.shutdown(socket.SHUT_WR)
answer = b""
while piece := s.recv(100):
    answer += piece
print(answer.decode())
"""
REFUSED = HEAD + """
try:
    socket.create_connection(({!r}, {}), 10)
    print("connected")
except OSError as error:
    print(type(error).__name__)
"""
RESET = HEAD + """
s = socket.create_connection(({!r}, 9003), 10)
s.sendall(b"go")
try:
    print(s.recv(10))
except OSError as error:
    print(type(error).__name__)
"""
LINGER = HEAD + """
import struct, time
s = socket.create_connection(({!r}, 9004), 10)
s.recv(1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
s.close()
time.sleep(0.3)
"""
SERVE = HEAD + """
import os
listener = socket.socket({family}, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(({address!r}, 80))
listener.listen(16)
print("ready", flush=True)
for _ in range({count}):
    conn, peer = listener.accept()
    sha = hashlib.sha256()
    while piece := conn.recv(65536):
        sha.update(piece)
    conn.sendall(sha.hexdigest().encode())
    conn.close()
"""


# ---- the parts -----------------------------------------------------------------------------------

def part_outside(way):
    for address in (OUTSIDE4, OUTSIDE6):
        check(way.python(FETCH.format(address)) == DIGEST, f"download from {address}: digests differ")
        check(way.python(UPLOAD.format(address)) == DIGEST, f"upload to {address}: digests differ")


def part_bad_link(way):
    spec = "loss=1%,dup=1%,reorder=1%,corrupt=0.1%,delay=2ms,jitter=1ms,seed=3"
    got = way.python(FETCH.format(OUTSIDE4), "--impair", spec)
    check(got == DIGEST, "download over a bad link: digests differ")
    got = way.python(UPLOAD.format(OUTSIDE6), "--impair", spec)
    check(got == DIGEST, "upload over a bad link: digests differ")


def part_errors_of_connect(way):
    for address in (OUTSIDE4, OUTSIDE6):
        got = way.python(REFUSED.format(address, 9999))
        check(got == "ConnectionRefusedError", f"a closed port of {address}: {got}")
        got = way.python(RESET.format(address))
        check(got == "ConnectionResetError", f"a reset of {address}: {got}")
    for nobody, wanted in (("10.99.0.254", "ECONNREFUSED"), ("fd99::fe", "ECONNREFUSED"),
                           ("203.0.113.1", "ENETUNREACH"), ("2001:db8:ffff::1", "ENETUNREACH"),
                           ("203.0.114.1", "EHOSTUNREACH"), ("2001:db8:fffe::1", "EHOSTUNREACH")):
        got = way.python(REFUSED.format(nobody, 22).replace("type(error).__name__", "error.errno"))
        check(got == str(getattr(errno, wanted)), f"{nobody}, where there is nobody: {got}")
    resets_seen.clear()
    way.python(LINGER.format(OUTSIDE4))
    deadline = time.monotonic() + 3
    while not resets_seen and time.monotonic() < deadline:
        time.sleep(0.02)
    check(resets_seen == [True], f"the program's reset was seen as {resets_seen}")


def part_names(way):
    code = HEAD + "print(sorted({a[4][0] for a in socket.getaddrinfo(%r, 80)}))"
    wanted = str(sorted([OUTSIDE4, OUTSIDE6]))
    for name in ("www.example.test", "www"):
        check(way.python(code % name) == wanted, f"{name} is not {wanted}")
    truncating.set()
    try:
        check(way.python(code % "www") == wanted, "an answer over TCP did not come")
    finally:
        truncating.clear()
    got = way.python(HEAD + "try: socket.getaddrinfo('nobody.example.test', 80)\n"
                     "except socket.gaierror as e: print(e.errno == socket.EAI_NONAME)")
    check(got == "True", "a name that does not exist")
    with open("/mnt/resolv.conf", "r+", encoding="ascii") as file:
        before = file.read()
        file.seek(0)
        file.truncate()
        file.write("nameserver 198.51.100.99\n")
        file.flush()
        start = time.monotonic()
        got = way.python(HEAD + "try: socket.getaddrinfo('www', 80)\n"
                         "except socket.gaierror as e: print(e.errno == socket.EAI_AGAIN)")
        took = time.monotonic() - start
        file.seek(0)
        file.write(before)
    check(got == "True" and took < 4, f"no server answers: {got} after {took:.1f} s")
    got = way.run(["cat", "/etc/resolv.conf"], "--quiet").stdout
    check("nameserver 10.99.0.1" in got and "search example.test" in got and
          OUTSIDE4 not in got, f"resolv.conf inside: {got}")
    with open("/etc/resolv.conf", encoding="ascii") as file:
        check(OUTSIDE4 in file.read(), "resolv.conf outside has changed")


def upload_to(address, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(10)
        sock.connect(address)
        sock.sendall(BULK)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := sock.recv(100):
            answer += piece
    return answer.decode()


def wait_ready(process):
    line = process.stdout.readline()
    check(line == "ready\n", f"the server did not start: {line}{process.stderr.read()}"
          if line != "ready\n" else "")


def part_publish(way):
    code = SERVE.format(family="socket.AF_INET", address="", count=3)
    options = ("--publish", "8080:80", "--publish", f"[{OUTSIDE6}]:8081:80",
               "--publish", "0.0.0.0:8082:81", "--publish", f"{OUTSIDE4}:8083:80")
    with way.background(["python3", "-Ic", code], *options) as process:
        wait_ready(process)
        check(upload_to(("127.0.0.1", 8080)) == DIGEST, "published: digests differ")
        check(upload_to((OUTSIDE6, 8081), socket.AF_INET6) == DIGEST, "over IPv6: digests differ")
        with contextlib.suppress(ConnectionResetError):
            with socket.create_connection((OUTSIDE4, 8082), 5) as sock:
                check(sock.recv(1) == b"!", "nobody listens on 81, but there is no reset")
        got = way.run(["true"], "--publish", "8080:80")
        check(got.returncode == 3 and "--publish 8080:80: Address already in use" in got.stderr and
              "ss -ltnp" in got.stderr, f"a port that is taken: {got.returncode} {got.stderr}")
        check(upload_to((OUTSIDE4, 8083)) == DIGEST, "the third: digests differ")
        check(process.wait(10) == 0, "the server's exit status is lost")
        said = process.stderr.read()
        check("published 8080:80" in said, f"not said at the start: {said}")


def part_enter(way):
    code = SERVE.format(family="socket.AF_INET6", address="::", count=3)
    upload = UPLOAD.format("10.99.0.2").replace("9002", "80")
    upload6 = UPLOAD.format("fd99::2").replace("9002", "80")
    enter = [*way.prefix, SALUT, "enter"]
    with way.background(["python3", "-Ic", code], "--quiet") as process:
        wait_ready(process)
        for words, program in (((), upload), (("--pid", str(process.pid)), upload6)):
            got = subprocess.run([*enter, *words, "--", "python3", "-Ic", program],
                                 capture_output=True, text=True, timeout=LIMIT_S, check=False)
            check(got.stdout.strip() == DIGEST, f"from inside: {got.stdout}{got.stderr}")
        got = subprocess.run([*enter, "sh", "-c", "pwd; ip -o link; cat /etc/resolv.conf; exit 9"],
                             capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd="/usr")
        check(got.returncode == 9 and got.stdout.startswith("/usr\n") and "salut0" in got.stdout and
              "10.99.0.1" in got.stdout, f"stepping in: {got.returncode} {got.stdout}{got.stderr}")
        got = subprocess.run([*enter, "sh", "-c", "ip link set salut0 mtu 1400 && echo changed"],
                             capture_output=True, text=True, timeout=LIMIT_S, check=False)
        check(got.stdout == "changed\n", f"no power over the network inside: {got.stderr}")
        got = subprocess.run([SALUT, "enter", "id", "-ru"], capture_output=True, text=True,
                             timeout=LIMIT_S, check=False)
        check(got.stdout == ("65534\n" if way.prefix else "0\n"),
              f"root steps in as {got.stdout}{got.stderr}")
        if way.prefix:
            other = ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups"]
            got = subprocess.run([*other, SALUT, "enter", "--pid", str(process.pid), "id"],
                                 capture_output=True, text=True, timeout=LIMIT_S, check=False)
            check(got.returncode == 3 and "another user's" in got.stderr,
                  f"somebody else steps in: {got.stdout}{got.stderr}")
        with way.background(["sleep", "20"], "--quiet") as other:
            time.sleep(0.5)
            got = subprocess.run([*enter, "true"], capture_output=True, text=True, timeout=LIMIT_S,
                                 check=False)
            check(got.returncode == 2 and str(process.pid) in got.stderr and
                  str(other.pid) in got.stderr, f"two of them: {got.returncode} {got.stderr}")
    for words, code in (((), 3), (("--pid", "1"), 3)):
        got = subprocess.run([*enter, *words, "--", "true"], capture_output=True, text=True,
                             timeout=LIMIT_S, check=False)
        check(got.returncode == code and "there is no `salut run`" in got.stderr,
              f"none runs: {got.returncode} {got.stderr}")


def part_exit_status(way):
    for program, code in ((["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137),
                          (["no-such-program"], 127), (["/etc"], 126), (["true"], 0)):
        got = way.run(program, "--quiet")
        check(got.returncode == code, f"{program}: {got.returncode}, not {code}: {got.stderr}")
    said = way.run(["true"]).stderr
    check("10.99.0.2 fd99::2 in a private network" in said and "salut enter" in said and
          "TCP to the outside" in said, f"the first words: {said}")
    check(("TAP" in said) == (way.device == "tap"), f"the device is not {way.device}: {said}")
    check(("change their user" in said) == (way.prefix != []), f"who one is inside: {said}")
    got = way.run(["id", "-u"], "--quiet").stdout
    check(got == ("65534\n" if way.prefix else "0\n"), f"who one is inside: {got}")


def part_left_over(way):
    """What the program started goes on after it, and gets the signals then."""
    got = way.run(["sh", "-c", "(sleep 0.4; echo later) & exit 4"])
    check(got.returncode == 4 and got.stdout == "later\n" and "goes on" in got.stderr,
          f"a process in the background: {got.returncode} {got.stdout}{got.stderr}")
    program = "(trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done) & exit 4"
    with way.background(["sh", "-c", program], "--quiet") as process:
        wait_ready(process)
        time.sleep(0.2)
        process.terminate()
        check(process.wait(10) == 4, f"SIGTERM did not reach what is left: {process.returncode}")


def part_terminal(way):
    """An interrupt of the terminal ends the program once, and the supervisor after it."""
    for program, code in (("trap 'exit 6' INT; echo ready; while :; do sleep 0.05; done", 6),
                          ("echo ready; exec sleep 20", 130)):
        pid, terminal = pty.fork()
        if pid == 0:
            command = way.command(["sh", "-c", program], "--quiet")
            os.execvp(command[0], command)
        seen = b""
        while b"ready" not in seen:
            seen += os.read(terminal, 1000)
        os.write(terminal, b"\x03")
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(terminal)
        check(status == code, f"an interrupt: {status}, not {code}")


def part_signals(way):
    trap = "trap 'exit 5' {}; echo ready; while :; do sleep 0.05; done"
    for number, name in ((signal.SIGTERM, "TERM"), (signal.SIGHUP, "HUP"), (signal.SIGINT, "INT"),
                         (signal.SIGUSR1, "USR1")):
        with way.background(["sh", "-c", trap.format(name)], "--quiet") as process:
            wait_ready(process)
            process.send_signal(number)
            check(process.wait(10) == 5, f"SIG{name} was not handed on: {process.returncode}")


def part_killed(way):
    """kill -9 of the supervisor: what helps it goes, and so does its door."""
    with way.background(["sh", "-c", "echo ready; exec sleep 3"], "--quiet") as process:
        wait_ready(process)
        process.kill()
        process.wait()


def part_no_gateway(way):
    got = way.python(REFUSED.format(OUTSIDE4, 9001), "--no-gateway")
    check(got == "OSError", f"without a gateway there is no way out: {got}")


MANY = HEAD + """
import os
conns = [socket.create_connection((a, 9005), 10) for _ in range(150) for a in ({!r}, {!r})]
for i, s in enumerate(conns):
    s.sendall(b"%d." % i * 2000)
for i, s in enumerate(conns):
    wanted = b"%d." % i * 2000
    got = b""
    while len(got) < len(wanted):
        piece = s.recv(65536)
        assert piece, i
        got += piece
    assert got == wanted, i
print(conns[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG), os.listdir("/proc/self/fd")[:4])
"""


def part_many(way):
    got = way.python(MANY.format(OUTSIDE4, OUTSIDE6), "--mss", "700")
    check(got.startswith("688 "), f"--mss 700 less 12 bytes of timestamps is not {got}")
    check("'0', '1', '2'" in got, f"the program has descriptors of salut's: {got}")


def part_addresses(way):
    code = HEAD + "import os; os.system('ip -o addr show salut0'); s = socket.socket(); " \
        "s.connect((%r, 9001)); print(s.getsockname()[0])" % OUTSIDE4
    got = way.python(code, "--address", "192.168.77.1/29")
    check("192.168.77.2/29" in got and got.endswith("192.168.77.1"), f"other addresses: {got}")
    got = way.run(["true"], "--address", "192.168.77.1/31")
    check(got.returncode == 2 and "no room" in got.stderr, f"a subnet of two: {got.stderr}")


PARTS = (part_exit_status, part_outside, part_bad_link, part_errors_of_connect, part_names,
         part_publish, part_enter, part_signals, part_left_over, part_terminal, part_killed,
         part_no_gateway, part_many, part_addresses)


def part_privileged(_way):
    """In this namespace, as root: a TAP, and the kernel here as the peer."""
    way = Way("here", [], [], "tap")
    code = SERVE.format(family="socket.AF_INET", address="", count=2)
    with way.background(["python3", "-Ic", code], "--publish", "8080:80") as process:
        wait_ready(process)
        check(upload_to(("10.99.0.2", 80)) == DIGEST, "over the TAP: digests differ")
        got = subprocess.run([SALUT, "enter", "--", "echo", "inside"], capture_output=True,
                             text=True, timeout=LIMIT_S, check=False)
        check(got.stdout == "inside\n" and "nothing to enter" in got.stderr,
              f"entering what is here: {got.stdout}{got.stderr}")
        check(upload_to(("127.0.0.1", 8080)) == DIGEST, "published: digests differ")
        check(process.wait(10) == 0, "the exit status is lost")
        said = process.stderr.read()
        check("on TAP salut0 of this network" in said and "no --gateway" in said, said)


def part_missing(_way):
    """Without user namespaces, and without privilege: a sentence, and what helps."""
    powerless = ("unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv "
                 f"--bounding-set=-all --no-new-privs {SALUT} run -- true'")
    got = subprocess.run(["sh", "-c", powerless], capture_output=True, text=True, timeout=LIMIT_S,
                         check=False)
    check(got.returncode == 3 and "needs root or user namespaces" in got.stderr and
          "sysctl -w user.max_user_namespaces" in got.stderr,
          f"no user namespaces: {got.returncode} {got.stderr}")


# ---- nothing is left -----------------------------------------------------------------------------

def processes():
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            if os.fsencode(SALUT) in words[:6] and int(pid) != os.getpid():
                found.add(int(pid))
    return found


def sockets():
    with open("/proc/net/unix", encoding="ascii") as file:
        return set(re.findall(r"@salut-\S+", file.read()))


def snapshot():
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    files = {(folder, name) for folder in ("/tmp", "/run", "/dev/shm")
             for name in os.listdir(folder) if "salut-run" in name or name == "salut"}
    mounts = len(open("/proc/self/mounts", encoding="ascii").readlines())
    return len(links.splitlines()), files, mounts


def check_nothing_left(before):
    deadline = time.monotonic() + 6
    while True:
        left = processes(), sockets()
        now = snapshot()
        if left == (set(), set()) and now == before:
            return
        check(time.monotonic() < deadline, f"left behind: {left}, {before} became {now}")
        time.sleep(0.05)


# ---- all of it -----------------------------------------------------------------------------------

def make_tun(mode):
    """/dev/net as this way is to find it; mode None: no device there."""
    subprocess.run(["umount", "/dev/net"], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "none", "/dev/net"], check=True)
    if mode is not None:
        os.mknod("/dev/net/tun", 0o20000 | mode, os.makedev(10, 200))
        os.chmod("/dev/net/tun", mode)


def perform(name, part, way):
    before = snapshot()
    start = time.monotonic()
    try:
        part(way)
        check_nothing_left(before)
    except (Failure, OSError, subprocess.SubprocessError) as why:
        print(f"FAIL  {name}: {why}", flush=True)
        return False
    print(f"ok    {name} ({time.monotonic() - start:.1f} s)", flush=True)
    return True


def inside(only):
    make_outside()
    ways = ((Way("nobody, no device", NOBODY, [], "veth"), None),
            (Way("nobody, a device", NOBODY, [], "tap"), 0o666),
            (Way("root, --private", [], ["--private"], "tap"), 0o600))
    fine = True
    for way, mode in ways:
        make_tun(mode)
        for part in PARTS:
            name = f"{way.name}: {part.__name__[5:].replace('_', ' ')}"
            if only in name:
                fine = perform(name, part, way) and fine
    for part in (part_privileged, part_missing):
        if only in part.__name__:
            fine = perform(part.__name__[5:], part, None) and fine
    return 0 if fine else 1


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--inside", action="store_true")
    words = parser.parse_args()
    if words.inside:
        return inside(words.only)
    can = os.geteuid() == 0 and subprocess.run(["unshare", "-nm", "true"], check=False,
                                               capture_output=True).returncode == 0
    if not can:
        print("this needs root: it makes a network of its own, and becomes nobody in it")
        return SKIPPED
    return subprocess.run(["unshare", "-nm", "--propagation", "private", sys.executable,
                           os.path.abspath(__file__), "--inside", "--only", words.only],
                          check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
