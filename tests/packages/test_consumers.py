"""The ways a user gets at the installed libraries, each from a clean folder, in C and in C++."""

import itertools
import os
import re
import shutil
import sys

import pytest
from conftest import BUILD, HERE, ROOT, needed, project_version, run

HOST = "a1B2c3D4e5F.iot-as-mqtt.cn-shanghai.aliyuncs.com"
OLD_NAMES = ["-liot_sdk", "-liot_hal", "-liot_tls"]
TARGETS = ["iotx", "iotx_static", "hal", "hal_static"]
SOURCES = {"iotx": "consumer.c", "iotx_hal": "hal_consumer.c"}
# port_between.c has two functions.
PORT_HAL = "os=mixed tcp=mixed tls=default kv=default data=default"
DEFAULT_HAL = "os=default tcp=default tls=default kv=default data=default"
ANSWERS = {"iotx": HOST, "iotx_hal": "hal-1"}


def check_cmake_programs(folder):
    """Runs what the CMake project has built, with no help to find a library."""
    for target, language in itertools.product(TARGETS, ["c", "cxx"]):
        program = folder / f"{target}_{language}"
        name = "iotx_hal" if "hal" in target else "iotx"
        assert run(program).strip() == ANSWERS[name]
        ours = [library for library in needed(program) if "iotx" in library]
        assert ours == ([] if target.endswith("static") else [f"lib{name}.so.0"])
    for way, language in itertools.product(["core_port", "take_shared", "take_static", "plain"], ["c", "cxx"]):
        assert whose_hal(folder / f"{way}_{language}") == (DEFAULT_HAL if way == "plain" else PORT_HAL), way


def whose_hal(program, **environment):
    return run(program, **environment).splitlines()[-1]


@pytest.mark.parametrize("generator", ["Unix Makefiles", "Ninja"])
def test_cmake_package(generator, installed, tmp_path):
    if generator == "Ninja" and not shutil.which("ninja"):
        pytest.skip("ninja is not installed")
    run("cmake", "-G", generator, "-S", HERE / "cmake_consumer", "-B", tmp_path, f"-DCMAKE_PREFIX_PATH={installed}")
    run("cmake", "--build", tmp_path)
    check_cmake_programs(tmp_path)


def test_cmake_package_in_a_staging_folder(staged, tmp_path):
    run("cmake", "-S", HERE / "cmake_consumer", "-B", tmp_path, f"-Diotx_DIR={staged}/opt/iotx/lib/custom/cmake/iotx")
    run("cmake", "--build", tmp_path)
    check_cmake_programs(tmp_path)


