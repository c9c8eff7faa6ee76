#!/usr/bin/env bash
# Installs headers, libraries, pkg-config and CMake package files, and the local platform if it was built.
# usage: install.sh BUILD_DIR DESTDIR PREFIX VERSION     (DESTDIR may be empty)
# environment: LIBDIR, the folder of the libraries below the prefix (default: lib)
#              LEGACY_NAMES=1 also provides libiot_sdk, libiot_hal and libiot_tls, the names on the
#              link lines of firmware that was built with the SDK
set -euo pipefail
if [ $# -ne 4 ]; then
    echo "usage: $0 BUILD_DIR DESTDIR PREFIX VERSION" >&2
    exit 2
fi
build=$1
destdir=$2
prefix=$3
version=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case $prefix in
    /*) ;;
    *)
        echo "install: the prefix must be an absolute path, not '$prefix'" >&2
        exit 2
        ;;
esac
libdir=${LIBDIR:-lib}
case $libdir in
    /* | *..*)
        echo "install: LIBDIR is relative to the prefix, not '$libdir'" >&2
        exit 2
        ;;
esac
case ${LEGACY_NAMES:-} in
    '' | 0 | no | OFF | off) legacy=0 ;;
    1 | yes | ON | on) legacy=1 ;;
    *)
        echo "install: LEGACY_NAMES is 1 or empty, not '$LEGACY_NAMES'" >&2
        exit 2
        ;;
esac
to=$destdir$prefix
native=$(cat "$build/lib/native-libs.txt")

# CMake takes a list; a flag that is not -lX stays as it is.
native_cmake=$(printf '%s' "$native" | sed 's/-l//g; s/ /;/g')
config_to_prefix=$(printf '%s/cmake/iotx' "$libdir" | sed 's|[^/][^/]*|..|g')
fill() { # TEMPLATE TARGET [NAME DESCRIPTION]
    sed -e "s|@PREFIX@|$prefix|g; s|@LIBDIR@|$libdir|g; s|@CONFIG_TO_PREFIX@|$config_to_prefix|g" \
        -e "s|@VERSION@|$version|g; s|@NAME@|${3:-}|g; s|@DESCRIPTION@|${4:-}|g" \
        -e "s|@NATIVE_LIBS@|$native|g; s|@NATIVE_LIBS_CMAKE@|$native_cmake|g" "$here/$1" >"$2"
    chmod 644 "$2"
}

install -d "$to/$libdir/pkgconfig" "$to/$libdir/cmake/iotx"
(cd "$here/../include" && find . -name '*.h' -exec install -D -m 644 {} "$to/include/iotx/{}" ';')
for name in iotx iotx_hal; do
    install -m 644 "$build/lib/lib$name.a" "$to/$libdir/"
    install -m 755 "$build/lib/lib$name.so.0" "$to/$libdir/"
    ln -sf "lib$name.so.0" "$to/$libdir/lib$name.so"
done
# For ports that are archives: the SDK without HAL, and the default port.
install -m 644 "$build/lib/libiotx_core.a" "$build/lib/libiotx_port.a" "$build/lib/iotx_take_port.rsp" "$to/$libdir/"
for name in iotx-platform iotx; do
    if [ -x "$build/bin/$name" ]; then
        install -D -m 755 "$build/bin/$name" "$to/bin/$name"
    fi
done
fill package.pc.in "$to/$libdir/pkgconfig/iotx.pc" iotx \
    "Core and HAL of the Aliyun Link SDK for C, with the same C API"
fill package.pc.in "$to/$libdir/pkgconfig/iotx_hal.pc" iotx_hal \
    "HAL of the Aliyun Link SDK for C: os, tcp, tls, kv"
fill package.pc.in "$to/$libdir/pkgconfig/iotx_core.pc" iotx_core \
    "Core of the Aliyun Link SDK for C without a HAL; a port and iotx_port follow on the link line"
fill package.pc.in "$to/$libdir/pkgconfig/iotx_port.pc" iotx_port "Default HAL behind a port's, for iotx_core"
# Both exist as archives only, so their system libraries are always needed.
sed -i "s|^Libs: .*|& $native|; /^Libs.private/d" "$to/$libdir/pkgconfig/iotx_port.pc"
sed -i '/^Libs.private/d' "$to/$libdir/pkgconfig/iotx_core.pc"
# pkg-config --variable=take_port iotx: the option for a port's archive in front of iotx.
printf 'take_port=-Wl,@${libdir}/iotx_take_port.rsp\n' >>"$to/$libdir/pkgconfig/iotx.pc"
ln -sf iotx_hal.pc "$to/$libdir/pkgconfig/iotx-hal.pc"
fill iotxConfig.cmake.in "$to/$libdir/cmake/iotx/iotxConfig.cmake"
fill iotxConfigVersion.cmake.in "$to/$libdir/cmake/iotx/iotxConfigVersion.cmake"
install -m 644 "$here/iotxTargets.cmake" "$to/$libdir/cmake/iotx/"

if [ $legacy = 1 ]; then
    # Linker scripts, which also bring the system libraries that the old link line lacks. libiot_sdk
    # is the SDK without a HAL, and the default HAL comes with libiot_hal and libiot_tls: a port's
    # archive between them wins, as it did. Those two also name the SDK, so that any order links.
    printf '/* linker script */\nINPUT(libiotx_core.a)\n' >"$to/$libdir/libiot_sdk.a"
    for name in hal tls; do
        printf '/* linker script */\nGROUP(libiotx_port.a libiotx_core.a)\nINPUT(%s)\n' "$native" \
            >"$to/$libdir/libiot_$name.a"
    done
    # The shared name is a link, so that it can be loaded at run time too. No -liot_* becomes
    # DT_NEEDED: that entry is the SONAME.
    for name in sdk hal tls; do
        chmod 644 "$to/$libdir/libiot_$name.a"
        ln -sf libiotx.so.0 "$to/$libdir/libiot_$name.so"
    done
fi
echo "installed into $to"
