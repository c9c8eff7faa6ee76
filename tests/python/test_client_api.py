"""The client API, iotx_client_*: what options are taken and refused, and what clients do with them."""

import contextlib
import ctypes as c
import os
import re
import select
import shutil
import socket
import subprocess
import threading
import time

import pytest

from client import (
    INVALID, NULL, RANGE, Client, LogFn, MessageFn, Options, PlainServer, Refused, Stats, broker,
)
from conftest import free_port, wait_until
from device import Device
from iotx_abi import BUILD, ROOT, STATE, set_data
from isolation import run_isolated
from scripted import publish

PLAIN = {"url": "mqtt://127.0.0.1", "client_id": "a"}
TLS = {"url": "mqtts://127.0.0.1", "client_id": "a"}
NAMES = {"product_key": "a1MZxOdcBnO", "device_name": "example1", "device_secret": "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X"}
PEM = "-----BEGIN CERTIFICATE-----\n"


# ---- options: each wrong in every way ---------------------------------------------------------------

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
    ("websocket", {**PLAIN, "url": "ws://broker"}, INVALID, "not supported"),
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
    ("psk too long", {**TLS, "psk": b"k" * 33, "psk_identity": "me"}, RANGE, "psk is not 1 to 32"),
    ("psk and ca", {**TLS, "psk": b"key", "psk_identity": "me", "ca": PEM}, INVALID, "ca and psk exclude"),
    ("psk and certificate", {**TLS, "psk": b"key", "psk_identity": "me", "certificate": PEM, "key": PEM}, INVALID,
     "psk and a client certificate exclude"),
    ("psk and key", {**TLS, "psk": b"key", "psk_identity": "me", "key": PEM}, INVALID, "psk and a client certificate"),
    ("store of size 0", {**PLAIN, "store": "zeros"}, RANGE, "store has a wrong struct_size"),
    ("psk file absent", {**TLS, "psk": {"file": "/absent"}}, INVALID, "psk.file cannot be read"),
]
SECRETS = ("hush",)


def refusals(library, cases):
    found = []
    for options in cases:
        decoded = {key: bytes(value) if isinstance(value, list) else value for key, value in options.items()}
        if "store" in decoded:
            zeros = c.create_string_buffer(256)
            decoded["store"] = c.addressof(zeros)
        try:
            Client(library, **decoded)
            found.append([0, ""])
        except Refused as refused:
            found.append([refused.code, refused.text])
    return found


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
    {**TLS, "psk": b"k" * 32, "psk_identity": "me"}, {**TLS, "psk": b"k", "psk_identity": "a" * 256},
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


# ---- a session --------------------------------------------------------------------------------------

def session(library, port):
    client = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id="device 1")
    code = client.connect()
    handled, fallback = client.subscribe("home/+/temperature", 1, by="own"), client.subscribe("#", 0)
    client.until(lambda: client.saw("SUBSCRIBED", handled) and client.saw("SUBSCRIBED", fallback))
    sent = client.publish("home/kitchen/temperature", "21.5", 1)
    empty = client.publish("empty", b"", 0, 1)
    client.until(lambda: client.saw("PUBLISHED", sent) and len(client.messages) >= 2)
    gone = client.unsubscribe("home/+/temperature")
    client.until(lambda: client.saw("UNSUBSCRIBED", gone))
    stats = client.stats()
    connected = client.call("is_connected")
    return {"codes": [code, handled, fallback, sent, empty, gone, connected], "messages": client.messages,
            "events": client.events, "stats": stats, "destroyed": [client.destroy(), client.destroy()]}


def test_session_with_mosquitto(pki, start_mosquitto):
    value = run_isolated(session, port=start_mosquitto().plain_port).value
    assert value["codes"] == [0, 1, 2, 3, 0, 4, 1]
    topics = {message["topic"]: message for message in value["messages"]}
    assert topics["home/kitchen/temperature"]["payload"] == "21.5"
    assert {m["by"] for m in value["messages"] if m["topic"] == "home/kitchen/temperature"} >= {"own"}
    assert topics["empty"]["payload"] == "" and topics["empty"]["by"] == "default"
    assert all(message["terminated"] for message in value["messages"])
    assert [row[0] for row in value["events"]][0] == "CONNECTED"
    assert value["stats"]["messages_out"] == 2 and value["stats"]["messages_acknowledged"] == 1
    assert value["stats"]["messages_in"] >= 2 and value["stats"]["connected"] == 1
    assert value["stats"]["round_trips"] >= 1 and value["stats"]["connect_attempts"] == 1
    assert value["destroyed"] == [0, INVALID]


def test_what_connect_carries():
    """Without user name and password CONNECT has neither; the keep-alive is the one asked for."""
    with PlainServer(broker) as server:
        url = {"url": f"mqtt://127.0.0.1:{server.port}", "client_id": "device 1"}
        assert run_isolated(connect_code, **url, keep_alive_s=90, clean_session=1).value["code"] == 0
        assert run_isolated(connect_code, **url, username="user", password="pass").value["code"] == 0
        first, second = server.packets("CONNECT")
    assert (first.flags, first.keep_alive, first.client_id) == (0x02, 90, "device 1")
    assert second.flags == 0xC0
    assert (second.username, second.password, second.keep_alive) == ("user", "pass", 60)


