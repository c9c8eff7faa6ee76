"""The options of the client API: what is taken, what is refused with which code and text."""

import ctypes as c
import re

from client import INVALID, NAMES, NULL, PLAIN, RANGE, TLS, Options, refusals
from isolation import run_isolated

PEM = "-----BEGIN CERTIFICATE-----\n"


def number(name, below, above):
    """Rows for a number with a least and a greatest value."""
    rows = [(f"{name} {value}", {**PLAIN, name: value}, RANGE, f"^{name} is {value}; it goes from")
            for value in below + above]
    assert rows
    return rows


REFUSED = [
    ("no url", {"client_id": "a"}, INVALID, "url is missing"),
    ("url without scheme", {**PLAIN, "url": "broker:1883"}, INVALID, "no scheme"),
    ("other scheme", {**PLAIN, "url": "http://broker"}, INVALID, "not supported"),
    ("headers without websocket", {**PLAIN, "websocket_headers": "A: b"}, INVALID, "not ws:// or wss://"),
    ("no host", {**PLAIN, "url": "mqtt://:1883"}, INVALID, "no host"),
    ("port 0", {**PLAIN, "url": "mqtt://broker:0"}, INVALID, "port"),
    ("port too high", {**PLAIN, "url": "mqtt://broker:65536"}, INVALID, "port"),
    ("password in the url", {**PLAIN, "url": "mqtt://u:hush@broker"}, INVALID, "do not belong"),
    ("path", {**PLAIN, "url": "mqtt://broker/mqtt"}, INVALID, "path"),
    ("bare IPv6", {**PLAIN, "url": "mqtt://::1"}, INVALID, "brackets"),
    ("open bracket", {**PLAIN, "url": "mqtt://[::1"}, INVALID, "bracket"),
    ("url too long", {**PLAIN, "url": "mqtt://" + "a" * 2000}, RANGE, "url is longer than"),
    ("url not UTF-8", {**PLAIN, "url": b"mqtt://\xff"}, INVALID, "url is not UTF-8"),
    ("no client id", {"url": "mqtt://broker"}, INVALID, "client_id is missing"),
    ("client id too long", {**PLAIN, "client_id": "a" * 65_536}, RANGE, "client_id is longer than"),
    ("client id not UTF-8", {**PLAIN, "client_id": b"\xff"}, INVALID, "client_id is not UTF-8"),
    ("password alone", {**PLAIN, "password": "hush"}, INVALID, "password without username"),
    ("user name too long", {**PLAIN, "username": "a" * 65_536}, RANGE, "username is longer"),
    ("password too long", {**PLAIN, "username": "u", "password": "a" * 65_536}, RANGE, "password is longer"),
    ("product key alone", {**PLAIN, "product_key": "pk"}, INVALID, "together"),
    ("secret missing", {"product_key": "pk", "device_name": "dn"}, INVALID, "together"),
    ("names and client id", {**PLAIN, **NAMES}, INVALID, "leave them out"),
    ("names and password", {**NAMES, "username": "u", "password": "hush"}, INVALID, "leave them out"),
    ("product key too long", {**NAMES, "product_key": "a" * 21}, RANGE, "product_key is longer than 20"),
    ("device name too long", {**NAMES, "device_name": "a" * 33}, RANGE, "device_name is longer than 32"),
    ("device secret too long", {**NAMES, "device_secret": "a" * 65}, RANGE, "device_secret is longer than 64"),
    ("clean_session 2", {**PLAIN, "clean_session": 2}, RANGE, "clean_session is 2; it is 0 or 1"),
    ("nonblocking 2", {**PLAIN, "nonblocking": 2}, RANGE, "nonblocking is 2; it is 0 or 1"),
    ("queue without nonblocking", {**PLAIN, "queue_size": 1}, INVALID, "queue_size without nonblocking"),
    *number("keep_alive_s", [1, 3], [1201, 2**32 - 1]),
    *number("request_timeout_ms", [1, 99], [60_001]),
    *number("connect_timeout_ms", [1, 999], [120_001]),
    *number("reconnect_min_ms", [1, 99], [3_600_001]),
    *number("reconnect_max_ms", [1, 999], [3_600_001]),
    *number("stable_after_ms", [], [3_600_001]),
    *number("read_buffer_size", [1, 127], [268_435_461]),
    *number("write_buffer_size", [1, 127], [268_435_461]),
    *number("max_inflight", [], [16_385]),
    # TLS material without TLS: never dropped in silence
    ("ca without TLS", {**PLAIN, "ca": PEM}, INVALID, "ca is given, but mqtt:// is not protected"),
    ("certificate without TLS", {**PLAIN, "certificate": PEM}, INVALID, "certificate is given, but"),
    ("key without TLS", {**PLAIN, "key": PEM}, INVALID, "key is given, but"),
    ("psk without TLS", {**PLAIN, "psk": b"k"}, INVALID, "psk is given, but"),
    ("key password without TLS", {**PLAIN, "key_password": "hush"}, INVALID, "key_password is given, but"),
    ("psk identity without TLS", {**PLAIN, "psk_identity": "me"}, INVALID, "psk_identity is given, but"),
    ("ca no PEM", {**TLS, "ca": "garbage"}, INVALID, "CA bundle is not a PEM certificate"),
    ("ca unreadable", {**TLS, "ca": PEM + "AAAA\n-----END CERTIFICATE-----\n"}, INVALID, "CA bundle is unreadable"),
    ("ca file absent", {**TLS, "ca": {"file": "/absent"}}, INVALID, "ca.file cannot be read"),
    ("ca file is a folder", {**TLS, "ca": {"file": "/"}}, INVALID, "ca.file is not a file"),
    ("ca file empty", {**TLS, "ca": {"file": "/dev/null"}}, INVALID, "ca.file is not a file"),
    ("path too long", {**TLS, "ca": {"file": "a" * 5000}}, RANGE, "ca.file is longer than"),
    ("certificate without key", {**TLS, "certificate": PEM}, INVALID, "certificate without key"),
    ("key without certificate", {**TLS, "key": PEM}, INVALID, "key without certificate"),
    ("key file absent", {**TLS, "certificate": PEM, "key": {"file": "/absent"}}, INVALID, "key.file cannot be read"),
    ("password without key", {**TLS, "key_password": "hush"}, INVALID, "key_password without key"),
    ("psk without identity", {**TLS, "psk": b"key"}, INVALID, "psk without psk_identity"),
    ("identity without psk", {**TLS, "psk_identity": "me"}, INVALID, "psk_identity without psk"),
    ("identity too long", {**TLS, "psk": b"key", "psk_identity": "a" * 257}, RANGE, "psk_identity is longer than 256"),
    ("psk too long", {**TLS, "psk": b"k" * 65, "psk_identity": "me"}, RANGE, "psk is not 1 to 64"),
    ("psk and ca", {**TLS, "psk": b"key", "psk_identity": "me", "ca": PEM}, INVALID, "ca and psk exclude"),
    ("psk and certificate", {**TLS, "psk": b"key", "psk_identity": "me", "certificate": PEM, "key": PEM}, INVALID,
     "psk and a client certificate exclude"),
    ("psk and key", {**TLS, "psk": b"key", "psk_identity": "me", "key": PEM}, INVALID, "psk and a client certificate"),
    ("store of size 0", {**PLAIN, "store": "zeros"}, RANGE, "store has a wrong struct_size"),
    ("psk file absent", {**TLS, "psk": {"file": "/absent"}}, INVALID, "psk.file cannot be read"),
]
SECRETS = ("hush",)


