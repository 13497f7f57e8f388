#!/usr/bin/env python3
"""stats, metrics, check, kill and probe: what they print is parsed, what they do is looked at.

    verbs.py [PATTERN]

In a network namespace of its own, as status.py. Needs root or user namespaces, and /dev/net/tun;
without, it says so and exits 77.
"""
import contextlib
import errno
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import status  # noqa: E402
from lab import connect_to, listen, peers  # noqa: E402
from fake_peer import KERNEL, RST, Segment  # noqa: E402
from status import SALUTS, case, is_so, of, ours, salut, soon  # noqa: E402

status.CASES.clear()
STATES = ("closed", "listen", "syn_sent", "syn_received", "established", "fin_wait_1", "fin_wait_2",
          "close_wait", "closing", "last_ack", "time_wait")
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def can_be_nobody():
    return os.geteuid() == 0 and subprocess.run(NOBODY + ["test", "-x", peers.SALUT], check=False,
                                                capture_output=True).returncode == 0


def pair():
    """Two connected sockets over loopback, and their listener, closed."""
    listener = listen(address="127.0.0.1")
    client = connect_to(listener.getsockname()[1], "127.0.0.1")
    server, _ = listener.accept()
    listener.close()
    return client, server


# ---- metrics -----------------------------------------------------------------------------------

LABELS = r'(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*'
SAMPLE = re.compile(r"([a-z_:][a-z0-9_:]*)(?:\{(" + LABELS + r")\})? (-?[0-9.]+)$")


