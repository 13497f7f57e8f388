"""More faults for lab.py: of the host itself, of the path, and of programs that hold ports."""
import array
import errno
import fcntl
import socket
import struct
import subprocess
import time

from lab_tools import (HOST, SERVER, case, connect_to, during, listen, many_connections, peers,
                       start_connect, throughout, until)
from fake_peer import FIN, KERNEL, RST, SYN, Behaviour, Segment

SIOCETHTOOL, SET_TSO = 0x8946, 0x1F


# ---- the host --------------------------------------------------------------------------------

def switch_off_tso(device):
    order = array.array("B", struct.pack("II", SET_TSO, 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sP8x", device.encode(), order.buffer_info()[0]))


@case("LOSS-6", "LOSS-1", "LOSS-2", "LOSS-3", "LOSS-5", "BUF-4")
def queue_of_the_host(lab):
    """The kernel cuts 64 KB into segments of 76 bytes at once: its queue has room for a thousand."""
    peers.sysctl("ipv4/tcp_congestion_control", "reno")
    subprocess.run(["ip", "route", "change", "local", "127.0.0.0/8", "dev", "lo", "table", "local",
                    "initcwnd", "8000", "initrwnd", "8000"], check=True)
    switch_off_tso("lo")
    listener = socket.socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 88)
    listener.bind(("127.0.0.1", 0))
    listener.listen(5)
    here = connect_to(listener.getsockname()[1], "127.0.0.1")
    there, _ = listener.accept()

    def burst():
        here.sendall(b"x" * 200000)
        left = 200000
        while left > 0:
            left -= len(there.recv(1 << 20))
        time.sleep(0.02)
    yield from throughout(burst)
    for s in (here, there, listener):
        s.close()


# ---- ports -----------------------------------------------------------------------------------

def is_in_use(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
            return False
        except OSError as error:
            return error.errno == errno.EADDRINUSE


@case("SYN-7")
def left_by_the_server(lab):
    listener = many_connections(True, 3, port=8080, reuse=False)
    listener.close()
    peers.check(is_in_use(8080), "the port is free")
    yield


@case("SYN-7", options=["sport", "=", ":8081", "state", "time-wait"])
def left_and_asked_for(lab):
    listener = many_connections(True, 3, port=8081, reuse=False)
    listener.close()
    yield


BOUND_TWICE = """
import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", 8082)); print("ready", flush=True)
{wait}
try:
    s.listen(5)
except OSError:
    pass
print("ready", flush=True)
time.sleep(60)
"""


@case("SYN-7")
def two_servers(lab):
    """Both may bind, for neither listens yet; then the second listen() fails, and it waits."""
    ours = socket.socket()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ours.bind(("127.0.0.1", 8082))
    other = lab.child(BOUND_TWICE.format(wait="input()"), stdin=subprocess.PIPE)
    ours.listen(5)
    other.stdin.write("\n")
    other.stdin.close()
    other.stdout.readline()
    yield
    ours.close()


@case(None, options=["state", "time-wait"])
def served_and_served_on(lab):
    """A listener that the filter leaves out is there all the same."""
    listener = many_connections(True, 3, port=8083)
    yield
    listener.close()
