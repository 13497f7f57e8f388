#!/usr/bin/env python3
"""salut watch on terminals of several sizes: what is on the screen, and what keys do.

    watch.py [--show] [PATTERN]

Runs the program on a pseudo-terminal (terminal.py), makes connections over the loopback and looks
at the screen. --show prints the screens. Where salut was built without ncurses it says so and
exits 77.
"""
import contextlib
import fnmatch
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from terminal import Terminal  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SALUT = os.path.abspath(os.environ.get("SALUT", os.path.join(ROOT, "build-debug/salut")))
STATES = ("CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2",
          "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT")
GREEN, YELLOW, RED = 32, 33, 31
SHOW = False
CASES = []


def case(function):
    CASES.append(function)
    return function


def check(fact, what, screen=None):
    if not fact:
        raise AssertionError(what + (f"; the screen is\n{screen.text()}" if screen else ""))


class Service:
    """A listener on the loopback and connections to it."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.pairs = []

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port), timeout=3)
        server, _ = self.listener.accept()
        self.pairs.append((client, server))
        return client, server

    @property
    def filter(self):
        return f"sport = :{self.port} or dport = :{self.port}"

    def close(self):
        for pair in self.pairs:
            for end in pair:
                end.close()
        self.listener.close()


@contextlib.contextmanager
def service():
    it = Service()
    try:
        yield it
    finally:
        it.close()


def environment(**changes):
    env = {k: v for k, v in os.environ.items()
           if k not in ("NO_COLOR", "LC_ALL", "LC_CTYPE", "LINES", "COLUMNS")}
    env.update(TERM="xterm-256color", LANG="C.UTF-8")
    env.update(changes)
    return env


@contextlib.contextmanager
def watch(*words, rows=24, columns=80, directory=None, **changes):
    with Terminal([SALUT, "watch", "--delay", "250ms", *words], rows, columns,
                  environment(**changes), directory) as terminal:
        terminal.wait_for("q quit")
        yield terminal
        show(terminal)


def show(terminal):
    if SHOW:
        screen = terminal.screen
        print(f"--- {screen.rows}x{screen.columns} " + "-" * (screen.columns - 12))
        print(screen.text())


def rows_of(screen, pattern):
    return [(y, line) for y, line in enumerate(screen.lines()) if re.search(pattern, line)]


def row_is(pattern):
    return lambda screen: rows_of(screen, pattern)


def press(terminal, keys, then):
    terminal.press(keys)
    return terminal.wait_for(then)


# ---- what is on the screen ---------------------------------------------------------------------

@case
def narrow():
    with service() as s:
        s.connect()
        with watch(s.filter) as t:
            screen = t.wait_for("2 connections, 1 listener")
            for state in STATES:
                check(state in screen.text(), f"{state} is not on top", screen)
            head = rows_of(screen, r"STATE.* AGE LOCAL +PEER +OWNER")
            check(head, "the columns of 80", screen)
            check("IN/s" not in screen.text() and "WHY" not in screen.text(), "too many columns")
            check(rows_of(screen, rf"ESTABLISHED +>?[\d.]+ \w+ 127.0.0.1:{s.port} +127.0.0.1:\d+ +pyth"),
                  "the server's row", screen)
            check(rows_of(screen, r"^4 ESTABLISHED +2"), "the count of ESTABLISHED", screen)
            screen = t.wait_for(row_is(r"^/s: \d"))
            check(all(len(line) <= 80 for line in screen.lines()), "lines are too long")


@case
def wide():
    with service() as s:
        _, server = s.connect()
        server.sendall(b"x" * 500)
        with watch(s.filter, rows=50, columns=200) as t:
            screen = t.wait_for(row_is("STATE.*UNREAD.*UNACKED.*IN/s.*OUT/s.*RTT.*RESENT.*WHY"))
            check(rows_of(screen, r"ESTABLISHED .* 500 .*500 bytes received that the program has not"),
                  "the sentence beside the row", screen)
            t.wait_for("a second: opened")
            client, _ = s.pairs[0]
            client.recv(500)
            for _ in range(12):
                server.sendall(b"y" * 1000)
                client.recv(1000)
                t.read(0.1)
            check(rows_of(t.screen, r"ESTABLISHED.* \d+\.\dk "), "rates", t.screen)


@case
def marks():
    with service() as s, watch(s.filter) as t:
        t.wait_for("0 connections, 1 listener")
        client, server = s.connect()
        screen = t.wait_for(row_is(r"^\+ ESTABLISHED"))
        y = rows_of(screen, r"^\+ ESTABLISHED")[0][0]
        check(GREEN in screen.attributes_of(y), "new ones are green", screen)
        check(rows_of(screen, r"^4 ESTABLISHED +2 +\+"), "how many came", screen)
        t.wait_for(row_is(r"^  ESTABLISHED"), 6)
        client.close()
        screen = t.wait_for(row_is(rf"^~ CLOSE-WAIT .*:{s.port} "))
        y = rows_of(screen, r"^~ CLOSE-WAIT")[0][0]
        check(YELLOW in screen.attributes_of(y), "changed ones are yellow", screen)
        check(rows_of(screen, r"^~ FIN-WAIT-2"), "the other end is still the same row", screen)
        server.close()
        screen = t.wait_for(row_is(r"^- CLOSE-WAIT"))
        y = rows_of(screen, r"^- CLOSE-WAIT")[0][0]
        check(RED in screen.attributes_of(y), "closed ones are red", screen)
        t.wait_for(lambda screen: not rows_of(screen, "^. CLOSE-WAIT"), 6)
        check(rows_of(t.screen, "^[~ ] TIME-WAIT"), "TIME-WAIT stays", t.screen)


@case
def no_colour():
    with service() as s, watch(s.filter, NO_COLOR="1") as t:
        t.wait_for("0 connections")
        client, _ = s.connect()
        t.wait_for(row_is(r"^\+ ESTABLISHED"))
        client.close()
        t.wait_for(row_is(r"^~ CLOSE-WAIT"))
        check(re.search(rb"\x1b\[[\d;]*[349][0-7][;m]", t.raw) is None, "colours under NO_COLOR")
        check(rows_of(t.screen, r"^1+6+7+$"), "the bar in digits", t.screen)


@case
def plain_locale():
    with service() as s:
        s.connect()
        with watch(s.filter, LANG="C") as t:
            t.wait_for("2 connections")
            press(t, "t", "`- python3")
            press(t, "t", "STATEv")
            press(t, "j\r", "->")
            press(t, "qh", "meaning")
            check(all(byte < 0x80 for byte in t.raw), "bytes that are no ASCII under LANG=C")


@case
def unknown_bytes():
    """A program's name is shown, and never obeyed."""
    with service() as s:
        code = ("import socket,ctypes,time;"
                r"ctypes.CDLL(None).prctl(15, b'a\x1b[2J\xffz', 0, 0, 0);"
                f"s=socket.create_connection(('127.0.0.1',{s.port}));time.sleep(60)")
        with subprocess.Popen([sys.executable, "-c", code]) as child:
            try:
                with watch(s.filter, columns=120) as t:
                    t.wait_for(row_is(r"ESTABLISHED.*a\?\[2J\?z/"))
            finally:
                child.kill()


