#!/usr/bin/env bash
# Packs the built libraries into BUILD_DIR/deb: libiotx0 (the shared libraries) and libiotx-dev (headers,
# archives, pkg-config and CMake files). Needs dpkg-deb; nothing is installed.
# usage: deb.sh BUILD_DIR VERSION
set -euo pipefail
export LC_ALL=C
if [ $# -ne 2 ]; then
    echo "usage: $0 BUILD_DIR VERSION" >&2
    exit 2
fi
build=$1
version=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v dpkg-deb >/dev/null || {
    echo "deb: dpkg-deb was not found; packages are made on Debian and Ubuntu" >&2
    exit 1
}
architecture=$(dpkg --print-architecture)
libdir=lib/$(cc -print-multiarch)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

dev=$work/libiotx-dev
run=$work/libiotx0
LIBDIR=$libdir LEGACY_NAMES='' "$here/install.sh" "$build" "$dev" /usr "$version" >/dev/null
# The local platform is a tool of the source tree.
rm -rf "$dev/usr/bin"
install -d "$run/usr/$libdir"
mv "$dev/usr/$libdir"/*.so.0 "$run/usr/$libdir/"

# The C library needed is the newest one whose symbol versions are used.
glibc=$(readelf -VW "$run/usr/$libdir"/*.so.0 | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -uV | tail -n 1)

control() { # PACKAGE SECTION DEPENDS SUMMARY TEXT
    local root=$work/$1
    install -d "$root/DEBIAN" "$root/usr/share/doc/$1"
    install -m 644 "$here/../LICENSE" "$root/usr/share/doc/$1/copyright"
    cat >"$root/DEBIAN/control" <<CONTROL
Package: $1
Version: $version
Architecture: $architecture
Multi-Arch: same
Section: $2
Priority: optional
Maintainer: iotx contributors <iotx@localhost>
Installed-Size: $(du -sk "$root/usr" | cut -f 1)
Depends: $3
Description: $4
 $5
CONTROL
}
control libiotx0 libs "libc6 (>= $glibc), libgcc-s1" "core and HAL of the Aliyun Link SDK for C" \
    "The shared libraries, for programs written for the SDK's C API."
control libiotx-dev libdevel "libiotx0 (= $version), libc6-dev" "core and HAL of the Aliyun Link SDK for C, development" \
    "Headers, archives, pkg-config and CMake files."
echo "activate-noawait ldconfig" >"$run/DEBIAN/triggers"

mkdir -p "$build/deb"
rm -f "$build"/deb/*.deb
for package in libiotx0 libiotx-dev; do
    dpkg-deb --root-owner-group -Zxz --build "$work/$package" "$build/deb/${package}_${version}_$architecture.deb"
done
