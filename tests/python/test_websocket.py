"""MQTT over WebSocket: handshake, frames, both APIs, with scripted servers."""

import struct
import subprocess
import time

import pytest

from client import Client, PlainServer
from device import Device
from iotx_abi import INFORMATION, ROOT, STATE, ioctl_set
from isolation import run_isolated
from scripted import CONNACK_OK, ScriptedServer, publish
from test_client_api import STRICT
from test_client_loop import event_loop
from upgrade import Slow, WebSocket, answer, frame, read_head, upgrade

CLOSE = STATE["STATE_SYS_DEPEND_NWK_CLOSE"]
NAMES = ("a1MZxOdcBnO", "example1", "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X")


def whole_session(library, url, ca=None, timeout_ms=10_000, size=10, **options):
    """Scenario: connect, subscribe, a message of each QoS back, disconnect."""
    if ca is not None:
        options["ca"] = ca
    client = Client(library, url=url, client_id="a", **options)
    code = client.connect(timeout_ms)
    if code != 0:
        return {"code": code, "error": client.error()}
    client.subscribe("t", 1)
    client.until(lambda: client.saw("SUBSCRIBED"))
    sent = [client.publish("t", f"{qos}" * size, qos) for qos in (0, 1)]
    whole = client.until(lambda: len(client.messages) >= 2 and client.saw("PUBLISHED", sent[1]))
    return {"code": 0, "whole": whole, "payloads": [m["payload"] for m in client.messages],
            "fd": client.call("fd"), "disconnected": client.call("disconnect"), "destroyed": client.destroy()}


def reflect(connection):
    """A broker that sends every message back."""
    connection.accept()
    while True:
        found = connection.read()
        connection.answer(found)
        if found.name == "PUBLISH":
            connection.send(publish(found.topic, found.payload))


def over_websocket(heads, cut=None, **changes):
    def script(connection):
        heads.append(upgrade(connection, cut, **changes))
        reflect(connection)
    return script


def check_session(value, size=10):
    assert value["code"] == 0, value
    assert value["whole"] and value["payloads"] == ["0" * size, "1" * size]
    assert value["disconnected"] == 0 and value["destroyed"] == 0


# ---- handshake ---------------------------------------------------------------------------------


def test_request_and_session():
    heads = []
    with PlainServer(over_websocket(heads)) as server:
        check_session(run_isolated(whole_session, url=f"ws://127.0.0.1:{server.port}").value)
        stream = server.connections[0].stream
        assert len(set(stream.masks)) == len(stream.masks) > 3, "a mask was used twice"
        # DISCONNECT, then a Close frame.
        assert server.packets("DISCONNECT")
    (first, fields), = heads
    assert first == "GET /mqtt HTTP/1.1"
    key = fields.pop("sec-websocket-key")
    assert len(key) == 24
    assert fields == {"host": f"127.0.0.1:{server.port}", "upgrade": "websocket", "connection": "Upgrade",
                      "sec-websocket-protocol": "mqtt", "sec-websocket-version": "13"}


def test_path_headers_and_tls(pki):
    heads = []
    with ScriptedServer(pki, over_websocket(heads)) as server:
        options = {"ca": pki.text("root.crt"), "websocket_headers": "Authorization: Bearer abc\nX-Two:  2 \r\n"}
        outcome = run_isolated(whole_session, url=f"wss://localhost:{server.port}/a/b?token=c@d", **options)
        check_session(outcome.value)
        check_session(run_isolated(whole_session, url=f"WSS://localhost:{server.port}/", ca=options["ca"]).value)
    assert [first for first, _ in heads] == ["GET /a/b?token=c@d HTTP/1.1", "GET / HTTP/1.1"]
    assert heads[0][1]["authorization"] == "Bearer abc" and heads[0][1]["x-two"] == "2"
    assert heads[0][1]["host"] == f"localhost:{server.port}"
    keys = {fields["sec-websocket-key"] for _, fields in heads}
    assert len(keys) == 2


def raw(data):
    return lambda connection, fields: connection.send(data)


def with_fields(**changes):
    return lambda connection, fields: connection.send(answer(fields, **changes))


def silent(connection, _fields):
    connection.stream.recv(1)