@case
def resizes():
    with service() as s:
        s.connect()
        with watch(s.filter) as t:
            for rows, columns in ((50, 200), (12, 50), (24, 80), (6, 30), (3, 10), (1, 1), (24, 80)):
                t.resize(rows, columns)
                t.read(0.6)
                if rows >= 12:
                    screen = t.wait_for("ESTABLISHED")
                    check(" every 250 ms " in screen.lines()[0], "the title", screen)
                    check(screen.lines()[-1].startswith("h help"), "the keys", screen)
                    show(t)
            press(t, "j\r", "next move")
            t.resize(40, 60)
            screen = t.wait_for("next move")
            t.read(0.5)
            check(all(len(line) <= 60 for line in screen.lines()), "lines are too long", screen)
            check("python3/" in screen.text(), "the whole page", screen)


# ---- keys ----------------------------------------------------------------------------------------

@case
def help_page():
    with watch() as t:
        for key, back in (("h", "q"), ("?", "\x1b"), ("\x1bOP", "\r")):
            press(t, key, "PgUp PgDn Home End")
            press(t, back, "salut watch  ")


@case
def detail():
    with service() as s:
        client, server = s.connect()
        with watch(f"sport = :{s.port}") as t:
            t.wait_for("1 connection, 1 listener")
            press(t, "j\r", "next move")
            client.send(b"abc")
            client.close()
            screen = t.wait_for("ESTABLISHED → CLOSE-WAIT")
            for text in ("the peer has closed; our program has not called close()",
                         "our program's", "none concerns it", f"python3/{os.getpid()}",
                         f"127.0.0.1:{s.port}", "3 bytes received and not read"):
                check(re.sub(r"\s+", " ", text) in re.sub(r"\s+", " ", screen.text()),
                      f"'{text}' is missing", screen)
            press(t, "G", f"salut kill src 127.0.0.1:{s.port}")
            press(t, "g", "next move")
            server.close()
            t.wait_for("(gone)")