def encode(options):
    """Bytes as lists, which JSON knows."""
    return {key: list(value) if isinstance(value, bytes) else value for key, value in options.items()}


def test_every_wrong_option_has_its_code_and_text():
    outcome = run_isolated(refusals, cases=[encode(options) for _, options, _, _ in REFUSED])
    for (name, _, code, text), (found_code, found_text) in zip(REFUSED, outcome.value, strict=True):
        assert found_code == code, (name, found_code, found_text)
        assert re.search(text, found_text), (name, found_text)
    for secret in SECRETS:
        assert secret not in outcome.output and secret not in str(outcome.value)


ACCEPTED = [
    PLAIN, TLS, NAMES, {**NAMES, "url": "mqtt://broker"}, {"url": "mqtts://broker", "clean_session": 1},
    {**PLAIN, "url": "MQTT://[::1]:1/"}, {**PLAIN, "username": "u"}, {**PLAIN, "username": "u", "password": "p"},
    {**PLAIN, "keep_alive_s": 4}, {**PLAIN, "keep_alive_s": 1200}, {**PLAIN, "request_timeout_ms": 100},
    {**PLAIN, "request_timeout_ms": 60_000}, {**PLAIN, "connect_timeout_ms": 1000},
    {**PLAIN, "connect_timeout_ms": 120_000}, {**PLAIN, "reconnect_min_ms": 100, "reconnect_max_ms": 100},
    {**PLAIN, "reconnect_min_ms": 3_600_000}, {**PLAIN, "reconnect_max_ms": 3_600_000},
    {**PLAIN, "stable_after_ms": 1}, {**PLAIN, "read_buffer_size": 128, "write_buffer_size": 128},
    {**PLAIN, "read_buffer_size": 268_435_460}, {**PLAIN, "max_inflight": 1}, {**PLAIN, "max_inflight": 16_384},
    {**PLAIN, "nonblocking": 1}, {**PLAIN, "nonblocking": 1, "queue_size": 1},
    {**TLS, "psk": b"k" * 64, "psk_identity": "me"}, {**TLS, "psk": b"k", "psk_identity": "a" * 256},
    {**PLAIN, "client_id": "a" * 65_535},
]


