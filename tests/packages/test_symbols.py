"""The four libraries export the list in cmake/exports.txt and nothing else."""

import re

import pytest
from conftest import HERE, LIB, exports, link, native_libs, needed, project_version, run

FILES = ["libiotx.a", "libiotx.so.0", "libiotx_hal.a", "libiotx_hal.so.0"]
# What only the implementation has: its TLS library, mangled and unmangled Rust, the inner boundary.
INNER = re.compile(r"mbedtls|iotx_port|rust|^_ZN|^_R[A-Z]|psa_", re.IGNORECASE)


def listed(file):
    """The names that `file` must export."""
    return {name for name, (_, flags) in exports().items() if "hal" in flags or "_hal" not in file}


def table(file, *flags):
    """The symbol table as {name: letter}."""
    symbols = {}
    for line in run("nm", *flags, LIB / file).splitlines():
        found = re.match(r"[0-9a-f]* +([A-Za-z]) ([^ ]+)$", line)
        if found:
            symbols[found[2].split("@")[0]] = found[1]
    return symbols


def test_the_list_is_well_formed():
    now = [int(part) for part in project_version().split(".")]
    for name, (since, flags) in exports().items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", since), name
        assert [int(part) for part in since.split(".")] <= now, f"{name} comes from the future"
        assert flags <= {"hal", "data"}, name
        assert "hal" in flags or not name.startswith("HAL_"), name
    assert 40 < len(listed("libiotx_hal.a")) < len(listed("libiotx.a"))


@pytest.mark.parametrize("file", FILES)
def test_exports_are_the_list(file):
    dynamic = ["-D"] if ".so" in file else []
    found = table(file, "-g", "--defined-only", *dynamic)
    assert set(found) == listed(file)
    for name, letter in found.items():
        data = "data" in exports()[name][1]
        assert letter in ("VDBR" if data else "WT"), f"{name} is {letter}"
        if name.startswith("HAL_") or name in ("ssl_hooks_set", "g_cli_crt", "g_cli_key", "iotx_ca_crt"):
            assert letter in "WV", f"{name} cannot be replaced"


@pytest.mark.parametrize("file", FILES)
def test_nothing_inner_is_wanted_from_outside(file):
    dynamic = ["-D"] if ".so" in file else []
    wanted = table(file, "-u", *dynamic)
    assert len(wanted) > 30
    assert [name for name in wanted if INNER.search(name)] == []


@pytest.mark.parametrize("file", [file for file in FILES if ".so" in file])
def test_shared_libraries_carry_no_other_symbol_table(file):
    assert "no symbols" in run("nm", LIB / file)


@pytest.mark.parametrize("file", [file for file in FILES if ".a" in file])
def test_archives_carry_one_object_without_groups(file):
    assert run("ar", "t", LIB / file).split() == [file.replace("lib", "", 1).replace(".a", ".o")]
    # A group is named by a symbol; in another object of the same name it would replace ours.
    assert "no section groups" in run("readelf", "-gW", LIB / file)


@pytest.mark.parametrize("name", ["iotx", "iotx_hal"])
def test_soname_and_needed(name):
    file = LIB / f"lib{name}.so.0"
    assert re.findall(r"SONAME.*\[(.*)\]", run("readelf", "-dW", file)) == [f"lib{name}.so.0"]
    system = re.compile(r"(libc|libgcc_s|libpthread|libdl|librt|ld-linux[-a-z0-9_]*)\.so\.\d+$")
    assert [library for library in needed(file) if not system.match(library)] == []
    assert (LIB / f"lib{name}.so").resolve() == file


@pytest.mark.parametrize("name", ["iotx", "iotx_hal"])
@pytest.mark.parametrize("shared", [False, True])
def test_a_program_may_use_the_inner_names_itself(name, shared, tmp_path, tls_server):
    """Every name of an Mbed TLS, defined by the program and visible to the library, stays unused there."""
    archives = [run("cc", f"-print-file-name=lib{part}.a").strip() for part in ("mbedtls", "mbedx509", "mbedcrypto")]
    names = set(re.findall(r" T (mbedtls_\w+)$", run("nm", "-g", "--defined-only", *archives), re.MULTILINE))
    assert len(names) > 500
    names |= {"rust_begin_unwind", "rust_eh_personality", "rust_panic", "iotx_port_ssl_establish", "iotx_port_tcp_read"}
    if name == "iotx_hal":
        # The C core that such firmware keeps defines the rest of the SDK.
        names |= set(exports()) - listed("libiotx_hal.a")
    poison = tmp_path / "poison.c"
    poison.write_text("#include <stdlib.h>\n" + "".join(f"void {name}(void);\nvoid {name}(void) {{ abort(); }}\n"
                                                       for name in sorted(names)))
    library = [f"-L{LIB}", f"-l{name}"] if shared else [LIB / f"lib{name}.a", *native_libs()]
    program = link(tmp_path / "poisoned", "hal_tls.c", poison, "-rdynamic", *library)
    run(program, "localhost", tls_server.port, tls_server.root)


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_a_second_rust_runtime(first, tmp_path, rustc):
    neighbour = tmp_path / "libneighbour.a"
    run(rustc, "--edition", "2024", "--crate-type", "staticlib", "-O", "-o", neighbour, HERE / "neighbour.rs")
    archives = [LIB / "libiotx.a", neighbour]
    if first == "theirs":
        archives.reverse()
    program = link(tmp_path / "two-runtimes", "neighbour.c", *archives, *native_libs(), "-lm")
    assert "on purpose" in run(program)
