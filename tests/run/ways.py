#!/usr/bin/env python3
"""The ways a program comes by a socket and lets go of it, and what the peer sees.

    ways.py

Closed through a duplicate, by a child after fork, by a process it was passed to, by one that changed
its user, by exit and by SIGKILL, with bytes unread, and given up by the peer; opened by a blocking
call that a signal interrupts, put into an epoll set before it is connected, over the kernel's
loopback and to the stack's own address. One program does all of it under `salut run`, and says what
it saw; the peer is the kernel's.
"""
import array
import ctypes
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

PORT = 9100
LIMIT_S = 60
BULK_BYTES = 8 << 20
CROWD = 4
PIDFD_GETFD = 438  # the system call, of all architectures


class Peer:
    """The kernel's side: remembers what each connection said and how it ended, by its first word."""

    def __init__(self):
        self.seen = {}
        self.socket = socket.create_server(("::", PORT), family=socket.AF_INET6,
                                           dualstack_ipv6=True, backlog=64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            one, _ = self.socket.accept()
            threading.Thread(target=self.follow, args=(one,), daemon=True).start()

    def follow(self, one):
        words, end = [], None
        try:
            while end is None:
                data = one.recv(1000)
                words.append(data.decode())
                if not data:
                    end = "FIN"
                elif data.endswith(b"reset"):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    one.close()
                    end = "reset"
                elif data.endswith(b"talk"):
                    one.sendall(b"never read")
        except ConnectionResetError:
            end = "RST"
        one.close()
        text = "".join(words)
        self.seen[text.split()[0] if text else ""] = (text, end)


# ---- the program under test --------------------------------------------------------------------

def connect(address):
    return socket.create_connection((address, PORT), timeout=None)


def by_duplicate(one):
    copy = os.dup(one.fileno())
    one.close()
    time.sleep(0.2)
    os.write(copy, b" copy")
    os.close(copy)


def by_child(one):
    if os.fork() == 0:
        time.sleep(0.2)
        one.sendall(b" child")
        os._exit(0)
    one.close()
    os.wait()


def passed(one):
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        one.close()
        _, anc, _, _ = theirs.recvmsg(1, socket.CMSG_SPACE(4))
        got = socket.socket(fileno=array.array("i", anc[0][2][:4])[0])
        got.sendall(b" passed" if got.getpeername()[1] == PORT else b" nameless")
        os._exit(0)
    ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [one.fileno()]))])
    one.close()
    os.wait()


def another_user(one):
    if os.fork() == 0:
        os.setgid(65534)
        os.setuid(65534)
        one.sendall(b" reset")
        try:
            data = one.recv(10)
            os._exit(1 if data == b"" else 2)
        except ConnectionResetError:
            os._exit(0)
    one.close()
    say("another user's read", "ECONNRESET" if os.wait()[1] == 0 else "something else")


