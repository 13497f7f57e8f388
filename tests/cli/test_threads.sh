#!/bin/bash
# salut serve --threads in a network of its own: every thread gets connections of the kernel's, what
# is served arrives whole, and a signal ends it well. usage: tests/cli/test_threads.sh PATH-TO-SALUT
set -u
salut=${1:?usage: test_threads.sh PATH-TO-SALUT}
[ -x "$salut" ] || { echo "there is no program $salut" >&2; exit 1; }
if [ "${2:-}" != inside ]; then
    unshare -n true 2>/dev/null || { echo "serve --threads: no network namespace here"; exit 0; }
    exec unshare -n "$0" "$salut" inside
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
head -c 300000 /dev/urandom >"$work/file"

fail() {
    echo "serve --threads: $*" >&2
    cat "$work/out" "$work/err" >&2
    kill "$server" 2>/dev/null
    exit 1
}

"$salut" serve --http "$work" --echo --threads 3 --stats >"$work/out" 2>"$work/err" &
server=$!
for _ in $(seq 100); do
    grep -q echo "$work/out" && break
    if ! kill -0 "$server" 2>/dev/null; then
        wait "$server"
        [ $? -eq 3 ] && { echo "serve --threads: not to be had here"; exit 0; }
        fail "it does not start"
    fi
    sleep 0.1
done

timeout 60 python3 - "$work/file" <<'PYTHON' || fail "what was fetched is not what is there"
import concurrent.futures
import sys
import urllib.request

with open(sys.argv[1], "rb") as file:
    wanted = file.read()


def fetch(number):
    host = "[fd99::2]" if number % 2 else "10.99.0.2"
    with urllib.request.urlopen(f"http://{host}/file", timeout=30) as answer:
        return answer.read() == wanted


with concurrent.futures.ThreadPoolExecutor(16) as pool:
    sys.exit(0 if all(pool.map(fetch, range(200))) else 1)
PYTHON

kill -TERM "$server"
wait "$server" || fail "it does not end well"
grep -q '^http: 200 connections, 0 failed' "$work/out" || fail "not 200 connections"
grep -q ' 6 listen-open' "$work/err" || fail "not two listeners in each of three threads"
echo "200 files came whole from three threads"