@case
def tree():
    with service() as s:
        s.connect()
        s.connect()
        with watch(s.filter) as t:
            t.wait_for("4 connections")
            screen = press(t, "t", "no listener here")
            text = screen.text()
            check(re.search(rf"LISTEN 127.0.0.1:{s.port}  python3/\d+:\d+  2 connections, 0 of 64 wait"
                            r"\n  └─ python3/\d+: 2 connections"
                            r"\n     ├─ ESTABLISHED.*\n     └─ ESTABLISHED", text), "the tree", screen)
            press(t, "t", row_is(r"^. ESTABLISHED"))


@case
def sorting():
    with service() as s:
        for i in range(3):
            client, server = s.connect()
            server.sendall(b"x" * (10 + i))
        with watch(s.filter, columns=120) as t:
            t.wait_for("STATE▼")
            press(t, "<", "sorted by RESENT")
            press(t, ">", "STATE▼")
            for name in ("AGE", "LOCAL", "PEER", "OWNER", "UNREAD"):
                press(t, "\x1b[17~", f"{name}▼")
            screen = t.wait_for(row_is(r"ESTABLISHED.* 12( |$)"))
            order = [int(m.group(1)) for _, line in rows_of(screen, "ESTABLISHED")
                     if (m := re.search(r" (1[012])(?: |$)", line))]
            check(order == [12, 11, 10], f"sorted by unread bytes: {order}", screen)
            screen = press(t, "r", "UNREAD▲")
            order = [int(m.group(1)) for _, line in rows_of(screen, "ESTABLISHED")
                     if (m := re.search(r" (1[012])(?: |$)", line))]
            check(order == [10, 11, 12], f"the other way round: {order}", screen)


@case
def filters():
    with service() as s:
        client, _ = s.connect()
        client.close()
        s.connect()
        with watch() as t:
            press(t, "\\", row_is("^filter:"))
            press(t, f"sport = :{s.port}\r", f"filter: sport = :{s.port}")
            screen = t.wait_for("2 connections, 1 listener")
            check("FIN-WAIT-2 " in screen.text() and not rows_of(screen, "^. FIN-WAIT-2"), "the filter")
            press(t, "\x1bOS\x15", row_is("^filter:$"))
            press(t, "sport = = 7\r", "the filter is wrong")
            press(t, "7", lambda screen: "7*CLOSE-WAIT" in screen.text() and
                  rows_of(screen, "^.>CLOSE-WAIT") and not rows_of(screen, "^[ +~-][> ]ESTABLISHED"))
            press(t, "4", row_is("^[ +~-][> ]ESTABLISHED"))
            check(rows_of(t.screen, "^[ +~-][> ]CLOSE-WAIT"), "two states", t.screen)
            press(t, "74", row_is("^[ +~-][> ]LISTEN"))
            press(t, "2", "nothing passes the filter")
            press(t, "0", row_is("^[ +~-][> ]LISTEN"))
            press(t, "\\\x15\r", lambda screen: "filter:" not in screen.lines()[0])