def test_ipv6_literal():
    try:
        server = PlainServer(broker, address="::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with server:
        assert run_isolated(connect_code, url=f"mqtt://[::1]:{server.port}", client_id="a").value["code"] == 0


def many(library, port, count):
    clients = [Client(library, url=f"mqtt://127.0.0.1:{port}", client_id=f"c{number}") for number in range(count)]
    for client in clients:
        assert client.call("start") == 0
    codes = [client.until(lambda client=client: client.saw("CONNECTED")) for client in clients]
    for number, client in enumerate(clients):
        client.subscribe(f"to/{number}", by="own")
    subscribed = [client.until(lambda client=client: client.saw("SUBSCRIBED")) for client in clients]
    for number, client in enumerate(clients):
        client.publish(f"to/{(number + 1) % count}", str(number))
    received = [client.until(lambda client=client: client.messages) for client in clients]
    messages = [client.messages for client in clients]
    return {"ok": [all(codes), all(subscribed), all(received)], "payloads": [[m["payload"] for m in ms] for ms in messages],
            "handles": len({client.handle.value for client in clients}), "ends": [client.destroy() for client in clients]}


def test_many_clients_in_one_process(start_mosquitto):
    value = run_isolated(many, port=start_mosquitto().plain_port, count=40).value
    assert value["ok"] == [True, True, True] and value["handles"] == 40
    assert value["payloads"] == [[str((number - 1) % 40)] for number in range(40)]
    assert set(value["ends"]) == {0}


def beside_the_sdk(library, port, ca):
    """The SDK's one client and two of ours, with CAs of their own."""
    device = Device(library, triple=tuple(NAMES.values()))
    device.construct(host="localhost", port=port, pub_key=ca)
    clients = [Client(library, url=f"mqtts://localhost:{port}", client_id=f"c{n}", ca=ca) for n in (1, 2)]
    codes = [client.connect() for client in clients]
    device.subscribe("/from/client")
    clients[0].publish("/from/client", "hello")
    arrived = device.until(lambda: device.messages, 10)
    stats = Stats(struct_size=c.sizeof(Stats))
    live = library.iotx_mqtt_stats(None, c.byref(stats))
    counted = stats.messages_in
    by_handle = library.iotx_mqtt_stats(c.c_void_p(device.handle), c.byref(stats))
    foreign = [library.iotx_mqtt_stats(clients[0].handle, c.byref(stats)),
               library.iotx_client_stats(c.c_void_p(device.handle), c.byref(stats)),
               library.iotx_client_destroy(c.c_void_p(device.handle))]
    destroyed = device.destroy()
    gone = library.iotx_mqtt_stats(None, c.byref(stats))
    return {"codes": codes, "arrived": arrived, "stats": [live, counted, by_handle, gone], "foreign": foreign,
            "destroyed": destroyed, "still": [client.call("is_connected") for client in clients]}


def test_beside_the_client_of_the_sdk(pki, start_mosquitto):
    value = run_isolated(beside_the_sdk, port=start_mosquitto().port, ca=pki.text("root.crt")).value
    assert value["codes"] == [0, 0] and value["arrived"] and value["destroyed"] == 0
    assert value["stats"] == [0, 1, 0, INVALID]
    assert value["foreign"] == [INVALID] * 3
    assert value["still"] == [1, 1]


# ---- handles and arguments --------------------------------------------------------------------------

def stale(library):
    client = Client(library, **PLAIN)
    old = client.handle
    assert client.destroy() == 0
    fresh = Client(library, **PLAIN)
    found = {}
    stats, code = Stats(struct_size=c.sizeof(Stats)), c.c_int(7)
    for name, handle in {"stale": old, "foreign": c.c_void_p(0x1234560), "low": c.c_void_p(1), "NULL": None,
                         "high": c.c_void_p(-16)}.items():
        calls = {
            "connect": (c.c_uint32(10),), "start": (), "disconnect": (), "is_connected": (), "poll": (c.c_uint32(10),),
            "process": (), "fd": (), "wants_write": (), "next_timeout_ms": (),
            "publish": (b"t", b"p", c.c_size_t(1), 0, 0), "subscribe": (b"t", 0, MessageFn(), None),
            "unsubscribe": (b"t",), "stats": (c.byref(stats),),
        }
        if name != "NULL":
            calls["last_error"] = (c.byref(code), None, c.c_size_t(0))
            calls["destroy"] = ()
        found[name] = {call: getattr(library, "iotx_client_" + call)(handle, *arguments)
                       for call, arguments in calls.items()}
    return {"codes": found, "untouched": [stats.bytes_in, code.value], "destroy NULL": library.iotx_client_destroy(None),
            "differs": fresh.handle.value != old.value}


def test_a_handle_that_is_none_is_an_error_code():
    value = run_isolated(stale).value
    for name, codes in value["codes"].items():
        assert set(codes.values()) == {INVALID}, (name, codes)
    assert value["untouched"] == [0, 7] and value["destroy NULL"] == 0 and value["differs"]


def arguments(library, port):
    client = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id="a", write_buffer_size=512, max_inflight=2)
    fine = MessageFn()
    offline = client.publish("t", "x")
    assert client.connect() == 0
    size = c.c_size_t
    rows = {
        "offline": offline,
        "topic NULL": client.call("publish", None, b"", size(0), 0, 0),
        "payload NULL": client.call("publish", b"t", None, size(1), 0, 0),
        "payload NULL, none": client.call("publish", b"t", None, size(0), 0, 0),
        "length a lie": client.call("publish", b"t", b"x", size(1 << 60), 0, 0),
        "too large": client.publish("t", "x" * 512),
        "topic empty": client.publish("", "x"),
        "topic with wildcard": client.publish("a/+", "x"),
        "topic too long": client.publish("a" * 65_536, "x"),
        "topic not UTF-8": client.call("publish", b"\xff", b"", size(0), 0, 0),
        "qos 2": client.publish("t", "x", 2), "qos -1": client.publish("t", "x", -1), "qos 3": client.publish("t", "x", 3),
        "retain 2": client.publish("t", "x", 0, 2),
        "filter NULL": client.call("subscribe", None, 0, fine, None),
        "filter empty": client.subscribe(""), "filter wrong": client.subscribe("a/#/b"),
        "filter too long": client.subscribe("a" * 65_536), "filter over buffer": client.subscribe("a" * 600),
        "subscribe qos 3": client.subscribe("a", 3), "subscribe qos -1": client.subscribe("a", -1),
        "unsubscribe NULL": client.call("unsubscribe", None), "unsubscribe empty": client.unsubscribe(""),
        "unsubscribe wrong": client.unsubscribe("a+"),
    }
    rows["error"] = client.error()
    rows["window"] = [client.publish("t", "x", 1) > 0, client.publish("t", "x", 1) > 0, client.publish("t", "x", 1)]
    rows["window error"] = client.error()
    cut = [client.error_of(library, client.handle, size)[1] for size in (1, 2, 10)]
    untouched = c.create_string_buffer(b"keep")
    assert library.iotx_client_last_error(client.handle, None, untouched, size(0)) == 0
    stats = [library.iotx_client_stats(client.handle, None)]
    for claim in (0, 8, 1 << 30):
        block = Stats(struct_size=claim)
        stats.append(client.call("stats", c.byref(block)))
    larger = (c.c_ubyte * (c.sizeof(Stats) + 16))(*([0xEE] * (c.sizeof(Stats) + 16)))
    Stats.from_buffer(larger).struct_size = len(larger) - 8
    stats.append([client.call("stats", c.byref(larger)), bytes(larger[-16:]).hex()])
    return {"rows": rows, "cut": cut, "kept": untouched.value.decode(), "stats": stats}


