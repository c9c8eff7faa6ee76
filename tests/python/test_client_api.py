"""The client API, iotx_client_*: what clients do with calls, callbacks and connections."""

import ctypes as c
import subprocess
import threading
import time

import pytest

from client import (
    INVALID, NAMES, NULL, PLAIN, RANGE, Client, LogFn, MessageFn, PlainServer, Stats, broker, connect_code,
)
from device import Device
from iotx_abi import BUILD, ROOT, STATE
from isolation import run_isolated
from scripted import publish


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
