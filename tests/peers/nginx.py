#!/usr/bin/env python3
"""salut as the client: `salut nc` fetches a file from nginx on the kernel's TCP, IPv4 and IPv6.

    nginx.py [--size 64M]

The SHA-256 of the body must be that of the file. nginx closes first, and nc ends with it. (nc's
input stays open until then: nginx takes the FIN of a client for a sign that nobody reads any more,
and cuts its answer short.) Where the device is a TAP and the example http_get stands beside the
program, it fetches the same file.
"""
import argparse
import hashlib
import os
import subprocess
import threading

import peers
from nginx_server import PORT, start_nginx

LIMIT_S = 60


def take_answer(client):
    """The SHA-256 of the body that the client prints, behind the head it prints first."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = client.stdout.read1(1 << 16)
        peers.check(piece, f"the answer ends in its head: {head!r}")
        head += piece
    head, _, rest = head.partition(b"\r\n\r\n")
    peers.check(b" 200 " in head.split(b"\r\n")[0], f"nginx answered {head!r}")
    digest = hashlib.sha256(rest)
    for piece in iter(lambda: client.stdout.read(1 << 18), b""):
        digest.update(piece)
    return digest.hexdigest()


def fetch(command, request, digest):
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as client:
        watch = threading.Timer(LIMIT_S, client.kill)
        watch.start()
        try:
            client.stdin.write(request)
            client.stdin.flush()
            got = take_answer(client)
            trouble = client.stderr.read().decode()
        finally:
            client.stdin.close()
            client.wait()
            watch.cancel()
    if client.returncode == 3:
        peers.skip("salut cannot have its device: " + trouble.strip())
    peers.check(client.returncode == 0, f"{command[0]}: exit {client.returncode}: {trouble}")
    peers.check(got == digest, f"{' '.join(command)}: digests differ")


def fetch_by_nc(family, size, digest):
    request = b"GET /large HTTP/1.0\r\nHost: nginx\r\n\r\n"
    command = [peers.SALUT, "nc", "--timeout", "20s"] + peers.device_options()
    with peers.Timer(f"nc over IPv{family}", size):
        fetch(command + [peers.KERNEL[family], str(PORT)], request, digest)


def fetch_by_example(size, digest):
    """http_get expects the device to be there, as its own words say."""
    program = os.path.join(os.path.dirname(peers.SALUT), "examples/http_get")
    if peers.device_options()[0] != "--tap" or not os.access(program, os.X_OK):
        return
    peers.run(["ip", "tuntap", "add", "salut0", "mode", "tap", "vnet_hdr"])
    peers.run(["ip", "address", "add", f"{peers.KERNEL[4]}/24", "dev", "salut0"])
    peers.run(["ip", "link", "set", "salut0", "up"])
    with peers.Timer("the example http_get", size):
        fetch([program, peers.KERNEL[4], str(PORT), "/large"], b"", digest)


def body():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=peers.parse_size, default=64 << 20)
    arguments = parser.parse_args()
    with peers.scratch() as folder:
        os.chmod(folder, 0o755)
        digest = peers.make_file(os.path.join(folder, "large"), arguments.size)
        nginx = start_nginx(folder)
        try:
            for family in (4, 6):
                fetch_by_nc(family, arguments.size, digest)
            fetch_by_example(arguments.size, digest)
        finally:
            nginx.terminate()
            nginx.communicate(timeout=10)


peers.main(body)
