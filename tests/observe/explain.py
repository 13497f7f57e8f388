#!/usr/bin/env python3
"""salut explain, from outside: captures that salut wrote, explained, and files that are none.

    explain.py

1. Every script of tests/scripts writes a capture whose comments are the true changes of state of
   salut's end (`salut test --pcapng`). Explain must place them on the right packet (the share is
   printed; at least 95 % of those a packet can show: scripts play peers that no stack would be),
   and never call proved what is not.
2. The annotated copy is a capture again, with as many packets, and explains the same.
3. Filters, exit codes, JSON a line at a time, the page.
4. `salut doctor FILE` finds the same, in doctor's shape.
5. The same file cut at every kind of place, damaged, and random: a sentence, exit 1, never a crash.
"""
import json
import os
import random
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SALUT = os.path.abspath(os.environ.get("SALUT", os.path.join(ROOT, "build-debug/salut")))
SHARE_WANTED = 0.95
LOCAL = ("192.168.0.2", "192.168.0.1", "fd3d:0a0b:17d6::1", "fd3d:a0b:17d6::1")
TOLD = re.compile(r"([A-Z][A-Z0-9_-]+) -> ([A-Z][A-Z0-9_-]+): ")
# Scripts use the names of ss.
NAMES = {"SYN-RECV": "SYN-RECEIVED"}

failures = []


def check(fact, what):
    if not fact:
        failures.append(what)
        print("FAIL", what)


def explain(*words, data=None, code=0):
    done = subprocess.run([SALUT, "explain", *words], input=data, capture_output=True, timeout=60,
                          check=False)
    check(done.returncode == code, f"explain {' '.join(words)}: exit {done.returncode}, not {code}"
                                   f" ({done.stderr.decode()[:100]})")
    return done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def blocks(data):
    at = 0
    while at + 12 <= len(data):
        kind = int.from_bytes(data[at:at + 4], "little")
        size = int.from_bytes(data[at + 4:at + 8], "little")
        yield kind, data[at + 8:at + size - 4]
        at += size


def comments(path):
    """The comment of each packet, by number."""
    found, number = {}, 0
    with open(path, "rb") as f:
        data = f.read()
    for kind, body in blocks(data):
        if kind != 6:
            continue
        number += 1
        at = 20 + (int.from_bytes(body[12:16], "little") + 3) // 4 * 4
        while at + 4 <= len(body):
            code = int.from_bytes(body[at:at + 2], "little")
            size = int.from_bytes(body[at + 2:at + 4], "little")
            if code == 1:
                found[number] = body[at + 4:at + 4 + size].decode()
            at += 4 + (size + 3) // 4 * 4
            if code == 0:
                break
    return found, number


def is_local(end):
    return end.rsplit(":", 1)[0].strip("[]") in LOCAL


def score_scripts(folder):
    """Returns truths, right ones, and what was called proved and is not."""
    truths = right = wrong = 0
    misses = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        told, _ = comments(path)
        out, _ = explain("--json", "--flows", "1000", path)
        placed, proved = {}, []
        for flow in objects(out)[1:]:
            local = "client" if is_local(flow["client"]["end"]) else "server"
            for c in flow["changes"]:
                if c["end"] == local and c["certainty"] != "refuted":
                    placed.setdefault((c["packet"], c["to"]), c)
                    if c["certainty"] == "proved":
                        proved.append((c["packet"], c["to"]))
        true = {(n, NAMES.get(to.replace("_", "-"), to.replace("_", "-")))
                for n, text in told.items() for _, to in TOLD.findall(text)}
        states = {to for _, to in true}
        for n, to in sorted(true):
            if to in ("CLOSED", "LISTEN"):
                continue  # by timers and programs, mostly; the stories of test_explain_truth have them
            truths += 1
            if (n, to) in placed:
                right += 1
            else:
                misses.setdefault(name, []).append(f"{to} at #{n}")
        for n, to in proved:
            if to in states and (n, to) not in true and to not in ("CLOSED", "SYN-SENT"):
                wrong += 1
                misses.setdefault(name, []).append(f"{to} at #{n} is called proved")
    for name, list_ in misses.items():
        print(f"  {name}: {', '.join(list_)}")
    return truths, right, wrong


def try_scripts(work):
    folder = os.path.join(work, "scripts")
    os.mkdir(folder)
    subprocess.run([SALUT, "test", f"--pcapng={folder}", os.path.join(ROOT, "tests/scripts")],
                   capture_output=True, timeout=120, check=False)
    truths, right, wrong = score_scripts(folder)
    print(f"scripts: {truths} changes of salut's end, {100 * right / max(truths, 1):.2f} % at the "
          f"right packet, {wrong} called proved and not")
    check(truths > 300, "the scripts' captures bear comments")
    check(right >= SHARE_WANTED * truths, "changes at the right packet")
    check(wrong == 0, "what is called proved is")
    return folder


def try_annotate(work, path):
    copy = os.path.join(work, "copy.pcapng")
    explain("--annotate", copy, path)
    notes, count = comments(copy)
    first = objects(explain("--json", path)[0])
    second = objects(explain("--json", copy)[0])
    check(count == first[0]["packets"], "the copy has every packet")
    check(len(notes) == first[0]["tcp"], "every segment has a comment")
    check(any("ESTABLISHED" in text for text in notes.values()), "comments name states")
    for a, b in zip(first[1:], second[1:]):
        check(a["changes"] == b["changes"] and a["verdict"] == b["verdict"],
              "the copy explains the same")


