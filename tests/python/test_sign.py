"""IOT_Sign_MQTT and the exported digests against the vectors of tests/data/signing-vectors.json."""

import ctypes as c
import json
import mmap

import pytest

from iotx_abi import INVALID, ROOT, STATE, MetaInfo, SignMqtt, ioctl_set, load
from isolation import run_isolated

VECTORS = json.loads((ROOT / "tests" / "data" / "signing-vectors.json").read_text())
# The library is the TLS build; customize_info belongs to the session layer (test_connect.py).
SIGN = [v for v in VECTORS["iot_sign_mqtt"] if v["in"]["build"] == "tls" and "customize_info" not in v["in"]]
OLD_META_SIZE = MetaInfo.module.offset


def by_name(vector):
    return vector["name"]


def meta_of(fields):
    meta = MetaInfo()
    for name in ("product_key", "device_name", "device_secret"):
        setattr(meta, name, fields[name].encode())
    return meta


def sign(library, region, meta):
    out = SignMqtt()
    c.memset(c.byref(out), 0xAA, c.sizeof(out))
    return library.IOT_Sign_MQTT(region, c.addressof(meta) if meta is not None else None, c.byref(out)), out


def test_enough_vectors():
    assert len(SIGN) >= 18


@pytest.mark.parametrize("vector", SIGN, ids=by_name)
def test_vector(library, vector):
    fields = vector["in"]
    if "custom_domain" in fields:
        assert ioctl_set(library, "SET_MQTT_DOMAIN", fields["custom_domain"]) == 0
    result, out = sign(library, fields["region"], meta_of(fields))
    assert result == 0
    found = {name: getattr(out, name).decode("utf-8", "surrogateescape") for name in
             ("hostname", "clientid", "username", "password")}
    assert {**found, "port": out.port} == vector["out"]


@pytest.mark.parametrize("region", [6, 7, -1, 2**31 - 1, -(2**31)])
def test_unknown_region_leaves_the_output_alone(library, region):
    result, out = sign(library, region, MetaInfo())
    assert result == INVALID
    assert bytes(out) == b"\xaa" * c.sizeof(out)


def test_null_arguments(library):
    result, out = sign(library, 0, None)
    assert result == INVALID
    assert bytes(out) == b"\xaa" * c.sizeof(out)
    assert library.IOT_Sign_MQTT(0, c.addressof(MetaInfo()), None) == INVALID
    assert library.IOT_Sign_MQTT(0, None, None) == INVALID


def no_domain(library):
    meta = meta_of({"product_key": "pk", "device_name": "dn", "device_secret": "s"})
    result, out = sign(library, 5, meta)
    return [result, bytes(out).hex()]


def test_custom_region_without_domain():
    result, out = run_isolated(no_domain).value
    assert result == STATE["STATE_USER_INPUT_MQTT_DOMAIN"]
    assert set(out) == {"0"}, "the output is zero after an error"


@pytest.mark.parametrize("length", [63, 64, 200])
def test_custom_domain_that_does_not_fit(library, length):
    assert ioctl_set(library, "SET_MQTT_DOMAIN", "d" * length) == 0
    meta = meta_of({"product_key": "pk", "device_name": "dn", "device_secret": "s"})
    result, out = sign(library, 5, meta)
    assert result == STATE["STATE_MQTT_SIGN_HOSTNAME_BUF_SHORT"]
    assert bytes(out) == bytes(c.sizeof(out))


@pytest.mark.parametrize("field", ["product_key", "device_name", "device_secret"])
def test_field_without_terminator(library, field):
    meta = meta_of({"product_key": "pk", "device_name": "dn", "device_secret": "s"})
    member = getattr(MetaInfo, field)
    c.memset(c.addressof(meta) + member.offset, ord("x"), member.size)
    result, out = sign(library, 0, meta)
    assert result == INVALID
    assert bytes(out) in (bytes(c.sizeof(out)), b"\xaa" * c.sizeof(out))


def at_page_end(library, unterminated):
    """A block of the older, shorter layout right before a page that must not be touched."""
    libc = c.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = [c.c_void_p, c.c_size_t, c.c_int]
    pages = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    base = c.addressof(c.c_char.from_buffer(pages))
    assert libc.mprotect(base + mmap.PAGESIZE, mmap.PAGESIZE, 0) == 0
    meta = meta_of({"product_key": "a1MZxOdcBnO", "device_name": "example1",
                    "device_secret": "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X"})
    if unterminated:
        member = MetaInfo.device_secret
        c.memset(c.addressof(meta) + member.offset, ord("x"), member.size)
    address = base + mmap.PAGESIZE - OLD_META_SIZE
    c.memmove(address, c.addressof(meta), OLD_META_SIZE)
    out = SignMqtt()
    result = library.IOT_Sign_MQTT(0, address, c.byref(out))
    return [result, out.password.decode()]


def test_caller_block_of_184_bytes_is_enough():
    assert OLD_META_SIZE == 184
    wanted = next(v for v in SIGN if v["name"] == "example-program-triple-tls")["out"]["password"]
    assert run_isolated(at_page_end, unterminated=False).value == [0, wanted]


def test_secret_without_terminator_is_not_read_past_its_array():
    assert run_isolated(at_page_end, unterminated=True).value == [INVALID, ""]


PRIMITIVES = VECTORS["hmac_primitives"]


@pytest.mark.parametrize("vector", PRIMITIVES, ids=lambda v: f"{v['alg']}-{v['name']}")
def test_exported_hmac(library, vector):
    key, message = bytes.fromhex(vector["key_hex"]), bytes.fromhex(vector["msg_hex"])
    out = c.create_string_buffer(130)
    key_buffer, message_buffer = c.create_string_buffer(key, len(key) + 1), c.create_string_buffer(message, len(message) + 1)
    if vector["alg"] == "hmacsha256":
        library.utils_hmac_sha256(c.addressof(message_buffer), len(message), c.addressof(key_buffer), len(key), c.addressof(out))
        assert out.raw[:32].hex().upper() == vector["mac"]
        return
    function = {"hmacmd5": library.utils_hmac_md5, "hmacsha1": library.utils_hmac_sha1}[vector["alg"]]
    # These two have text parameters: ctypes passes addresses through c_char_p just as well.
    function.argtypes = [c.c_void_p, c.c_int, c.c_void_p, c.c_void_p, c.c_int]
    function(c.addressof(message_buffer), len(message), c.addressof(out), c.addressof(key_buffer), len(key))
    assert out.raw[:len(vector["mac"])].decode().upper() == vector["mac"]


def test_vector_is_sensitive():
    """One wrong letter in the secret changes the password: the vectors can fail."""
    library = load()
    vector = next(v for v in SIGN if v["name"] == "example-program-triple-tls")
    wrong = {**vector["in"], "device_secret": vector["in"]["device_secret"].swapcase()}
    _, out = sign(library, 0, meta_of(wrong))
    assert out.password.decode() != vector["out"]["password"]