@case
def search():
    with service() as s:
        ports = []
        for _ in range(30):
            client, _ = s.connect()
            ports.append(client.getsockname()[1])
        with watch(f"sport = :{s.port}") as t:
            t.wait_for("30 connections")
            for port in (ports[25], ports[3]):
                press(t, f"/{port}\r", row_is(rf"^.>ESTABLISHED.*:{port} "))
            press(t, "/nowhere\r", "nothing has 'nowhere' in it")
            press(t, "/established\r", row_is(r"^.>ESTABLISHED"))
            before = t.screen.text()
            press(t, "/\r", lambda screen: screen.text() != before)
            press(t, "\x1bOF", row_is(rf"^.>ESTABLISHED.*:{max(ports)} "))
            press(t, "\x1bOH", row_is(r"^.>LISTEN"))
            press(t, "\x1b[6~", row_is(r"^.>ESTABLISHED"))
            press(t, "\x1b[5~", row_is(r"^.>LISTEN"))
            press(t, "jj", row_is(r"^.>ESTABLISHED"))
            press(t, "k\x1bOA", row_is(r"^.>LISTEN"))


@case
def follow_and_pause():
    with service() as s:
        client, _ = s.connect()
        port = client.getsockname()[1]
        with watch(s.filter) as t:
            t.wait_for("2 connections")
            press(t, "f", "follows its connection")
            press(t, f"/:{port} 127\r", row_is(rf"^.>ESTABLISHED.*:{port} +127.0.0.1:{s.port} "))
            client.close()
            t.wait_for(row_is(rf"^~>FIN-WAIT-2.*:{port} +127.0.0.1:{s.port} "))
            press(t, " ", "PAUSED")
            s.connect()
            t.read(1)
            check("2 connections" in t.screen.text(), "paused, and looks all the same", t.screen)
            press(t, "p", "4 connections")


@case
def names():
    with open("/etc/hosts", encoding="utf-8") as file:
        if not re.search(r"^127\.0\.0\.1\s+localhost", file.read(), re.MULTILINE):
            return
    with service() as s, watch(s.filter) as t:
        s.connect()
        t.wait_for("2 connections")
        press(t, "n", f"localhost:{s.port}")
        press(t, "n", f"127.0.0.1:{s.port}")


@case
def delay():
    with watch() as t:
        press(t, "d", "seconds between two looks:")
        press(t, "2.5\r", "every 2.5 s")
        press(t, "dx\r", "0.1 to 3600 seconds, not 'x'")
        press(t, "d\x1b", "every 2.5 s")


@case
def snapshot():
    with service() as s, tempfile.TemporaryDirectory() as folder:
        s.connect()
        with watch(s.filter, directory=folder) as t:
            t.wait_for("2 connections")
            press(t, "s", "has 3 of them")
            (name,) = os.listdir(folder)
            check(os.stat(os.path.join(folder, name)).st_mode & 0o777 == 0o600, "its mode")
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                records = [json.loads(line) for line in file]
            check(sorted(r["state"] for r in records) == ["ESTABLISHED", "ESTABLISHED", "LISTEN"],
                  f"what was saved: {records}")


