#!/bin/bash
# Command lines: the right ones print help and exit 0, the wrong ones say in a sentence what is
# wrong and exit 2. usage: tests/cli/test_usage.sh PATH-TO-SALUT
set -u
salut=${1:?usage: test_usage.sh PATH-TO-SALUT}
[ -x "$salut" ] || { echo "there is no program $salut" >&2; exit 1; }
failed=0
out=$(mktemp)
err=$(mktemp)
trap 'rm -f "$out" "$err"' EXIT

# check STATUS PATTERN ARGUMENT...: the exit status, and a pattern in the message (for 2: in
# standard error, where nothing may stand in standard output; for 0: in standard output).
check() {
    local status=$1 pattern=$2
    shift 2
    timeout 10 "$salut" "$@" >"$out" 2>"$err" </dev/null
    local got=$?
    local where=$out
    [ "$status" -eq 0 ] || where=$err
    if [ "$got" -ne "$status" ]; then
        echo "salut $*: exit status $got, not $status" >&2
        failed=1
    elif ! grep -qE -- "$pattern" "$where"; then
        echo "salut $*: no '$pattern' in its message:" >&2
        cat "$where" >&2
        failed=1
    elif [ "$status" -eq 2 ] && [ -s "$out" ]; then
        echo "salut $*: a usage error prints to standard output" >&2
        failed=1
    elif grep -q "$(printf '\033')" "$out" "$err"; then
        echo "salut $*: colour without a terminal" >&2
        failed=1
    fi
}

check 0 'usage: salut VERB' help
check 0 'usage: salut VERB' -h
check 0 'usage: salut VERB' --help
check 0 '^salut [0-9]+\.[0-9]+\.[0-9]+$' version
check 0 '^salut [0-9]+' --version
for verb in demo serve nc; do
    check 0 "usage: salut $verb" "$verb" -h
    check 0 "usage: salut $verb" "$verb" --help
    check 0 "usage: salut $verb" help "$verb"
    check 2 "there is no option --nonsense" "$verb" --nonsense
    check 2 "Try: salut $verb -h" "$verb" --nonsense
done

check 2 'usage: salut VERB'
check 2 "there is no verb 'frobnicate'" frobnicate
check 2 "there is no verb 'frobnicate'" help frobnicate

check 2 'what is to be served' serve
check 2 'no such directory' serve --http /no/such/directory
check 2 '--port wants a number' serve --echo --port x
check 2 '--port must be 1 to 65535' serve --echo --port 65536
check 2 '--port must be 1 to 65535' serve --echo --port=0
check 2 '--port needs a value' serve --echo --port
check 2 '--port is for one service' serve --echo --sink --port 7
check 2 '--echo takes no value' serve --echo=1
check 2 '--idle-timeout wants a time' serve --echo --idle-timeout soon
check 2 '--source wants bytes' serve --source=lots
check 2 'one word too many' serve --echo word
check 2 '--threads must be 1 to 64' serve --echo --threads 65
check 2 '--threads is for a TAP or TUN' serve --echo --threads 2 --packet eth0
check 2 '--threads is for a TAP or TUN' serve --echo --threads 2 --capture x.pcapng
check 2 'choose one of' serve --echo --tap a --tun b
check 2 '--kernel is for a TAP' serve --echo --packet eth0 --kernel 10.0.0.1/24
check 2 '--mtu must be 68 to 65535' serve --echo --mtu 20
check 2 '--address can be given' serve --echo $(for i in $(seq 20); do echo --address 10.0.0.$i; done)

check 2 'an ADDRESS and a PORT' nc
check 2 'an ADDRESS and a PORT' nc 10.0.0.1
check 2 '-l wants a PORT' nc -l
check 2 'a port is a number' nc 10.0.0.1 http
check 2 'a port is a number' nc -l 70000
check 2 'is no IP address' nc localhost 80
check 2 'one word too many' nc 10.0.0.1 80 90

check 2 '--device is tap, veth or memory' demo --device cloud
check 2 '--large wants bytes' demo --large huge

# Help goes to a full device or a closed pipe without a crash.
"$salut" help | head -c 1 >/dev/null

# Missing privilege is told, with what helps, and exit status 3.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    timeout 10 setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --no-new-privs \
        "$salut" serve --echo >"$out" 2>"$err" </dev/null
    if [ $? -ne 3 ] || ! grep -q . "$err"; then
        echo "serve without privilege: not exit status 3 with a sentence" >&2
        cat "$err" >&2
        failed=1
    fi
fi

[ "$failed" -eq 0 ] && echo "every command line is answered as it should be"
exit "$failed"