def test_arguments():
    def no_answers(connection):
        connection.accept()
        connection.serve(puback=False)
    with PlainServer(no_answers) as server:
        value = run_isolated(arguments, port=server.port).value
    rows = value["rows"]
    format_error, serialize = STATE["STATE_MQTT_UNEXP_TOPIC_FORMAT"], STATE["STATE_MQTT_SERIALIZE_PUB_ERROR"]
    qos = STATE["STATE_MQTT_PUB_QOS_INVALID"]
    assert rows == {
        "offline": STATE["STATE_MQTT_IN_OFFLINE_STATUS"], "topic NULL": NULL, "payload NULL": NULL,
        "payload NULL, none": 0, "length a lie": serialize, "too large": serialize, "topic empty": INVALID,
        "topic with wildcard": format_error, "topic too long": RANGE, "topic not UTF-8": format_error,
        "qos 2": qos, "qos -1": qos, "qos 3": qos, "retain 2": RANGE, "filter NULL": NULL, "filter empty": INVALID,
        "filter wrong": format_error, "filter too long": RANGE,
        "filter over buffer": STATE["STATE_MQTT_SERIALIZE_SUB_ERROR"],
        "subscribe qos 3": RANGE, "subscribe qos -1": RANGE, "unsubscribe NULL": NULL, "unsubscribe empty": INVALID,
        "unsubscribe wrong": format_error, "error": [format_error, "The topic or topic filter is malformed."],
        "window": [True, True, STATE["STATE_MQTT_QOS1_REPUB_EXCEED_MAX"]],
        "window error": [STATE["STATE_MQTT_QOS1_REPUB_EXCEED_MAX"],
                         "Too many QoS 1 messages wait for their acknowledgement."],
    }
    assert value["cut"] == ["", "T", "Too many "] and value["kept"] == "keep"
    assert value["stats"] == [NULL, RANGE, RANGE, RANGE, [0, "00" * 8 + "ee" * 8]]


# ---- callbacks --------------------------------------------------------------------------------------

def in_callbacks(library, port):
    """Every call from inside a callback, at last Destroy."""
    client = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id="a")
    other = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id="b")
    found = {}

    def on_connected(kind, row):
        if kind == "event" and row[0] == "CONNECTED":
            found["poll"] = [client.poll(10), client.call("process"), client.connect(10), other.poll(10), other.connect(10)]
            found["error"] = client.error()
            found["start"] = [client.call("start"), other.call("start")]
            found["subscribe"] = client.subscribe("t", 1, by="own")
    client.hooks.append(on_connected)

    def on_granted(kind, row):
        if kind == "event" and row[0] == "SUBSCRIBED":
            found["publish"] = [client.publish("t", "1", 1), client.publish("t", "2", 1)]
    client.hooks.append(on_granted)

    def on_message(kind, row):
        if kind == "message":
            found["destroy"] = [client.destroy(), client.destroy(), client.publish("t", "3")]
    client.hooks.append(on_message)
    assert client.call("start") == 0
    end = time.monotonic() + 10
    while "destroy" not in found and time.monotonic() < end:
        client.poll(100)
    found["poll after"] = client.poll(10)
    found["other"] = other.until(lambda: other.saw("CONNECTED"))
    found["messages"] = [message["payload"] for message in client.messages]
    return found


def test_any_call_in_a_callback(start_mosquitto):
    found = run_isolated(in_callbacks, port=start_mosquitto().plain_port).value
    assert found["poll"] == [INVALID] * 5
    assert found["error"] == [INVALID, "iotx_client_connect inside a callback would wait for itself"]
    assert found["start"] == [0, 0] and found["subscribe"] > 0
    assert all(code > 0 for code in found["publish"])
    assert found["destroy"] == [0, INVALID, INVALID]
    assert found["messages"] == ["1"], "the callback that destroys is the last"
    assert found["poll after"] == INVALID and found["other"]


def disconnect_in_callback(library, port):
    client = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id="a")
    codes = []
    client.hooks.append(lambda kind, row: codes.append(client.call("disconnect")) if row[0] == "CONNECTED" else None)
    first = client.connect(3000)
    client.hooks.clear()
    return {"first": first, "codes": codes, "connected": client.call("is_connected"),
            "timeout": client.call("next_timeout_ms"), "again": client.connect(), "events": client.events}


def test_disconnect_in_a_callback():
    with PlainServer(broker) as server:
        value = run_isolated(disconnect_in_callback, port=server.port).value
        assert len(server.packets("DISCONNECT")) == 1
    assert value["codes"] == [0] and value["connected"] == 0 and value["timeout"] == -1
    assert value["first"] == INVALID, "connect was called off"
    assert value["again"] == 0
    assert [row[0] for row in value["events"]] == ["CONNECTED", "RECONNECTED"]


