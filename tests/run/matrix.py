#!/usr/bin/env python3
"""The socket matrix: what a program sees of TCP sockets, on the kernel and under `salut run`.

    matrix.py [--rows 1,2,13] [--keep DIR] [--kernel]

The program tests/run/sockets_matrix runs twice with the same peer, a kernel at the other end of the
wire: once on a kernel, over a virtual Ethernet pair, once under salut. Lines that differ fail the
test, except those that the table KNOWN names, each with its reason; a row of the table that does not
differ any more fails as well.
"""
import argparse
import difflib
import os
import re
import subprocess

import runs

# What the program holds is a UNIX socket, and reads and writes on it are the kernel's own: they say
# what UNIX sockets say. Row: which of its lines may differ, why, and what a program will notice.
KNOWN = {
    5: (r"the peer is silent: close 0, waited its time",
        "close(2) of a UNIX socket does not wait: with SO_LINGER and a time it returns at once, and "
        "what is unsent goes out in the background"),
    12: (r"read [05]$",
         "a UNIX socket whose reading side is shut takes no more data: what arrives after "
         "shutdown(SHUT_RD) is acknowledged and dropped, where TCP would still deliver it"),
    21: (r"write |read ",
         "a UNIX socket remembers a reset for reading alone: a write says EPIPE (with SIGPIPE), and "
         "the next read ECONNRESET, where TCP says ECONNRESET to whoever asks first"),
    22: (r"FIN, then reset",
         "a reset after the peer's FIN is not shown as POLLERR; a read says 0 and a write EPIPE, as "
         "TCP's"),
    23: (r"write |SO_ERROR then",
         "the same: a write on a socket whose connection was refused says EPIPE, and SO_ERROR "
         "keeps the error until it is asked"),
    24: (r"read (ETIMEDOUT|ECONNRESET)$",
         "the one error that a UNIX socket knows is ECONNRESET: a read after a time-out says that; "
         "SO_ERROR says ETIMEDOUT or EHOSTUNREACH, as TCP's"),
    27: (r"(read|recv|send) (ENOTCONN|EINVAL|EPIPE)$",
         "before a connection a read says EINVAL where TCP says ENOTCONN, a write ENOTCONN where "
         "TCP says EPIPE"),
    34: (r"bits ", "after connect(AF_UNSPEC) POLLERR is not shown"),
    44: (r"urgent|taken", "with urgent data poll says POLLIN beside POLLPRI"),
}
LIMIT_S = 400


class Peer:
    """The peer of the matrix, on the kernel's side."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "control")
        self.process = subprocess.Popen(
            [runs.tool("sockets_matrix"), "peer", self.path, runs.SALUTS[4], runs.SALUTS[6]],
            stdout=subprocess.PIPE, text=True, start_new_session=True)
        runs.check(self.process.stdout.readline() == "ready\n", "the peer does not start")
        os.chmod(self.path, 0o666)

    def close(self):
        runs.stop(self.process)


def app_words(peer, family, rows):
    return [runs.tool("sockets_matrix"), "app", peer.path, str(family), runs.SALUTS[family],
            runs.KERNEL[family], runs.LOST[family], runs.EMPTY[family]] + rows


def both_families(peer, rows, folder):
    """One shell command for both families side by side."""
    parts = [" ".join(app_words(peer, family, rows)) + f" > {folder}/v{family} 2>&1"
             for family in (4, 6)]
    return ["sh", "-c", f"{parts[0]} & {parts[1]} & wait"]


def take(command, folder):
    """Run the matrix; its lines."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    print(done.stdout + done.stderr, end="")
    runs.check(done.returncode == 0, f"{command[0]}: exit {done.returncode}")
    lines = []
    for family in (4, 6):
        with open(os.path.join(folder, f"v{family}"), encoding="ascii", errors="replace") as file:
            lines += file.read().splitlines()
    return lines


def row_of(line):
    found = re.match(r"IPv[46] SOCK-(\d+):", line)
    return int(found[1]) if found else 0


def by_row(lines):
    rows = {}
    for line in lines:
        rows.setdefault(row_of(line), []).append(line)
    return rows


def compare(kernel, salut):
    """The rows that differ, each with its lines: '-' the kernel's, '+' salut's."""
    kernel, salut = by_row(kernel), by_row(salut)
    wrong = {}
    for row in sorted(set(kernel) | set(salut)):
        theirs, ours = kernel.get(row, []), salut.get(row, [])
        if theirs != ours:
            wrong[row] = [line for line in difflib.ndiff(theirs, ours) if line[0] in "-+"]
    return wrong


def body():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default="")
    parser.add_argument("--keep", default="", help="a directory for the lines of both")
    parser.add_argument("--kernel", action="store_true",
                        help="twice on the kernel: is the matrix the same every time?")
    arguments = parser.parse_args()
    rows = [row for row in arguments.rows.split(",") if row]
    seen = {}
    with runs.scratch() as folder:
        os.chmod(folder, 0o755)
        peer = Peer(folder)
        try:
            other = runs.Other()
            with runs.Timer("kernel to kernel"):
                seen["kernel"] = take(other.command(*both_families(peer, rows, folder)), folder)
            if arguments.kernel:
                with runs.Timer("kernel to kernel, again"):
                    seen["salut"] = take(other.command(*both_families(peer, rows, folder)), folder)
            other.close()
            if not arguments.kernel:
                with runs.Timer("under salut"):
                    seen["salut"] = take(runs.under_salut(*both_families(peer, rows, folder)),
                                         folder)
        finally:
            peer.close()
    for name, lines in seen.items():
        if arguments.keep:
            with open(os.path.join(arguments.keep, name), "w", encoding="ascii") as file:
                file.write("\n".join(lines) + "\n")
    verdict(compare(seen["kernel"], seen["salut"]), len(seen["kernel"]), rows)


def is_known(row, lines):
    """True when every line that differs is one that may."""
    return row in KNOWN and all(re.search(KNOWN[row][0], line) for line in lines)


def verdict(wrong, count, rows):
    print(f"{count} lines")
    for row, lines in wrong.items():
        print(f"SOCK-{row:02}: differs" +
              (f", as known: {KNOWN[row][1]}" if is_known(row, lines) else ""))
        print("\n".join("    " + line for line in lines))
    bad = [row for row, lines in wrong.items() if not is_known(row, lines)]
    runs.check(not bad, "rows differ: " + ", ".join(f"SOCK-{row:02}" for row in bad))
    stale = [row for row in KNOWN if row not in wrong and not rows]
    runs.check(not stale, f"rows {stale} are excused and do not differ")


runs.main(body)