@case
def findings():
    """Connections that nobody accepts concern a finding, and a quiet one does not."""
    with service() as s:
        clients = [socket.create_connection(("127.0.0.1", s.port)) for _ in range(4)]
        with watch(f"sport = :{s.port}") as t:
            t.wait_for("4 connections")
            time.sleep(1.2)
            press(t, "j", row_is("^.>ESTABLISHED"))
            screen = press(t, "e", row_is(r"^[A-Z]+\d?-\d+ \((info|warning|critical)\)"))
            for word in ("  here ", "  why ", "  do ", "accept"):
                check(word in screen.text(), f"{word} in the finding", screen)
            press(t, "q\r", row_is(r"^  findings +[A-Z]+\d?-\d+"))
            press(t, "q", " every 250 ms ")
        for client in clients:
            client.close()
    with service() as s:
        s.connect()
        with watch(f"sport = :{s.port}") as t:
            t.wait_for("1 connection")
            press(t, "je", "no finding concerns it")


@case
def filter_by_finding():
    """Connections become a part of a finding, and cease to be one, while watch looks."""
    with service() as s:
        _, accepted = s.connect()
        clients = [socket.create_connection(("127.0.0.1", s.port)) for _ in range(4)]
        with watch(f"finding = HS-1 and sport = :{s.port}") as t:
            t.wait_for("4 connections")
            press(t, "\\\x15finding = CW-1 and sport = :%d\r" % s.port, "0 connections")
            press(t, "\\\x15finding and sport = :%d\r" % s.port, "4 connections")
            taken = [s.listener.accept()[0] for _ in clients]
            t.wait_for("0 connections")
        for each in clients + taken + [accepted]:
            each.close()


@case
def kill_and_probe():
    """They are programs of their own, which ask; the screen comes back."""
    with service() as s:
        s.connect()
        with watch(f"sport = :{s.port}") as t:
            t.wait_for("1 connection")
            press(t, "K", "salut kill is for connections")
            press(t, "jK", f"$ salut kill src 127.0.0.1:{s.port} and dst 127.0.0.1:")
            t.wait_for("[y/N]")
            press(t, "n\r", "Enter: back")
            press(t, "\r", row_is("^.>ESTABLISHED"))
            press(t, "P", f"$ salut probe src 127.0.0.1:{s.port}")
            t.wait_for("[y/N]")
            twice = lambda screen: screen.text().count("Enter: back") == 2
            press(t, "\x03", twice)  # an interrupt is for the probe alone
            press(t, "\r", row_is("^.>ESTABLISHED"))
            press(t, "q", lambda screen: 1049 not in screen.modes)


# ---- ends ------------------------------------------------------------------------------------------

def restored(t, before, how):
    modes = t.local_modes()
    check(modes & termios.ECHO and modes & termios.ICANON, f"after {how} the terminal does not echo")
    check(modes == before, f"after {how} the terminal has other modes")
    check(1049 not in t.screen.modes, f"after {how} the other screen is still there")
    check(t.screen.cursor_shown, f"after {how} the cursor is hidden")
    check(not t.screen.attributes, f"after {how} a paint is left")


@case
def ends():
    ways = {"q": lambda t: t.press("q"), "F10": lambda t: t.press("\x1b[21~"),
            "ctrl-C": lambda t: t.press("\x03"), "SIGTERM": lambda t: t.kill(signal.SIGTERM),
            "SIGHUP": lambda t: t.kill(signal.SIGHUP), "SIGABRT": lambda t: t.kill(signal.SIGABRT),
            "SIGSEGV": lambda t: t.kill(signal.SIGSEGV)}
    for how, end in ways.items():
        with Terminal(["/bin/sh", "-c", f"stty -a >/dev/null; ulimit -c 0; exec {SALUT} watch"], 24, 80,
                      environment()) as t:
            before = t.local_modes()
            t.wait_for("q quit")
            check(t.local_modes() != before, "the terminal was never taken")
            end(t)
            status = t.wait()
            fault = {"SIGABRT": -signal.SIGABRT, "SIGSEGV": -signal.SIGSEGV}.get(how, 0)
            check(status == fault or (fault and status != 0), f"{how} ends with {status}")
            restored(t, before, how)