def threads(library, port):
    """Publishing from several threads, stopping and destroying while another thread polls."""
    client = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id="a", max_inflight=1000)
    assert client.connect() == 0
    client.subscribe("t/#", 1, by="own")
    assert client.until(lambda: client.saw("SUBSCRIBED"))
    codes = []

    def publisher(name):
        for number in range(50):
            codes.append(client.publish(f"t/{name}", str(number), number % 2))

    def poller():
        while client.poll(1000) == 0:
            pass
        codes.append("ended")
    workers = [threading.Thread(target=publisher, args=(name,)) for name in range(4)]
    reader = threading.Thread(target=poller)
    for worker in [*workers, reader]:
        worker.start()
    for worker in workers:
        worker.join()
    end = time.monotonic() + 10
    while len(client.messages) < 200 and time.monotonic() < end:
        time.sleep(0.01)
    restarts = []
    for _ in range(3):
        restarts.append(client.call("disconnect"))
        restarts.append(client.call("start"))
    started = time.monotonic()
    destroyed = client.destroy()
    reader.join(10)
    return {"failed": [code for code in codes if code != "ended" and code < 0], "ended": "ended" in codes,
            "messages": len(client.messages), "restarts": restarts, "destroyed": destroyed,
            "seconds": time.monotonic() - started}


def test_threads(start_mosquitto):
    value = run_isolated(threads, port=start_mosquitto().plain_port).value
    assert value["failed"] == [] and value["messages"] == 200
    assert value["restarts"] == [0] * 6 and value["destroyed"] == 0 and value["ended"]
    assert value["seconds"] < 8


# ---- losing and finding the connection ---------------------------------------------------------------

def reconnects(library, port):
    client = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id="a", reconnect_min_ms=100, reconnect_max_ms=200)
    client.connect()
    client.subscribe("t", by="own")
    client.until(lambda: client.saw("SUBSCRIBED"))
    client.publish("drop", "me")
    again = client.until(lambda: client.saw("RECONNECTED"), 20)
    client.until(lambda: client.messages, 10)
    return {"again": again, "events": client.events, "messages": client.messages, "stats": client.stats()}


def test_the_connection_comes_back():
    def script(connection):
        connection.accept()
        if connection.number == 1:
            connection.answer(connection.expect("SUBSCRIBE"))
            connection.expect("PUBLISH")
        elif connection.number == 2:
            connection.send(b"\x20\x02\x00\x05")  # a second CONNACK is ignored; closing fails the session
        else:
            connection.answer(connection.expect("SUBSCRIBE"))
            connection.send(publish("t", "after"))
            connection.serve()
    with PlainServer(script) as server:
        value = run_isolated(reconnects, port=server.port).value
    names = [row[0] for row in value["events"]]
    assert value["again"] and names[:4] == ["CONNECTED", "SUBSCRIBED", "DISCONNECTED", "RECONNECTED"]
    lost = next(row for row in value["events"] if row[0] == "DISCONNECTED")
    assert lost[2] == STATE["STATE_SYS_DEPEND_NWK_CLOSE"] and "closed by the server" in lost[3]
    assert [message["payload"] for message in value["messages"]] == ["after"]
    assert value["stats"]["reconnects"] == 2 and value["stats"]["connect_attempts"] == 3


def connect_code(library, timeout_ms=5000, **options):
    client = Client(library, **options)
    started = time.monotonic()
    code = client.connect(timeout_ms)
    seconds = time.monotonic() - started
    return {"code": code, "seconds": seconds, "error": client.error(), "events": client.events,
            "timeout": client.call("next_timeout_ms"), "stats": client.stats()}


@pytest.mark.parametrize("code, name", [(1, "VERSION_UNACCEPT"), (2, "IDENT_REJECT"), (4, "BAD_USERDATA"), (5, "NOT_AUTHORIZED")])
def test_a_refusal_ends_connect_at_once(code, name):
    with PlainServer(lambda connection: connection.accept(bytes([0x20, 2, 0, code]))) as server:
        value = run_isolated(connect_code, url=f"mqtt://127.0.0.1:{server.port}", client_id="a").value
        assert len(server.packets("CONNECT")) == 1
    assert value["code"] == STATE["STATE_MQTT_CONNACK_" + name] and value["seconds"] < 2
    assert value["error"][0] == value["code"] and f"code {code}" in value["error"][1]
    assert [row[0] for row in value["events"]] == ["CONNECT_FAILED"]
    assert value["timeout"] == -1, "stopped"


def test_nobody_listens():
    with PlainServer(broker) as server:
        port = server.port
    value = run_isolated(connect_code, url=f"mqtt://127.0.0.1:{port}", client_id="a", timeout_ms=1500,
                         reconnect_min_ms=100, reconnect_max_ms=200).value
    assert value["code"] == STATE["STATE_SYS_DEPEND_NWK_CLOSE"] and 1.4 < value["seconds"] < 4
    assert value["stats"]["connect_attempts"] > 3 and "refused" in value["error"][1]


def test_a_silent_server():
    with PlainServer(lambda connection: connection.serve()) as server:
        value = run_isolated(connect_code, url=f"mqtt://127.0.0.1:{server.port}", client_id="a", timeout_ms=1000).value
    assert value["code"] == STATE["STATE_SYS_DEPEND_NWK_TIMEOUT"] and 0.9 < value["seconds"] < 3


def test_the_bound_of_an_attempt():
    with PlainServer(lambda connection: connection.serve()) as server:
        value = run_isolated(connect_code, url=f"mqtt://127.0.0.1:{server.port}", client_id="a", timeout_ms=1400,
                             request_timeout_ms=60_000, connect_timeout_ms=1000).value
    assert value["code"] == STATE["STATE_SYS_DEPEND_NWK_TIMEOUT"]
    assert [row[0] for row in value["events"]] == ["CONNECT_FAILED"] and "1000 ms" in value["events"][0][3]


# ---- event loops ------------------------------------------------------------------------------------

