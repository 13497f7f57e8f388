#!/usr/bin/env python3
"""salut sim as a user meets it: ready scenarios, messages, files, reproducibility.

    sim.py                every ready scenario and every option
    sim.py --fairness     two flows on one bottleneck, ten runs: the table, and a bound on it

A ready scenario must be listed with a title, exit 0 (all bytes right, no invariant broken), carry
something for every application, and do the same when it is played again.
"""
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.dom.minidom

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SALUT = os.path.abspath(os.environ.get("SALUT", os.path.join(ROOT, "build-debug/salut")))
READY = ("asymmetric", "black-hole", "bufferbloat", "fairness", "handover", "incast",
         "lossy-wifi", "policer", "reordering", "satellite", "short-flows")
PICTURES = ("cwnd", "rtt", "flight", "delivery", "queue")

# A scenario, and what the message about it must say.
WRONG = (
    ("host a\nhost b\nlink a b rate 10\napp bulk a -> b", "s.scn:3: rate wants a rate such as"),
    ("host a\nhost a", "s.scn:2: there is a 'a' already, in line 1"),
    ("hosts a", "s.scn:1: there is no 'hosts'; a statement begins with host, router, link"),
    ("host a; host b\nlink a c", "s.scn:2: there is no 'c' above"),
    ("host a; host b\nlink a b dealy 3ms", "no setting 'dealy' here; there are: rate delay"),
    ("host a; host b\nlink a b delay 3", "delay wants a time such as 20ms"),
    ("host a; host b\nlink a b loss 101%", "loss is 101%: too large"),
    ("host a; host b\nlink a b loss", "loss wants a chance such as 1%"),
    ("host a; host b\nlink a b queue 1bdp", "a queue forms in front of a rate"),
    ("host a; host b\nlink a b reorder 5%", "reorder wants two values with a comma"),
    ("host a; host b\nlink a b delay 1ms jitter 2ms", "the jitter is larger than the delay"),
    ("host a; host b\nlink a b\nlink b a", "s.scn:3: b and a are linked already, in line 2"),
    ("host a; host b\nlink a b\napp bulk a b", "s.scn:3: app wants FROM -> TO"),
    ("host a; host b\nlink a b\napp ftp a -> b", "bulk, request, onoff or web, not 'ftp'"),
    ("host a; host b\nlink a b\napp bulk a -> b think 1s", "app bulk takes: start stop"),
    ("host a; host b\nlink a b\napp bulk a -> b bytes x", "bytes wants bytes such as 10KB"),
    ("host a; host b\nlink a b\napp onoff a -> b", "has no end: say how long to run"),
    ("host a; host b\napp bulk a -> b bytes 1KB", "no links lead from a to b"),
    ("host a; router b\nlink a b\napp bulk a -> b bytes 1KB", "b is a router"),
    ("host a; host b\nlink a b\nat 3s link a b rate x", "rate wants a rate"),
    ("host a; host b\nlink a b rate $r", "no variable $r: say `let r VALUE` above"),
    ("host a; host b\nlink a b\nrun 3s", "nothing happens here: there is no app"),
    ("host a cc magic; host b\nlink a b\napp bulk a -> b bytes 1KB",
     "there is no congestion control 'magic'"),
)

SMALL = """title a small one
let rate 10Mb/s
host a
router m
host b
link a m rate 1Gb/s delay 1ms
link m b rate $rate delay 10ms queue 1bdp loss 1%
app bulk a -> b bytes 500KB label big
app request b -> a reply 3KB rounds 5 think 20ms label ask
"""


class Checks:
    def __init__(self):
        self.done = 0
        self.failed = 0

    def check(self, right, what):
        self.done += right
        self.failed += not right
        if not right:
            print(f"FAIL: {what}")
        return right


