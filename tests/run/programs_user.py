#!/usr/bin/env python3
"""Real programs under `salut run` as an ordinary user, who has a private network.

    programs_user.py [--only NAME[,NAME]] [--tun | --no-tun]

Everything runs as nobody, twice: with a /dev/net/tun that anybody may open, and with one that only
root may. Servers are reached through --publish from outside and through `salut enter` from inside;
clients reach servers outside through the gateway, over IPv4 and IPv6. Programs that must change
their user refuse, with a sentence that says what is missing.
"""
import argparse
import contextlib
import os
import socket
import subprocess

import runs
import services as s

OUTSIDE = {4: "10.77.0.1", 6: "fd77::1"}  # addresses of the world that the gateway leads to
PUBLISHED = 18080


def as_user(words, *options):
    return runs.UNPRIVILEGED + [runs.SALUT, "run", "--quiet"] + list(options) + ["--"] + list(words)


def client(words):
    return as_user(words)


def published(port):
    return ["--publish", f"{PUBLISHED}:{port}"]


def holds(port):
    """True when a connection stays: a published port whose program is not there yet resets it."""
    with socket.socket() as sock:
        sock.settimeout(0.3)
        if sock.connect_ex(("127.0.0.1", port)) != 0:
            return False
        try:
            return sock.recv(1) != b""
        except TimeoutError:
            return True
        except ConnectionError:
            return False


@contextlib.contextmanager
def server(name, command, folder, port):
    """A server as nobody; ready when it answers outside."""
    with s.Running(name, as_user(command, *published(port)), folder, cwd="/") as running:
        runs.wait_until(lambda: running.process.poll() is not None or holds(PUBLISHED), name)
        runs.check(running.process.poll() is None, f"{name}: {running.log()}")
        yield running


def inside(running, words):
    """A command line that runs in the private network of a server."""
    return runs.UNPRIVILEGED + [runs.SALUT, "enter", "--pid", str(running.process.pid), "--"] + words


def http_server(folder, digests):
    with server("http.server", s.http_server(folder), folder, s.HTTP) as running:
        for name in ("1k", "large"):
            runs.check(s.curl("127.0.0.1", PUBLISHED, name) == digests[name], "digests differ")
            for family in (4, 6):
                got = s.curl(runs.SALUTS[family], s.HTTP, name,
                             wrap=lambda words: inside(running, words))
                runs.check(got == digests[name], f"inside, IPv{family}: digests differ")


def nginx(folder, digests):
    with server("nginx", s.nginx(folder), folder, s.HTTP):
        for name in ("1k", "large"):
            runs.check(s.curl("127.0.0.1", PUBLISHED, name) == digests[name], "digests differ")
        print(f"nginx: {s.wrk('127.0.0.1', PUBLISHED, '1k'):.0f} requests/s")


def redis(folder, digests):
    del digests
    with server("redis", s.redis(folder), folder, s.REDIS) as running:
        for family in (4, 6):
            rates = s.redis_benchmark(runs.SALUTS[family], wrap=lambda words: inside(running, words))
            print(f"redis, inside, IPv{family}: {rates}")


def clients(folder, digests):
    with s.Running("nginx outside", s.nginx(folder, user="user root;"), folder) as outside:
        outside.wait_for("127.0.0.1", s.HTTP)
        for family in (4, 6):
            for fetch in (s.curl, s.wget):
                for name in ("1k", "large"):
                    got = fetch(OUTSIDE[family], s.HTTP, name, wrap=client)
                    runs.check(got == digests[name], f"IPv{family}: digests differ")


def static(folder, digests):
    del digests
    talk = runs.tool("static_talk")
    with server("static server", [talk, "serve", runs.SALUTS[4], str(s.TALK)], folder, s.TALK):
        s.output_of([talk, "talk", "127.0.0.1", str(PUBLISHED), "5000000"])
    with s.Running("server outside", [talk, "serve", "::", str(s.TALK)], folder) as outside:
        outside.wait_for("::1", s.TALK)
        s.output_of(client([talk, "talk", OUTSIDE[6], str(s.TALK), "5000000"]))


def iperf(folder, digests):
    del digests
    serve = [runs.find("iperf3"), "-s", "-p", str(s.IPERF)]
    with s.Running("iperf3 outside", serve, folder):
        for family in (4, 6):
            for back in (False, True):
                rate = s.iperf(OUTSIDE[family], back, wrap=client)
                print(f"iperf3 client, IPv{family}, {'receives' if back else 'sends'}: "
                      f"{rate / 1e6:.0f} Mbit/s")
    with s.Running("iperf3", as_user(serve, *published(s.IPERF)), folder) as running:
        for back in (False, True):
            rate = s.iperf(runs.SALUTS[4], back, wrap=lambda words: inside(running, words))
            print(f"iperf3 server, inside, {'sends' if back else 'receives'}: "
                  f"{rate / 1e6:.0f} Mbit/s")


def refusals(folder, digests):
    """Programs that change their user cannot: it is said at the start why, and they fail."""
    del digests, folder
    for words in (s.AS_POSTGRES + ["true"], ["setpriv", "--reuid=0", "true"]):
        done = subprocess.run(runs.UNPRIVILEGED + [runs.SALUT, "run", "--"] + words,
                              capture_output=True, text=True, check=False, timeout=20, cwd="/",
                              stdin=subprocess.DEVNULL)
        runs.check(done.returncode != 0, f"{words}: exit {done.returncode}")
        runs.check("change their user" in done.stderr, f"nothing was said: {done.stderr}")


PROGRAMS = {function.__name__: function for function in (
    static, clients, http_server, nginx, redis, iperf, refusals)}


def set_up_outside():
    for family in (4, 6):
        bits = 32 if family == 4 else 128
        runs.run(["ip", "address", "add", f"{OUTSIDE[family]}/{bits}", "dev", "lo"])


def make_tun(mode):
    """A device node with these rights, in this mount namespace alone."""
    runs.run(["mount", "-t", "tmpfs", "none", "/dev/net"])
    runs.run(["mknod", "-m", mode, "/dev/net/tun", "c", "10", "200"])


def run_all(chosen):
    failed = []
    for name in chosen:
        with s.files() as (folder, digests):
            os.chmod(folder, 0o777)
            try:
                with runs.Timer(name):
                    PROGRAMS[name](folder, digests)
            except runs.Failure as failure:
                print(f"{name}: FAIL: {failure}", flush=True)
                failed.append(name)
    return failed


def body():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help=",".join(PROGRAMS))
    parser.add_argument("--tun", action="store_true", help="only with a device that may be opened")
    parser.add_argument("--no-tun", action="store_true", help="only without")
    arguments = parser.parse_args()
    chosen = [name for name in arguments.only.split(",") if name] or list(PROGRAMS)
    set_up_outside()
    failed = []
    if not arguments.tun:
        print("--- /dev/net/tun is root's")
        make_tun("600")
        failed += run_all(chosen)
    if not arguments.no_tun:
        print("--- /dev/net/tun may be opened")
        make_tun("666")
        failed += run_all(chosen)
    runs.check(not failed, "these failed: " + ", ".join(failed))


runs.main(body)
