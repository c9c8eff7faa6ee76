#!/usr/bin/env bash
# Turns the raw static archive that cargo leaves into the two libraries that are shipped:
#
#   OUT/libiotx.a      one relocatable object in which only the names of exports.txt are global
#   OUT/libiotx.so.1   the same object as a shared library, OUT/libiotx.so points to it
#
# The raw archive exposes every symbol of Mbed TLS and of the Rust runtime; a firmware that links an
# Mbed TLS of its own would clash with it. Sections stay per function, so that the application's
# link can still drop what it does not use (-Wl,--gc-sections).
#
# usage: link-libraries.sh RAW_ARCHIVE OUT_DIR NATIVE_LIBS
# environment: CC, LD, AR, OBJCOPY, NM (set them together for a cross build), LLD (another linker for
#              the first step), EXPORTS (another list)
set -euo pipefail
export LC_ALL=C

if [ $# -ne 3 ]; then
    echo "usage: $0 RAW_ARCHIVE OUT_DIR NATIVE_LIBS" >&2
    exit 2
fi
raw=$1
out=$2
native=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exports=${EXPORTS:-$here/exports.txt}
CC=${CC:-cc}
LD=${LD:-ld}
AR=${AR:-ar}
OBJCOPY=${OBJCOPY:-objcopy}
NM=${NM:-nm}
if [ -z "${LLD:-}" ]; then
    host=$(rustc -vV | sed -n 's/^host: //p')
    LLD=$(rustc --print sysroot)/lib/rustlib/$host/bin/gcc-ld/ld.lld
fi
soname=libiotx.so.1

mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '!/^#/ && NF {print $1}' "$exports" | sort >"$work/names"
if [ -n "$(uniq -d "$work/names")" ]; then
    echo "exports.txt lists a name twice: $(uniq -d "$work/names" | tr '\n' ' ')" >&2
    exit 1
fi

# 1. Partial link. Each exported name is a root; the archive members behind them follow. The linker
# is the one that comes with the Rust compiler: the archive carries the compiler's bitcode beside
# the object code, and GNU ld, where an older LLVM's plug-in is installed, hands the whole archive
# to that plug-in and loses it. Without the bitcode GNU ld can drop what no root needs.
sed 's/^/-u /' "$work/names" >"$work/roots"
"$LLD" -r --strip-debug -o "$work/members.o" "@$work/roots" "$raw"
"$OBJCOPY" --remove-section=.llvmbc --remove-section=.llvmcmd "$work/members.o"
"$LD" -r --gc-sections -o "$work/whole.o" "@$work/roots" "$work/members.o"

# -u leaves an undefined symbol behind for a name that nobody defines.
"$NM" -g --defined-only "$work/whole.o" | awk 'NF {print $NF}' | sort -u >"$work/defined"
missing=$(comm -23 "$work/names" "$work/defined")
if [ -n "$missing" ]; then
    echo "exports.txt lists names that the library does not define:" >&2
    printf '  %s\n' $missing >&2
    exit 1
fi

# 2. Only the listed names stay global. Weak definitions (the HAL) stay weak.
"$OBJCOPY" --keep-global-symbols="$work/names" "$work/whole.o" "$work/iotx.o"
rm -f "$work/libiotx.a"
"$AR" rcsD "$work/libiotx.a" "$work/iotx.o"

# 3. Shared library. No -Bsymbolic: the application's own HAL_* must win over ours.
{
    echo "{ global:"
    sed 's/$/;/' "$work/names"
    echo "local: *; };"
} >"$work/version-script"
# shellcheck disable=SC2086 # the native libraries are a list of flags
"$CC" -shared -o "$work/$soname" "$work/iotx.o" \
    -Wl,-soname,$soname -Wl,--version-script="$work/version-script" \
    -Wl,--gc-sections -Wl,-z,defs -Wl,-z,relro -Wl,-z,now $native

mv -f "$work/libiotx.a" "$out/libiotx.a"
mv -f "$work/$soname" "$out/$soname"
chmod 644 "$out/libiotx.a"
chmod 755 "$out/$soname"
ln -sf $soname "$out/libiotx.so"
printf '%s\n' "$native" >"$out/native-libs.txt"

# 4. What is global must be what is listed, in both files.
for file in "$out/libiotx.a" "$out/$soname"; do
    dynamic=
    [ "$file" = "$out/$soname" ] && dynamic=-D
    # shellcheck disable=SC2086 # empty or one flag
    "$NM" -g $dynamic --defined-only "$file" | awk 'NF == 3 {print $3}' | sort -u >"$work/global"
    if ! diff "$work/names" "$work/global" >"$work/diff"; then
        echo "$file: exported names differ from exports.txt (< listed, > exported):" >&2
        cat "$work/diff" >&2
        exit 1
    fi
done

echo "  $(wc -l <"$work/names") exported names"
echo "  $out/libiotx.a ($(($(wc -c <"$out/libiotx.a") / 1024)) KiB), $out/$soname ($(($(wc -c <"$out/$soname") / 1024)) KiB)"
echo "  link a program with: -L$out -liotx $native"
