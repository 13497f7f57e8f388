#!/usr/bin/env python3
"""The kernel's curl fetches a file from `salut serve --http` and sends one, over IPv4 and IPv6.

    transfers.py [--size 256M]

The SHA-256 of what arrived must be that of what was sent. On a link without faults nothing may
be dropped by a checksum, and no connection may fail.
"""
import argparse
import os

import peers


def body():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=peers.parse_size, default=256 << 20)
    parser.add_argument("--limit", type=int, default=120, help="seconds, for each transfer")
    arguments = parser.parse_args()
    with peers.scratch() as folder:
        file = os.path.join(folder, "large")
        digest = peers.make_file(file, arguments.size)
        with peers.Serve("--http", folder) as serve:
            for family in (4, 6):
                with peers.Timer(f"download over IPv{family}", arguments.size):
                    got = peers.download(family, "large", arguments.limit)
                peers.check(got == digest, f"download over IPv{family}: digests differ")
                with peers.Timer(f"upload over IPv{family}", arguments.size):
                    got = peers.upload(family, file, arguments.limit)
                peers.check(got == digest, f"upload over IPv{family}: digests differ")
    peers.check(serve.accepted() == 4, f"{serve.accepted()} connections, not 4")
    peers.check(serve.failed() == 0, f"{serve.failed()} connections failed")
    for token in ("tcp-checksum", "ip-checksum", "icmp-checksum"):
        peers.check(token not in serve.counters, f"{token}: {serve.counters.get(token)}")


peers.main(body)
