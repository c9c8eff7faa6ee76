#!/usr/bin/env bash
# Turns the raw static archive that cargo leaves into the libraries that are shipped:
#
#   OUT/libiotx.a          one relocatable object in which only the names of exports.txt are global
#   OUT/libiotx.so.0       the same object as a shared library; OUT/libiotx.so points to it
#   OUT/libiotx_hal.a      the part behind the names that exports.txt marks `hal`, likewise
#   OUT/libiotx_hal.so.0   and shared (both only if a name is marked)
#   OUT/native-libs.txt    the system libraries that the link of a static program states
#
# The raw archive exposes every symbol of Mbed TLS and of the Rust runtime; a firmware that links an
# Mbed TLS of its own would clash with it. Sections stay per function, so that the application's
# link can still drop what it does not use (-Wl,--gc-sections).
#
# usage: link-libraries.sh RAW_ARCHIVE OUT_DIR NATIVE_LIBS    (as `rustc --print native-static-libs` states them)
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
for tool in "$CC" "$LD" "$AR" "$OBJCOPY" "$NM" "$LLD"; do
    command -v "${tool%% *}" >/dev/null || {
        echo "link-libraries: $tool was not found" >&2
        exit 1
    }
done

# -lc and -lgcc_s: every C compiler driver adds them itself, and -static has no -lgcc_s. -lm and
# -lutil: rustc states them for programs in general; the link with -z defs below shows that nothing
# here needs them.
native=
for flag in $3; do
    case $flag in
        -lc | -lgcc_s | -lm | -lutil) ;;
        *) native="$native${native:+ }$flag" ;;
    esac
done

mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '!/^#/ && NF {print $1}' "$exports" | sort >"$work/iotx.names"
awk '!/^#/ && NF {for (i = 3; i <= NF; i++) if ($i == "hal") print $1}' "$exports" | sort >"$work/iotx_hal.names"
if [ -n "$(uniq -d "$work/iotx.names")" ]; then
    echo "$exports lists a name twice: $(uniq -d "$work/iotx.names" | tr '\n' ' ')" >&2
    exit 1
fi
if [ -s "$work/iotx_hal.names" ]; then
    unmarked=$(comm -23 "$work/iotx.names" "$work/iotx_hal.names" | grep '^HAL_' || true)
    if [ -n "$unmarked" ]; then
        echo "$exports: a HAL function belongs to both libraries, mark it hal:" $unmarked >&2
        exit 1
    fi
fi

# Every exported name is a root; the archive members behind it follow. The linker of this first step
# is the one that comes with the Rust compiler: the archive carries the compiler's bitcode beside the
# object code, and GNU ld, where an older LLVM's plug-in is installed, hands the whole archive to that
# plug-in and loses it. Without the bitcode GNU ld can drop what no root needs.
sed 's/^/-u /' "$work/iotx.names" >"$work/iotx.roots"
"$LLD" -r -o "$work/members.o" "@$work/iotx.roots" "$raw"
"$OBJCOPY" --strip-debug --remove-section=.llvmbc --remove-section=.llvmcmd "$work/members.o"

# Makes OUT/libNAME.a and OUT/libNAME.so.0 from the names in NAME.names.
make_library() { # NAME
    local name=$1 names=$work/$1.names soname=lib$1.so.0 missing file dynamic
    sed 's/^/-u /' "$names" >"$work/$name.roots"

    # Groups are dissolved: they are named by a symbol that is local from here on, and a second
    # object with a group of this name would have the linker discard ours.
    "$LD" -r --gc-sections --force-group-allocation -o "$work/$name.whole.o" "@$work/$name.roots" "$work/members.o"

    # -u leaves an undefined symbol behind for a name that nobody defines.
    "$NM" -g --defined-only "$work/$name.whole.o" | awk 'NF {print $NF}' | sort -u >"$work/defined"
    missing=$(comm -23 "$names" "$work/defined")
    if [ -n "$missing" ]; then
        echo "$exports lists names that lib$name does not define:" >&2
        printf '  %s\n' $missing >&2
        exit 1
    fi

    # Only the listed names stay global. Weak definitions (the HAL) stay weak.
    "$OBJCOPY" --keep-global-symbols="$names" --strip-unneeded "$work/$name.whole.o" "$work/$name.o"
    rm -f "$work/lib$name.a"
    "$AR" rcsD "$work/lib$name.a" "$work/$name.o"

    # The shared library. No -Bsymbolic: the application's own HAL_* must win over ours.
    {
        echo "{ global:"
        sed 's/$/;/' "$names"
        echo "local: *; };"
    } >"$work/version-script"
    # shellcheck disable=SC2086 # the compiler may carry flags, the native libraries are a list
    $CC -shared -o "$work/$soname" "$work/$name.o" \
        -Wl,-soname,"$soname" -Wl,--version-script="$work/version-script" -Wl,-s \
        -Wl,--gc-sections -Wl,-z,defs -Wl,-z,relro -Wl,-z,now -Wl,--as-needed $native

    # What is global must be what is listed, in both files.
    for file in "$work/lib$name.a" "$work/$soname"; do
        dynamic=
        [ "$file" = "$work/$soname" ] && dynamic=-D
        # shellcheck disable=SC2086 # empty or one flag
        "$NM" -g $dynamic --defined-only "$file" | awk 'NF == 3 {print $3}' | sort -u >"$work/global"
        if ! diff "$names" "$work/global" >"$work/diff"; then
            echo "$(basename "$file"): exported names differ from $exports (< listed, > exported):" >&2
            cat "$work/diff" >&2
            exit 1
        fi
    done

    chmod 644 "$work/lib$name.a"
    chmod 755 "$work/$soname"
    mv -f "$work/lib$name.a" "$work/$soname" "$out/"
    ln -sf "$soname" "$out/lib$name.so"
    echo "  lib$name: $(wc -l <"$names") names, archive $(($(wc -c <"$out/lib$name.a") / 1024)) KiB, shared $(($(wc -c <"$out/$soname") / 1024)) KiB"
}

printf '%s\n' "$native" >"$out/native-libs.txt"
if [ -s "$work/iotx_hal.names" ]; then
    make_library iotx_hal
fi
# Last: its archive is what a make rule looks at.
make_library iotx
echo "  link a program with: -L$out -liotx $native"