@case
def hang_up():
    with watch() as t:
        os.close(t.fd)
        t.fd = -1
        end = time.monotonic() + 4
        pid = 0
        while not pid and time.monotonic() < end:
            pid, status = os.waitpid(t.pid, os.WNOHANG)
            time.sleep(0.02)
        check(pid, "it goes on without a terminal")
        t.status = status
        t.screen.rows = 0


@case
def hang_up_unheard():
    """SIGHUP ignored, as under nohup: the end of the terminal is seen all the same."""
    with Terminal(["/bin/sh", "-c", f"trap '' HUP; exec {SALUT} watch"], 24, 80, environment()) as t:
        t.wait_for("q quit")
        os.close(t.fd)
        t.fd = -1
        end = time.monotonic() + 4
        pid = 0
        while not pid and time.monotonic() < end:
            pid, t.status = os.waitpid(t.pid, os.WNOHANG)
            time.sleep(0.02)
        check(pid, "it goes on without a terminal")


@case
def stops_and_goes_on():
    with Terminal(["/bin/bash", "--norc", "-i"], 24, 80, environment(PS1="$ ")) as t:
        t.wait_for("$")
        press(t, f"{SALUT} watch\n", "q quit")
        press(t, "\x1a", lambda screen: 1049 not in screen.modes and "Stopped" in screen.text())
        press(t, "fg\n", lambda screen: 1049 in screen.modes and "q quit" in screen.text())
        press(t, "q", lambda screen: 1049 not in screen.modes)


@case
def refuses():
    got = subprocess.run([SALUT, "watch"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         timeout=20, check=False)
    check(got.returncode == 3 and "a terminal is wanted" in got.stderr and not got.stdout, f"{got}")
    with Terminal([SALUT, "watch"], 24, 80, environment(TERM="nonsense")) as t:
        t.wait_for("TERM=nonsense")
        check(t.wait() == 3, "an unknown terminal")
    for words, says in ((["state", "nowhere"], "the filter is wrong"), (["--delay", "1ms"], "100ms"),
                        (["--source", "x"], "--source")):
        got = subprocess.run([SALUT, "watch", *words], capture_output=True, text=True, timeout=20,
                             check=False)
        check(got.returncode == 2 and says in got.stderr, f"{words}: {got}")


@case
def rests():
    """Waiting costs next to nothing, paused or not."""
    with watch("--delay", "5s") as t:
        def cpu():
            with open(f"/proc/{t.pid}/stat", encoding="ascii") as file:
                words = file.read().rsplit(")", 1)[1].split()
            return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        t.read(0.5)
        before = cpu()
        time.sleep(2)
        check(cpu() - before < 0.2, f"{cpu() - before} s of CPU in 2 s of rest")


def enter_network():
    """A network of our own, where possible: nobody else's connections are on the screen."""
    if "WATCH_INSIDE" in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    into = ["unshare", "-n" if os.geteuid() == 0 else "-rn"]
    if subprocess.run(into + ["true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        os.environ["WATCH_INSIDE"] = "1"
        os.execvp(into[0], into + [sys.executable, os.path.abspath(__file__)] + sys.argv[1:])


def main():
    global SHOW  # pylint: disable=global-statement
    enter_network()
    words = [word for word in sys.argv[1:] if word != "--show"]
    SHOW = len(words) < len(sys.argv) - 1
    with Terminal([SALUT, "watch"], 24, 80, environment()) as t:
        t.wait_for(lambda screen: "q quit" in screen.text() or "without ncurses" in screen.text())
        if "without ncurses" in t.screen.text():
            print("this salut was built without ncurses")
            sys.exit(77)
    failed = 0
    for one in CASES:
        if words and not fnmatch.fnmatch(one.__name__, words[0]):
            continue
        try:
            one()
            print(f"{one.__name__:20} fine")
        except (AssertionError, OSError, ValueError) as error:
            failed += 1
            print(f"{one.__name__:20} FAILED: {error}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
