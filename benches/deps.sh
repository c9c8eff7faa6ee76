#!/usr/bin/env bash
# Checks what the benchmark peers need beyond `make deps`, and installs the missing Debian or Ubuntu
# packages when it may (root, or sudo without a password).
set -euo pipefail
packages=()
[ -e /usr/include/mosquitto.h ] || packages+=(libmosquitto-dev)
[ -e /usr/include/MQTTClient.h ] || packages+=(libpaho-mqtt-dev)
[ -e /usr/include/mbedtls/ssl.h ] || packages+=(libmbedtls-dev)
[ ${#packages[@]} -gt 0 ] || exit 0
sudo=
if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || {
        echo "bench: missing, install with: sudo apt-get install ${packages[*]}" >&2
        exit 1
    }
    sudo="sudo -n"
fi
echo "bench: installing ${packages[*]}"
log=$(mktemp)
# shellcheck disable=SC2086 # sudo is empty or a command with one flag
if ! { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
        -o DPkg::Lock::Timeout=120 install "${packages[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"
