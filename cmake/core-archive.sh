#!/usr/bin/env bash
# Cuts the raw static archive in two, for firmware whose port is an archive of its own:
#
#   OUT/libiotx_core.a   the SDK; HAL_*, ssl_hooks_set, iotx_ca_crt, g_cli_crt, g_cli_key are undefined
#   OUT/libiotx_port.a   the default port, weak definitions of exactly these
#   OUT/iotx_take_port.rsp  linker options (-Wl,@FILE) that ask for each of these names from the start, so
#                        that an archive in front of -liotx gives its definitions
#
# A linker searches archives from left to right and never takes a definition back, so only an archive
# that comes last can be a default: -liotx_core -lport -liotx_port. Whatever the port defines is taken
# from it, the rest from the default port.
#
# usage: core-archive.sh RAW_ARCHIVE OUT_DIR
# environment: LD, AR, OBJCOPY, NM (set them together for a cross build), LLD, EXPORTS
#              as for link-libraries.sh
set -euo pipefail
export LC_ALL=C

if [ $# -ne 2 ]; then
    echo "usage: $0 RAW_ARCHIVE OUT_DIR" >&2
    exit 2
fi
raw=$(realpath "$1")
out=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exports=${EXPORTS:-$here/exports.txt}
LD=${LD:-ld}
AR=${AR:-ar}
OBJCOPY=${OBJCOPY:-objcopy}
NM=${NM:-nm}
if [ -z "${LLD:-}" ]; then
    host=$(rustc -vV | sed -n 's/^host: //p')
    LLD=$(rustc --print sysroot)/lib/rustlib/$host/bin/gcc-ld/ld.lld
fi

mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# 1. The default port is what the C files of the shim define weakly; their names in the archive
# carry the compiler's hash.
shim=()
for name in hal tls; do
    member=$("$AR" t "$raw" | grep -E "^[0-9a-f]{16}-$name\.o\$" || true)
    if [ "$(wc -w <<<"$member")" -ne 1 ]; then
        echo "$raw: expected one member of src/shim/$name.c, found: ${member:-none}" >&2
        exit 1
    fi
    (cd "$work" && "$AR" x "$raw" "$member" && mv "$member" "iotx_port_$name.o")
    shim+=("$member")
done
(cd "$work" && "$AR" rcsD libiotx_port.a iotx_port_hal.o iotx_port_tls.o)
"$NM" --defined-only "$work/libiotx_port.a" | awk '$2 ~ /^[WV]$/ {print $3}' | sort -u >"$work/port-names"
"$NM" -u "$work/libiotx_port.a" | awk '$1 == "U" && $2 ~ /^iotx_port_/ {print $2}' | sort -u >"$work/port-needs"

# 2. The core: everything else, as in link-libraries.sh. Its globals are the listed names without the
# port's, and the functions that the default port stands on.
awk '!/^#/ && NF {print $1}' "$exports" | sort >"$work/names"
comm -23 "$work/names" "$work/port-names" >"$work/sdk-names"
sort -u "$work/sdk-names" "$work/port-needs" >"$work/globals"
sed 's/^/-u /' "$work/globals" >"$work/roots"
# S: no index. The linker needs none, and GNU ar would hand the bitcode in it to a plug-in.
cp "$raw" "$work/rest.a"
"$AR" dS "$work/rest.a" "${shim[@]}"
"$LLD" -r --strip-debug -o "$work/members.o" "@$work/roots" "$work/rest.a"
"$OBJCOPY" --remove-section=.llvmbc --remove-section=.llvmcmd "$work/members.o"
"$LD" -r --gc-sections -o "$work/whole.o" "@$work/roots" "$work/members.o"
"$OBJCOPY" --keep-global-symbols="$work/globals" "$work/whole.o" "$work/iotx_core.o"
"$NM" -g --defined-only "$work/iotx_core.o" | awk 'NF == 3 {print $3}' | sort -u >"$work/defined"
if ! diff "$work/globals" "$work/defined" >"$work/diff"; then
    echo "libiotx_core.a: global names differ from those expected (< expected, > found):" >&2
    cat "$work/diff" >&2
    exit 1
fi
(cd "$work" && "$AR" rcsD libiotx_core.a iotx_core.o)

sed 's/^/-u /' "$work/port-names" >"$work/iotx_take_port.rsp"
install -m 644 "$work/libiotx_core.a" "$work/libiotx_port.a" "$work/iotx_take_port.rsp" "$out/"
echo "  $out/libiotx_core.a ($(($(wc -c <"$out/libiotx_core.a") / 1024)) KiB), $out/libiotx_port.a ($(wc -l <"$work/port-names") replaceable names)"
