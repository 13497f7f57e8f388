#!/usr/bin/env python3
"""kill -9 of a program, or of the supervisor, at random moments.

    kills.py [--rounds 50] [--seed 1] [--round N]

In each round a program under salut is a server for the kernel's clients, or a client of the
kernel's server (as root, or as an ordinary user through the gateway of a private network), with four connections that move bytes both ways; at a random moment one of its
processes, or its supervisor, is killed. Then nobody may hang: the program's processes end, and so
does salut. When a program was killed, the kernel's side must see FIN or RST on every connection;
when the supervisor was, nobody is left to send one, unless the connections were the gateway's, and
the program must have been told. Nothing
may be left behind. A round depends on the seed and its number alone, as far as time allows.
"""
import argparse
import os
import random
import signal
import socket
import subprocess
import threading
import time

import runs
import services as s

CONNECTIONS = 4
LIMIT_S = 10
OUTSIDE = {4: "10.77.0.1", 6: "fd77::1"}  # where the gateway leads


class Echo:
    """The kernel's echo server: how each connection ended."""

    def __init__(self, family):
        kind = socket.AF_INET6 if family == 6 else socket.AF_INET
        self.listener = socket.create_server(("::" if family == 6 else "0.0.0.0", s.TALK),
                                             family=kind)
        self.open, self.ends = [], []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                conn = self.listener.accept()[0]
            except OSError:
                return
            self.open.append(conn)
            threading.Thread(target=self.echo, args=(conn,), daemon=True).start()

    def echo(self, conn):
        self.ends.append(exchange(conn, lambda data: data))

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        close_all(self.open)


def exchange(conn, answer, first=b""):
    """Move bytes until the other side ends it: FIN, RST, or what else."""
    conn.settimeout(LIMIT_S)
    try:
        conn.sendall(first)
        while True:
            data = conn.recv(1 << 16)
            if not data:
                return "FIN"
            conn.sendall(answer(data))
    except TimeoutError:
        return "nothing"
    except OSError as error:
        return "RST" if isinstance(error, (ConnectionError, BrokenPipeError)) else str(error)


def close_all(conns):
    for conn in conns:
        try:
            conn.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        conn.close()


class Callers:
    """The kernel's clients of a server under salut."""

    def __init__(self, family):
        self.open, self.ends = [], []
        self.family = family

    def connect(self, process, address):
        kind = socket.AF_INET6 if self.family == 6 else socket.AF_INET
        end = time.monotonic() + LIMIT_S
        while len(self.open) < CONNECTIONS and process.poll() is None:
            conn = socket.socket(kind)
            conn.settimeout(0.5)
            if conn.connect_ex((address, s.TALK)) != 0:
                conn.close()
                runs.check(time.monotonic() < end, "the server does not come")
                time.sleep(0.01)
                continue
            self.open.append(conn)
            threading.Thread(target=self.talk, args=(conn,), daemon=True).start()

    def talk(self, conn):
        self.ends.append(exchange(conn, lambda data: data, bytes(100000)))

    def close(self):
        close_all(self.open)


def victim_of(salut, chance):
    """("program" or "supervisor", its process id)."""
    below = [pid for pid in runs.children(salut.pid) if runs.name_of(pid) == "static_talk"]
    if below and chance.random() < 0.6:
        return "program", chance.choice(below) if chance.random() < 0.3 else below[0]
    return "supervisor", salut.pid


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def all_ended(salut):
    return salut.poll() is not None and not [
        pid for pid in os.listdir("/proc") if pid.isdigit() and
        runs.name_of(pid) in ("static_talk", "salut") and not runs.is_zombie(pid)]


def start_sides(family, chance):
    """(salut's process, the kernel's side, what is under salut)."""
    talk = runs.tool("static_talk")
    if chance.random() < 0.5:
        words = [talk, "serve", runs.SALUTS[family], str(s.TALK)]
        return runs.start(runs.under_salut(*words)), Callers(family), "server"
    side = Echo(family)
    private = chance.random() < 0.4
    to = OUTSIDE[family] if private else runs.KERNEL[family]
    one = f"{talk} talk {to} {s.TALK} 1000000000"
    words = ["sh", "-c", " & ".join([one] * CONNECTIONS) + " & wait"]
    if private:
        command = runs.UNPRIVILEGED + [runs.SALUT, "run", "--quiet", "--"] + words
        return runs.start(command, cwd="/"), side, "private client"
    return runs.start(runs.under_salut(*words)), side, "client"


def round_of(number, seed):
    chance = random.Random(f"{seed} {number}")
    family = chance.choice((4, 6))
    salut, side, role = start_sides(family, chance)
    try:
        if role == "server" and chance.random() < 0.9:
            side.connect(salut, runs.SALUTS[family])
        elif role != "server" and chance.random() < 0.9:
            runs.wait_until(lambda: len(side.open) == CONNECTIONS or salut.poll() is not None,
                            "the clients")
        time.sleep(chance.random() * 0.15)
        who, pid = victim_of(salut, chance)
        kill(pid)
        finish(salut, side, role, who)
        ends = sorted(side.ends)
    finally:
        for pid in [salut.pid] + runs.children(salut.pid):
            kill(pid)
        salut.wait()
        side.close()
    return f"{role}, IPv{family}, {who} killed: {ends}"


def finish(salut, side, role, who):
    """After the kill: what has to end ends, and is heard of."""
    def heard():
        # One process is gone; the others, and what they start meanwhile, are told to go, too.
        for pid in runs.children(salut.pid) if who == "program" else ():
            if runs.name_of(pid) in ("static_talk", "sh"):
                kill(pid)
        return len(side.ends) == len(side.open)

    if who == "program" or role == "private client":
        runs.wait_until(heard, f"{role}, {who} killed: all of {len(side.open)} hear of it",
                        LIMIT_S)
        runs.check(set(side.ends) <= {"FIN", "RST"}, f"the kernel's side saw {side.ends}")
    try:
        runs.wait_until(lambda: (runs.reap(), all_ended(salut))[1], "everything ends", LIMIT_S)
    except runs.Failure:
        left = runs.Leftovers.look()["processes"]
        raise runs.Failure(f"{role}, {who} killed: these go on: {left}") from None


def body():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--round", type=int, default=0, help="one round alone")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    numbers = [arguments.round] if arguments.round else range(1, arguments.rounds + 1)
    for family, bits in ((4, 32), (6, 128)):
        runs.run(["ip", "address", "add", f"{OUTSIDE[family]}/{bits}", "dev", "lo"])
    before = runs.Leftovers()
    with runs.Timer(f"{len(numbers)} rounds"):
        for number in numbers:
            try:
                text = round_of(number, arguments.seed)
                before.check(text)
            except (runs.Failure, subprocess.TimeoutExpired) as failure:
                raise runs.Failure(f"round {number} of seed {arguments.seed}: {failure}") from None
            print(f"{number}: {text}", flush=True)


runs.main(body)