def parse_metrics(text):
    """{name: {labels: value}}; every rule of the format that can be broken is checked."""
    found, kinds, last = {}, {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            last = line.split(" ")[2]
            peers.check(last not in kinds, f"{last} is told twice, or in two places")
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            peers.check(name == last and kind in ("gauge", "counter"), line)
            peers.check((kind == "counter") == name.endswith("_total"), line)
            kinds[name] = kind
        else:
            m = SAMPLE.match(line)
            peers.check(m and m[1] == last, f"no sample, or of another metric: {line}")
            labels = dict(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', m[2] or ""))
            key = tuple(sorted(labels.items()))
            peers.check(key not in found.setdefault(m[1], {}), f"twice: {line}")
            found[m[1]][key] = float(m[3])
    peers.check(text.endswith("\n"), "the last line has no end")
    return found


def labels(**given):
    return tuple(sorted(given.items()))


def check_metrics(found, sources):
    for source in sources:
        for state in STATES:
            peers.check(labels(source=source, state=state) in found["tcp_connections"],
                        f"{source} {state} is not told")
    peers.check(not any("remote" in dict(k) for m in found.values() for k in m), "peers are labels")


@case
def metrics(_lab):
    listener = listen(address="127.0.0.1", backlog=10)
    port = f":{listener.getsockname()[1]}"
    waiting = connect_to(listener.getsockname()[1], "127.0.0.1")
    client, server = pair()
    with peers.Serve("--echo"):
        s = socket.create_connection((SALUTS, 7), timeout=5)
        s.send(b"x")
        s.recv(1)
        found = parse_metrics(salut("metrics").stdout)
        check_metrics(found, ("kernel", "salut"))
        peers.check(found["tcp_connections"][labels(source="kernel", state="established")] == 5, found)
        peers.check(found["tcp_connections"][labels(source="salut", state="established")] == 1, found)
        peers.check(found["tcp_unaccepted_connections"][labels(source="kernel")] == 1, found)
        queue = {dict(k)["listener"]: v for k, v in found["tcp_listener_queue"].items()}
        peers.check(queue == {port: 1, ":7": 0}, queue)
        peers.check(found["salut_instances"][()] == 1, found["salut_instances"])
        peers.check(found["salut_reason_total"][labels(reason="passive_open")] == 1, "one was opened")
        peers.check(found["tcp_active_opens_total"][()] >= 3, "three were opened")
        own = {k: v for k, v in found["tcp_program_connections"].items()
               if dict(k)["source"] == "salut"}
        peers.check(own == {labels(source="salut", state="established", listener=":7",
                                   program=os.path.basename(peers.SALUT)): 1}, own)
        kernel_only = parse_metrics(salut("metrics", "--source", "kernel").stdout)
        check_metrics(kernel_only, ("kernel",))
        peers.check("salut_instances" not in kernel_only, "salut was not asked for")
        s.close()
    for c in (listener, waiting, client, server):
        c.close()


@case
def metrics_at_a_port(_lab):
    server = subprocess.Popen([peers.SALUT, "metrics", "--listen", "127.0.0.1:9555"],
                              stderr=subprocess.PIPE, text=True)
    peers.check("http://127.0.0.1:9555/metrics" in server.stderr.readline(), "it does not start")
    where = "http://127.0.0.1:9555"
    for _ in range(3):
        with urllib.request.urlopen(where + "/metrics", timeout=5) as answer:
            peers.check(answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"),
                        answer.headers)
            check_metrics(parse_metrics(answer.read().decode()), ("kernel", "salut"))
    for path, code in (("/nothing", 404), ("/metricsx", 404)):
        try:
            urllib.request.urlopen(where + path, timeout=5)
            raise peers.Failure(f"{path} is there")
        except urllib.error.HTTPError as error:
            peers.check(error.code == code, f"{path}: {error.code}")
    for request, first in ((b"POST /metrics HTTP/1.1\r\n\r\n", b"405"), (b"x" * 5000, b"400"),
                           (b"\n\n", b"405"), (b"HEAD /metrics HTTP/1.0\r\n\r\n", b"200")):
        s = connect_to(9555, "127.0.0.1")
        s.settimeout(5)
        s.sendall(request)
        answer = b""
        try:
            while got := s.recv(4096):
                answer += got
        except ConnectionResetError:
            pass
        peers.check(answer.split(b" ")[1:2] == [first], f"{request[:20]}: {answer[:60]}")
        s.close()
    # Who says nothing, or leaves, holds the others up for some seconds at most.
    silent = connect_to(9555, "127.0.0.1")
    gone = connect_to(9555, "127.0.0.1")
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.close()
    with urllib.request.urlopen(where + "/metrics", timeout=8) as answer:
        peers.check(answer.status == 200, answer.status)
    silent.close()
    again = salut("metrics", "--listen", "127.0.0.1:9555", code=1)
    peers.check("in use" in again.stderr, again.stderr)
    server.terminate()
    peers.check(server.wait(5) == 0, "it does not end well")
    server.stderr.close()


# ---- stats and check ---------------------------------------------------------------------------

@case
def stats(_lab):
    with peers.Serve("--echo"):
        run = subprocess.Popen([peers.SALUT, "stats", "--json", "--source", "all", "0.5", "100"],
                               stdout=subprocess.PIPE, text=True)

        def interval():
            lines = [json.loads(run.stdout.readline()) for _ in range(2)]
            peers.check([line["source"] for line in lines] == ["kernel", "salut"], lines)
            return lines
        interval()
        held = [socket.create_connection((SALUTS, 7), timeout=5) for _ in range(7)]
        opens = [0, 0, 0]
        while opens[0] < 7 or opens[1] < 7:
            kernel, own = interval()
            opens[0] += kernel["active_opens_delta"]
            opens[1] += own["passive_opens_delta"]
            opens[2] += own["active_opens_delta"]
        peers.check(opens == [7, 7, 0], opens)
        kernel, own = interval()
        is_so(kernel, ESTABLISHED=7, active_opens_delta=0, schema=1)
        is_so(own, ESTABLISHED=7, LISTEN=1, passive_opens_delta=0, active_opens_delta=0)
        peers.check(450 <= own["interval_ms"] <= 1000, own["interval_ms"])
        run.send_signal(signal.SIGINT)
        run.wait(5)
        run.stdout.close()
        text = salut("stats", "0.1", "2").stdout.splitlines()
        peers.check(len(text) == 3 and text[0].startswith("TIME"), text)
        peers.check(len(text[1].split()) == len(text[0].split()), text)
        both = salut("stats", "--source", "all", "0.1", "1").stdout.splitlines()
        peers.check([line.split()[0] for line in both] == ["SOURCE", "kernel", "salut"], both)
        for s in held:
            s.close()


PERFDATA = re.compile(r"TCP (OK|WARNING|CRITICAL) - (\d+) ([a-z0-9_]+).* \| ([a-z0-9_]+)=(\d+);"
                      r"([^;]*);([^;]*);0$")


@case
def check(_lab):
    pairs = [pair() for _ in range(6)]
    for client, _ in pairs:
        client.close()
    rows = ((["-w", "10", "-c", "20"], 0), (["-w", "5", "-c", "20"], 1), (["-w", "2", "-c", "5"], 2),
            (["-w", "7:"], 1), (["-w", "~:5"], 1), (["-c", "@6:8"], 2), (["-c", "1:6"], 0),
            (["--warning", "5"], 1), ([], 0))
    for words, code in rows:
        got = salut("check", *words, "state", "close-wait", code=code)
        m = PERFDATA.match(got.stdout.strip())
        peers.check(m is not None, got.stdout)
        peers.check(m[1] == ("OK", "WARNING", "CRITICAL")[code] and m[2] == m[5] == "6", got.stdout)
        peers.check(m[3] == m[4] == "close_wait", got.stdout)
        peers.check(f"({os.getpid()})" in got.stdout, "the program is not named: " + got.stdout)
    for words in (["-w", "x"], ["-c", "20:10"], ["state", "nowhere"], ["--source", "x"], ["--bogus"]):
        got = salut("check", *words, code=3)
        peers.check(got.stdout.startswith("TCP UNKNOWN - "), got.stdout)
    with peers.Serve("--echo"):
        s = socket.create_connection((SALUTS, 7), timeout=5)
        got = salut("check", "-w", "0", "port = :7 and state established", code=1).stdout
        peers.check("(1 the kernel's, 1 of salut's stacks)" in got, got)
        got = salut("check", "--source", "salut", "-w", "0", "state", "established", code=1).stdout
        peers.check("1 established" in got and "(of 1 of salut's stacks)" in got, got)
        s.close()
    for _, server in pairs:
        server.close()


# ---- doctor, of salut's own stacks -------------------------------------------------------------

def findings(*words):
    got = subprocess.run([peers.SALUT, "doctor", "--json", "--source", "salut", "--interval", "200ms"]
                         + list(words), capture_output=True, text=True, check=False)
    peers.check(got.returncode in (0, 1), got.stderr)
    lines = [json.loads(line) for line in got.stdout.splitlines()]
    peers.check(all(line["source"] == "salut" for line in lines), lines)
    return {line["id"]: line for line in lines}


def only(finding):
    found = findings()
    peers.check(set(found) == {finding}, found)
    return found[finding]


@case
def doctor_of_own_stacks(_lab):
    with peers.Serve("--echo"):
        held = [socket.create_connection((SALUTS, 7), timeout=5) for _ in range(20)]
        for s in held:
            s.send(b"x" * 100)
            s.recv(100)
            s.close()
        peers.check(findings() == {}, "a healthy server is judged ill")
    with peers.Serve("--source") as serve:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect((SALUTS, 19))
        found = soon(lambda: only("ZW-1"))
        peers.check(found["pid"] == serve.process.pid, found)
        s.close()
    with peers.Serve("--source=100"):
        s = socket.create_connection((SALUTS, 19), timeout=5)
        soon(lambda: only("FW2-1"))
        s.close()
    with peers.Serve("--source"):
        s = socket.create_connection((SALUTS, 19), timeout=5)
        s.recv(1000)
        peers.run(["ip", "route", "add", "blackhole", SALUTS + "/32"])

        def given_up():  # what it sends arrives, and no acknowledgement comes back
            while select.select([s], [], [], 0.1)[0]:
                s.recv(1 << 20, socket.MSG_DONTWAIT)
            found = findings()
            peers.check("RTO-1" in found, found)
        soon(given_up)
        peers.run(["ip", "route", "del", "blackhole", SALUTS + "/32"])
        s.close()


# ---- kill --------------------------------------------------------------------------------------

def is_open(s):
    s.setblocking(False)
    try:
        s.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError as error:
        peers.check(error.errno in (errno.ECONNABORTED, errno.ECONNRESET), str(error))
        return False
    return False


def kernel_can_destroy():
    client, server = pair()
    got = subprocess.run([peers.SALUT, "kill", "--yes", f"sport = :{client.getsockname()[1]}"],
                         capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    client.close()
    server.close()
    if got.returncode == 3:
        peers.check("CONFIG_INET_DIAG_DESTROY" in got.stderr, got.stderr)
    return got.returncode == 0


@case
def kill(_lab):
    if not kernel_can_destroy():
        print("      (this kernel is built without it)")
        return
    listener = listen(address="127.0.0.1")
    port = listener.getsockname()[1]
    clients = [connect_to(port, "127.0.0.1") for _ in range(4)]
    servers = [listener.accept()[0] for _ in range(4)]
    mine = {s.getpeername()[1]: s for s in servers}
    chosen = clients[2].getsockname()[1]
    got = salut("kill", "--dry-run", f"sport = :{port}")
    peers.check("4 connections to close" in got.stderr, got.stderr)
    peers.check(all(is_open(s) for s in servers), "a dry run closes")
    salut("kill", f"sport = :{port}", code=2)
    salut("kill", "--yes", code=2)
    peers.check(all(is_open(s) for s in servers), "wrong usage closes")
    got = salut("kill", "--yes", f"sport = :{port}", f"dport = :{chosen}")
    peers.check("closed" in got.stdout and "1 closed" in got.stderr, got.stdout + got.stderr)
    peers.check(not is_open(mine[chosen]), "it is still open")
    soon(lambda: peers.check(not is_open(clients[2]), "the other end is still open"))
    peers.check(all(is_open(s) for p, s in mine.items() if p != chosen), "others were closed")
    got = salut("kill", "--yes", "--json", f":{port}", "state", "established")
    lines = [json.loads(line) for line in got.stdout.splitlines()]
    peers.check(len(lines) == 6 and {line["result"] for line in lines} <= {"closed", "gone already"},
                lines)
    peers.check(not any(is_open(s) for s in servers), "some are open")
    connect_to(port, "127.0.0.1").close()  # the listener was not touched
    got = salut("kill", "--yes", "--listeners", f"sport = :{port}", "state", "listening")
    try:
        connect_to(port, "127.0.0.1").close()
        raise peers.Failure("the listener is there")
    except ConnectionRefusedError:
        pass
    got = salut("kill", "--yes", "state", "closing")
    peers.check("0 connections to close" in got.stderr, got.stderr)
    for s in clients + servers + [listener]:
        s.close()


@case
def kill_asks(_lab):
    """On a terminal: anything but yes closes nothing."""
    client, server = pair()
    for answer, closes in ((b"\n", False), (b"n\n", False), (b"y\n", kernel_can_destroy())):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(peers.SALUT, [peers.SALUT, "kill", f"sport = :{client.getsockname()[1]}"])
        said = b""
        while b"[y/N]" not in said and select.select([terminal], [], [], 20)[0]:
            said += os.read(terminal, 4096)
        peers.check(b"close 1 connection?" in said, said)
        os.write(terminal, answer)
        os.waitpid(pid, 0)
        os.close(terminal)
        if closes:
            soon(lambda: peers.check(not is_open(client), f"{answer}: {said}"))
        else:
            peers.check(is_open(client), f"{answer}: {said}")
    client.close()
    server.close()


@case
def kill_needs_privilege(_lab):
    if not can_be_nobody():
        return
    client, server = pair()
    got = subprocess.run(NOBODY + [peers.SALUT, "kill", "--yes", f":{client.getsockname()[1]}"],
                         capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    peers.check(got.returncode == 3 and "CAP_NET_ADMIN" in got.stderr, got.stderr)
    peers.check(is_open(client), "it was closed")
    client.close()
    server.close()


# ---- probe -------------------------------------------------------------------------------------

OPTIONS = ((socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
           (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL), (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
           (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))


def settings(s):
    return [s.getsockopt(*option) for option in OPTIONS]


def probe(s, verdict, code, *words):
    got = salut("probe", "--yes", "--json", f"sport = :{s.getsockname()[1]}",
                f"dport = :{s.getpeername()[1]}", *words, code=code)
    line = json.loads(got.stdout)
    is_so(line, verdict=verdict, pid=os.getpid())
    return line


@case
def probe_alive(_lab):
    client, server = pair()
    time.sleep(1.2)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77)
    before = settings(client)
    line = probe(client, "alive", 0)
    peers.check(line["after_ms"] < 2500, line)
    peers.check(settings(client) == before, f"{before} became {settings(client)}")
    client.send(b"still here")
    peers.check(server.recv(20) == b"still here", "the probes were data")
    got = salut("probe", "--dry-run", f"sport = :{client.getsockname()[1]}")
    peers.check("1 connection to probe" in got.stderr and got.stdout == "", got.stderr)
    client.close()
    server.close()


@case
def probe_silent(lab_):
    s = connect_to(lab_.behave(quiet_after_handshake=True))
    for option, value in zip(OPTIONS, (1, 600, 60, 2, 900)):
        s.setsockopt(*option, value)
    before = settings(s)
    time.sleep(0.3)
    probe(s, "no answer", 1, "--probes", "2")
    peers.check(settings(s) == before, f"{before} became {settings(s)}")
    is_so(ours(of(s)), state="ESTABLISHED")  # asking has not ended it
    s.close()


@case
def probe_gone(lab_):
    s = connect_to(lab_.behave())
    flow = next(iter(lab_.peer.flows.values()))
    # The last segment of the handshake may still be on its way: it is not to be reset.
    peers.check(flow.answered.wait(10), "the handshake has no third segment")
    plain = lab_.peer.take_segment

    def reset(segment, of_flow):
        probes = segment.seq != flow.expected & 0xFFFFFFFF  # and is not the end of the handshake
        if of_flow is flow and probes:
            lab_.peer.send(Segment(flow.key[0], KERNEL, flow.key[1], segment.sport, segment.ack, 0,
                                   RST))
        else:
            plain(segment, of_flow)
    lab_.peer.take_segment = reset
    probe(s, "gone", 1)
    lab_.peer.take_segment = plain
    try:
        s.recv(1)
        raise peers.Failure("the program does not hear of the reset")
    except ConnectionResetError:
        pass
    s.close()


@case
def probe_by_finding(_lab):
    """What is not read is a part of a finding, and its neighbour, as open as it, is not."""
    clients, servers = zip(*(pair() for _ in range(2)))
    full = servers[0]
    full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    clients[0].setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while clients[0].send(bytes(8192)):
            pass
    ports = ["sport", "=", f":{full.getsockname()[1]}", "or", "sport", "=",
             f":{servers[1].getsockname()[1]}"]

    def found(finding):
        got = salut("probe", "--dry-run", "finding", "=", finding, "and", "(", *ports, ")")
        return int(re.search(r"(\d+) connections? to probe", got.stderr).group(1))
    soon(lambda: peers.check(found("ZW-2") == 1, found("ZW-2")))
    peers.check(found("CW-1") == 0, "no connection of these is in CLOSE-WAIT")
    got = salut("probe", "--yes", "--json", "finding = ZW-2", *ports[:3])
    line, = map(json.loads, got.stdout.splitlines())
    is_so(line, verdict="alive", remote="%s:%d" % full.getpeername(), pid=os.getpid())
    for s in clients + servers:
        s.close()


@case
def probe_interrupted(lab_):
    s = connect_to(lab_.behave(quiet_after_handshake=True))
    before = settings(s)
    run = subprocess.Popen([peers.SALUT, "probe", "--yes", "--probes", "50",
                            f"sport = :{s.getsockname()[1]}"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    soon(lambda: peers.check(settings(s) != before, "nothing is probed"))
    run.send_signal(signal.SIGINT)
    run.wait(5)
    peers.check(settings(s) == before, "an interrupt leaves the settings changed")
    s.close()


@case
def probe_needs_rights(_lab):
    if not can_be_nobody():
        return
    client, server = pair()
    got = subprocess.run(NOBODY + [peers.SALUT, "probe", "--yes", f"sport = :{client.getsockname()[1]}"],
                         capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    peers.check(got.returncode == 3 and "CAP_SYS_PTRACE" in got.stderr, got.stdout + got.stderr)
    client.close()
    server.close()


if __name__ == "__main__":
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        peers.skip("/dev/net/tun cannot be opened: the peer needs it")
    peers.enter()
    sys.exit(status.main())