def event_loop(library, port, ca=None):
    scheme = {"url": f"mqtts://localhost:{port}", "ca": ca} if ca else {"url": f"mqtt://127.0.0.1:{port}"}
    client = Client(library, client_id="a", nonblocking=1, **scheme)
    slowest = 0.0
    before = [client.call("fd"), client.call("next_timeout_ms"), client.call("wants_write")]
    client.call("start")
    descriptors = set()

    def run(condition, seconds=10):
        nonlocal slowest
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            fd, wait = client.call("fd"), client.call("next_timeout_ms")
            assert wait >= 0
            if fd < 0:
                time.sleep(min(wait, 50) / 1000)
            else:
                descriptors.add(fd)
                select.select([fd], [fd] if client.call("wants_write") else [], [], wait / 1000)
            started = time.perf_counter()
            assert client.call("process") == 0
            if client.saw("CONNECTED"):
                slowest = max(slowest, time.perf_counter() - started)
        return condition()
    connected = run(lambda: client.saw("CONNECTED"))
    client.subscribe("t", 1, by="own")
    run(lambda: client.saw("SUBSCRIBED"))
    ids = [client.publish("t", f"{number:05}" + "x" * 500, 1) for number in range(100)]
    arrived = run(lambda: len(client.messages) >= 100 and all(client.saw("PUBLISHED", number) for number in ids))
    idle = [client.call("next_timeout_ms") > 20_000, client.call("wants_write")]
    return {"before": before, "connected": connected, "arrived": arrived, "idle": idle, "descriptors": len(descriptors),
            "order": [m["payload"][:5] for m in client.messages], "slowest": slowest, "destroyed": client.destroy()}


@pytest.mark.parametrize("tls", [False, True])
def test_event_loop(pki, start_mosquitto, tls):
    server = start_mosquitto()
    options = {"port": server.port, "ca": pki.text("root.crt")} if tls else {"port": server.plain_port}
    value = run_isolated(event_loop, **options).value
    assert value["before"] == [-1, -1, 0]
    assert value["connected"] and value["arrived"] and value["descriptors"] == 1
    assert value["order"] == [f"{number:05}" for number in range(100)]
    assert value["idle"] == [True, 0]
    assert value["slowest"] < 0.5


def unread(library, port, tls_ca=None):
    """A server that stops reading: nothing blocks, the queue has an end, and all arrives later."""
    url = {"url": f"mqtts://localhost:{port}", "ca": tls_ca} if tls_ca else {"url": f"mqtt://127.0.0.1:{port}"}
    client = Client(library, client_id="a", nonblocking=1, queue_size=100_000, request_timeout_ms=20_000, **url)
    assert client.connect() == 0
    sent, slowest = 0, 0.0
    while True:
        started = time.perf_counter()
        code = client.publish("t", b"x" * 10_000)
        slowest = max(slowest, time.perf_counter() - started)
        if code != 0 or sent > 5000:
            break
        sent += 1
    full = [code, client.call("wants_write"), client.stats()["queued_bytes"]]
    started = time.perf_counter()
    client.call("process")
    process = time.perf_counter() - started
    client.publish("go", b"")  # refused as well
    print("FULL", flush=True)
    emptied = client.until(lambda: client.call("wants_write") == 0, 20)
    after = client.publish("end", b"")
    client.until(lambda: client.saw("DISCONNECTED"), 10)
    return {"sent": sent, "full": full, "slowest": slowest, "process": process, "emptied": emptied, "after": after}


def test_a_server_that_does_not_read(pki):
    release = threading.Event()

    def script(connection):
        connection.accept()
        release.wait(20)
        while connection.expect("PUBLISH").topic != "end":
            pass
    with PlainServer(script) as server:
        timer = threading.Timer(4, release.set)
        timer.start()
        value = run_isolated(unread, port=server.port).value
        timer.cancel()
        received = server.packets("PUBLISH")
    assert value["full"][0] == STATE["STATE_MQTT_TX_BUFFER_TOO_SHORT"] and value["full"][1] == 1
    assert 100_000 <= value["full"][2] < 120_000, "bounded"
    assert value["slowest"] < 0.5 and value["process"] < 0.5
    assert value["emptied"] and value["after"] == 0
    assert len(received) == value["sent"] + 1


def stuck(library, port):
    """An event loop whose server takes nothing: when does it notice, woken by the advertised times alone."""
    client = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id="a", nonblocking=1, request_timeout_ms=500)
    assert client.connect() == 0
    written = -1
    while written != client.stats()["bytes_out"]:
        # The system goes on taking data for a while.
        written = client.stats()["bytes_out"]
        while client.publish("t", b"x" * 10_000) == 0:
            pass
        time.sleep(0.1)
        client.call("process")
    started, waits = time.monotonic(), []
    while not client.saw("DISCONNECTED") and time.monotonic() < started + 10:
        wait, fd = client.call("next_timeout_ms"), client.call("fd")
        waits.append(wait)
        select.select([fd], [fd] if client.call("wants_write") else [], [], wait / 1000) if fd >= 0 else time.sleep(wait / 1000)
        assert client.call("process") == 0
    return {"seconds": time.monotonic() - started, "waits": waits, "events": client.events}


def test_a_stuck_server_is_given_up_by_an_event_loop():
    release = threading.Event()

    def script(connection):
        connection.accept()
        release.wait(20)
    with PlainServer(script) as server:
        server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        value = run_isolated(stuck, port=server.port).value
        release.set()
    assert 0.2 < value["seconds"] < 3 and len(value["waits"]) < 20, value
    lost = next(row for row in value["events"] if row[0] == "DISCONNECTED")
    assert "takes no data" in lost[3]


def held(library, port):
    """A QoS 1 message that comes before its handler, in an event loop."""
    client = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id="a", on_message=MessageFn())
    assert client.connect() == 0
    client.publish("go", b"")
    end = time.monotonic() + 5
    while client.stats()["messages_in"] == 0 and time.monotonic() < end:
        assert client.poll(50) == 0
    before = [client.call("next_timeout_ms") > 1000, len(client.messages)]
    client.subscribe("t", 1, by="own")
    soon = client.call("next_timeout_ms")
    client.call("process")
    return {"before": before, "soon": soon, "messages": client.messages}


def test_a_message_waits_for_its_handler():
    def script(connection):
        connection.accept()
        connection.expect("PUBLISH")
        connection.send(publish("t", "early", qos=1))
        connection.serve()
    with PlainServer(script) as server:
        value = run_isolated(held, port=server.port).value
        connection = server.connections[0]
        wait_until(lambda: [item.name for item in connection.packets].count("PUBACK") == 1, 5, "acknowledged once")
    assert value["before"] == [True, 0] and value["soon"] == 0
    assert [message["payload"] for message in value["messages"]] == ["early"]


