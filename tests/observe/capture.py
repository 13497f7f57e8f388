#!/usr/bin/env python3
"""`salut capture`, against tshark: what it writes is read, filtered as asked, and commented rightly.

    capture.py

In a network namespace of its own, over loopback and over a peer behind a TUN device: the story of
a connection is captured, and each change of state must stand on the packet that made it. Also: a
pipe, a ring of files, a count, and life without the privilege for comments. Needs root; tshark
reads the files. Where either is missing, it says so and exits 77.
"""
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../peers"))
import peers  # noqa: E402

FIELDS = ["frame.number", "tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.len", "frame.comment"]
FIN, SYN, RST, ACK = 1, 2, 4, 16


class Capture:
    def __init__(self, *words, prefix=(), **how):
        self.process = subprocess.Popen([*prefix, peers.SALUT, "capture", *words],
                                        stderr=subprocess.PIPE, text=True, **how)
        path = how["stdout"].name if "stdout" in how else words[words.index("-w") + 1]
        for _ in range(200):  # its file has a head when it is ready
            time.sleep(0.05)
            began = os.path.exists(path) and os.path.getsize(path) > 0
            if began or self.process.poll() is not None:
                break
        if self.process.poll() == 3:
            peers.skip(self.process.stderr.read().strip())
        if self.process.poll() is not None:
            raise peers.Failure("salut capture has ended: " + self.process.stderr.read())

    def stop(self, wait_s=0.4):
        time.sleep(wait_s)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=10)
        peers.check(self.process.returncode == 0, f"exit {self.process.returncode}: {said}")
        return said


def rows(path):
    """What tshark sees: a list of dicts."""
    command = ["tshark", "-r", path, "-T", "fields", "-E", "separator=|"]
    for field in FIELDS:
        command += ["-e", field]
    got = subprocess.run(command, capture_output=True, text=True, check=False)
    trouble = [line for line in got.stderr.splitlines() if "Running as user" not in line]
    peers.check(got.returncode == 0 and not trouble, f"tshark does not read it: {trouble}")
    found = []
    for line in got.stdout.splitlines():
        words = line.split("|")
        found.append({"from": int(words[1] or 0), "to": int(words[2] or 0),
                      "flags": int(words[3] or "0", 16), "bytes": int(words[4] or 0),
                      "comment": words[5] if len(words) > 5 else ""})
    return found


