"""Fixtures: the built and the installed libraries, a TLS server of OpenSSL."""

import os
import re
import shutil
import subprocess
import types
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = Path(os.environ.get("IOTX_BUILD", ROOT / "build")).resolve()
LIB = BUILD / "lib"
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{ROOT / 'include'}"]


def clean_environment(**extra):
    """The environment without what the calling make and an activated installation would add."""
    unwanted = re.compile(r"MAKE(FLAGS|LEVEL|OVERRIDES)$|MFLAGS$|PKG_CONFIG|CMAKE_|DESTDIR|PREFIX|LD_LIBRARY_PATH")
    kept = {key: value for key, value in os.environ.items() if not unwanted.match(key)}
    return {**kept, **{key: str(value) for key, value in extra.items()}}


def run(*command, status=0, cwd=None, **environment):
    """Runs a command and returns what it printed; its exit status must be `status`."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=clean_environment(**environment),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    assert done.returncode == status, f"{command}: status {done.returncode}\n{done.stdout}"
    return done.stdout


def native_libs():
    """The stated system libraries of a static link."""
    return (LIB / "native-libs.txt").read_text().split()


def project_version():
    return re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]


def exports():
    """cmake/exports.txt: {name: (version, flags)}."""
    names = {}
    for line in (ROOT / "cmake" / "exports.txt").read_text().splitlines():
        words = line.split()
        if words and not line.startswith("#"):
            assert words[0] not in names, f"{words[0]} is listed twice"
            names[words[0]] = (words[1], set(words[2:]))
    return names


def link(program, source, *libraries, flags=()):
    """Compiles one C file and links it with `libraries`, in this order, and nothing else."""
    run("cc", *STRICT, *flags, "-o", program, HERE / source, *libraries, f"-Wl,-rpath,{LIB}")
    return program


def needed(program):
    """DT_NEEDED of a program or shared library."""
    return re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-dW", program))


@pytest.fixture(scope="session")
def make_install(tmp_path_factory):
    """Installs with the front door: make_install(LEGACY_NAMES=1) gives the prefix of a new tree."""
    def install(*words):
        prefix = tmp_path_factory.mktemp("installed") / "iotx"
        run("make", "-C", ROOT, "install", f"BUILD={BUILD}", f"PREFIX={prefix}", *words)
        return prefix
    return install


@pytest.fixture(scope="session")
def installed(make_install):
    """A plain installation."""
    return make_install()


@pytest.fixture(scope="session")
def staged(tmp_path_factory):
    """An installation for /opt/iotx into a staging folder, as a packager makes it: the folder.

    The libraries are in lib/custom.
    """
    stage = tmp_path_factory.mktemp("stage")
    run("make", "-C", ROOT, "install", f"BUILD={BUILD}", "PREFIX=/opt/iotx", f"DESTDIR={stage}",
        "LIBDIR=lib/custom")
    return stage


@pytest.fixture(scope="session")
def debian(tmp_path_factory):
    """The two Debian packages, unpacked over each other: the folder."""
    if not shutil.which("dpkg-deb"):
        pytest.skip("not a Debian system")
    folder = tmp_path_factory.mktemp("debian")
    work = folder / "build"
    # make deb writes into the build folder, which other tests share: work on a copy of the libraries.
    shutil.copytree(LIB, work / "lib", symlinks=True)
    run(ROOT / "cmake/deb.sh", work, project_version())
    packages = sorted((work / "deb").glob("*.deb"))
    assert [package.name.split("_")[0] for package in packages] == ["libiotx-dev", "libiotx0"]
    for package in packages:
        run("dpkg-deb", "-x", package, folder / "root")
    return folder


@pytest.fixture(scope="session")
def legacy(make_install):
    """An installation with the SDK's library names."""
    return make_install("LEGACY_NAMES=1")


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory):
    """`openssl s_server` that reverses lines, for localhost: its port, its root, a foreign root."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*words):
        run("openssl", *words, cwd=folder)

    for name in ("root", "foreign"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}", "-days", "3")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "server.key",
            "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "extensions").write_text("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "root.crt", "-CAkey", "root.key", "-CAcreateserial",
            "-out", "server.crt", "-days", "3", "-extfile", "extensions")

    # The port is the system's choice; the line ACCEPT states it once the server listens.
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", "localhost:0", "-rev", "-cert", "server.crt", "-key", "server.key"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = None
        for line in server.stdout:
            found = re.match(r"ACCEPT .*:(\d+)$", line.strip())
            if found:
                port = int(found[1])
                break
        assert port, "openssl s_server did not start"
        # Nothing may block on a full pipe.
        drain = subprocess.Popen(["cat"], stdin=server.stdout, stdout=subprocess.DEVNULL)
        yield types.SimpleNamespace(port=port, root=folder / "root.crt", foreign=folder / "foreign.crt")
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
        if "drain" in locals():
            drain.wait()


@pytest.fixture(scope="session")
def cargo_target():
    """Where the library under test was compiled, so that a CMake build finds its work done."""
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


@pytest.fixture(scope="session")
def rustc():
    return shutil.which("rustc")