def trickle(library, port):
    client = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id="a", nonblocking=1, queue_size=60_000,
                    request_timeout_ms=500)
    assert client.connect() == 0
    end, full = time.monotonic() + 3, 0
    while time.monotonic() < end:
        while client.publish("t", b"x" * 2000) == 0:
            pass
        full += 1
        client.poll(5)
    return {"events": [row[0] for row in client.events], "full": full, "queued": client.stats()["queued_bytes"]}


def test_a_server_that_reads_slowly_is_alive():
    """The queue is never empty for six request time-outs, yet something is taken all the time."""
    def script(connection):
        connection.accept()
        while connection.stream.recv(1000):
            time.sleep(0.01)
    with PlainServer(script) as server:
        server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        value = run_isolated(trickle, port=server.port).value
    assert value["events"] == ["CONNECTED"] and value["full"] > 10 and value["queued"] > 0


def prompt(library, port):
    """How long connect and poll take beyond what they wait for."""
    client = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id="a")
    seconds = []

    def timed(call):
        started = time.monotonic()
        assert call() == 0
        seconds.append(time.monotonic() - started)
    timed(client.connect)
    timed(client.connect)
    client.subscribe("t", by="own")
    while not client.saw("SUBSCRIBED"):
        timed(lambda: client.poll(5000))
    client.publish("t", "x")
    while not client.messages:
        timed(lambda: client.poll(5000))
    assert client.call("disconnect") == 0 and client.call("start") == 0
    while not client.saw("RECONNECTED"):
        timed(lambda: client.poll(5000))
    return seconds


def test_connect_and_poll_return_when_something_has_happened(start_mosquitto):
    seconds = run_isolated(prompt, port=start_mosquitto().plain_port).value
    # The client sleeps in slices of 200 ms and more.
    assert max(seconds) < 0.15, seconds


# ---- TLS --------------------------------------------------------------------------------------------

def files(pki, tmp_path):
    """An encrypted form of the device's key in each format."""
    made = {}
    for name, command in {
        "aes": ["rsa", "-aes256", "-traditional"], "pkcs8": ["pkcs8", "-topk8", "-v2", "des3"],
        "pkcs8-aes": ["pkcs8", "-topk8", "-v2", "aes-256-cbc"],
    }.items():
        made[name] = tmp_path / f"{name}.key"
        subprocess.run(["openssl", *command, "-in", pki / "device.key", "-out", made[name], "-passout", "pass:open sesame"],
                       check=True, capture_output=True)
    return made


def test_client_certificate_as_memory_and_file(pki, start_platform, tmp_path):
    platform = start_platform("--tls", "--client-cert", "require")
    keys = files(pki, tmp_path)
    # What a device without names sends: its certificate tells the platform who it is.
    url = {"url": f"mqtts://localhost:{platform.port}", "username": "&", "password": "0" * 64, "client_id":
           ".|timestamp=2524608000000,_v=sdk-c-3.2.0,securemode=2,signmethod=hmacsha256,lan=C,_ss=1,gw=0,ext=0|"}
    text = {name: pki.text(name) for name in ("root.crt", "device.crt", "device.key")}
    path = {name: {"file": str(pki / name)} for name in text}
    identity = {"certificate": text["device.crt"], "key": text["device.key"]}
    cases = {
        "memory": {"ca": text["root.crt"], **identity},
        "file": {"ca": path["root.crt"], "certificate": path["device.crt"], "key": path["device.key"]},
        "with its NUL": {"ca": text["root.crt"] + "\0", "certificate": text["device.crt"] + "\0",
                         "key": text["device.key"] + "\0"},
        "encrypted, PEM": {"ca": text["root.crt"], "certificate": text["device.crt"], "key": {"file": str(keys["aes"])},
                           "key_password": "open sesame"},
        "encrypted, PKCS#8": {"ca": text["root.crt"], "certificate": text["device.crt"],
                              "key": {"file": str(keys["pkcs8"])}, "key_password": "open sesame"},
    }
    for name, material in cases.items():
        outcome = run_isolated(connect_code, **url, **material)
        assert outcome.value["code"] == 0, (name, outcome.value, outcome.output)
    without = run_isolated(connect_code, **url, ca=text["root.crt"]).value
    assert without["code"] < 0 and "certificate" in without["error"][1]


def test_wrong_material_is_refused_at_creation(pki, tmp_path):
    keys = files(pki, tmp_path)
    empty = tmp_path / "empty"
    empty.write_text("")
    pairs = tmp_path / "pairs"
    pairs.write_text("# comment\nme:00ff\n")
    broken = tmp_path / "broken"
    broken.write_text("me:0g\n")
    odd = tmp_path / "odd"
    odd.write_text("just a word\n")
    crt, key = pki.text("device.crt"), pki.text("device.key")
    cases = {
        "other key": ({"certificate": crt, "key": pki.text("device-ec.key")}, "does not belong"),
        "no PEM certificate": ({"certificate": "garbage", "key": key}, "client certificate is not a PEM"),
        "no PEM key": ({"certificate": crt, "key": "garbage"}, "client key is not a readable"),
        "encrypted, no password": ({"certificate": crt, "key": {"file": str(keys["aes"])}}, "no password was given"),
        "PKCS#8 with AES": ({"certificate": crt, "key": {"file": str(keys["pkcs8-aes"])}, "key_password": "open sesame"},
                            "client key is not a readable PEM private key|cannot be opened"),
        "encrypted, wrong password": ({"certificate": crt, "key": {"file": str(keys["aes"])}, "key_password": "hush"},
                                      "cannot be opened with its password"),
        "PKCS#8, wrong password": ({"certificate": crt, "key": {"file": str(keys["pkcs8"])}, "key_password": "hush"},
                                   "cannot be opened with its password|not a readable"),
        "empty file": ({"certificate": {"file": str(empty)}, "key": key}, "certificate.file is empty"),
        "other identity": ({"psk": {"file": str(pairs)}, "psk_identity": "you"}, "does not have the key asked for"),
        "no hexadecimal": ({"psk": {"file": str(broken)}}, "not hexadecimal"),
        "no pair": ({"psk": {"file": str(odd)}}, "without a colon"),
    }
    outcome = run_isolated(refusals, cases=[{**TLS, **options} for options, _ in cases.values()])
    for (name, (_, text)), (code, found) in zip(cases.items(), outcome.value, strict=True):
        assert code == INVALID and re.search(text, found), (name, code, found)
    assert "hush" not in outcome.output and "open sesame" not in outcome.output
    for line in key.splitlines()[1:4]:
        assert line not in outcome.output


