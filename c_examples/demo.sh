#!/usr/bin/env bash
# Starts the local platform and runs the X.509 example against it, unchanged but for the object file
# that redirects it (demo_port.c). Exit status 0 only when every step was seen.
#
# usage: demo.sh BUILD_DIR [expired|not-yet|wrong-host|unknown-ca]
#        with a second argument the platform shows that server certificate, and the demo must fail
set -uo pipefail
build=$(cd "${1:-build}" && pwd)
certificate=${2:-}
case $certificate in
    '') server=server ;;
    expired | not-yet | wrong-host | unknown-ca) server=server-$certificate ;;
    *)
        echo "demo: CERT is one of: expired not-yet wrong-host unknown-ca" >&2
        exit 2
        ;;
esac

work=$(mktemp -d)
platform=
finish() {
    if [ -n "$platform" ]; then
        kill "$platform" 2>/dev/null
        wait "$platform" 2>/dev/null
    fi
    rm -rf "$work"
}
trap finish EXIT
step() { printf '\n[%s] %s\n' "$1" "$2"; }
fail() {
    printf '\ndemo: FAILED: %s\n' "$1"
    exit 1
}

step 1 "platform: make a PKI and start"
"$build/bin/iotx-platform" pki --out "$work/pki" >"$work/pki.log" 2>&1 || {
    cat "$work/pki.log"
    fail "the PKI could not be made"
}
"$build/bin/iotx-platform" serve --pki "$work/pki" --listen 127.0.0.1:0 --tls --server-cert "$server" \
    --client-cert require --log "$work/events.jsonl" --ready "$work/ready" >"$work/platform.log" 2>&1 &
platform=$!
for _ in $(seq 1 100); do
    [ -s "$work/ready" ] && break
    kill -0 "$platform" 2>/dev/null || break
    sleep 0.1
done
port=$(sed -n 's/.*"port"[[:space:]]*:[[:space:]]*\([0-9]*\).*/\1/p' "$work/ready" 2>/dev/null | head -n 1)
if [ -z "$port" ]; then
    cat "$work/platform.log"
    fail "the platform did not start"
fi
echo "    platform started on 127.0.0.1:$port, TLS, client certificate required, server certificate: $server"

step 2 "device: mqtt_example with an empty product key, device name and secret"
IOTX_DEMO_PORT=$port IOTX_DEMO_CA=$work/pki/root.crt IOTX_DEMO_CERT=$work/pki/device.crt \
    IOTX_DEMO_KEY=$work/pki/device.key IOTX_PRODUCT_KEY='' IOTX_DEVICE_NAME='' IOTX_DEVICE_SECRET='' \
    timeout 120 "$build/bin/mqtt_example_demo" 2>&1 | tee "$work/device.log" | sed 's/^/    /'
status=${PIPESTATUS[0]}

if [ -n "$certificate" ]; then
    step 3 "the device refused the server"
    [ "$status" -ne 0 ] || fail "the example accepted a server certificate that is $certificate"
    case $certificate in
        expired) reason='expired' ;;
        not-yet) reason='not yet valid|not valid yet|future' ;;
        wrong-host) reason='name|host' ;;
        unknown-ca) reason='unknown|trust|issuer' ;;
    esac
    line=$(grep -iE '^state ' "$work/device.log" | grep -iE "$reason" | head -n 1)
    [ -n "$line" ] || fail "the example failed without saying that the certificate is $certificate"
    fail "the server certificate is $certificate; the library said: ${line#state }"
fi

# The order matters: each line is searched behind the one before.
step 3 "seen, in this order"
at=0
seen() { # WHAT PATTERN
    local found
    found=$(tail -n +$((at + 1)) "$work/device.log" | grep -nE "$2" | head -n 1)
    [ -n "$found" ] || fail "not seen: $1"
    at=$((at + ${found%%:*}))
    printf '    %-20s %s\n' "$1" "$(printf '%s' "${found#*:}" | sed 's/\x1b\[[0-9;]*m//g' | tr -s ' ')"
}
printf '    %-20s %s\n' "platform started" "127.0.0.1:$port"
seen "TLS verified" 'TLSv1\.[23].*x509\.itls\.cn-shanghai\.aliyuncs\.com|x509\.itls\.cn-shanghai\.aliyuncs\.com.*TLSv1\.[23]'
seen "identity received" '^identity .*productKey'
seen "product key, name" '^this is .*product key [^,]+, device name .+'
seen "subscribed" '^subscribed '
seen "published" '^published '
seen "message arrived" '^arrived '
seen "clean disconnect" '^disconnected +cleanly'

# The device says it went cleanly; the platform must have received the DISCONNECT packet.
for _ in $(seq 1 50); do
    grep -qi '"disconnect"' "$work/events.jsonl" && break
    sleep 0.1
done
grep -qi '"disconnect"' "$work/events.jsonl" || fail "the platform did not receive a DISCONNECT packet"
[ "$status" -eq 0 ] || fail "the example ended with status $status"
printf '\ndemo: everything seen\n'
