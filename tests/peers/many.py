#!/usr/bin/env python3
"""500 kernel connections at a time to `salut serve --echo`, each moving data both ways.

    many.py [--connections 500] [--bytes 256K]

All of them are open before the first sends. Half are IPv4, half IPv6. Each sends bytes of its own,
a different number each, in pieces of every size, while it reads them back; then it says that it
has no more, and reads to the end. The SHA-256 of what came back must be that of what was sent.
"""
import argparse
import asyncio
import hashlib
import random

import peers

ECHO = 7


async def send(writer, size, seed, digest):
    """Send `size` bytes in pieces of many sizes, then half-close."""
    chance = random.Random(seed)
    left = size
    while left > 0:
        piece = chance.randbytes(min(left, chance.choice((1, 100, 1448, 8000, 65536))))
        digest.update(piece)
        writer.write(piece)
        await writer.drain()
        left -= len(piece)
    writer.write_eof()


async def receive(reader, digest):
    size = 0
    while True:
        piece = await reader.read(1 << 16)
        if not piece:
            return size
        digest.update(piece)
        size += len(piece)


async def talk(number, streams, size):
    reader, writer = streams
    out, back = hashlib.sha256(), hashlib.sha256()
    _, got = await asyncio.gather(send(writer, size, number, out), receive(reader, back))
    writer.close()
    await writer.wait_closed()
    peers.check(got == size, f"connection {number}: {got} bytes came back, not {size}")
    peers.check(out.digest() == back.digest(), f"connection {number}: digests differ")
    return size


async def connect(number):
    return await asyncio.open_connection(peers.SALUTS[4 if number % 2 else 6], ECHO)


async def talk_all(count, most):
    streams = await asyncio.gather(*(connect(number) for number in range(count)))
    sizes = [random.Random(-1 - number).randrange(1, 2 * most) for number in range(count)]
    return sum(await asyncio.gather(*(talk(n, streams[n], sizes[n]) for n in range(count))))


def body():
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--bytes", type=peers.parse_size, default=256 << 10)
    arguments = parser.parse_args()
    count = arguments.connections
    with peers.Serve("--echo") as serve:
        with peers.Timer(f"{count} connections at a time"):
            total = asyncio.run(asyncio.wait_for(talk_all(count, arguments.bytes), 100))
        print(f"{total >> 20} MiB each way")
    peers.check(serve.accepted() == count, f"{serve.accepted()} connections, not {count}")
    peers.check(serve.failed() == 0, f"{serve.failed()} connections failed")


peers.main(body)