@pytest.mark.parametrize("certificate, reason", [
    ("server-expired", "expired"), ("server-wrong-host", "host|name"), ("server-unknown-ca", "unknown CA|issuer|trust"),
])
def test_the_server_is_always_verified(pki, start_platform, certificate, reason):
    platform = start_platform("--tls", "--server-cert", certificate)
    value = run_isolated(connect_code, url=f"mqtts://localhost:{platform.port}", client_id="a", ca=pki.text("root.crt")).value
    assert value["code"] == STATE.get("ERROR_CERT_VERIFY_FAIL", -309) and value["seconds"] < 4, "not tried again"
    assert re.search(reason, value["error"][1], re.I)


def own_trust(library, port, good, other):
    """The CA of a client is its own: neither the process's nor another client's counts."""
    set_data(library, "iotx_ca_crt", good)
    url = f"mqtts://localhost:{port}"
    return {"default": Client(library, url=url, client_id="a").connect(),
            "own": Client(library, url=url, client_id="b", ca=good).connect(),
            "other": Client(library, url=url, client_id="c", ca=other).connect()}


def test_each_client_has_a_trust_of_its_own(pki, start_mosquitto):
    port = start_mosquitto().port
    good, other = pki.text("root.crt"), pki.text("other-root.crt")
    assert run_isolated(own_trust, port=port, good=good, other=other).value == {"default": 0, "own": 0, "other": -309}


def test_names_of_a_device_sign_the_connection(pki, start_platform):
    platform = start_platform("--tls", "--client-cert", "none")
    key, name, secret = pki.devices()[0]
    url = {"url": f"mqtts://localhost:{platform.port}", "ca": pki.text("root.crt"), "product_key": key, "device_name": name}
    outcome = run_isolated(connect_code, **url, device_secret=secret)
    assert outcome.value["code"] == 0, outcome.value
    assert secret not in outcome.output
    wrong = run_isolated(connect_code, **url, device_secret=secret[::-1]).value
    assert wrong["code"] in (STATE["STATE_MQTT_CONNACK_BAD_USERDATA"], STATE["STATE_MQTT_CONNACK_NOT_AUTHORIZED"])


KEY = bytes(range(1, 17))


