#!/usr/bin/env python3
"""Many at a time: 10,000 connections held by one server under `salut run`, and a flood.

    many.py [--connections 10000] [--flood 100000] [--seconds 4]

First redis holds all connections, half over IPv4 and half over IPv6; each asks, in turn and all
together, and is answered. What the supervisor takes for each is shown. Then SYNs from addresses
that do not exist come to nginx while 100 clients fetch 1 MB each: all must be connected within
5 s, the median transfer must take no more than twice its time without the flood (both asked
ROUNDS times, in turns, for machines that do other things as well), and the supervisor's memory must
stay bounded. What the device itself dropped is shown.
"""
import argparse
import asyncio
import functools
import hashlib
import os
import re
import resource
import selectors
import socket
import statistics
import subprocess
import time

import runs
import services as s

CLIENTS, SIZE = 100, 1 << 20
CONNECT_S = 5
LIMIT_S = 60
ROUNDS = 5
FLOOD_MEMORY = 128 << 20


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) << 10


async def ask(streams, limit):
    reader, writer = streams
    writer.write(b"PING\r\n")
    answer = await asyncio.wait_for(reader.readline(), limit)
    runs.check(answer == b"+PONG\r\n", f"redis answered {answer!r}")


async def hold(count, supervisor):
    before = resident(supervisor)
    streams = []
    began = time.monotonic()
    while len(streams) < count:
        batch = [asyncio.wait_for(asyncio.open_connection(runs.SALUTS[4 if i % 2 else 6], s.REDIS),
                                  20) for i in range(min(100, count - len(streams)))]
        streams += await asyncio.gather(*batch)
    print(f"{count} connections in {time.monotonic() - began:.1f} s")
    each = (resident(supervisor) - before) / count
    print(f"the supervisor: {resident(supervisor) >> 20} MB, {each:.0f} bytes a connection")
    with runs.Timer("each asks in its turn"):
        for pair in streams:
            await ask(pair, 10)
    with runs.Timer("all ask at once"):
        await asyncio.gather(*(ask(pair, 30) for pair in streams))
    for _, writer in streams:
        writer.close()


def held(folder, count):
    command = runs.under_salut(*s.redis(folder), "--maxclients", str(count + 100))
    with s.Running("redis", command, folder) as server:
        server.wait_for(runs.SALUTS[4], s.REDIS)
        asyncio.run(hold(count, server.process.pid))


class Client:
    """One that fetches the file: when it was connected, and when it had everything."""

    def __init__(self, selector, data):
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.data = data
        self.bytes = 0
        self.began = time.monotonic()
        self.connected = self.ended = None
        self.sock.connect_ex((runs.SALUTS[4], s.HTTP))
        selector.register(self.sock, selectors.EVENT_WRITE, self)

    def take(self):
        """Read what is there; True when it was the end."""
        view = memoryview(self.data)
        try:
            count = self.sock.recv_into(view[self.bytes:])
        except BlockingIOError:
            return False
        self.bytes += count
        if count == 0:
            self.ended = time.monotonic()
        return count == 0

    def check(self, digest):
        body = bytes(self.data[:self.bytes]).partition(b"\r\n\r\n")[2]
        runs.check(hashlib.sha256(body).hexdigest() == digest, "digests differ")


def each_ready(selector, clients, done):
    """Until done(client) was true once of every client that became ready."""
    waiting = len(clients)
    limit = time.monotonic() + LIMIT_S
    while waiting > 0:
        runs.check(time.monotonic() < limit, f"{waiting} clients still wait after {LIMIT_S} s")
        for key, _ in selector.select(1):
            if done(key.data):
                selector.unregister(key.data.sock)
                waiting -= 1


def connected(client):
    error = client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    runs.check(error == 0, f"a client could not connect: {os.strerror(error)}")
    client.connected = time.monotonic()
    return True


@functools.cache
def buffers():
    """One a client, touched: nothing is allocated or put together while it is timed."""
    return [bytearray(b"." * 2 * SIZE) for _ in range(CLIENTS)]


