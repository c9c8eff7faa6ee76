"""What the two library files export, and the layouts that ctypes computes from the declared types."""

import ctypes as c
import subprocess

import pytest

from iotx_abi import ABI, BUILD, LIBRARY, STRUCTS, exported_names


def nm(*arguments):
    done = subprocess.run(["nm", *arguments], check=True, capture_output=True, text=True)
    return {line.split()[2] for line in done.stdout.splitlines() if len(line.split()) == 3}


def test_shared_library_exports_exactly_the_listed_names():
    assert nm("-D", "-g", "--defined-only", LIBRARY) == set(exported_names())


def test_static_library_exports_exactly_the_listed_names():
    assert nm("-g", "--defined-only", BUILD / "lib" / "libiotx.a") == set(exported_names())


def test_every_public_function_of_the_data_file_is_exported():
    assert set(ABI["functions"]) <= set(exported_names())


def test_data_symbols_are_writable(library):
    for name in (name for name, is_data in exported_names().items() if is_data):
        if name.startswith("g_infra"):
            continue
        # As an address: writing the old text back would leave a pointer to a copy of Python's.
        symbol = c.c_void_p.in_dll(library, name)
        before = symbol.value
        another = c.create_string_buffer(b"another")
        symbol.value = c.addressof(another)
        assert c.c_char_p.in_dll(library, name).value == b"another"
        symbol.value = before


def test_soname():
    done = subprocess.run(["readelf", "-d", LIBRARY], check=True, capture_output=True, text=True)
    assert "Library soname: [libiotx.so.0]" in done.stdout


def test_no_built_in_client_identity(library):
    assert not c.c_char_p.in_dll(library, "g_cli_crt").value
    assert not c.c_char_p.in_dll(library, "g_cli_key").value


def test_built_in_bundle_has_five_roots(library):
    bundle = c.c_char_p.in_dll(library, "iotx_ca_crt").value
    assert bundle.count(b"-----BEGIN CERTIFICATE-----") == 5
    assert bundle.count(b"-----END CERTIFICATE-----") == 5


@pytest.mark.parametrize("name", sorted(ABI["structs"]))
def test_layout(name):
    wanted = ABI["structs"][name]
    assert c.sizeof(STRUCTS[name]) == wanted["size"]
    for field in wanted["fields"]:
        found = getattr(STRUCTS[name], field["name"])
        assert (found.offset, found.size) == (field["offset"], field["size"]), field["name"]


@pytest.mark.parametrize("table, count, first", [
    ("g_infra_mqtt_domain", 5, b"iot-as-mqtt.cn-shanghai.aliyuncs.com"),
    ("g_infra_http_domain", 5, b"iot-auth.cn-shanghai.aliyuncs.com"),
])
def test_domain_tables(library, table, count, first):
    names = list((c.c_char_p * 6).in_dll(library, table))
    assert names[0] == first
    assert all(name.endswith(b".aliyuncs.com") for name in names[:count])
