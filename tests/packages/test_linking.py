"""Link lines: the stated one, the HAL alone, a second Mbed TLS, and what the linker can drop."""

import pytest
from conftest import HERE, LIB, ROOT, STRICT, link, native_libs, needed, run

LIBRARIES = ["libiotx.a", "libiotx.so", "libiotx_hal.a", "libiotx_hal.so"]
MBEDTLS = ["mbedtls", "mbedx509", "mbedcrypto"]


def with_native(file):
    """A library and what the documentation says to add to it."""
    return [LIB / file, *native_libs()] if file.endswith(".a") else [LIB / file]


# clang has no -flto here: it would need the plug-in of its own linker.
WAYS = [("cc", []), ("cc", ["-Wl,--gc-sections"]), ("cc", ["-flto", "-O2"]), ("cc", ["-flto", "-O2", "-Wl,--gc-sections"]),
        ("cc", ["-no-pie"]), ("cc", ["-static-libgcc"]), ("clang", []), ("clang", ["-Wl,--gc-sections"])]


@pytest.mark.parametrize("compiler, flags", WAYS, ids=[" ".join([way[0], *way[1]]) for way in WAYS])
def test_stated_line(compiler, flags, tmp_path):
    program = tmp_path / "consumer"
    # Exactly this line, with nothing else on it.
    run(compiler, *STRICT, *flags, "-o", program, HERE / "consumer.c", f"-L{LIB}", "-l:libiotx.a", *native_libs())
    assert "a1B2c3D4e5F." in run(program)
    assert not [library for library in needed(program) if "iot" in library]


def test_the_stated_line_is_documented():
    line = " ".join(native_libs())
    for page in ("README.md", "docs/linking.md"):
        assert line in (ROOT / page).read_text(), page


def test_fully_static_program(tmp_path):
    program = tmp_path / "static"
    run("cc", *STRICT, "-static", "-Wl,--gc-sections", "-o", program, HERE / "consumer.c", LIB / "libiotx.a",
        *native_libs())
    assert needed(program) == []
    assert "a1B2c3D4e5F." in run(program)


@pytest.mark.parametrize("file", LIBRARIES)
def test_hal_alone(file, tmp_path, tls_server):
    """HAL_SSL_* without any IOT_*: works, and logs through HAL_Printf from the first call on."""
    program = link(tmp_path / "hal_tls", "hal_tls.c", *with_native(file))
    printed = run(program, "localhost", tls_server.port, tls_server.root)
    assert "hal: verified, line reversed" in printed
    assert "[info] " in printed and "TLSv1.2" in printed
    printed = run(program, "localhost", tls_server.port, tls_server.foreign, status=3)
    assert "[warning] " in printed or "[error] " in printed

    program = link(tmp_path / "own_printf", "hal_tls.c", *with_native(file), flags=["-DOWN_PRINTF"])
    printed = run(program, "localhost", tls_server.port, tls_server.foreign, status=3)
    assert printed.strip() and all(line.startswith("captured: [") for line in printed.strip().splitlines())


@pytest.mark.parametrize("file", LIBRARIES)
@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_beside_the_distributions_mbedtls(file, first, tmp_path, tls_server):
    """A TLS connection with each of two Mbed TLS in one program, linked in either order."""
    theirs = [run("cc", f"-print-file-name=lib{name}.a").strip() for name in MBEDTLS]
    ours = with_native(file)
    order = [*ours, *theirs] if first == "ours" else [*theirs, *ours]
    program = link(tmp_path / "two_tls", "two_tls.c", *order)
    assert not [library for library in needed(program) if "mbed" in library]
    assert run(program, "localhost", tls_server.port, tls_server.root).endswith("both\n")


PORT = """
#include <stdint.h>
#include <stdlib.h>
uintptr_t HAL_TCP_Establish(const char *host, uint16_t port);
uintptr_t HAL_TCP_Establish(const char *host, uint16_t port) { _Exit(host != NULL && port == 7 ? 42 : 43); }
"""


@pytest.mark.parametrize("file", LIBRARIES)
@pytest.mark.parametrize("first", ["port", "library"])
@pytest.mark.parametrize("form", ["object", "archive"])
@pytest.mark.parametrize("flags", [[], ["-Wl,--gc-sections"], ["-flto", "-O2"]], ids=" ".join)
def test_the_port_wins(file, first, form, flags, tmp_path, tls_server):
    """The library's TLS calls a port's own function: an object file or a whole archive, in either order."""
    source, compiled, archive = (tmp_path / f"port.{end}" for end in ("c", "o", "a"))
    source.write_text(PORT)
    run("cc", *STRICT, *flags, "-c", source, "-o", compiled)
    run("gcc-ar", "rcs", archive, compiled)
    port = [compiled] if form == "object" else ["-Wl,--whole-archive", archive, "-Wl,--no-whole-archive"]
    order = [*port, *with_native(file)] if first == "port" else [*with_native(file), *port]
    program = link(tmp_path / "program", "hal_tls.c", *order, flags=flags)
    run(program, "localhost", 7, tls_server.root, status=42)


def stripped_size(program):
    run("strip", program)
    return program.stat().st_size


def test_unused_parts_are_dropped(tmp_path):
    """The linker can drop what a program does not call: signing alone needs no TLS, no MQTT."""
    def size(name, source, library, *flags):
        program = tmp_path / name
        run("cc", "-O2", f"-I{ROOT / 'include'}", f"-I{ROOT / 'c_examples'}", *flags, "-o", program, source,
            LIB / library, *native_libs())
        return stripped_size(program)

    examples = ROOT / "c_examples"
    full = size("mqtt_example", examples / "mqtt_example.c", "libiotx.a", "-Wl,--gc-sections")
    sizes = {
        "sign_only": size("sign_only", HERE / "sign_only.c", "libiotx.a", "-Wl,--gc-sections"),
        "sign_example": size("sign_example", examples / "sign_example.c", "libiotx.a", "-Wl,--gc-sections"),
        "hal_consumer": size("hal_consumer", HERE / "hal_consumer.c", "libiotx_hal.a", "-Wl,--gc-sections"),
    }
    print({"mqtt_example": full, **sizes})
    for name, bytes_ in sizes.items():
        assert bytes_ < full / 2, f"{name} has {bytes_} of {full} bytes"
    # The comparison means something: without the option nothing is dropped.
    assert size("whole", HERE / "sign_only.c", "libiotx.a") > full


def test_hal_is_smaller_than_all():
    for end in (".a", ".so.0"):
        assert (LIB / f"libiotx_hal{end}").stat().st_size < (LIB / f"libiotx{end}").stat().st_size