@pytest.fixture
def psk_mosquitto(tmp_path):
    """A mosquitto whose clients have pre-shared keys: the file of them and the port."""
    pairs = tmp_path / "pairs"
    pairs.write_text(f"me:{KEY.hex()}\nother:00112233\n")
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    lines = [f"listener {port} 127.0.0.1", f"psk_file {pairs}", "psk_hint hint", "allow_anonymous true", "persistence false"]
    config.write_text("\n".join(lines + ["user root"] * (os.geteuid() == 0)) + "\n")
    program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    process = subprocess.Popen([program, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
    wait_until(answers, 10, "mosquitto listens")
    yield pairs, port
    process.terminate()
    process.wait(10)


def test_pre_shared_key_with_mosquitto(psk_mosquitto):
    pairs, port = psk_mosquitto
    url = {"url": f"mqtts://127.0.0.1:{port}", "client_id": "a"}
    memory = run_isolated(psk_code, **url, psk_hex=KEY.hex(), psk_identity="me")
    assert memory.value["code"] == 0, (memory.value, memory.output)
    assert re.search(r"TLSv1.2, TLS-(ECDHE-)?PSK-", memory.output)
    assert run_isolated(connect_code, **url, psk={"file": str(pairs)}, psk_identity="me").value["code"] == 0
    assert run_isolated(connect_code, **url, psk={"file": str(pairs)}).value["code"] == 0, "the first line"
    wrong = run_isolated(psk_code, **url, psk_hex=KEY[::-1].hex(), psk_identity="me", timeout_ms=1500)
    assert wrong.value["code"] == STATE["STATE_SYS_DEPEND_NWK_CLOSE"]
    assert "pre-shared key" in wrong.value["error"][1] or "handshake" in wrong.value["error"][1]
    assert KEY[::-1].hex() not in wrong.output and repr(KEY) not in wrong.output
    unknown = run_isolated(psk_code, **url, psk_hex=KEY.hex(), psk_identity="nobody", timeout_ms=1500).value
    assert unknown["code"] == STATE["STATE_SYS_DEPEND_NWK_CLOSE"]


def psk_code(library, psk_hex, **options):
    return connect_code(library, psk=bytes.fromhex(psk_hex), **options)


@pytest.mark.parametrize("suite", [
    "ECDHE-PSK-CHACHA20-POLY1305", "ECDHE-PSK-AES128-CBC-SHA256", "PSK-AES128-GCM-SHA256", "PSK-AES128-CCM8",
    "PSK-AES128-CBC-SHA",
])
def test_pre_shared_key_suites_with_openssl(suite):
    """The handshake completes with each; s_server then sees CONNECT, which it does not understand."""
    port = free_port()
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-nocert", "-psk", KEY.hex(), "-psk_identity", "me",
         "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0", "-quiet"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        outcome = run_isolated(psk_code, url=f"mqtts://127.0.0.1:{port}", client_id="a", psk_hex=KEY.hex(), psk_identity="me",
                               timeout_ms=2500, request_timeout_ms=300, reconnect_min_ms=100, reconnect_max_ms=100)
    finally:
        server.kill()
        output = server.communicate()[0]
    assert b"MQTT" in output, (output, outcome.output)
    assert outcome.value["code"] == STATE["STATE_SYS_DEPEND_NWK_TIMEOUT"], "no CONNACK"
    assert "TLSv1.2, TLS-" + ("ECDHE-PSK" if suite.startswith("ECDHE") else "PSK") in outcome.output


def test_a_server_with_a_certificate_only_is_no_match_for_a_pre_shared_key(start_mosquitto):
    value = run_isolated(psk_code, url=f"mqtts://127.0.0.1:{start_mosquitto().port}", client_id="a", psk_hex=KEY.hex(),
                         psk_identity="me", timeout_ms=1000).value
    assert value["code"] == STATE["STATE_SYS_DEPEND_NWK_CLOSE"] and "pre-shared keys at all" in value["error"][1]


# ---- the log ----------------------------------------------------------------------------------------

def logging(library, port):
    lines, client = [], None
    callback = LogFn(lambda context, level, line: lines.append([context, level, line.decode()]))
    codes = [library.iotx_log_set_callback(callback, c.c_void_p(77), level) for level in (-1, 6, 5)]

    def connect(name):
        nonlocal client
        client = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id=name, username="user", password="hush-hush")
        client.connect()
        client.destroy()
    connect("first")
    debug = list(lines)
    lines.clear()
    codes.append(library.iotx_log_set_callback(callback, c.c_void_p(77), 3))
    connect("second")
    warnings = list(lines)
    codes.append(library.iotx_log_set_callback(LogFn(), None, 4))
    lines.clear()
    connect("third")
    return {"codes": codes, "debug": debug, "warnings": warnings, "after": list(lines)}


def test_log_callback():
    with PlainServer(broker) as server:
        outcome = run_isolated(logging, port=server.port)
    value = outcome.value
    assert value["codes"] == [RANGE, RANGE, 0, 0, 0]
    assert {row[0] for row in value["debug"]} == {77}
    assert {5, 4} <= {row[1] for row in value["debug"]}
    assert any("connected" in row[2] and row[1] == 4 for row in value["debug"])
    assert value["warnings"] == [] and value["after"] == []
    assert "client" in outcome.output and "connected" in outcome.output, "printed again"
    assert "hush-hush" not in outcome.output and "hush-hush" not in str(value)


# ---- the SDK's own API --------------------------------------------------------------------------------

def construct(library, host, port, ca=None):
    device = Device(library, triple=tuple(NAMES.values()))
    device.construct(host=host, port=port, **({"pub_key": ca} if ca else {}))
    connected = device.handle is not None
    return [connected, device.destroy() if connected else None]


@pytest.mark.parametrize("scheme", ["mqtt", "tcp"])
def test_the_host_of_the_sdk_may_carry_a_scheme(scheme):
    with PlainServer(broker) as server:
        assert run_isolated(construct, host=f"{scheme}://127.0.0.1", port=server.port).value == [True, 0]
        assert "securemode=3" in server.packets("CONNECT")[0].client_id


@pytest.mark.parametrize("scheme", ["mqtts", "ssl"])
def test_pub_key_of_the_sdk_is_the_ca(pki, start_mosquitto, scheme):
    port = start_mosquitto().port
    host = f"{scheme}://localhost"
    assert run_isolated(construct, host=host, port=port, ca=pki.text("root.crt")).value == [True, 0]
    assert run_isolated(construct, host=host, port=port, ca=pki.text("other-root.crt")).value == [False, None]
    assert run_isolated(construct, host=host, port=port).value == [False, None], "the built-in roots do not know it"


# ---- programs of the documentation -------------------------------------------------------------------

STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-I", ROOT / "include"]


def documented():
    """The programs and parts of docs/client-api.md."""
    return [block.split("```")[0] for block in (ROOT / "docs" / "client-api.md").read_text().split("```c\n")[1:]]


def compiled(source, output):
    """The C99 program, linked with the shared library."""
    subprocess.run(["cc", "-std=c99", "-D_POSIX_C_SOURCE=200809L", *STRICT, "-o", output, source, f"-L{BUILD / 'lib'}", "-liotx",
                    f"-Wl,-rpath,{BUILD / 'lib'}"], check=True, timeout=60)
    return output


def test_the_examples_of_the_document_compile_and_run(tmp_path, start_mosquitto):
    blocks = documented()
    assert len(blocks) == 3
    url = f"mqtt://127.0.0.1:{start_mosquitto().plain_port}"
    for number, block in enumerate(blocks):
        source = tmp_path / f"example{number}.c"
        source.write_text(block)
        for compiler, standard in (("cc", "c11"), ("c++", "c++17")):
            subprocess.run([compiler, f"-std={standard}", "-x", "c" if compiler == "cc" else "c++", *STRICT, "-fsyntax-only", source],
                           check=True, timeout=60)
        if "int main(" in block:
            program = compiled(source, tmp_path / f"example{number}")
            done = subprocess.run([program, url, "once"], capture_output=True, text=True, timeout=30)
            assert done.returncode == 0, done.stdout + done.stderr


def test_the_part_in_the_readme_compiles(tmp_path):
    part = (ROOT / "README.md").read_text().split("## Clients of your own")[1].split("```c\n")[1].split("```")[0]
    source = tmp_path / "part.c"
    source.write_text("#include \"iotx.h\"\nvoid part(iotx_client_message_fn on_message);\n"
                      "void part(iotx_client_message_fn on_message)\n{\n    iotx_client_options_t options;\n"
                      "    iotx_client_t *client;\n\n" + part + "}\n")
    subprocess.run(["cc", "-std=c99", *STRICT, "-fsyntax-only", source], check=True, timeout=60)


@pytest.mark.parametrize("tls", [False, True])
def test_the_example_program(pki, start_mosquitto, tmp_path, tls):
    broker = start_mosquitto()
    program = compiled(ROOT / "c_examples" / "client_example.c", tmp_path / "client_example")
    arguments = [f"mqtts://localhost:{broker.port}", pki / "root.crt"] if tls else [f"mqtt://127.0.0.1:{broker.plain_port}"]
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [f"{20 + number}.5 degrees" in done.stdout for number in range(3)] == [True] * 3
