#!/usr/bin/env bash
# Checks every tool that building, the demo and the tests need, and installs the missing Debian or
# Ubuntu packages when it may (root, or sudo without a password). Says exactly what is missing and
# how to get it otherwise, with exit status 1. Finishes in well under a second when all is there.
#
# usage: deps.sh [BUILD_DIR]      IOTX_NO_INSTALL=1 only reports
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
build=${1:-$root/build}
cd "$root"

msrv=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
packages=()
reasons=()

need() { # PACKAGE WHY CHECK...
    local package=$1 why=$2
    shift 2
    if ! "$@" >/dev/null 2>&1; then
        packages+=("$package")
        reasons+=("$why")
    fi
}
has() { command -v "$1"; }
has_mosquitto() { has mosquitto || [ -x /usr/sbin/mosquitto ]; }
has_libclang() {
    local directory
    for directory in ${LIBCLANG_PATH:+"$LIBCLANG_PATH"} /usr/lib/llvm-*/lib /usr/lib/*-linux-gnu /usr/lib64 /usr/lib; do
        compgen -G "$directory/libclang*.so*" && return 0
    done
    return 1
}
has_mbedtls() {
    test -e /usr/include/mbedtls/ssl.h && cc -print-file-name=libmbedcrypto.a | grep /
}
has_libmosquitto() { pkg-config --exists libmosquitto || [ -e /usr/include/mosquitto.h ]; }

check_all() {
    packages=()
    reasons=()
    need gcc "cc" has cc
    need g++ "c++" has c++
    need gcc-arm-linux-gnueabihf "C compiler for 32-bit ARM, for the header tests" has arm-linux-gnueabihf-gcc
    need libc6-dev-armhf-cross "C library headers for 32-bit ARM" test -e /usr/arm-linux-gnueabihf/include/stdio.h
    need libc6-dev "C library headers" test -e /usr/include/stdio.h
    need make "make" has make
    need cmake "cmake" has cmake
    need ninja-build "ninja, the other generator of the package tests" has ninja
    need clang "clang" has clang
    need libclang-dev "libclang, for the Mbed TLS bindings" has_libclang
    need pkg-config "pkg-config" has pkg-config
    need python3 "python3" has python3
    need python3-venv "python3 venv" python3 -c 'import venv, ensurepip'
    need mosquitto "mosquitto, the second broker of the tests" has_mosquitto
    need mosquitto-clients "mosquitto_pub and mosquitto_sub" has mosquitto_pub
    need libmosquitto-dev "libmosquitto, for the benchmarks" has_libmosquitto
    need libmbedtls-dev "an Mbed TLS of the distribution, to show that ours does not clash" has_mbedtls
    need openssl "openssl" has openssl
    need chromium "chromium, for the test of the local platform's page" has chromium
    need chromium-driver "chromedriver, its remote control" has chromedriver
    need libssl-dev "OpenSSL's library, for TLS-PSK of the local platform" pkg-config --exists openssl
    need curl "curl, a second client of the local platform's proxy" has curl
    need valgrind "valgrind" has valgrind
    need binutils "ld, objcopy, nm" has objcopy
    need git "git" has git
}

# Rust first: a distribution's cargo is older than the minimum, so it is never installed from there.
rust_help() {
    {
        echo "deps: $1"
        echo "deps: this project needs Rust $msrv or newer. Install it with rustup (https://rustup.rs):"
        echo "    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal -c rustfmt -c clippy"
        echo "    . \"\$HOME/.cargo/env\""
        echo "deps: or, where rustup is already there: rustup toolchain install stable && rustup default stable"
    } >&2
}
rust_ok=1
if ! has cargo >/dev/null || ! has rustc >/dev/null; then
    rust_help "cargo and rustc were not found in PATH"
    rust_ok=0
else
    found=$(rustc --version | awk '{print $2}' | sed 's/-.*//')
    if [ "$(printf '%s\n%s\n' "$msrv" "$found" | sort -V | head -n 1)" != "$msrv" ]; then
        rust_help "rustc is $found"
        rust_ok=0
    fi
fi

check_all
if [ ${#packages[@]} -gt 0 ]; then
    echo "deps: missing:"
    for i in "${!packages[@]}"; do
        echo "    ${packages[$i]}  (${reasons[$i]})"
    done
    sudo=
    may_install=0
    if [ -z "${IOTX_NO_INSTALL:-}" ] && has apt-get >/dev/null; then
        if [ "$(id -u)" = 0 ]; then
            may_install=1
        elif has sudo >/dev/null && sudo -n true 2>/dev/null; then
            may_install=1
            sudo="sudo -n"
        fi
    fi
    if [ $may_install = 1 ]; then
        echo "deps: installing with apt-get"
        log=$(mktemp)
        # shellcheck disable=SC2086 # sudo is empty or a command with one flag
        if ! { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
            $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
                -o DPkg::Lock::Timeout=120 install "${packages[@]}"; } >"$log" 2>&1; then
            tail -n 20 "$log" >&2
            echo "deps: apt-get failed, see above" >&2
            rm -f "$log"
            exit 1
        fi
        rm -f "$log"
        check_all
        if [ ${#packages[@]} -gt 0 ]; then
            echo "deps: still missing after the installation: ${packages[*]}" >&2
            exit 1
        fi
    else
        echo "deps: not allowed to install packages here. On Debian or Ubuntu run:" >&2
        echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages[*]}" >&2
        echo "deps: on another system install what offers the same commands." >&2
        exit 1
    fi
fi
[ $rust_ok = 1 ] || exit 1

# Python packages live in a virtual environment of the build directory, with pinned versions.
requirements=$root/tests/python/requirements.txt
stamp=$build/venv/requirements.installed
if [ -f "$requirements" ] && ! cmp -s "$requirements" "$stamp"; then
    echo "deps: preparing $build/venv"
    mkdir -p "$build"
    python3 -m venv "$build/venv"
    "$build/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$stamp"
fi
echo "deps: all present"