def sim(*words, cwd=None):
    return subprocess.run([SALUT, "sim", *words], capture_output=True, text=True, timeout=250,
                          check=False, cwd=cwd, stdin=subprocess.DEVNULL)


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def check_ready(checks):
    listed = sim("--list")
    names = [line.split()[0] for line in listed.stdout.splitlines()]
    checks.check(listed.returncode == 0 and set(READY) <= set(names), f"--list: {names}")
    checks.check(all(len(line.split(None, 1)) == 2 for line in listed.stdout.splitlines()),
                 "--list: a title each")
    for name in READY:
        first, second = sim(name, "--json"), sim(name, "--json")
        if not checks.check(first.returncode == 0, f"{name}: {first.stderr}"):
            continue
        checks.check(first.stdout == second.stdout, f"{name} is not the same again")
        rows = objects(first.stdout)
        flows = [row for row in rows if row["kind"] == "flow"]
        checks.check(flows and all(row["schema"] == 1 for row in rows), f"{name}: schema")
        carried = {row["app"] for row in flows if row["bytes"] > 0}
        checks.check(carried == {row["app"] for row in flows}, f"{name}: who carried nothing?")
        checks.check(all(row["status"] == "ok" for row in flows), f"{name}: a flow failed")
        checks.check(sim(name, "--until", "2s").returncode == 0, f"{name} --until 2s")


def check_messages(checks, folder):
    path = os.path.join(folder, "s.scn")
    for text, message in WRONG:
        with open(path, "w", encoding="ascii") as file:
            file.write(text + "\n")
        got = sim("s.scn", cwd=folder)
        checks.check(got.returncode == 2 and message in got.stderr,
                     f"{text!r}: exit {got.returncode}, {got.stderr!r}")


