"""A program on a terminal of its own: a pseudo-terminal, and enough of a VT100 to know what is on
its screen. What the terminal does not understand is an error, so that nothing is overlooked.
"""
import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

SEQUENCE = re.compile(r"\x1b(?:\[([?>!]?)([\d;]*)([ -/]?)([@-~])|[()][0AB]|\][^\x07]*\x07|([=>78MDEHc]))")


class Screen:
    """Cells of (character, attributes); attributes are the numbers of SGR that are on."""

    def __init__(self, rows, columns):
        self.resize(rows, columns)
        self.main = None  # the other screen, while the alternative one is shown
        self.cursor_shown = True
        self.modes = set()

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [self.blank_line() for _ in range(rows)]
        self.y = self.x = 0
        self.top, self.bottom = 0, rows - 1
        self.attributes = frozenset()
        self.last = " "

    def blank_line(self):
        return [(" ", frozenset())] * self.columns

    # ---- output ------------------------------------------------------------------------------

    def put(self, c):
        if self.x >= self.columns:
            self.x = 0
            self.line_feed()
        self.cells[self.y][self.x] = (c, self.attributes)
        self.x += 1
        self.last = c

    def line_feed(self):
        if self.y == self.bottom:
            self.scroll(self.top, 1)
        elif self.y < self.rows - 1:
            self.y += 1

    def scroll(self, top, lines):
        """Move the lines from `top` to the bottom up (down, when negative)."""
        for _ in range(abs(lines)):
            if lines > 0:
                del self.cells[top]
                self.cells.insert(self.bottom, self.blank_line())
            else:
                del self.cells[self.bottom]
                self.cells.insert(top, self.blank_line())

    def control(self, c):
        if c == "\r":
            self.x = 0
        elif c == "\n":
            self.line_feed()
        elif c == "\b":
            self.x = max(0, min(self.x, self.columns) - 1)
        elif c == "\t":
            self.x = min(self.columns - 1, self.x // 8 * 8 + 8)
        elif c not in "\x07\x0e\x0f":
            raise ValueError(f"control character {c!r}")

    def erase(self, y, start, end):
        for x in range(max(0, start), min(end, self.columns)):
            self.cells[y][x] = (" ", frozenset())

    def sequence(self, match):
        private, numbers, between, final, single = match.groups()
        if single == "M":
            if self.y == self.top:
                self.scroll(self.top, -1)
            else:
                self.y -= 1
        if final is None:
            return
        n = [int(word) if word else 0 for word in numbers.split(";")]
        one = max(1, n[0])
        if private:
            self.mode(private, n, final)
        elif final in "ABCD":
            dy, dx = {"A": (-1, 0), "B": (1, 0), "C": (0, 1), "D": (0, -1)}[final]
            self.y = min(max(self.y + dy * one, 0), self.rows - 1)
            self.x = min(max(self.x + dx * one, 0), self.columns - 1)
        elif final in "Hf":
            self.y = min(one, self.rows) - 1
            self.x = min(max(1, n[1] if len(n) > 1 else 1), self.columns) - 1
        elif final == "G":
            self.x = min(one, self.columns) - 1
        elif final == "d":
            self.y = min(one, self.rows) - 1
        elif final == "K":
            self.erase(self.y, 0 if n[0] else self.x, self.x + 1 if n[0] == 1 else self.columns)
        elif final == "J":
            self.erase_screen(n[0])
        elif final == "X":
            self.erase(self.y, self.x, self.x + one)
        elif final == "P":
            line = self.cells[self.y]
            del line[self.x:self.x + one]
            line += [(" ", frozenset())] * (self.columns - len(line))
        elif final == "@":
            line = self.cells[self.y]
            line[self.x:self.x] = [(" ", frozenset())] * one
            del line[self.columns:]
        elif final in "LM":
            self.scroll(self.y, one if final == "M" else -one)
        elif final in "ST":
            self.scroll(self.top, one if final == "S" else -one)
        elif final == "b":
            for _ in range(one):
                self.put(self.last)
        elif final == "r":
            self.top = one - 1
            self.bottom = (n[1] if len(n) > 1 and n[1] else self.rows) - 1
            self.y = self.x = 0
        elif final == "m":
            self.paint(n)
        elif final not in "lhtnc" and not between:
            raise ValueError(f"sequence {match.group(0)!r}")

    def erase_screen(self, what):
        for y in range(self.rows):
            if (what == 2 or what == 3 or (what == 0 and y > self.y) or (what == 1 and y < self.y)):
                self.erase(y, 0, self.columns)
        if what < 2:
            self.erase(self.y, 0 if what else self.x, self.x + 1 if what else self.columns)

    def mode(self, private, numbers, final):
        for n in numbers if private == "?" else ():
            (self.modes.add if final == "h" else self.modes.discard)(n)
            if n == 25:
                self.cursor_shown = final == "h"
            if n == 1049 and final == "h":
                self.main = self.cells
                self.cells = [self.blank_line() for _ in range(self.rows)]
            elif n == 1049 and self.main is not None:
                self.cells, self.main = self.main, None

    def paint(self, numbers):
        for n in numbers:
            if n in (0, 39, 49):
                keep = frozenset() if n == 0 else frozenset(
                    a for a in self.attributes if not (30 if n == 39 else 40) <= a < (40 if n == 39
                                                                                     else 50))
                self.attributes = keep
            elif n in (22, 24, 27):
                self.attributes -= {1, 2} if n == 22 else {n - 20}
            else:
                if 30 <= n < 38:
                    self.attributes = frozenset(a for a in self.attributes if not 30 <= a < 38)
                self.attributes |= {n}

    def feed(self, text):
        """Take output; returns what is an unfinished sequence at its end."""
        at = 0
        while at < len(text):
            c = text[at]
            if c == "\x1b":
                match = SEQUENCE.match(text, at)
                if match is None:
                    if len(text) - at > 40:
                        raise ValueError(f"sequence {text[at:at + 40]!r}")
                    return text[at:]
                self.sequence(match)
                at = match.end()
                continue
            if c < " " or c == "\x7f":
                self.control(c)
            else:
                self.put(c)
            at += 1
        return ""

    # ---- what is on it -----------------------------------------------------------------------

    def lines(self):
        return ["".join(c for c, _ in line).rstrip() for line in self.cells]

    def text(self):
        return "\n".join(self.lines())

    def attributes_of(self, y):
        """All attributes that are anywhere on a line."""
        return frozenset().union(*(a for c, a in self.cells[y] if c != " "), frozenset())


class Terminal:
    """A program that runs on a terminal of rows x columns."""

    def __init__(self, command, rows=24, columns=80, environment=None, directory=None):
        self.screen = Screen(rows, columns)
        self.raw = b""
        self.rest = ""
        self.decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                if directory:
                    os.chdir(directory)
                os.execve(command[0], command, environment or dict(os.environ))
            finally:
                os._exit(127)
        self.status = None

    def read(self, seconds):
        """Take what comes until it is silent for a moment, for at most so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            if not ready:
                return
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return  # the program is gone
            if not data:
                return
            self.raw += data
            self.rest = self.screen.feed(self.rest + self.decode(data))

    def wait_for(self, what, seconds=8):
        """Until the text is on the screen, or a function of the screen is true."""
        check = what if callable(what) else (lambda screen: what in screen.text())
        end = time.monotonic() + seconds
        while not check(self.screen):
            if time.monotonic() > end:
                raise AssertionError(f"{what!r} did not come; the screen is\n{self.screen.text()}")
            self.read(0.1)
        return self.screen

    def press(self, keys):
        os.write(self.fd, keys.encode())

    def resize(self, rows, columns):
        self.read(0.1)
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def local_modes(self):
        return termios.tcgetattr(self.fd)[3]

    def wait(self, seconds=5):
        """The exit status: a code, or minus the signal that ended it."""
        end = time.monotonic() + seconds
        while self.status is None:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                raise AssertionError(f"it does not end; the screen is\n{self.screen.text()}")
        self.read(0.05)
        return self.status

    def kill(self, number=signal.SIGTERM):
        os.kill(self.pid, number)

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.status = -signal.SIGKILL
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