def reset(one):
    one.sendall(b" reset")
    try:
        say("read after a reset", one.recv(10))
    except ConnectionResetError:
        say("read after a reset", "ECONNRESET")
    say("then SO_ERROR", one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    say("then read", len(one.recv(10)))


def killed(one):
    if os.fork() == 0:
        one.sendall(b" killed")
        os.kill(os.getpid(), signal.SIGKILL)
    one.close()
    os.wait()


def unread(one):
    one.sendall(b" talk")
    while not select.select([one], [], [], 5)[0]:
        pass
    one.close()


def half_closed(one):
    one.shutdown(socket.SHUT_WR)
    time.sleep(0.1)
    say("half closed, peer's end", len(one.recv(10)))
    one.close()


WAYS = {"dup": by_duplicate, "fork": by_child, "pass": passed, "user": another_user,
        "refused": reset, "kill": killed, "unread": unread, "half": half_closed}
PEER_SEES = {"dup": ("dup copy", "FIN"), "fork": ("fork child", "FIN"),
             "pass": ("pass passed", "FIN"), "user": ("user reset", "reset"),
             "refused": ("refused reset", "reset"), "kill": ("kill killed", "FIN"),
             "unread": ("unread talk", "RST"), "half": ("half", "FIN")}
PROGRAM_SEES = [
    "another user's read: ECONNRESET", "read after a reset: ECONNRESET", "then SO_ERROR: 0",
    "then read: 0", "half closed, peer's end: 0"]
LOCAL_SEES = [
    "interrupted connect: EINTR", "writable before it is connected: no",
    "loopback: 200000 bytes, then the end, names agree",
    "a crowd on loopback: [0, 1, 2, 3] heard",
    "own address: 200000 bytes, then the end, names agree",
    "watched before: writable, then readable", "nobody on loopback: ECONNREFUSED",
    "bound to loopback: 127.0.0.1"]


def say(what, outcome):
    print(f"{what}: {outcome}", flush=True)


def interrupted(lost):
    """SOCK-32: the attempt goes on; the socket is not writable."""
    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm
    signal.signal(signal.SIGALRM, ring)
    one = socket.socket()
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        one.connect((lost, 9))
        say("interrupted connect", "connected")
    except Alarm:
        say("interrupted connect", "EINTR")
    say("writable before it is connected", "yes" if select.select([], [one], [], 0.1)[1] else "no")
    one.close()


def exchange(what, address):
    listener = socket.create_server(("0.0.0.0", 0))
    client = socket.create_connection((address, listener.getsockname()[1]))
    server, peer = listener.accept()
    agree = peer == client.getsockname() and server.getsockname() == client.getpeername()
    writer = threading.Thread(target=lambda: (client.sendall(bytes(200000)),
                                              client.shutdown(socket.SHUT_WR)))
    writer.start()
    count = 0
    while True:
        data = server.recv(65536)
        if not data:
            break
        count += len(data)
    writer.join()
    say(what, f"{count} bytes, then the end, names {'agree' if agree else 'differ'}")


def watched_before():
    """A socket that is in an epoll set already when it turns out to be for the loopback."""
    listener = socket.create_server(("0.0.0.0", 0))
    one = socket.socket()
    one.setblocking(False)
    epoll = select.epoll()
    epoll.register(one, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    epoll.poll(0)
    one.connect_ex(("127.0.0.1", listener.getsockname()[1]))
    first = epoll.poll(5)
    server, _ = listener.accept()
    server.sendall(b"x")
    second = epoll.poll(5)
    fine = (first and first[0][0] == one.fileno() and first[0][1] & select.EPOLLOUT and
            second and second[0][1] & select.EPOLLIN)
    say("watched before", "writable, then readable" if fine else f"{first} {second}")


def crowd():
    """More come over the loopback than the listener has room for: they wait, and none is lost."""
    listener = socket.create_server(("0.0.0.0", 0), backlog=1)
    listener.settimeout(5)
    clients = [socket.create_connection(("127.0.0.1", listener.getsockname()[1]), 5)
               for _ in range(CROWD)]
    for number, client in enumerate(clients):
        client.sendall(bytes([number]))
    time.sleep(0.1)
    heard = []
    try:
        while len(heard) < CROWD:
            heard += listener.accept()[0].recv(1)
    except TimeoutError:
        pass
    say("a crowd on loopback", f"{heard} heard")


def local():
    exchange("loopback", "127.0.0.1")
    crowd()
    exchange("own address", sys.argv[4])
    watched_before()
    try:
        socket.create_connection(("127.0.0.1", 1))
        say("nobody on loopback", "connected")
    except ConnectionRefusedError:
        say("nobody on loopback", "ECONNREFUSED")
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    say("bound to loopback", bound.getsockname()[0])


def bulk():
    """Say much, and wait to be looked at."""
    one = connect(sys.argv[3])
    one.sendall(b"bulk " + bytes(BULK_BYTES))
    print(one.fileno(), flush=True)
    sys.stdin.readline()


def program():
    for name, way in WAYS.items():
        one = connect(sys.argv[2])
        one.sendall(name.encode())
        way(one)
    if len(sys.argv) > 3:
        interrupted(sys.argv[3])
        local()


# ---- the test ----------------------------------------------------------------------------------

def room_of(pid, number):
    """What the kernel says of the send buffer of another process's socket."""
    libc = ctypes.CDLL(None, use_errno=True)
    copy = libc.syscall(PIDFD_GETFD, os.pidfd_open(pid), number, 0)
    runs.check(copy >= 0, f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
    with socket.socket(fileno=copy) as one:
        runs.check(one.family == socket.AF_UNIX, "the program's socket is a UNIX socket")
        return one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)


def widened():
    """A program that writes much has a larger send buffer than others, and its supervisor leaves it
    the processor."""
    words = [sys.executable, os.path.abspath(__file__), "program", "bulk", runs.KERNEL[4]]
    with subprocess.Popen(runs.under_salut(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as salut:
        number = int(salut.stdout.readline())
        found = [pid for pid in runs.children(salut.pid) if runs.name_of(pid).startswith("python")]
        room = room_of(found[0], number)
        turns = [os.sched_getscheduler(pid) for pid in (salut.pid, found[0])]
        salut.communicate("go on\n", timeout=LIMIT_S)
    print(f"bulk: room for {room}")
    runs.check(turns == [os.SCHED_BATCH, os.SCHED_OTHER], f"supervisor and program: policies {turns}")
    runs.check(room >= 1 << 20, "the program's socket was not widened")
    runs.check(salut.returncode == 0, f"exit {salut.returncode}")


def body():
    peer = Peer()
    for family in (4, 6):
        peer.seen.clear()
        words = [sys.executable, os.path.abspath(__file__), "program", runs.KERNEL[family]]
        if family == 4:
            words += [runs.LOST[4], runs.SALUTS[4]]
        with runs.Timer(f"IPv{family}"):
            done = subprocess.run(runs.under_salut(*words), capture_output=True, text=True,
                                  check=False, timeout=LIMIT_S)
        print(done.stdout + done.stderr, end="")
        runs.check(done.returncode == 0, f"exit {done.returncode}")
        wanted = PROGRAM_SEES + (LOCAL_SEES if family == 4 else [])
        runs.check(done.stdout.splitlines() == wanted, f"the program was to see {wanted}")
        runs.wait_until(lambda: peer.seen == PEER_SEES, f"the peer saw {peer.seen}", 5)
    widened()
    wanted = ("bulk " + "\0" * BULK_BYTES, "FIN")
    runs.wait_until(lambda: peer.seen.get("bulk") == wanted, "the peer saw all of it", 5)


if __name__ == "__main__" and len(sys.argv) > 2:
    bulk() if sys.argv[2] == "bulk" else program()
else:
    import runs
    runs.main(body)