def check_files(checks, folder):
    with open(os.path.join(folder, "s.scn"), "w", encoding="ascii") as file:
        file.write(SMALL)
    got = sim("s.scn", "--csv", "s.csv", "--svg", "svg", "--pcap", "pcap", cwd=folder)
    checks.check(got.returncode == 0 and "a small one" in got.stdout, got.stderr)
    with open(os.path.join(folder, "s.csv"), encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    checks.check({row["name"] for row in rows if row["kind"] == "flow"} == {"big", "ask"},
                 "the CSV has both flows")
    delivered = [int(row["delivered_bytes"]) for row in rows if row["name"] == "big"]
    checks.check(delivered and delivered == sorted(delivered) and delivered[-1] <= 500000,
                 "delivery never goes back")
    for name in PICTURES:
        path = os.path.join(folder, "svg", name + ".svg")
        picture = xml.dom.minidom.parse(path)
        texts = ["".join(node.data for node in text.childNodes if node.nodeType == node.TEXT_NODE)
                 for text in picture.getElementsByTagName("text")]
        checks.check("time (s)" in texts and "a small one" in texts, f"{name}.svg: {texts}")
        checks.check(os.path.getsize(path) < 100000, f"{name}.svg is large")
        checks.check("href" not in picture.toxml(), f"{name}.svg needs something else")
    for host in "ab":
        with open(os.path.join(folder, "pcap", host + ".pcapng"), "rb") as file:
            data = file.read()
        checks.check(data[:4] == b"\x0a\x0d\x0d\x0a" and len(data) > 500000, f"{host}.pcapng")
    checks.check(not os.path.exists(os.path.join(folder, "pcap", "m.pcapng")), "m has no stack")


def check_options(checks, folder):
    rows = objects(sim("s.scn", "--json", cwd=folder).stdout)
    big = next(row for row in rows if row.get("name") == "big")
    checks.check(big["bytes"] == 500000 and big["finished"], f"all bytes: {big}")
    checks.check(big["rtt_min_us"] >= 22000, f"a round trip has at least 22 ms: {big}")
    other = sim("s.scn", "--json", "--seed", "2", cwd=folder).stdout
    checks.check(objects(other)[0]["hash"] != rows[0]["hash"], "another seed is another run")
    slow = objects(sim("s.scn", "--json", "--set", "rate=1Mb/s", cwd=folder).stdout)
    checks.check(slow[0]["seconds"] > 4, f"at 1 Mb/s 500 KB take 4 s: {slow[0]}")
    many = sim("s.scn", "--runs", "3", cwd=folder).stdout
    checks.check("3 runs" in many and "min .. max" in many, many)
    checks.check(len([row for row in objects(sim("s.scn", "--runs", "3", "--json",
                                                 cwd=folder).stdout)
                      if row["kind"] == "run"]) == 3, "an object a run")
    for words, message in ((("--set", "x=1"), "nothing here is called x"),
                           (("--set", "x"), "--set wants NAME=VALUE"),
                           (("--csv", "no/such/place"), "no/such/place")):
        got = sim("s.scn", *words, cwd=folder)
        checks.check(got.returncode in (1, 2) and message in got.stderr, f"{words}: {got.stderr}")
    got = sim("nowhere")
    checks.check(got.returncode == 2 and "no ready scenario" in got.stderr, got.stderr)


def check_fast_and_reordered(checks, folder):
    """200 Mb/s, 50 ms, a queue of one BDP, 5 % late by 10 ms: slow start must end before the queue
    overflows, or what is late is refused behind each repair, and the rate falls to a quarter."""
    with open(os.path.join(folder, "s.scn"), "w", encoding="ascii") as file:
        file.write("host a; host b\n"
                   "link a b rate 200Mb/s delay 25ms queue 1bdp reorder 5%,10ms "
                   "back queue none reorder 0%,1ms\n"
                   "app bulk a -> b\nrun 6s\n")
    for seed in ("1", "2", "3"):
        flow = next(o for o in objects(sim("s.scn", "--json", "--seed", seed, cwd=folder).stdout)
                    if o["kind"] == "flow")
        checks.check(flow["goodput_bps"] > 150e6 and flow["retransmits"] < 100,
                    f"seed {seed}: {flow['goodput_bps'] / 1e6:.0f} Mb/s, "
                    f"{flow['retransmits']} sent again, over 200 Mb/s with reordering")


def check_installed(checks, folder):
    """As make install leaves them, also when the tree was moved, and where a variable says."""
    binary = os.path.join(folder, "usr", "bin", "salut")
    shared = os.path.join(folder, "usr", "share", "salut", "scenarios")
    os.makedirs(os.path.dirname(binary))
    shutil.copy(SALUT, binary)
    shutil.copytree(os.path.join(ROOT, "examples", "scenarios"), shared)
    environment = {name: value for name, value in os.environ.items() if name != "SALUT_SCENARIOS"}
    for variable in (None, shared):
        if variable:
            environment["SALUT_SCENARIOS"] = variable
            os.remove(os.path.join(shared, "incast.scn"))
        got = subprocess.run([binary, "sim", "--list"], capture_output=True, text=True,
                             check=False, cwd="/", env=environment)
        names = {line.split()[0] for line in got.stdout.splitlines()}
        checks.check(names == set(READY) - ({"incast"} if variable else set()),
                     f"installed: {got.stdout}{got.stderr}")
    environment["SALUT_SCENARIOS"] = folder
    got = subprocess.run([binary, "sim", "--list"], capture_output=True, text=True, check=False,
                         env=environment)
    checks.check(got.returncode == 3 and "no ready scenarios" in got.stderr, got.stderr)


def fairness():
    table = sim("fairness", "--runs", "10")
    print(table.stdout)
    if table.returncode != 0:
        print(table.stderr)
        return 1
    shares = {}
    for line in table.stdout.splitlines():
        if line.startswith(("first", "second")):
            # name, route (3 words), ..., the share, and "min .. max"
            shares[line.split()[0]] = float(line.split("%")[-2].split()[-1])
    right = set(shares) == {"first", "second"} and all(40 <= x <= 60 for x in shares.values())
    print(f"mean shares {shares}: {'fair' if right else 'NOT within 40 to 60 %'}")
    return 0 if right else 1


def main():
    if not os.access(SALUT, os.X_OK):
        print(f"there is no {SALUT}: run `make` first, or set SALUT")
        return 1
    if sys.argv[1:] == ["--fairness"]:
        return fairness()
    checks = Checks()
    check_ready(checks)
    with tempfile.TemporaryDirectory() as folder:
        check_messages(checks, folder)
        check_files(checks, folder)
        check_options(checks, folder)
        check_fast_and_reordered(checks, folder)
        os.remove(os.path.join(folder, "s.scn"))
        check_installed(checks, folder)
    print(f"{checks.done} things about salut sim are right, {checks.failed} are not")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