def story():
    """A connection over loopback: request, answer, server closes; one more is reset."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(5)
    port = listener.getsockname()[1]
    here = socket.create_connection(("127.0.0.1", port))
    there, _ = listener.accept()
    here.send(b"request")
    there.recv(10)
    there.send(b"answer")
    here.recv(10)
    there.close()
    time.sleep(0.05)
    here.close()
    first = port
    here = socket.create_connection(("127.0.0.1", port))
    there, _ = listener.accept()
    here.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    here.close()
    time.sleep(0.05)
    there.close()
    listener.close()
    refused = socket.socket()
    refused.connect_ex(("127.0.0.1", first))
    refused.close()
    return port


# What must stand where: flags the packet has, whether the server sent it, and words of the comment.
WANTED = (
    (SYN, 0, False, "CLOSED -> SYN-SENT: the program called connect()"),
    (SYN | ACK, 0, True, "SYN-SENT -> ESTABLISHED: the peer answered the SYN"),
    (ACK, SYN | FIN | RST, False, "SYN-RECEIVED -> ESTABLISHED: a peer completed the handshake"),
    (FIN, 0, True, "ESTABLISHED -> FIN-WAIT-1: the program called close()"),
    (FIN, 0, True, "ESTABLISHED -> CLOSE-WAIT: the peer sent FIN"),
    (FIN, 0, False, "CLOSE-WAIT -> LAST-ACK: the program called close()"),
    (ACK, 0, True, "LAST-ACK -> CLOSED: the peer acknowledged our FIN, the last"),
    (RST, 0, False, "ESTABLISHED -> CLOSED: closed with SO_LINGER 0"),
    (RST, 0, False, "ESTABLISHED -> CLOSED: the peer sent RST"),
    (RST, 0, True, "SYN-SENT -> CLOSED: refused"),
)


def check_comments(folder):
    path = os.path.join(folder, "story.pcapng")
    capture = Capture("-i", "lo", "-w", path)
    port = story()
    said = capture.stop()
    seen = rows(path)
    peers.check(len(seen) >= 15, f"only {len(seen)} packets: {said}")
    for flags, none, server, words in WANTED:
        fits = [r for r in seen if r["flags"] & flags == flags and r["flags"] & none == 0
                and (r["from"] == port) == server and words in r["comment"]]
        peers.check(fits, f"'{words}' stands on no packet that made it: {seen}")
    opened = [r for r in seen if "a peer completed the handshake" in r["comment"]]
    peers.check(all(not r["flags"] & (SYN | FIN | RST) for r in opened),
                f"the handshake is completed by the wrong packet: {opened}")
    misplaced = [r for r in seen if "FIN" in r["comment"] and "sent FIN" in r["comment"]
                 and not r["flags"] & FIN]
    peers.check(not misplaced, f"a comment stands on the wrong packet: {misplaced}")
    peers.check(" 0 dropped" in said, f"packets were dropped: {said}")
    peers.check("python" in " ".join(r["comment"] for r in seen), "no comment names the program")
    print(f"comments: {sum(bool(r['comment']) for r in seen)} of {len(seen)} packets, each right")


def check_explain(folder):
    got = subprocess.run([peers.SALUT, "explain", os.path.join(folder, "story.pcapng")],
                         capture_output=True, text=True, check=False)
    peers.check(got.returncode in (0, 1) and got.stdout, f"explain does not read it: {got.stderr}")
    print("salut explain reads it")


def check_filter(folder):
    path = os.path.join(folder, "filtered.pcapng")
    capture = Capture("-i", "lo", "-w", path, "tcp[tcpflags]", "&", "tcp-syn", "!=", "0")
    story()
    capture.stop()
    seen = rows(path)
    peers.check(seen and all(r["flags"] & SYN for r in seen), f"the filter lets through: {seen}")
    print(f"filter: {len(seen)} packets, each with SYN")


def check_pipe(folder):
    path = os.path.join(folder, "pipe.pcapng")
    with open(path, "wb") as file:
        capture = Capture("-i", "lo", "-c", "5", "--no-comments", "-w", "-", stdout=file)
        story()
        said = capture.stop()
    seen = rows(path)
    peers.check(len(seen) == 5 and "5 packets" in said, f"-c 5 gives {len(seen)}: {said}")
    print("standard output and -c: 5 packets")


def check_ring(folder):
    path = os.path.join(folder, "ring.pcapng")
    capture = Capture("-i", "lo", "--rotate", "64K,3", "-w", path, "--no-comments")
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(400):
        sender.sendto(b"x" * 1000, ("127.0.0.1", 9))
        time.sleep(0.0005)
    capture.stop()
    names = sorted(name for name in os.listdir(folder) if name.startswith("ring"))
    peers.check(names == ["ring.pcapng", "ring.pcapng.1", "ring.pcapng.2"], f"files: {names}")
    for name in names:
        size = os.path.getsize(os.path.join(folder, name))
        peers.check(size <= 65536, f"{name} has {size} bytes")
        peers.check(rows(os.path.join(folder, name)), f"{name} is empty")
    print("a ring of 3 files, each whole")


def check_two_interfaces(folder):
    path = os.path.join(folder, "two.pcapng")
    peers.run(["ip", "link", "add", "left", "type", "veth", "peer", "name", "right"])
    peers.run(["ip", "addr", "add", "10.66.0.1/24", "dev", "left"])
    for name in ("left", "right"):
        peers.run(["ip", "link", "set", name, "up"])
    capture = Capture("--no-comments", "-w", path)
    story()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"x", ("10.66.0.2", 9))
    capture.stop()
    got = subprocess.run(["tshark", "-r", path, "-T", "fields", "-e", "frame.interface_name"],
                         capture_output=True, text=True, check=True)
    names = set(got.stdout.split())
    peers.check({"lo", "left", "right"} <= names, f"interfaces in it: {names}")
    print("all interfaces, each packet on its own")


def check_unprivileged(folder):
    """CAP_NET_RAW alone: packets, no comments, and a sentence that says so."""
    path = os.path.join(folder, "bare.pcapng")
    os.chmod(folder, 0o777)
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
              "--inh-caps=+net_raw", "--ambient-caps=+net_raw", "--"]
    if subprocess.run(prefix + ["test", "-x", peers.SALUT], check=False).returncode != 0:
        print("unprivileged: left out, nobody cannot read this directory")
        return
    capture = Capture("-i", "lo", "-w", path, prefix=prefix)
    story()
    said = capture.stop()
    peers.check("will have no comments" in said, f"it is not said: {said}")
    peers.check(len(rows(path)) >= 15, "packets are missing")
    print("without root: packets, and it is said that comments are missing")


def inside():
    if shutil.which("tshark") is None:
        peers.skip("tshark is not there")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        check_comments(folder)
        check_explain(folder)
        check_filter(folder)
        check_pipe(folder)
        check_ring(folder)
        check_two_interfaces(folder)
        check_unprivileged(folder)


if __name__ == "__main__":
    peers.main(inside, tracing=True)
