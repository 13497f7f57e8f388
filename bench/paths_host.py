"""A kernel host for bench/wires.py: sources and sinks in a network namespace of its own.

Run as `unshare --net python3 bench/paths_host.py`; one JSON command a line on standard input, one
answer a line on standard output. The servers listen from the start: 9 is a sink, 19 a source
without end, 20 a source of 100 KB, 21 and 22 sources without end that use Reno and BBR. What counts
is taken from the sockets themselves (bytes received by the application, or bytes acknowledged
according to TCP_INFO), and from the namespace's own counters.
"""
import concurrent.futures
import json
import socket
import struct
import subprocess
import sys
import threading
import time

SINK, SOURCE, SHORT, RENO_SOURCE, BBR_SOURCE = 9, 19, 20, 21, 22
SHORT_BYTES = 100 << 10
CHUNK = bytes(256 << 10)
CONGESTION = b"cubic"
SYSCTLS = {
    "ipv6/conf/default/disable_ipv6": "1",
    "ipv4/tcp_congestion_control": CONGESTION.decode(),
    "ipv4/tcp_no_metrics_save": "1",  # every connection starts from nothing
    "ipv4/tcp_rmem": "4096 131072 67108864",
    "ipv4/tcp_wmem": "4096 16384 67108864",
}
# A data segment that came a second time, below and above what is in order.
SEEN_TWICE = ("TCPDSACKOldSent", "TCPDSACKOfoSent")
last_source = {"retransmitted": 0}
source_over = threading.Event()


def tcp_info(sock):
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
    return {"retransmitted": struct.unpack_from("I", raw, 100)[0],
            "acked": struct.unpack_from("Q", raw, 120)[0]}


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def serve_sink(sock):
    while sock.recv(1 << 18):
        pass
    sock.close()


def serve_source(sock):
    source_over.clear()
    try:
        while True:
            sock.sendall(CHUNK)
    except OSError:
        last_source.update(tcp_info(sock))
        sock.close()
        source_over.set()


def source(_):
    """What the last source's socket counted, once its reader has reset it."""
    if not source_over.wait(10):
        raise OSError("the source's reader is still there")
    return dict(last_source)


def serve_short(sock):
    sock.sendall(CHUNK[:SHORT_BYTES])
    sock.close()


def serve(port, body, congestion):
    def guarded(sock):
        try:
            body(sock)
        except OSError:
            sock.close()
    listener = socket.create_server(("", port), backlog=256)
    try:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion)
    except OSError:
        listener.close()  # the kernel has none such: who connects is refused, and says so
        return
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=guarded, args=(sock,), daemon=True).start()


def connect(address, port, limit=120, congestion=CONGESTION):
    sock = socket.socket()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion)
    sock.settimeout(limit)
    sock.connect((address, port))
    return sock


def receive(command):
    """For so many seconds; no longer than until so many bytes have come, when they are given."""
    most = command.get("bytes", float("inf"))
    sock = connect(command["address"], command["port"])
    began = time.monotonic()
    end = began + command["seconds"]
    got = 0
    room = bytearray(1 << 18)
    while got < most and (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            count = sock.recv_into(room)
        except TimeoutError:
            break
        if count == 0:
            raise OSError("the source ended")
        got += count
    took = time.monotonic() - began
    reset(sock)
    return {"bytes": got, "seconds": took}


def send(command):
    sock = connect(command["address"], command["port"],
                   congestion=command.get("congestion", CONGESTION.decode()).encode())
    began = time.monotonic()
    end = began + command["seconds"]
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            sock.send(CHUNK)
        except TimeoutError:
            break
    info = tcp_info(sock)
    took = time.monotonic() - began
    reset(sock)
    return {"bytes": info["acked"], "seconds": took, "retransmitted": info["retransmitted"]}


def share(command):
    """Several receptions at a time; what each got."""
    flows = [dict(command, **flow) for flow in command["flows"]]
    with concurrent.futures.ThreadPoolExecutor(len(flows)) as pool:
        return {"flows": list(pool.map(receive, flows))}


def fetch_short(command):
    began = time.monotonic()
    sock = connect(command["address"], command["port"], 120)
    got = 0
    while data := sock.recv(1 << 17):
        got += len(data)
    took = time.monotonic() - began
    sock.close()
    if got != SHORT_BYTES:
        raise OSError(f"{got} bytes instead of {SHORT_BYTES}")
    return took


def short(command):
    """Many short transfers, some at a time; seconds of each."""
    with concurrent.futures.ThreadPoolExecutor(command["at_once"]) as pool:
        times = list(pool.map(lambda _: fetch_short(command), range(command["count"])))
    return {"times": times}


def seen_twice(_):
    with open("/proc/net/netstat", encoding="ascii") as file:
        names, values = [line.split() for line in file if line.startswith("TcpExt:")]
    counters = dict(zip(names, values))
    return {"segments": sum(int(counters[name]) for name in SEEN_TWICE)}


def try_congestion(command):
    with socket.socket() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, command["congestion"].encode())
    return {}


def greet(command):
    """A connection that only opens and closes: afterwards both ends know their neighbour."""
    end = time.monotonic() + 30
    while True:
        try:
            sock = connect(command["address"], SINK, 5)
            sock.shutdown(socket.SHUT_WR)
            sock.recv(1)
            sock.close()
            return {}
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def up(command):
    for words in (["address", "add", command["address"], "dev", command["device"]],
                  ["link", "set", command["device"], "up"]):
        done = subprocess.run(["ip"] + words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return {}


def answer(command):
    doings = {each.__name__: each for each in (up, greet, receive, send, short, share, source,
                                               seen_twice, try_congestion)}
    try:
        return doings[command["do"]](command)
    except OSError as error:
        return {"error": f"{command['do']}: {error}"}


def main():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for name, value in SYSCTLS.items():
        with open("/proc/sys/net/" + name, "w", encoding="ascii") as file:
            file.write(value)
    for each in ((SINK, serve_sink, CONGESTION), (SOURCE, serve_source, CONGESTION),
                 (SHORT, serve_short, CONGESTION), (RENO_SOURCE, serve_source, b"reno"),
                 (BBR_SOURCE, serve_source, b"bbr")):
        threading.Thread(target=serve, args=each, daemon=True).start()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


main()