def test_options_at_their_limits_are_taken():
    found = run_isolated(refusals, cases=[encode(options) for options in ACCEPTED]).value
    assert [row for row in zip(ACCEPTED, found, strict=True) if row[1][0] != 0] == []


def sizes(library):
    """Structures of other versions: (what, code) of each create."""
    found = {}
    known = c.sizeof(Options)

    def create(what, size, tail=b"", claim=None):
        block = (c.c_ubyte * (known + 64))()
        c.memset(block, 0xEE, len(block))
        options = Options.from_buffer(block)
        code = library.iotx_client_options_init(c.byref(options), c.c_size_t(size))
        found[what + ": init"] = [code, bytes(block[max(size, 0):][:64]) == b"\xEE" * min(64, len(block) - size)]
        if code != 0:
            c.memset(block, 0, len(block))
        options.struct_size = size if claim is None else claim
        options.url, options.client_id = b"mqtt://broker", b"a"
        block[known:known + len(tail)] = tail
        handle = c.c_void_p(1)
        found[what] = [library.iotx_client_create(c.byref(options), c.byref(handle)), bool(handle.value)]

    create("same", known)
    create("older program", Options.store.offset)
    create("newer program, nothing new used", known + 32)
    create("newer program, something new used", known + 32, b"\0" * 31 + b"\x01")
    create("newer program, behind its end", known + 32, b"\0" * 32 + b"\x01")
    create("too small", known, claim=known - 200)
    create("zero", known, claim=0)
    create("far too large", known, claim=1 << 40)
    handle = c.c_void_p(1)
    found["NULL options"] = [library.iotx_client_create(None, c.byref(handle)), bool(handle.value)]
    options = Options(struct_size=known)
    found["NULL result"] = [library.iotx_client_create(c.byref(options), None), False]
    found["init NULL"] = library.iotx_client_options_init(None, c.c_size_t(known))
    found["init too small"] = library.iotx_client_options_init(c.byref(options), c.c_size_t(8))
    return found


def test_structures_of_other_versions():
    found = run_isolated(sizes).value
    assert found["same"] == [0, True]
    assert found["older program"] == [0, True], "one compiled before options.store: its bytes there are not read"
    assert found["newer program, nothing new used"] == [0, True]
    assert found["newer program, something new used"] == [INVALID, False]
    assert found["newer program, behind its end"] == [0, True]
    for what in ("too small", "zero", "far too large"):
        assert found[what] == [RANGE, False]
    assert found["NULL options"] == [NULL, False] and found["NULL result"] == [NULL, False]
    assert (found["init NULL"], found["init too small"]) == (NULL, RANGE)
    assert all(found[what][1] for what in found if what.endswith(": init")), "bytes behind the size stay"
