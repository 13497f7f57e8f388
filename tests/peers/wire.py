#!/usr/bin/env python3
"""`salut wire` between two kernels: what its ledger says is what arrived.

    wire.py [--packets 4000]

Numbered datagrams go from this namespace's kernel to one in a second namespace, over a wire with
every fault. Neighbours are set by hand and IPv6 is off, so that nothing else travels: the numbers
must be equal, not close. Corrupted datagrams must have been dropped by the other kernel's
checksums, marked ones must arrive as CE. The same seed must do the same to the same packets.
Then the exit codes.
"""
import argparse
import json
import signal
import socket
import subprocess
import sys
import time

import peers

HERE, THERE, PORT = "10.97.0.1", "10.97.0.2", 4711
BURST, BURST_EVERY_S = 60, 0.012
FAULTS = ["--loss", "5%", "--burst-loss", "2%,5", "--dup", "3%", "--corrupt", "2%",
          "--reorder", "5%,10ms", "--delay", "5ms", "--jitter", "2ms",
          "--rate", "50mbit", "--queue", "40p", "--ecn", "10p",
          "--back-loss", "0%", "--back-burst-loss", "0%,1"]
# Counts what arrives in the other namespace: number and whether it was marked, one a line.
LISTENER = f"""
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
s.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
s.bind(("", {PORT}))
print("ready", flush=True)
s.settimeout(1.5)
try:
    while True:
        data, extra, _, _ = s.recvmsg(2048, 64)
        tos = extra[0][2][0]
        print(int.from_bytes(data[:4], "big"), int(tos & 3 == 3))
except TimeoutError:
    pass
for line in open("/proc/net/snmp"):
    if line.startswith(("Udp: ", "Ip: ")):
        print("#", line.strip())
for line in open("/proc/net/netstat"):
    if line.startswith("IpExt: "):
        print("#", line.strip())
"""


class Other:
    """The second namespace, held by a sleeping process."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 600"],
                                        stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()
        self.enter = ["nsenter", "-t", str(self.process.pid), "-n"]
        self.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")

    def run(self, *command):
        return peers.run(self.enter + list(command))

    def stop(self):
        self.process.kill()
        self.process.wait()


def mac_of(text):
    return json.loads(text)[0]["address"]


def set_up(other):
    peers.run(["ip", "address", "add", f"{HERE}/24", "dev", "wa"])
    other.run("ip", "address", "add", f"{THERE}/24", "dev", "wb")
    ours = mac_of(peers.run(["ip", "-j", "link", "show", "wa"]))
    theirs = mac_of(other.run("ip", "-j", "link", "show", "wb"))
    peers.run(["ip", "neigh", "replace", THERE, "lladdr", theirs, "dev", "wa"])
    other.run("ip", "neigh", "replace", HERE, "lladdr", ours, "dev", "wb")


def send_all(packets):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 2)  # ECT(0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    for number in range(1, packets + 1):
        sock.sendto(number.to_bytes(4, "big") + bytes(996), (THERE, PORT))
        if number % BURST == 0:
            time.sleep(BURST_EVERY_S)  # the queue fills with each burst, and empties
    sock.close()


def counter(lines, protocol, name):
    rows = [line[2:].split() for line in lines if line.startswith(f"# {protocol}: ")]
    return int(rows[1][rows[0].index(name)])


def run_wire(other, packets, options):
    """Returns the ledger's two lines, (number, marked) of what arrived, and checksum drops."""
    command = [peers.SALUT, "wire", "--json", "--duration", "90s"] + options
    command += ["wa", f"{other.process.pid}:wb"]
    wire = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = wire.stdout.readline()
    if not first:
        err = wire.communicate()[1]
        if wire.returncode == 3:
            peers.skip("the wire cannot have its devices: " + err.strip())
        raise peers.Failure(f"salut wire: exit {wire.returncode}: {err}")
    peers.check(json.loads(first)["event"] == "joined", f"strange first line: {first}")
    set_up(other)
    listener = subprocess.Popen(other.enter + [sys.executable, "-c", LISTENER],
                                stdout=subprocess.PIPE, text=True)
    listener.stdout.readline()
    send_all(packets)
    lines = listener.communicate(timeout=60)[0].splitlines()
    wire.send_signal(signal.SIGTERM)
    out, err = wire.communicate(timeout=20)
    peers.check(wire.returncode == 0, f"salut wire: exit {wire.returncode}: {err}")
    arrived = [tuple(map(int, line.split())) for line in lines if not line.startswith("#")]
    # Counters of a namespace last; those of the runs before are taken off by the caller.
    drops = counter(lines, "Udp", "InCsumErrors") + counter(lines, "IpExt", "InCsumErrors")
    drops += counter(lines, "Ip", "InHdrErrors")
    return [json.loads(line) for line in out.splitlines()], arrived, drops


