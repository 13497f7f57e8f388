#!/usr/bin/env python3
"""Busy servers without a fault give no finding: the kernel's (nginx) and salut's, for a minute.

    healthy.py [--seconds 60]

In a network namespace of its own: wrk keeps 32 connections to nginx over loopback and 32 to
`salut serve --http` over its device busy, and a program opens and closes short ones to both. `salut
doctor` looks all the time, with its own defaults. Needs root or user namespaces, nginx and wrk;
without, it says so and exits 77.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../peers"))
import peers  # noqa: E402
from nginx_server import PORT, start_nginx  # noqa: E402

FILE = "page"
BYTES = 20000
SALUTS = peers.SALUTS[4]


def wrk(url, seconds):
    return subprocess.Popen([shutil.which("wrk"), "-t", "1", "-c", "32", "-d", f"{seconds}s", url],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def short_ones(urls, over, taken):
    """Some thirty connections a second, each for one request."""
    while not over.is_set():
        for url in urls:
            with urllib.request.urlopen(url, timeout=20) as answer:
                taken.append(len(answer.read()))
        time.sleep(0.06)


def doctor():
    got = subprocess.run([peers.SALUT, "doctor", "--json"], capture_output=True, text=True,
                         timeout=60, check=False)
    peers.check(got.returncode in (0, 1), f"doctor exits {got.returncode}: {got.stderr}")
    return [json.loads(line) for line in got.stdout.splitlines()]


def look_on(seconds):
    looks, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        found = doctor()
        looks += 1
        peers.check(found == [], "; ".join(f"{f['id']} ({f['source']}): {f['evidence']}"
                                           for f in found))
    return looks


def busy(urls, seconds):
    over, taken = threading.Event(), []
    thread = threading.Thread(target=short_ones, args=(urls, over, taken))
    clients = [wrk(url, seconds + 5) for url in urls]
    thread.start()
    try:
        time.sleep(1)
        looks = look_on(seconds)
    finally:
        over.set()
        thread.join()
        said = [client.communicate()[0] for client in clients]
    for text in said:
        peers.check("Requests/sec" in text and "Socket errors" not in text, text)
    peers.check(len(taken) > seconds and set(taken) == {BYTES}, f"{len(taken)}: {set(taken)}")
    rates = [text.split("Requests/sec:")[1].split()[0] for text in said]
    print(f"ok: {looks} looks in {seconds} s found nothing; {' and '.join(rates)} requests a second, "
          f"{len(taken)} short connections")


def body():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    words = parser.parse_args()
    if shutil.which("wrk") is None:
        peers.skip("wrk is not installed: make deps-test")
    with peers.scratch() as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        os.chmod(folder, 0o755)
        os.mkdir(os.path.join(folder, "www"))
        for name in (FILE, f"www/{FILE}"):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(os.urandom(BYTES))
        server = start_nginx(folder)
        try:
            with peers.Serve("--http", os.path.join(folder, "www")):
                busy([f"http://127.0.0.1:{PORT}/{FILE}", f"http://{SALUTS}/{FILE}"], words.seconds)
        finally:
            server.terminate()
            server.communicate(timeout=10)


peers.main(body)