def fetch_all(digest, what):
    """All connect; when all are, all ask at the same moment. One thread and one moment, for else
    it depends on the scheduler whether they share the way or have it one after the other."""
    with selectors.EpollSelector() as selector:
        clients = [Client(selector, data) for data in buffers()]
        each_ready(selector, clients, connected)
        asked = time.monotonic()
        for client in clients:
            client.sock.sendall(b"GET /one HTTP/1.0\r\n\r\n")
            selector.register(client.sock, selectors.EVENT_READ, client)
        each_ready(selector, clients, Client.take)
    for client in clients:
        client.sock.close()
        client.check(digest)
    connect = max(client.connected - client.began for client in clients)
    transfer = statistics.median(client.ended - asked for client in clients)
    print(f"{what}: {CLIENTS} connected within {connect * 1e3:.0f} ms, "
          f"median transfer {transfer * 1e3:.0f} ms")
    return [connect, transfer]


def device_drops():
    with open("/proc/net/dev", encoding="ascii") as file:
        found = [line for line in file if line.strip().startswith("salut0:")]
    return int(found[0].split(":")[1].split()[11])


def flood_once(mac, rate, seconds, digest):
    """What fetch_all says of clients under a flood."""
    with subprocess.Popen([runs.tool("syn_flood"), "salut0", mac, runs.SALUTS[4], str(s.HTTP),
                           str(rate), str(seconds)], stdout=subprocess.PIPE, text=True) as flood:
        time.sleep(seconds / 4)
        result = fetch_all(digest, "under the flood")
        still = flood.poll() is None
        said = flood.communicate(timeout=seconds + 20)[0].strip()
    runs.check(still, "the clients were not under the flood")
    sent, took = re.search(r"sent (\d+) .* seconds ([\d.]+)", said).groups()
    runs.check(int(sent) >= 0.9 * rate * float(took), f"the flood was too thin: {said}")
    return result + [int(sent)]


def flooded(folder, rate, seconds, times):
    digest = runs.peers.make_file(f"{folder}/files/one", SIZE)
    os.chmod(f"{folder}/files/one", 0o644)
    with s.Running("nginx", runs.under_salut(*s.nginx(folder, user="user root;")),
                   folder) as server:
        server.wait_for(runs.SALUTS[4], s.HTTP)
        fetch_all(digest, "warming up")
        neighbour = runs.run(["ip", "neigh", "show", runs.SALUTS[4]])
        mac = re.search(r"lladdr ([0-9a-f:]+)", neighbour)[1]
        memory, drops = resident(server.process.pid), device_drops()
        unloaded, loaded = [], []
        for _ in range(ROUNDS):
            unloaded.append(fetch_all(digest, "without a flood"))
            loaded.append(flood_once(mac, rate, seconds, digest))
        grown = resident(server.process.pid) - memory
        drops = device_drops() - drops
    ratio = statistics.median(row[1] for row in loaded) / statistics.median(
        row[1] for row in unloaded)
    print(f"transfers take {ratio:.2f} times as long; of {sum(row[2] for row in loaded)} SYNs the "
          f"device dropped {drops}; the supervisor grew by {grown >> 20} MB")
    runs.check(max(row[0] for row in loaded) <= CONNECT_S, "a client waited too long")
    runs.check(ratio <= times, f"transfers take {ratio:.1f} times as long")
    runs.check(grown < FLOOD_MEMORY, f"the supervisor grew by {grown >> 20} MB")


def body():
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=10000)
    parser.add_argument("--flood", type=int, default=100000)
    parser.add_argument("--seconds", type=float, default=4, help="of each flood")
    parser.add_argument("--times", type=float, default=2,
                        help="how much longer a transfer may take under the flood")
    arguments = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most != resource.RLIM_INFINITY and most < arguments.connections + 1000:
        runs.skip(f"no process may open {arguments.connections} files here (ulimit -Hn: {most})")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with s.files() as (folder, _):
        if arguments.connections:
            held(folder, arguments.connections)
        if arguments.flood:
            flooded(folder, arguments.flood, arguments.seconds, arguments.times)


runs.main(body)