# name: what the server does with a handshake, what the error says, whether a repeat makes sense
BAD_HANDSHAKES = {
    "forbidden": (with_fields(status="403 Forbidden"), "status 403 (forbidden)", False),
    "unauthorized": (raw(b"HTTP/1.1 401 x\r\nContent-Length: 5\r\n\r\nhello"), "status 401 (unauthorized)", False),
    "redirect": (raw(b"HTTP/1.1 302 Found\r\nLocation: ws://elsewhere/\r\n\r\n"), "status 302 (redirect)", False),
    "busy": (raw(b"HTTP/1.1 503 Busy\r\n\r\n"), "status 503 (service unavailable)", True),
    "no upgrade": (raw(b"HTTP/1.1 200 OK\r\n\r\n"), "status 200", True),
    "wrong accept key": (with_fields(Sec_WebSocket_Accept="s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "wrong Sec-WebSocket-Accept", False),
    "accept key of another case": (
        lambda connection, fields: connection.send(answer(
            fields, Sec_WebSocket_Accept=answer(fields).decode().split("Accept: ")[1].split("\r")[0].swapcase())),
        "wrong Sec-WebSocket-Accept", False),
    "no accept key": (with_fields(Sec_WebSocket_Accept=None), "answer without Sec-WebSocket-Accept", False),
    "no sub-protocol": (with_fields(Sec_WebSocket_Protocol=None), "does not agree to the sub-protocol mqtt", False),
    "other sub-protocol": (with_fields(Sec_WebSocket_Protocol="mqttv3.1"), "another sub-protocol than mqtt", False),
    "extension": (with_fields(Sec_WebSocket_Extensions="permessage-deflate"), "an extension nobody asked for", False),
    "no Upgrade field": (with_fields(Upgrade=None), "answer without Upgrade: websocket", False),
    "no Connection field": (with_fields(Connection="keep-alive"), "answer without Connection: Upgrade", False),
    "not HTTP": (raw(CONNACK_OK), "answer is not HTTP", True),
    "bad status line": (raw(b"HTTP/1.1 abc\r\n\r\n"), "answer is not valid HTTP", True),
    "endless field": (raw(b"HTTP/1.1 101 x\r\nX: " + b"a" * 9000), "longer than 8 KiB", True),
    "endless fields": (raw(b"HTTP/1.1 101 x\r\n" + b"A: b\r\n" * 2000), "longer than 8 KiB", True),
    "too many fields": (raw(b"HTTP/1.1 101 x\r\n" + b"A: b\r\n" * 65 + b"\r\n"), "over 64 header fields", True),
    "closed at once": (lambda *_: None, "connection closed instead of an answer", True),
    "closed half-way": (raw(b"HTTP/1.1 101 Swi"), "connection closed instead of an answer", True),
    "silence": (silent, "1000 ms", True),
    "silence half-way": (
        lambda connection, fields: (raw(b"HTTP/1.1 101")(connection, fields), silent(connection, fields)), "1000 ms", True),
}


def attempt(library, url, timeout_ms=1500, ca=None, **options):
    """Scenario: one attempt, or more where a repeat makes sense."""
    if ca is not None:
        options["ca"] = ca
    if "product_key" not in options:
        options["client_id"] = "a"
    client = Client(library, url=url, connect_timeout_ms=1000, **options)
    started = time.monotonic()
    code = client.connect(timeout_ms)
    return {"code": code, "error": client.error(), "seconds": time.monotonic() - started,
            "attempts": client.stats()["connect_attempts"], "destroyed": client.destroy()}


@pytest.mark.parametrize("name", BAD_HANDSHAKES)
def test_bad_handshake(name):
    act, text, repeated = BAD_HANDSHAKES[name]

    def script(connection):
        act(connection, read_head(connection.stream)[1])
    with PlainServer(script) as server:
        headers = "Authorization: Bearer hush-hush"
        outcome = run_isolated(attempt, url=f"ws://127.0.0.1:{server.port}/secret-path", websocket_headers=headers,
                               timeout_ms=1500 if "silence" in name else 500)
    value = outcome.value
    assert value["code"] in (CLOSE, STATE["STATE_SYS_DEPEND_NWK_TIMEOUT"])
    assert value["error"][1].startswith("websocket: ") and text in value["error"][1], value
    assert value["seconds"] < 3
    assert repeated or value["attempts"] == 1, value
    assert "hush" not in outcome.output and "hush" not in value["error"][1]


def test_answer_byte_by_byte_and_frames_with_it():
    """What arrives right behind the answer, in the same segment, is not lost."""
    def together(connection):
        _, fields = read_head(connection.stream)
        connection.send(answer(fields) + frame(b"early", 0x89))
        connection.stream = WebSocket(connection.stream)
        reflect(connection)

    def slowly(connection):
        connection.stream = Slow(connection.stream)
        upgrade(connection)
        reflect(connection)
    for script in (together, slowly):
        with PlainServer(script) as server:
            check_session(run_isolated(whole_session, url=f"ws://127.0.0.1:{server.port}").value)
            if script is together:
                assert [10, b"early"] in server.connections[0].stream.control


# ---- frames ------------------------------------------------------------------------------------


def fragments(data):
    """Each byte a fragment, with Pings and empty fragments between them."""
    cut = b""
    for index in range(len(data)):
        first = (0x02 if index == 0 else 0x00) | (0x80 if index == len(data) - 1 else 0)
        cut += frame(data[index:index + 1], first)
        if not first & 0x80:
            cut += frame(struct.pack(">H", index), 0x89) + frame(b"", 0x00) + frame(b"x", 0x8A)
    return cut


CUTS = {
    "a byte each": lambda data: b"".join(frame(data[i:i + 1]) for i in range(len(data))),
    "fragments": fragments,
    "an empty frame first": lambda data: frame(b"") + frame(data),
    "long form": frame,
}


@pytest.mark.parametrize("name", CUTS)
@pytest.mark.parametrize("slow", [False, True])
def test_however_frames_are_cut(name, slow):
    def script(connection):
        if slow:
            connection.stream = Slow(connection.stream)
        upgrade(connection, CUTS[name])
        reflect(connection)
    size = 70_000 if name == "long form" and not slow else 200
    with PlainServer(script) as server:
        options = {"size": size, "read_buffer_size": 100_000, "write_buffer_size": 100_000}
        check_session(run_isolated(whole_session, url=f"ws://127.0.0.1:{server.port}", **options).value, size)
        if name == "fragments":
            assert any(opcode == 10 for opcode, _ in server.connections[0].stream.control)


def test_several_packets_in_one_frame():
    def script(connection):
        upgrade(connection)
        connection.accept()
        found = connection.expect("SUBSCRIBE")
        suback = b"\x90\x03" + struct.pack(">H", found.id) + b"\x00"
        connection.send(suback + b"".join(publish("t", f"{n}") for n in range(50)))
        connection.serve()
    with PlainServer(script) as server:
        value = run_isolated(collect, url=f"ws://127.0.0.1:{server.port}", count=50).value
    assert value["payloads"] == [f"{n}" for n in range(50)]


def collect(library, url, count, **options):
    client = Client(library, url=url, client_id="a", **options)
    code = client.connect()
    client.subscribe("t")
    client.until(lambda: len(client.messages) >= count)
    return {"code": code, "payloads": [m["payload"] for m in client.messages], "destroyed": client.destroy()}


# name: bytes of the server behind a message, what the client says, with which code it closes
BAD_FRAMES = {
    "text frame": (frame(b"hello", 0x81), "websocket: text frame", 1003),
    "text fragment": (frame(b"hello", 0x01), "websocket: text frame", 1003),
    "masked": (b"\x82\x81\x01\x02\x03\x04x", "websocket: masked frame from the server", 1002),
    "reserved bit": (frame(b"x", 0xC2), "websocket: frame with a reserved bit", 1002),
    "reserved opcode": (frame(b"x", 0x83), "websocket: frame with a reserved opcode", 1002),
    "reserved control": (frame(b"x", 0x8B), "websocket: frame with a reserved opcode", 1002),
    "continuation alone": (frame(b"x", 0x80), "websocket: continuation without a start", 1002),
    "interleaved": (frame(b"", 0x02) + frame(b"x"), "websocket: message inside a fragmented message", 1002),
    "fragmented ping": (frame(b"x", 0x09), "websocket: fragmented control frame", 1002),
    "long ping": (frame(b"x" * 126, 0x89), "websocket: control frame larger than 125 bytes", 1002),
    "short length in a long form": (b"\x82\x7e\x00\x05hello", "websocket: frame length not in its shortest form", 1002),
    "huge": (frame(b"x", length=2**40), "websocket: frame larger than any MQTT packet", 1009),
    "negative": (frame(b"x", length=2**64 - 1), "websocket: frame larger than any MQTT packet", 1009),
    "close of one byte": (frame(b"x", 0x88), "websocket: close frame of one byte", 1002),
    "close": (frame(b"", 0x88), "connection closed by the server", 1000),
    "close with 1000": (frame(b"\x03\xe8bye", 0x88), "connection closed by the server", 1000),
    "close with 1008": (frame(b"\x03\xf0policy", 0x88), "websocket: server closed with code 1008", 1008),
}


def lost(library, url):
    """Scenario: what becomes of a connection that ends; it comes back by itself."""
    client = Client(library, url=url, client_id="a", reconnect_min_ms=100)
    code = client.connect()
    again = client.until(lambda: client.saw("RECONNECTED"))
    return {"code": code, "again": again, "payloads": [m["payload"] for m in client.messages],
            "texts": [row[3] for row in client.events if row[0] == "DISCONNECTED"], "destroyed": client.destroy()}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_bad_frame_ends_the_connection(name):
    bad, text, code = BAD_FRAMES[name]
    closes = []

    def script(connection):
        upgrade(connection)
        connection.accept()
        stream = connection.stream
        if connection.number == 1:
            stream.stream.sendall(frame(publish("t", "before")) + bad + frame(publish("t", "behind")))
            stream.recv(1)
            closes.extend(stream.control)
        else:
            connection.serve()
    with PlainServer(script) as server:
        value = run_isolated(lost, url=f"ws://127.0.0.1:{server.port}").value
    assert value["code"] == 0 and value["again"]
    assert value["texts"] == [f"disconnected: {text}"]
    assert value["payloads"] == ["before"]
    assert closes == [[8, struct.pack(">H", code)]]


# ---- the SDK's API -----------------------------------------------------------------------------


def sdk_session(library, host, triple=NAMES, headers=None, domain=None, **parameters):
    device = Device(library, triple=triple, ca=parameters.pop("ca", None))
    if headers is not None:
        assert library.iotx_mqtt_set_websocket_headers(headers.encode()) == 0
    if domain is not None:
        assert ioctl_set(library, "SET_MQTT_DOMAIN", domain) == 0
    device.construct(**({} if host is None else {"host": host}), **parameters)
    if device.handle is None:
        return device.report(ok=False)
    device.subscribe("/a1MZxOdcBnO/example1/user/get", qos=1)
    device.publish("/a1MZxOdcBnO/example1/user/get", "up", qos=1)
    arrived = device.until(lambda: device.messages)
    return device.report(ok=True, arrived=arrived, destroyed=device.destroy())


@pytest.mark.parametrize("kind", ["port in the URL", "port beside it", "domain"])
@pytest.mark.parametrize("tls", [False, True])
def test_sdk_api(pki, tls, kind):
    heads = []
    script = over_websocket(heads)
    with ScriptedServer(pki, script) if tls else PlainServer(script) as server:
        scheme, name = ("wss", "localhost") if tls else ("ws", "127.0.0.1")
        given = {"host": f"{scheme}://{name}:{server.port}/iot", "port": 9}
        if kind == "port beside it":
            given = {"host": f"{scheme}://{name}", "port": server.port}
        elif kind == "domain":
            given = {"host": None, "domain": f"{scheme}://{name}/d", "port": server.port}
        value = run_isolated(sdk_session, ca=pki.text("root.crt"), headers="X-Fleet: one", **given).value
        assert value["ok"], value["states"]
        assert value["arrived"] and value["destroyed"] == 0
        connect, = server.packets("CONNECT")
    path = {"port in the URL": "/iot", "port beside it": "/mqtt", "domain": "/d"}[kind]
    assert heads[0][0] == f"GET {path} HTTP/1.1"
    assert heads[0][1]["x-fleet"] == "one" and heads[0][1]["host"] == f"{name}:{server.port}"
    assert f"securemode={2 if tls else 3}," in connect.client_id
    assert connect.username == "example1&a1MZxOdcBnO" and len(connect.password) == 64


@pytest.mark.parametrize("tls", [False, True])
def test_names_of_a_device(pki, tls):
    script = over_websocket([])
    with ScriptedServer(pki, script) if tls else PlainServer(script) as server:
        url = f"wss://localhost:{server.port}" if tls else f"ws://127.0.0.1:{server.port}"
        names = dict(zip(("product_key", "device_name", "device_secret"), NAMES))
        value = run_isolated(attempt, url=url, ca=pki.text("root.crt") if tls else None, **names).value
        assert value["code"] == 0, value
        assert server.connections[0].packets[0].client_id.count(f"securemode={2 if tls else 3},") == 1


def test_sdk_api_says_what_is_wrong():
    def script(connection):
        read_head(connection.stream)
        connection.send(b"HTTP/1.1 404 x\r\n\r\n")
    with PlainServer(script) as server:
        value = run_isolated(sdk_session, host=f"ws://127.0.0.1:{server.port}").value
        assert not value["ok"] and len(server.connections) == 1, "nothing is gained by a repeat"
    assert [CLOSE, "websocket: status 404 (not found)"] in value["states"]
    for host in ("ws://", "ws://host:0", "ws://user@host", "wss://a b", "ws://host?x", "wss://host/a b"):
        value = run_isolated(sdk_session, host=host).value
        errors = [code for code, _ in value["states"] if code not in INFORMATION]
        assert not value["ok"] and STATE["STATE_USER_INPUT_INVALID"] in errors, host


def setters(library):
    """Scenario: what the setters of the process take."""
    headers = library.iotx_mqtt_set_websocket_headers
    return [headers(value) for value in (b"A: b", b"A: b\r\nC: d\r\n", b"", None, b"A", b"Host: x", b"a" * 4097, b"\xff: a")]


def test_headers_of_the_process():
    invalid, out = STATE["STATE_USER_INPUT_INVALID"], STATE["STATE_USER_INPUT_OUT_RANGE"]
    assert run_isolated(setters).value == [0, 0, 0, 0, invalid, invalid, out, invalid]


# ---- the documentation -------------------------------------------------------------------------


def test_the_parts_of_the_document_compile(tmp_path):
    blocks = [block.split("```")[0] for block in (ROOT / "docs" / "transports.md").read_text().split("```c\n")[1:]]
    assert len(blocks) == 5
    for number, block in enumerate(blocks):
        source = tmp_path / f"part{number}.c"
        source.write_text(block)
        for compiler, standard in (("cc", "c11"), ("c++", "c++17")):
            subprocess.run([compiler, f"-std={standard}", "-x", "c" if compiler == "cc" else "c++", *STRICT, "-fsyntax-only", source],
                           check=True, timeout=60)


# ---- event loops, ports of the application's own -----------------------------------------------


@pytest.mark.parametrize("tls", [False, True])
def test_event_loop(pki, tls):
    script = over_websocket([], fragments)
    with ScriptedServer(pki, script) if tls else PlainServer(script) as server:
        url = f"wss://localhost:{server.port}" if tls else f"ws://127.0.0.1:{server.port}"
        value = run_isolated(event_loop, port=server.port, ca=pki.text("root.crt") if tls else None, url=url).value
    assert value["connected"] and value["arrived"] and value["descriptors"] == 1
    assert value["order"] == [f"{number:05}" for number in range(100)]
    assert value["idle"] == [True, 0] and value["slowest"] < 0.5


@pytest.mark.parametrize("cut", ["long form", "fragments"])
@pytest.mark.parametrize("kind", ["ws", "wss", "wss by the port"])
def test_port_of_the_application(pki, contract_ports, kind, cut):
    script = over_websocket([], CUTS[cut])
    tls = kind == "wss"
    with ScriptedServer(pki, script) if tls else PlainServer(script) as server:
        port = contract_ports["tls" if kind == "wss by the port" else "tcp"]
        url = f"{kind.split()[0]}://{'localhost' if tls else '127.0.0.1'}:{server.port}"
        ca = None if kind == "ws" else pki.text("root.crt")
        value = run_isolated(whole_session, url=url, ca=ca, environment={"LD_PRELOAD": str(port)}).value
        check_session(value)
        assert value["fd"] == -1
