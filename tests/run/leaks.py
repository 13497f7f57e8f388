#!/usr/bin/env python3
"""Many starts of a short program under `salut run`: nothing may be left.

    leaks.py [--starts 50]

Three kinds of start take turns: a client that talks to the kernel and ends; the same as an ordinary
user, in a private network; and a server that is told to end while a connection is open. Afterwards
the processes, namespaces, devices, UNIX sockets, mounts and files must be those of before.
"""
import argparse
import os
import signal
import socket
import subprocess

import runs
import services as s

LIMIT_S = 20


def finish(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S,
                          stdin=subprocess.DEVNULL)
    runs.check(done.returncode == 0,
               f"{' '.join(command)}: exit {done.returncode}: {done.stdout} {done.stderr}")


def client(family):
    finish(runs.under_salut(runs.tool("static_talk"), "talk", runs.KERNEL[family], str(s.TALK),
                            "10000"))


def private(family):
    del family
    finish(runs.UNPRIVILEGED + [runs.SALUT, "run", "--quiet", "--", "true"])


def server(family):
    address = runs.SALUTS[family]
    process = runs.start(runs.under_salut(runs.tool("static_talk"), "serve", address, str(s.TALK)))
    try:
        runs.wait_until(lambda: s.answers(address, s.TALK), "the server")
        kind = socket.AF_INET6 if family == 6 else socket.AF_INET
        with socket.socket(kind) as open_one:
            open_one.settimeout(LIMIT_S)
            open_one.connect((address, s.TALK))
            open_one.sendall(b"x")
            runs.check(open_one.recv(1) == b"x", "no echo")
            process.send_signal(signal.SIGTERM)
            open_one.shutdown(socket.SHUT_WR)  # the child that echoes goes on until then
            process.wait(LIMIT_S)
    except subprocess.TimeoutExpired:
        raise runs.Failure(f"processes go on: {runs.Leftovers.look()['processes']}") from None
    finally:
        runs.check(runs.stop(process, signal.SIGKILL) is not None, "the server did not end")


def body():
    parser = argparse.ArgumentParser()
    parser.add_argument("--starts", type=int, default=50)
    starts = parser.parse_args().starts
    with runs.scratch() as folder:
        echo = [runs.tool("static_talk"), "serve", "::", str(s.TALK)]
        with s.Running("kernel's server", echo, folder) as kernel:
            kernel.wait_for("::1", s.TALK)
            os.chdir("/")
            kinds = (client, private, server)
            for kind in kinds:
                kind(4)  # what the first start brings for good, such as kernel threads
            before = runs.Leftovers()
            with runs.Timer(f"{starts} starts"):
                for number in range(starts):
                    kinds[number % 3](4 if number % 2 else 6)
                    if number % 20 == 0:
                        before.check(f"start {number}")
            before.check(f"{starts} starts")


runs.main(body)