def try_views(work, path):
    text, _ = explain(path)
    check("→" in text or "->" in text, "text names both ends")
    with open(path, "rb") as f:
        data = f.read()
    piped, _ = explain("-", data=data)
    check(piped.split("\n", 1)[1] == text.split("\n", 1)[1], "standard input is explained alike")
    for flow in objects(explain("--json", path)[0])[1:]:
        check(flow["schema"] == 1, "schema 1")
        check(abs(sum(flow["time_us"].values()) - flow["duration_us"]) < 0.01 * 11,
              "the time budget adds up")
    rows = objects(explain("--json", "--packets", path)[0])
    check(sum(r["kind"] == "packet" for r in rows) == rows[0]["tcp"], "a line for each packet")
    check("no TCP" in explain(path, "port", "1")[0] or "0 connections" in explain(
        path, "tcp port 1")[0], "a filter leaves out")
    check("1 connections" in explain(path, "tcp port 8080")[0], "a filter keeps")
    ladder, _ = explain("--ladder", path)
    check(all(len(line) <= 100 for line in ladder.splitlines()), "nothing is wider than asked for")
    page = os.path.join(work, "page.html")
    explain("--html", page, path)
    with open(page, encoding="utf-8") as f:
        html = f.read()
    check(html.startswith("<!doctype html>") and "http://" not in html.replace(
        "http://www.w3.org/2000/svg", ""), "a page that needs nothing from elsewhere")
    embedded = html[html.index("const DATA = ") + 13:]
    json.JSONDecoder().raw_decode(embedded.lstrip())


def doctor(*words, code):
    done = subprocess.run([SALUT, "doctor", *words], capture_output=True, text=True, timeout=60,
                          check=False)
    check(done.returncode == code, f"doctor {' '.join(words)}: exit {done.returncode}, not {code}"
                                   f" ({done.stderr[:100]})")
    return done.stdout, done.stderr


def try_doctor(work, ill, well):
    """salut doctor FILE: explain's findings in doctor's shape."""
    rows = objects(doctor("--json", ill, code=1)[0])
    found = objects(explain("--json", ill)[0])[0]["findings"]
    check([r["id"] for r in rows] == ["ZW-1"] == [f["id"] for f in found], "one finding, the same")
    row = rows[0]
    check(row["schema"] == 1 and row["source"] == "capture" and row["severity"] == "warning" and
          row["count"] == 1 and row["server_port"] == 8080 and row["advice"], "doctor's shape")
    check(row["evidence"] == found[0]["evidence"] and "packet" in row["evidence"], "evidence")
    text, _ = doctor(ill, code=1)
    check(text.startswith("ZW-1    warning") and "    do:" in text and "    sure:" in text, "text")
    brief, _ = doctor("--brief", ill, code=1)
    check(len(brief.splitlines()) == 1, "a line for each finding")
    check("nothing is wrong" in doctor(well, code=0)[0], "nothing is wrong with the other")
    check(doctor("--json", well, code=0)[0] == "", "and no object")
    doctor(ill, "port", "9", code=0)
    _, err = doctor(ill, "nonsense", code=2)
    check("nonsense" in err, "the wrong word of the filter is named")
    cut = os.path.join(work, "cut.pcapng")
    with open(ill, "rb") as f, open(cut, "wb") as t:
        t.write(f.read()[:-30])
    _, err = doctor(cut, code=1)
    check("ends within" in err, "a file that is cut is said to be")


def try_errors(work, path):
    _, err = explain(os.path.join(work, "none"), code=1)
    check("No such file" in err, "a missing file is named")
    _, err = explain(work, code=1)
    check("directory" in err, "a folder is no capture")
    explain(path, "port", "x", code=2)
    explain("--flow", "99999", path, code=1)
    explain(code=2)
    _, err = explain("-", data=b"hello, this is no capture at all", code=1)
    check("no capture file" in err, "text is no capture")
    explain("-", data=b"", code=1)


def try_damage(path):
    """Cut, flipped and random bytes: 0 or 1, and nothing else."""
    with open(path, "rb") as f:
        data = f.read()
    dice = random.Random(7)
    tries = [data[:n] for n in range(1, min(len(data), 400), 7)]
    for _ in range(150):
        bad = bytearray(data)
        for _ in range(dice.randrange(1, 12)):
            bad[dice.randrange(len(bad))] = dice.randrange(256)
        tries.append(bytes(bad))
    for _ in range(30):
        tries.append(data[:28] + bytes(dice.randrange(256) for _ in range(500)))
        tries.append(bytes(dice.randrange(256) for _ in range(300)))
    for bad in tries:
        for words in (("-",), ("--json", "--packets", "-"), ("--ladder", "-")):
            done = subprocess.run([SALUT, "explain", *words], input=bad, capture_output=True,
                                  timeout=60, check=False)
            if done.returncode not in (0, 1) or (done.returncode == 1 and not done.stderr):
                check(False, f"damaged file: exit {done.returncode}, {done.stderr[:100]}")
                return


def main():
    with tempfile.TemporaryDirectory() as work:
        folder = try_scripts(work)
        for name in ("close-active.pkt.pcapng", "window-probe.pkt.pcapng"):
            path = os.path.join(folder, name)
            try_annotate(work, path)
            try_views(work, path)
            try_damage(path)
        try_doctor(work, os.path.join(folder, "window-probe.pkt.pcapng"),
                   os.path.join(folder, "open-active.pkt.pcapng"))
        try_errors(work, os.path.join(folder, "close-active.pkt.pcapng"))
    print("explain: " + (f"{len(failures)} failures" if failures else "all right"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
