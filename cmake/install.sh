#!/usr/bin/env bash
# Installs headers, libraries, the local platform, pkg-config and CMake package files.
# usage: install.sh BUILD_DIR DESTDIR PREFIX VERSION     (DESTDIR may be empty)
set -euo pipefail
build=$1
destdir=$2
prefix=$3
version=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
to=$destdir$prefix
native=$(cat "$build/lib/native-libs.txt")
soname=libiotx.so.1

# CMake takes a list; a flag that is not -lX stays as it is.
native_cmake=$(printf '%s' "$native" | sed 's/-l//g; s/ /;/g')
fill() { # TEMPLATE TARGET
    sed -e "s|@PREFIX@|$prefix|g; s|@VERSION@|$version|g; s|@SONAME@|$soname|g" \
        -e "s|@NATIVE_LIBS@|$native|g; s|@NATIVE_LIBS_CMAKE@|$native_cmake|g" "$here/$1" >"$2"
    chmod 644 "$2"
}

install -d "$to/include/iotx" "$to/lib/pkgconfig" "$to/lib/cmake/iotx" "$to/bin"
install -m 644 "$here"/../include/*.h "$to/include/iotx/"
install -m 644 "$build/lib/libiotx.a" "$to/lib/"
install -m 644 "$build/lib/libiotx_core.a" "$build/lib/libiotx_port.a" "$to/lib/"
install -m 755 "$build/lib/$soname" "$to/lib/"
ln -sf $soname "$to/lib/libiotx.so"
install -m 755 "$build/bin/iotx-platform" "$to/bin/"
fill iotx.pc.in "$to/lib/pkgconfig/iotx.pc"
fill iotxConfig.cmake.in "$to/lib/cmake/iotx/iotxConfig.cmake"
fill iotxConfigVersion.cmake.in "$to/lib/cmake/iotx/iotxConfigVersion.cmake"
echo "installed into $to"