def check_ledger(ledger, arrived, drops, packets):
    there, back = ledger
    print(", ".join(f"{name} {there[name]}" for name in (
        "seen", "lost", "overflowed", "duplicated", "reordered", "corrupted", "marked", "passed",
        "queue_top_packets", "late_p99_us")))
    peers.check(there["seen"] == packets, f"the wire saw {there['seen']} packets, not {packets}")
    peers.check(back["seen"] == 0, f"{back['seen']} packets came back")
    books = there["lost"] + there["overflowed"] + there["passed"] + there["held"]
    peers.check(there["seen"] + there["duplicated"] == books and there["held"] == 0,
                "the books do not balance")
    peers.check(len(arrived) == there["passed"] - there["corrupted"],
                f"{len(arrived)} datagrams arrived, {there['passed']} passed")
    # A wrong IPv4 header checksum may be counted twice, so equality is for what arrived.
    peers.check(drops >= there["corrupted"], f"only {drops} dropped by a checksum")
    for fault in ("lost", "overflowed", "duplicated", "reordered", "corrupted", "marked"):
        peers.check(there[fault] > 0, f"no packet was {fault}")
    peers.check(there["queue_top_packets"] == 40, "the queue was never full, or overfull")


def check_marks(ledger, arrived):
    """Corrupted marked ones do not arrive, copies arrive twice."""
    marks = sum(marked for _, marked in arrived)
    slack = ledger[0]["corrupted"] + ledger[0]["duplicated"]
    peers.check(abs(marks - ledger[0]["marked"]) <= slack and marks > 0,
                f"{marks} datagrams arrived marked, {ledger[0]['marked']} were")


def check_fate(other, packets):
    """Without a queue nothing depends on time: a seed is a fate."""
    faults = ["--loss", "5%", "--dup", "3%", "--corrupt", "2%", "--delay", "2ms"]
    runs = [run_wire(other, packets, faults + ["--seed", seed])[1] for seed in ("7", "7", "8")]
    peers.check(sorted(runs[0]) == sorted(runs[1]), "the same seed did something else")
    peers.check(sorted(runs[0]) != sorted(runs[2]), "another seed did the same")


def check_exits():
    for code, words in ((2, ["wa"]), (2, ["--loss", "200%", "wa", "wb"]),
                        (2, ["--queue", "1bdp", "wa", "wb"]),
                        (2, ["--delay", "1ms", "--jitter", "2ms", "wa", "wb"]),
                        (2, ["--burst-loss", "1%", "wa", "wb"]),
                        (3, ["nowhere:wa", "wb"]), (0, ["--duration", "100ms", "wa", "wb"])):
        done = subprocess.run([peers.SALUT, "wire"] + words, capture_output=True, text=True,
                              check=False, timeout=20)
        peers.check(done.returncode == code,
                    f"salut wire {' '.join(words)}: exit {done.returncode}, not {code}")
        peers.check((done.stderr == "") == (code == 0), f"{' '.join(words)}: said {done.stderr!r}")


def body():
    parser = argparse.ArgumentParser()
    parser.add_argument("--packets", type=int, default=4000)
    arguments = parser.parse_args()
    peers.sysctl("ipv6/conf/default/disable_ipv6", "1")
    other = Other()
    try:
        ledger, arrived, drops = run_wire(other, arguments.packets, FAULTS)
        check_ledger(ledger, arrived, drops, arguments.packets)
        check_marks(ledger, arrived)
        check_fate(other, arguments.packets)
        check_exits()
    finally:
        other.stop()


peers.main(body)
