#!/bin/bash
# salut demo, on every device that can be had: it ends well in under 10 seconds, every digest is
# right, and the ladder shows the states it promises. usage: tests/cli/test_demo.sh PATH-TO-SALUT
set -u
salut=${1:?usage: test_demo.sh PATH-TO-SALUT}
[ -x "$salut" ] || { echo "there is no program $salut" >&2; exit 1; }
failed=0
out=$(mktemp)
capture=$(mktemp)
trap 'rm -f "$out" "$capture"' EXIT

fail() {
    echo "demo --device $device: $*" >&2
    cat "$out" >&2
    failed=1
}

for device in memory veth tap any; do
    args="--device $device"
    [ "$device" = any ] && args=""
    start=$(date +%s%N)
    LC_ALL=C.UTF-8 timeout 20 "$salut" demo $args --large 16M --capture "$capture" >"$out" 2>&1
    status=$?
    took=$((($(date +%s%N) - start) / 1000000))
    if [ "$status" -eq 3 ]; then
        echo "demo --device $device: not to be had here"
        continue
    fi
    [ "$status" -eq 0 ] || { fail "exit status $status"; continue; }
    [ "$took" -lt 10000 ] || fail "took $took ms"
    [ "$(grep -c 'sha256 as sent' "$out")" -eq 3 ] || fail "not three files with their digest"
    grep -q 'sent back what it got' "$out" || fail "no connection the other way"
    for word in LISTEN SYN-SENT SYN-RECEIVED ESTABLISHED FIN-WAIT-1 CLOSE-WAIT LAST-ACK TIME-WAIT \
        CLOSED 'SYN,ACK seq 0 ack 1' 'MSS 1460' 'a SYN arrived for a listener' \
        'the user closed the connection' 'twice the maximum segment lifetime passed' \
        'closed first:  salut' 'TIME-WAIT:     salut, for 0.5'; do
        grep -qF -- "$word" "$out" || fail "no '$word'"
    done
    for word in 'LISTEN -> SYN-RECEIVED: a SYN arrived for a listener' \
        'ESTABLISHED -> FIN-WAIT-1: the user closed' 'FIN-WAIT-2 -> TIME-WAIT: the peer sent FIN'; do
        grep -qaF -- "$word" "$capture" || fail "no comment '$word' in the capture"
    done
    ! grep -q "$(printf '\033')" "$out" || fail "colour without a terminal"
    echo "demo --device $device: fine in $took ms"
done
exit "$failed"
