#!/usr/bin/env python3
"""What salut says to a wrong command line, and to a machine that lacks what it needs.

    usage.py

A wrong command line exits 2 and names on standard error what is wrong; a missing privilege or
device exits 3, names what is missing and says what to do. Neither prints anything on standard
output, and neither may take more than a moment. What needs root (taking privileges and devices
away) is left out for anybody else, which the last line says.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SALUT = os.path.abspath(os.environ.get("SALUT", os.path.join(ROOT, "build-debug/salut")))
LIMIT_S = 20

# The command line, and what its message must name.
USAGE = (
    ("", "usage: salut VERB"),
    ("frobnicate", "no verb 'frobnicate'"),
    ("help frobnicate", "no verb 'frobnicate'"),
    ("serve", "what is to be served"),
    ("serve --bogus", "no option --bogus"),
    ("serve --echo --port x", "--port wants a number, not 'x'"),
    ("serve --echo --port 0", "--port must be 1 to 65535, not 0"),
    ("serve --echo --port 70000", "--port must be 1 to 65535, not 70000"),
    ("serve --echo --sink --port 5", "--port is for one service; 2 are given"),
    ("serve --echo --port", "--port needs a value"),
    ("serve --http", "--http needs a value"),
    ("serve --http /no/such/place", "/no/such/place"),
    ("serve --echo=3", "--echo takes no value"),
    ("serve --source=x", "--source wants bytes, not 'x'"),
    ("serve --echo word", "'word'"),
    ("serve --echo --threads 65", "--threads must be 1 to 64, not 65"),
    ("serve --echo --threads 2 --verbose", "without --capture and --verbose"),
    ("serve --echo --idle-timeout 3parsecs", "--idle-timeout wants a time"),
    ("serve --echo --tap a --tun b", "choose one of --tap, --tun and --packet"),
    ("serve --echo --packet lo --kernel 10.0.0.1", "--kernel is for a TAP or TUN"),
    ("serve --echo --tap averyveryverylongname", "at most 15 characters"),
    ("serve --echo --mtu 10", "--mtu must be 68 to 65535, not 10"),
    ("serve --echo --buffer-max 2G", "--buffer-max is at most 1G: no TCP window is larger"),
    ("serve --echo --congestion vegas", "--congestion wants cubic, reno or bbr, not 'vegas'"),
    ("serve --echo --bbr-loss 0", "--bbr-loss must be 1 to 20, not 0"),
    ("serve --echo --impair loss=200%", "a chance is at most 100%"),
    ("serve --echo --impair loss", "name=number"),
    ("serve --echo --impair what=1", "no such impairment"),
    ("serve --echo --impair delay=1ms,jitter=2ms", "the jitter is larger than the delay"),
    ("nc", "an ADDRESS and a PORT are wanted"),
    ("nc 10.0.0.1", "an ADDRESS and a PORT are wanted"),
    ("nc example.org 80", "'example.org' is no IP address"),
    ("nc 10.0.0.1 99999", "not '99999'"),
    ("nc 10.0.0.1 80 x", "'x'"),
    ("nc -l", "-l wants a PORT"),
    ("explain", "a capture file is wanted, or the name of a finding"),
    ("explain --bogus", "no option --bogus"),
    ("explain --flows 0 x", "--flows must be 1 to"),
    ("explain XX-99", "there is no finding XX-99"),
    ("explain /dev/null port x", "the filter is wrong at 'port'"),
    ("explain /dev/null and not", "the filter is wrong at 'not'"),
    ("demo word", "'word'"),
    ("demo --device x", "not 'x'"),
    ("demo --large x", "--large wants bytes"),
    ("run", "which PROGRAM is to be run?"),
    ("run --", "which PROGRAM is to be run?"),
    ("run --private --", "which PROGRAM is to be run?"),
    ("run --bogus -- true", "no option --bogus"),
    ("run --mss 5 -- true", "--mss must be 88 to 32767, not 5"),
    ("run --mss", "--mss needs a value"),
    ("run --device tun -- true", "--device is tap or veth, not 'tun'"),
    ("run --private --tap x -- true", "name a device of this network"),
    ("run --no-gateway --packet x -- true", "name a device of this network"),
    ("run --packet lo --publish 80:80 -- true", "--publish cannot be had with --packet"),
    ("run --publish 80 -- true", "--publish wants [ADDRESS:]PORT:PORT such as 8080:80"),
    ("run --publish 80:0 -- true", "not '80:0'"),
    ("run --publish 80:99999 -- true", "not '80:99999'"),
    ("run --publish ::1:80:80 -- true", "not '::1:80:80'"),
    ("run --publish here:80:80 -- true", "not 'here:80:80'"),
    ("run --address 1.2.3 -- true", "--address wants an address such as 10.99.0.2/24"),
    ("run --private --address 10.0.0.1/31 -- true", "no room for the kernel's end"),
    ("run --private --kernel x -- true", "--kernel wants an address"),
    ("enter", "which COMMAND is to be run?"),
    ("enter --pid 7 --", "which COMMAND is to be run?"),
    ("enter --pid x -- true", "--pid wants a number, not 'x'"),
    ("enter --bogus -- true", "no option --bogus"),
    ("test", "usage: salut test"),
    ("test --bogus", "bogus: there is no such option"),
    ("sim", "a SCENARIO is wanted"),
    ("sim --bogus", "no option --bogus"),
    ("sim nowhere", "no ready scenario has that name"),
    ("sim policer --set x", "--set wants NAME=VALUE, not 'x'"),
    ("sim policer --set x=1", "nothing here is called x"),
    ("sim policer --set bucket=1", "at least a packet, 1500B"),
    ("sim policer --until never", "--until wants a time"),
    ("sim policer --runs 0", "--runs must be 1 to"),
    ("bench --bogus", "no option --bogus"),
    ("wire", "two devices are wanted"),
    ("wire a b c", "'c'"),
    ("wire a :", "':' is no device"),
    ("wire --check a", "--check makes its own devices"),
    ("wire --loss 200% a b", "a chance is at most 100%"),
    ("wire --loss 1 a b", "a chance is written as 1%"),
    ("wire --rate 5 a b", "a rate is written as 10mbit"),
    ("wire --delay 1ms --jitter 2ms a b", "the jitter is larger than the delay"),
    ("wire --burst-loss 1% a b", "--burst-loss wants loss and mean length"),
    ("wire --burst-loss 1%,0 a b", "in bursts of 1 or more"),
    ("wire --reorder 1%,soon a b", "no number behind"),
    ("wire --queue 10p a b", "--queue and --ecn need a --rate"),
    ("wire --rate 1mbit --queue 1bdp a b", "give both"),
    ("wire --rate 1mbit --queue 10x a b", "a queue is written as"),
    ("wire --back-rate nothing a b", "no number behind"),
    ("capture", "where to? -w FILE"),
    ("capture --bogus", "no option --bogus"),
    ("capture -w /tmp/x --rotate 5", "--rotate wants bytes"),
    ("capture -w - --rotate 1M,5", "--rotate wants bytes"),
    ("capture -w /tmp/x -s 1", "-s must be 64 to"),
    ("record --bogus", "no option --bogus"),
    ("record --file-size 1", "--file-size is at least 64K"),
    ("record --keep 1", "--keep must be 64 to"),
    ("record state nowhere", "the filter is wrong"),
    ("wire averyveryverylongname b", "at most 15 characters"),
    ("watch --bogus", "no option --bogus"),
    ("watch --source x", "--source wants kernel, salut or all, not 'x'"),
    ("watch --delay 1ms", "--delay is at least 100ms"),
    ("watch --delay soon", "--delay wants a time"),
    ("watch state nowhere", "the filter is wrong"),
    ("status --bogus", "no option --bogus"),
    ("status --source x", "--source wants kernel, salut or all, not 'x'"),
    ("status --follow soon", "--follow wants a time"),
    ("status state nowhere", "nowhere"),
    ("status '(' src 10.0.0.1", "the filter is wrong"),
    ("status age '>' 3parsecs", "3parsecs"),
    ("stats x", "SECONDS must be 0.01 to 86400, not 'x'"),
    ("stats 1 0", "COUNT must be a number from 1 on, not '0'"),
    ("stats --source capture", "--source wants kernel, salut or all"),
    ("metrics word", "'word'"),
    ("metrics --source x", "--source wants kernel, salut or all"),
    ("metrics --listen", "--listen needs a value"),
    ("metrics --listen nowhere", "--listen wants ADDRESS:PORT such as 127.0.0.1:9555, not 'nowhere'"),
    ("metrics --listen 127.0.0.1:70000", "--listen wants ADDRESS:PORT"),
    ("metrics --listen example.org:80", "--listen wants ADDRESS:PORT"),
    ("doctor --many x", "--many wants a number, not 'x'"),
    ("doctor --source x", "--source wants kernel, salut, recorder or all"),
    ("doctor state nowhere", "nowhere"),
    ("kill", "which connections? a FILTER is wanted"),
    ("kill --yes", "which connections? a FILTER is wanted"),
    ("kill dst 192.0.2.1", "nobody can be asked here: --yes or --dry-run"),
    ("kill --yes state nowhere", "nowhere"),
    ("probe", "which connections? a FILTER is wanted"),
    ("probe dst 192.0.2.1", "nobody can be asked here: --yes or --dry-run"),
    ("probe --yes --probes 0 dst 192.0.2.1", "--probes must be 1 to 60, not 0"),
)

# The same where a device must be opened before the mistake shows: in a private network.
USAGE_INSIDE = (
    ("capture -i lo -w /tmp/x tcp port", "the filter 'tcp port' is wrong"),
    ("serve --echo --address 1.2.3", "--address wants an address such as 10.99.0.2/24"),
    ("serve --echo --address 10.0.0.1/40", "not '10.0.0.1/40'"),
    ("serve --echo --gateway x", "--gateway wants an address such as 10.99.0.1, not 'x'"),
    ("serve --echo --kernel x", "--kernel wants an address such as 10.99.0.1/24, not 'x'"),
)

NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups"
POWERLESS = "setpriv --bounding-set=-net_admin,-net_raw --inh-caps=-net_admin,-net_raw"

# What is taken away, the command line, what is missing, and what to do.
MISSING = (
    (f"unshare --net {NOBODY}", "serve --echo",
     r"/dev/net/tun may not be opened by this user|a TAP or TUN device needs CAP_NET_ADMIN",
     "run as root, or"),
    (f"unshare --net {NOBODY}", "serve --echo --packet lo --address 10.0.0.2",
     "a packet socket needs CAP_NET_RAW", "run as root, or"),
    (f"unshare --net {NOBODY}", "nc 10.0.0.1 80",
     r"/dev/net/tun may not be opened by this user|a TAP or TUN device needs CAP_NET_ADMIN",
     "run as root, or"),
    (f"unshare --net {NOBODY}", "demo --device tap",
     r"/dev/net/tun may not be opened by this user|CAP_NET_ADMIN", "run as root, or"),
    (f"unshare --net {NOBODY}", "capture -i lo -w /tmp/x", "a packet socket needs CAP_NET_RAW",
     "run as root"),
    ("unshare --net", "capture -i nosuch0 -w /tmp/x", "there is no interface nosuch0", "ip link"),
    ("unshare --net", "capture -w /tmp/x", "no interface is up", ""),
    (f"unshare --net {NOBODY}", "record --duration 1s",
     r"tracepoints may be read by root alone|no tracepoints to read", "root"),
    ("env", "watch", "a terminal is wanted", "salut status --follow 1s"),
    (f"unshare --net {NOBODY}", "wire a b",
     r"/dev/net/tun may not be opened by this user|a TAP or TUN device needs CAP_NET_ADMIN",
     "run as root, or"),
    (f"unshare --net {NOBODY}", "run --tap x -- true",
     r"/dev/net/tun may not be opened by this user|a TAP or TUN device needs CAP_NET_ADMIN",
     "run as root, or"),
    ("unshare --net sh -c 'ip link set lo up; ip addr add 192.0.2.1/32 dev lo; exec \"$@\"' sh",
     "run --private --publish 192.0.2.7:80:80 -- true",
     "--publish 192.0.2.7:80:80: Cannot assign requested address", "ip address"),
    (f"unshare --net {NOBODY}", "run --publish 80:80 -- true", "--publish 80:80: Permission denied",
     "choose a port from 1024 on"),
    ("unshare --net --mount sh -c 'mount -t tmpfs none /dev/net && exec \"$@\"' sh",
     "run --private --device tap -- true", "there is no /dev/net/tun", "modprobe tun"),
    ("unshare --net", "enter -- true", "there is no `salut run` to step into from here",
     "salut run --private -- PROGRAM"),
    ("unshare --net", "wire nowhere:a b", "there is no such network namespace", "ip netns add"),
    (f"unshare --net {POWERLESS}", "serve --echo", "a TAP or TUN device needs CAP_NET_ADMIN",
     "ip tuntap add salut0 mode tap vnet_hdr"),
    (f"unshare --net {POWERLESS}", "serve --echo --packet lo --address 10.0.0.2",
     "a packet socket needs CAP_NET_RAW", "run as root, or"),
    ("unshare --net", "serve --echo --packet lo --address 10.0.0.2",
     "not an Ethernet interface", "choose one that is"),
    ("unshare --net", "serve --echo --packet nosuch0 --address 10.0.0.2",
     "interface nosuch0: No such device", "ip link"),
    ("unshare --net --mount sh -c 'mount -t tmpfs none /dev/net && exec \"$@\"' sh",
     "serve --echo", "there is no /dev/net/tun", "modprobe tun"),
)


class Checks:
    def __init__(self):
        self.done = 0
        self.failed = 0

    def run(self, prefix, line, code, patterns):
        command = f"{prefix} {SALUT} {line}" if prefix else f"{SALUT} {line}"
        try:
            got = subprocess.run(["sh", "-c", "exec " + command], stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, timeout=LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            self._report(prefix, line, f"still there after {LIMIT_S} s")
            return
        said = got.stderr if not line.startswith("demo --device tap") else got.stdout + got.stderr
        if got.returncode != code:
            self._report(prefix, line, f"exit {got.returncode}, not {code}: {said}")
        elif got.stdout and said == got.stderr:
            self._report(prefix, line, f"printed on standard output: {got.stdout}")
        else:
            for pattern in patterns:
                if not re.search(pattern, said):
                    self._report(prefix, line, f"does not say '{pattern}': {said}")
                    return
            self.done += 1

    def _report(self, prefix, line, why):
        self.failed += 1
        print(f"FAIL: {prefix} salut {line}\n      {why.strip()}")


def can(command):
    return subprocess.run(command.split(), capture_output=True, check=False).returncode == 0


def main():
    if not os.access(SALUT, os.X_OK):
        print(f"there is no {SALUT}: run `make` first, or set SALUT")
        return 1
    checks = Checks()
    left_out = ""
    for line, pattern in USAGE:
        checks.run("", line, 2, [re.escape(pattern)])
    if os.geteuid() == 0 and can("unshare --net true") and os.path.exists("/dev/net/tun"):
        for line, pattern in USAGE_INSIDE:
            checks.run("unshare --net", line, 2, [re.escape(pattern)])
        for prefix, line, what, remedy in MISSING:
            if NOBODY in prefix and not can(f"{NOBODY} test -x {SALUT}"):
                left_out = "; nobody cannot read this directory, so that part was left out"
                continue
            checks.run(prefix, line, 3, [what, re.escape(remedy)])
    else:
        left_out = "; what needs root and /dev/net/tun was left out"
    print(f"{checks.done} command lines answered as they should be, {checks.failed} not{left_out}")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
