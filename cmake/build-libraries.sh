#!/usr/bin/env bash
# Compiles the crate and links the libraries into OUT_DIR; the Makefile and CMake both build through
# it. Nothing is downloaded once `cargo fetch` has run: add CARGO_NET_OFFLINE=true to insist.
#
# usage: build-libraries.sh OUT_DIR
# environment: CARGO, CARGO_TARGET_DIR, IOTX_CARGO_TARGET (a Rust target triple, for a cross build),
#              IOTX_CARGO_PROFILE (release, the default, release-small or dev); IOTX_BUILD_STD=1: compile
#              Rust's standard library too, for size and without back-traces (needs a nightly toolchain with
#              rust-src: RUSTUP_TOOLCHAIN=nightly); IOTX_CC, IOTX_LD, IOTX_AR,
#              IOTX_OBJCOPY, IOTX_NM: the tools of the link step (link-libraries.sh), and with
#              IOTX_CARGO_TARGET also the compiler and archiver of the C parts
set -euo pipefail
if [ $# -ne 1 ]; then
    echo "usage: $0 OUT_DIR" >&2
    exit 2
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/.."
CARGO=${CARGO:-cargo}
target=${IOTX_CARGO_TARGET:-${CARGO_BUILD_TARGET:-}}
profile=${IOTX_CARGO_PROFILE:-release}

command -v "$CARGO" >/dev/null || {
    echo "build-libraries: cargo was not found; install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or newer from https://rustup.rs" >&2
    exit 1
}
case $profile in
    release | release-small) folder=$profile ;;
    dev) folder=debug ;;
    *)
        echo "build-libraries: unknown profile '$profile', use release, release-small or dev" >&2
        exit 2
        ;;
esac
if [ -n "$target" ]; then
    libraries=$(rustc --print target-libdir --target "$target" 2>/dev/null) || {
        echo "build-libraries: rustc knows no target '$target' (rustc --print target-list)" >&2
        exit 1
    }
    if [ ! -d "$libraries" ]; then
        echo "build-libraries: the standard library for $target is missing: rustup target add $target" >&2
        exit 1
    fi
fi

# Cargo can compile the standard library for a named target only.
if [ "${IOTX_BUILD_STD:-0}" = 1 ]; then
    rustc --version | grep -q -e nightly -e dev || {
        echo "build-libraries: IOTX_BUILD_STD needs a nightly toolchain: rustup toolchain install nightly --component rust-src, then RUSTUP_TOOLCHAIN=nightly" >&2
        exit 1
    }
    [ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ] || {
        echo "build-libraries: IOTX_BUILD_STD needs the sources of the standard library: rustup component add rust-src" >&2
        exit 1
    }
    target=${target:-$(rustc -vV | sed -n 's/^host: //p')}
    export CARGO_UNSTABLE_BUILD_STD=std,panic_unwind CARGO_UNSTABLE_BUILD_STD_FEATURES=optimize_for_size
fi

# No panic ever unwinds through C: a callback from C into Rust ends it. So the unwind tables of the C
# parts serve debuggers only.
features=
if [ "$profile" = release-small ]; then
    export CFLAGS="${CFLAGS:-} -fno-asynchronous-unwind-tables -fno-unwind-tables"
    # The fast AES-GCM is the larger one.
    features=--no-default-features
fi

# Only a cross build passes the tools on to cargo, which would compile everything anew whenever CC
# differs from the last time.
if [ -n "$target" ]; then
    [ -z "${IOTX_CC:-}" ] || export "CC_${target//-/_}=$IOTX_CC"
    [ -z "${IOTX_AR:-}" ] || export "AR_${target//-/_}=$IOTX_AR"
fi

# The compiler states the system libraries that users of the archive must add; cargo repeats the
# statement when there is nothing to do.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$CARGO" rustc --color never --locked --profile "$profile" ${target:+--target "$target"} $features -p iotx --lib \
    --crate-type staticlib -- --print native-static-libs 2>&1 | tee "$log" |
    { grep -v -e native-static-libs -e '^note: link against the following native artifacts' -e '^$' || true; }
native=$(sed -n 's/^note: native-static-libs: //p' "$log" | tail -n 1)
if [ -z "$native" ]; then
    echo "build-libraries: cargo did not state the native libraries" >&2
    exit 1
fi
raw=${CARGO_TARGET_DIR:-target}/${target:+$target/}$folder/libiotx.a
export CC=${IOTX_CC:-${CC:-cc}} LD=${IOTX_LD:-${LD:-ld}} AR=${IOTX_AR:-${AR:-ar}} \
    OBJCOPY=${IOTX_OBJCOPY:-${OBJCOPY:-objcopy}} NM=${IOTX_NM:-${NM:-nm}}
"$here/core-archive.sh" "$raw" "$out"
"$here/link-libraries.sh" "$raw" "$out" "$native"