def test_cmake_package_version(installed, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(later C)\nfind_package(iotx 99.0 CONFIG REQUIRED)\n")
    printed = run("cmake", "-S", tmp_path, "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={installed}", status=1)
    assert "iotx" in printed and "99.0" in printed


def test_cmake_names_what_a_port_lacks(installed, tmp_path):
    """Without the default port the linker lists every function that is missing, and none that is there."""
    run("cmake", "-S", HERE / "cmake_consumer", "-B", tmp_path, f"-DCMAKE_PREFIX_PATH={installed}")
    printed = run("cmake", "--build", tmp_path, "--target", "strict_c", status=2)
    missing = set(re.findall(r"undefined reference to `(\w+)'", printed))
    assert {"HAL_TCP_Read", "HAL_TCP_Write", "HAL_TCP_Destroy", "HAL_UptimeMs", "HAL_Malloc", "HAL_Free",
            "HAL_SSL_Establish", "HAL_Kv_Get", "iotx_ca_crt"} <= missing
    assert not {"HAL_TCP_Establish", "HAL_SleepMs"} & missing
    # Nothing of the inside.
    assert all(name.startswith("HAL_") or name in ("iotx_ca_crt", "g_cli_crt", "g_cli_key", "ssl_hooks_set")
               or name.endswith(("_is_default", "_replaced")) for name in missing), missing

    (tmp_path / "none").mkdir()
    (tmp_path / "none/CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(none C)\nfind_package(iotx CONFIG REQUIRED)\n"
        f"add_executable(app {HERE}/port_consumer.c)\niotx_link_port(app)\n")
    printed = run("cmake", "-S", tmp_path / "none", "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={installed}", status=1)
    assert "iotx_link_port(app): no library of a port is given" in printed


@pytest.mark.parametrize("way", ["subdirectory", "fetch"])
def test_cmake_from_sources(way, tmp_path, cargo_target):
    """cargo runs inside the CMake build, without the network."""
    run("cmake", "-S", HERE / "cmake_consumer", "-B", tmp_path, f"-DIOTX_FROM={way}", f"-DIOTX_SOURCE={ROOT}",
        f"-DIOTX_CARGO_TARGET_DIR={cargo_target}", "-DIOTX_OFFLINE=ON")
    run("cmake", "--build", tmp_path)
    check_cmake_programs(tmp_path)


def test_cmake_install(tmp_path, cargo_target):
    """The project itself: configure, build, install with DESTDIR, use what was installed."""
    build, stage = tmp_path / "build", tmp_path / "stage"
    run("cmake", "-S", ROOT, "-B", build, "-DCMAKE_INSTALL_PREFIX=/opt/iotx", "-DIOTX_LEGACY_NAMES=ON",
        f"-DIOTX_CARGO_TARGET_DIR={cargo_target}", "-DIOTX_OFFLINE=ON")
    run("cmake", "--build", build)
    run("cmake", "--install", build, DESTDIR=stage)
    assert (stage / "opt/iotx/lib/libiot_sdk.a").exists()
    run("cmake", "-S", HERE / "cmake_consumer", "-B", tmp_path / "user", f"-DCMAKE_PREFIX_PATH={stage}/opt/iotx")
    run("cmake", "--build", tmp_path / "user")
    check_cmake_programs(tmp_path / "user")


@pytest.mark.parametrize("options, message", [
    (["-DIOTX_CARGO_TARGET=pdp11-unknown-unix"], "rustc knows no target 'pdp11-unknown-unix'"),
    (["-DIOTX_CARGO=/nowhere/cargo"], "cargo was not found"),
    (["-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=arm"], "a cross build must name the Rust target"),
])
def test_cmake_says_what_is_missing(options, message, tmp_path):
    printed = run("cmake", "-S", ROOT, "-B", tmp_path, *options, status=1)
    assert message in re.sub(r"\s+", " ", printed)


def pkg_config(prefix, *words, libdir="lib", **environment):
    return run("pkg-config", *words, PKG_CONFIG_PATH=prefix / libdir / "pkgconfig", **environment).split()


@pytest.mark.parametrize("name", ["iotx", "iotx_hal"])
@pytest.mark.parametrize("compiler", [["cc", "-std=c99"], ["c++", "-std=c++14", "-x", "c++"]], ids=["C", "C++"])
@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_pkg_config(name, compiler, static, installed, tmp_path):
    program = tmp_path / "program"
    cflags = pkg_config(installed, "--cflags", name)
    libs = pkg_config(installed, "--libs", *(["--static"] if static else []), name)
    if static:
        # As documented: the archive by name, the rest of the line as it comes.
        libs = [f"-l:lib{name}.a" if word == f"-l{name}" else word for word in libs]
    run(*compiler, HERE / SOURCES[name], "-x", "none", *cflags, "-o", program, *libs, cwd=tmp_path)
    assert run(program, LD_LIBRARY_PATH=installed / "lib").strip() == ANSWERS[name]
    ours = [library for library in needed(program) if "iotx" in library]
    assert ours == ([] if static else [f"lib{name}.so.0"])


@pytest.mark.parametrize("compiler", [["cc", "-std=c99"], ["c++", "-std=c++14", "-x", "c++"]], ids=["C", "C++"])
def test_pkg_config_with_a_port(compiler, installed, tmp_path):
    """A port that is an archive: the line in three parts, and the option for the line in two."""
    cflags = pkg_config(installed, "--cflags", "iotx_core")
    run("cc", "-DPORT", *cflags, "-c", HERE / "port_between.c", "-o", tmp_path / "port.o")
    run("ar", "rcs", tmp_path / "libport.a", tmp_path / "port.o")
    take = pkg_config(installed, "--variable=take_port", "iotx")
    shared = pkg_config(installed, "--libs", "iotx")
    static = [word.replace("-liotx", "-l:libiotx.a") for word in pkg_config(installed, "--libs", "--static", "iotx")]
    port = [f"-L{tmp_path}", "-lport"]
    core = [pkg_config(installed, "--libs", name) for name in ("iotx_core", "iotx_port")]
    for line, expected in [([*core[0], *port, *core[1]], PORT_HAL), ([*take, *port, *shared], PORT_HAL),
                           ([*take, *port, *static], PORT_HAL), ([*take, *shared], DEFAULT_HAL),
                           ([*port, *shared], DEFAULT_HAL)]:
        run(*compiler, HERE / "port_consumer.c", "-x", "none", *cflags, "-o", tmp_path / "program", *line)
        assert whose_hal(tmp_path / "program", LD_LIBRARY_PATH=installed / "lib") == expected, line


def test_pkg_config_in_a_staging_folder(staged, tmp_path):
    prefix = staged / "opt/iotx"
    words = pkg_config(prefix, "--cflags", "--libs", "iotx", libdir="lib/custom", PKG_CONFIG_SYSROOT_DIR=staged)
    assert f"-L{prefix}/lib/custom" in words
    run("cc", HERE / "consumer.c", *words, "-o", tmp_path / "program")
    assert run(tmp_path / "program", LD_LIBRARY_PATH=prefix / "lib/custom").strip() == HOST
    # The files speak of the final place, never of the staging folder.
    for file in [*prefix.glob("lib/custom/pkgconfig/*"), *prefix.glob("lib/custom/cmake/iotx/*")]:
        assert str(staged) not in file.read_text(), file


def test_pkg_config_knows_the_version(installed):
    for name in ("iotx", "iotx_hal", "iotx-hal"):
        assert pkg_config(installed, "--modversion", name) == [project_version()]


def build_legacy(prefix, folder, libs, mode=""):
    run("make", "-f", HERE / "legacy/Makefile", f"SDK_DIR={prefix}", f"SOURCE={HERE / 'consumer.c'}",
        f"LIBS={' '.join(libs)}", f"LINK_MODE={mode}", cwd=folder)
    return folder / "firmware"


@pytest.mark.parametrize("order", itertools.permutations(OLD_NAMES), ids=" ".join)
def test_legacy_names(order, legacy, tmp_path):
    """-liot_sdk -liot_hal -liot_tls -lpthread -lrt, in every order, shared and static."""
    for mode in ("shared", "static", "archives"):
        folder = tmp_path / mode
        folder.mkdir()
        prefix, flag = legacy, ""
        if mode == "static":
            flag, end = "-Wl,-Bstatic", ["-Wl,-Bdynamic"]
        else:
            end = []
        if mode == "archives":
            # A tree with the archives alone, as a firmware's repository carries it.
            prefix = folder / "sdk"
            shutil.copytree(legacy, prefix, ignore=shutil.ignore_patterns("*.so", "*.so.*"))
        program = build_legacy(prefix, folder, [*order, *end], flag)
        ours = [library for library in needed(program) if "iot" in library]
        assert ours == (["libiotx.so.0"] if mode == "shared" else [])
        assert run(program, LD_LIBRARY_PATH=legacy / "lib").strip() == HOST


def test_a_ports_archive_between_the_legacy_names_wins(legacy, tmp_path):
    """-liot_sdk -lport -liot_hal -liot_tls, the port being a plain archive."""
    flags = [f"-I{legacy / 'include/iotx'}", HERE / "port_between.c"]
    run("cc", "-DPORT", *flags, "-c", "-o", tmp_path / "port.o")
    run("ar", "rcs", tmp_path / "libport.a", tmp_path / "port.o")
    # The port's own variable is looked at through the symbol table: it is there when its member was
    # taken, and two definitions of one function would not have linked.
    run("cc", *flags, f"-L{legacy / 'lib'}", f"-L{tmp_path}", "-Wl,-Bstatic", "-liot_sdk", "-lport", "-liot_hal",
        "-liot_tls", "-Wl,-Bdynamic", "-lpthread", "-lrt", "-o", tmp_path / "firmware")
    assert "port_was_asked" in run("nm", tmp_path / "firmware")
    # With ours it would resolve a name and wait; the port's refuses at once, without its sleeps.
    assert run(tmp_path / "firmware").strip().endswith("refused")


def test_legacy_names_are_asked_for(installed, legacy):
    assert list(installed.glob("lib/libiot_*")) == []
    assert sorted(path.name for path in legacy.glob("lib/libiot_*")) == sorted(
        f"libiot_{name}.{end}" for name in ("sdk", "hal", "tls") for end in ("a", "so"))


LOAD = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.HAL_UptimeMs.restype = ctypes.c_uint64
assert library.HAL_UptimeMs() > 0
assert hasattr(library, "IOT_Sign_MQTT") == (sys.argv[2] == "all")
for name in ("mbedtls_ssl_read", "iotx_port_ssl_read", "rust_eh_personality"):
    assert not hasattr(library, name), name
print("loaded")
"""


@pytest.mark.parametrize("file, part", [("libiotx.so.0", "all"), ("libiotx.so", "all"), ("libiotx_hal.so.0", "hal"),
                                        ("libiot_sdk.so", "all"), ("libiot_hal.so", "all")])
def test_ctypes(file, part, legacy):
    assert run(sys.executable, "-c", LOAD, legacy / "lib" / file, part).strip() == "loaded"


def test_installed_headers_are_all(installed):
    for source in (ROOT / "include").rglob("*.h"):
        copy = installed / "include/iotx" / source.relative_to(ROOT / "include")
        assert copy.read_bytes() == source.read_bytes()
        assert os.access(copy, os.R_OK)


def test_debian_packages(debian, tmp_path):
    root, multiarch = debian / "root", run("cc", "-print-multiarch").strip()
    libraries = root / "usr/lib" / multiarch
    run("cmake", "-S", HERE / "cmake_consumer", "-B", tmp_path, f"-Diotx_DIR={libraries}/cmake/iotx")
    run("cmake", "--build", tmp_path)
    check_cmake_programs(tmp_path)
    words = pkg_config(root / "usr", "--cflags", "--libs", "iotx", libdir=f"lib/{multiarch}", PKG_CONFIG_SYSROOT_DIR=root)
    run("cc", HERE / "consumer.c", *words, f"-L{libraries}", "-o", tmp_path / "program")
    assert run(tmp_path / "program", LD_LIBRARY_PATH=libraries).strip() == HOST

    packages = {path.name.split("_")[0]: path for path in (debian / "build/deb").glob("*.deb")}
    contents = {name: run("dpkg-deb", "-c", path) for name, path in packages.items()}
    for file in ("libiotx.so.0", "libiotx_hal.so.0"):
        assert re.search(rf"-rw\S+ root/root .*/{file}$", contents["libiotx0"], re.MULTILINE)
        assert not re.search(rf"-rw\S+ root/root .*/{file}$", contents["libiotx-dev"], re.MULTILINE)
    fields = run("dpkg-deb", "-f", packages["libiotx0"], "Depends", "Version")
    assert re.search(r"libc6 \(>= 2\.\d+\), libgcc-s1", fields) and project_version() in fields
    assert f"libiotx0 (= {project_version()})" in run("dpkg-deb", "-f", packages["libiotx-dev"], "Depends")


def test_relative_prefix_is_refused(tmp_path):
    printed = run("make", "-C", ROOT, "install", f"BUILD={BUILD}", "PREFIX=relative", status=2)
    assert "must be an absolute path" in printed
