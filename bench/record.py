#!/usr/bin/env python3
"""What `salut record` costs: connections at a steady pace and as fast as they go, with and without it.

    record.py [--out FILE] [--seconds N]

Two programs of this machine's C library would be better clients than Python's, so the load is
made by a small C program (compiled here): one thread serves, one connects, sends and receives a
request and an answer of 100 bytes, and closes. Runs alternate, without and with the recorder, so
that the machine's moods fall on both; medians are told. Needs root and a C compiler; without, it
says so and exits 77.
"""
import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SALUT = os.path.abspath(os.environ.get("SALUT", os.path.join(ROOT, "build/salut")))
PACE = 5000
LOAD = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int listener;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *serve(void *none)
{
    char bytes[200];
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) {
            return none;
        }
        if (read(fd, bytes, sizeof(bytes)) == 100 && write(fd, bytes, 100) == 100) {
            while (read(fd, bytes, sizeof(bytes)) > 0) {
            }
        }
        close(fd);
    }
}

int main(int argc, char **argv)
{
    double seconds = atof(argv[1]);
    double pace = argc > 2 ? atof(argv[2]) : 0; /* a second; 0: as fast as it goes */
    struct sockaddr_in here = {.sin_family = AF_INET};
    socklen_t bytes = sizeof(here);
    char data[200] = {0};
    pthread_t thread;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr *)&here, sizeof(here));
    listen(listener, 1000);
    getsockname(listener, (struct sockaddr *)&here, &bytes);
    pthread_create(&thread, NULL, serve, NULL);
    double began = now();
    long done = 0;
    long failed = 0;
    while (now() - began < seconds) {
        if (pace > 0 && (double)done / pace > now() - began) {
            usleep(200);
            continue;
        }
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        /* Sources are spread over loopback's addresses: TIME-WAIT keeps each port for a minute. */
        struct sockaddr_in source = {.sin_family = AF_INET};
        source.sin_addr.s_addr = htonl(0x7f000002 + (unsigned)(done % 60000));
        bind(fd, (struct sockaddr *)&source, sizeof(source));
        if (connect(fd, (struct sockaddr *)&here, sizeof(here)) != 0 ||
            write(fd, data, 100) != 100 || read(fd, data, sizeof(data)) != 100) {
            failed++;
        }
        close(fd);
        done++;
    }
    printf("%.1f %ld\n", (double)done / (now() - began), failed);
    return 0;
}
"""


def load(program, seconds, pace):
    got = subprocess.run([program, str(seconds), str(pace)], capture_output=True, text=True,
                         check=True)
    rate, failed = got.stdout.split()
    if int(failed):
        sys.exit(f"{failed} connections failed")
    return float(rate)


def recorded(program, seconds, pace, folder):
    """The same with the recorder; its own account with it."""
    process = subprocess.Popen([SALUT, "record", "--json", "--quiet", "-w",
                                os.path.join(folder, "none")], stderr=subprocess.PIPE, text=True)
    time.sleep(0.5)
    if process.poll() == 3:
        print(process.stderr.read().strip())
        sys.exit(77)
    rate = load(program, seconds, pace)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    found = re.search(r"(\d+) events in .*?, (\d+) lost; (\d+) changes.*?, (\d+) of them.*"
                      r", (\d+) overruns.*own cost: ([0-9.]+) (m?s) of", said, re.S)
    if not found:
        sys.exit("the recorder does not tell its cost: " + said)
    cpu_s = float(found[6]) * (1 if found[7] == "s" else 1e-3)
    return {"rate": rate, "events": int(found[1]), "lost": int(found[2]), "changes": int(found[3]),
            "unknown": int(found[4]), "overruns": int(found[5]), "cpu": cpu_s / seconds}


def compare(program, seconds, pace, runs, folder):
    without = []
    with_it = []
    for _ in range(runs):
        without.append(load(program, seconds, pace))
        with_it.append(recorded(program, seconds, pace, folder))
    rate = statistics.median(without)
    slow = statistics.median(r["rate"] for r in with_it)
    return {"without": rate, "with": slow, "falls": 100 * (1 - slow / rate),
            "cpu": 100 * statistics.median(r["cpu"] for r in with_it),
            "events": sum(r["events"] for r in with_it), "lost": sum(r["lost"] for r in with_it),
            "changes": sum(r["changes"] for r in with_it),
            "unknown": sum(r["unknown"] for r in with_it),
            "overruns": sum(r["overruns"] for r in with_it)}


def row(name, r):
    return (f"{name:22}{r['without']:9.0f}{r['with']:9.0f}{r['falls']:8.1f} %{r['cpu']:8.1f} %"
            f"{r['events']:10}{r['lost']:6}{r['overruns']:10}{r['unknown']:9}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--runs", type=int, default=3)
    words = parser.parse_args()
    if subprocess.run(["cc", "--version"], capture_output=True, check=False).returncode != 0:
        print("a C compiler is needed")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "load")
        subprocess.run(["cc", "-O2", "-pthread", "-x", "c", "-o", program, "-"], input=LOAD,
                       text=True, check=True)
        paced = compare(program, words.seconds, PACE, words.runs, folder)
        full = compare(program, words.seconds, 0, words.runs, folder)
    lines = [
        "salut record: its cost. Connections over loopback, both ends on this machine: ten changes",
        "of state each. Medians of alternating runs; events and losses are sums. At full speed the",
        "load keeps every processor busy, and what the recorder then loses is told.",
        f"Program: {os.path.relpath(SALUT, ROOT)}",
        "",
        f"{'':22}{'conn/s without':>9}{'with':>7}{'falls':>10}{'own CPU':>10}{'events':>10}"
        f"{'lost':>6}{'overruns':>10}{'unknown':>9}",
        row(f"{PACE} a second", paced),
        row("as fast as they go", full),
        "",
    ]
    text = "\n".join(lines)
    print(text)
    if words.out:
        with open(words.out, "w", encoding="utf-8") as file:
            file.write(text)
    fine = (paced["cpu"] <= 5 and paced["falls"] <= 10 and paced["lost"] == 0
            and paced["overruns"] == 0)
    print("within bounds: own CPU <= 5 % of a core and throughput falls <= 10 %, nothing lost"
          if fine else "OUT OF BOUNDS at the steady pace")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
