"""Messages against a scripted server: delivery, acknowledgement, limits, callbacks, reconnect."""

import ctypes as c
import threading
import time

import pytest

from device import Device
from iotx_abi import INVALID, STATE
from isolation import run_isolated
from scripted import CONNACK_OK, ScriptedServer, packet, publish, text

TRIPLE = ("pk", "dn", "secret")


def broker(connection):
    connection.accept()
    connection.serve()


def run(pki, scenario, script=broker, **parameters):
    with ScriptedServer(pki, script) as server:
        value = run_isolated(scenario, ca=pki.text("root.crt"), port=server.port, **parameters).value
        server.drained()
        assert server.errors == []
        return value, server


def connected(library, ca, port, **parameters):
    device = Device(library, ca=ca, triple=TRIPLE)
    device.construct(host="localhost", port=port, **parameters)
    assert device.handle, device.states
    return device


# -- delivery ---------------------------------------------------------------------------------


def receive(library, ca, port, filters, count):
    device = connected(library, ca, port)
    for name in filters:
        device.subscribe(name, name=name)
    device.publish("/start", b"go")
    device.until(lambda: len(device.messages) >= count, 5)
    device.step(100)
    device.destroy()
    return device.messages


def after_start(*messages):
    """Answers like a broker; plays the messages when the device publishes to /start."""
    def script(connection):
        connection.accept()
        while True:
            found = connection.read()
            connection.answer(found)
            if found.name == "PUBLISH" and found.topic == "/start":
                for message in messages:
                    connection.send(message)
    return script


def test_all_matching_handlers_in_order_of_subscription(pki):
    filters = ["/a/+", "/a/b", "/a/#", "/#", "/x"]
    value, _ = run(pki, receive, after_start(publish("/a/b", "1")), filters=filters, count=4)
    assert [message["by"] for message in value] == ["/a/+", "/a/b", "/a/#", "/#"]


@pytest.mark.parametrize("topic, by", [
    ("/a/b", ["/a/+", "/a/#"]), ("/a", ["/a/#"]), ("/a/", ["/a/+", "/a/#"]), ("/a/b/c", ["/a/#"]),
    ("/b", ["default"]), ("/ab/c", ["default"]), ("/A/b", ["default"]),
])
def test_wildcards(pki, topic, by):
    value, _ = run(pki, receive, after_start(publish(topic, "1")), filters=["/a/+", "/a/#"], count=len(by))
    assert [message["by"] for message in value] == by


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 3000])
def test_payload_is_followed_by_a_nul(pki, size):
    value, _ = run(pki, receive, after_start(publish("/t", "x" * size)), filters=["/t"], count=1)
    assert [(message["length"], message["terminator"]) for message in value] == [(size, 0)]


def test_payload_that_fills_the_read_buffer_exactly_has_its_nul(pki):
    size = 3072 - len(publish("/t", "x" * 3000)) + 3000
    value, _ = run(pki, receive, after_start(publish("/t", "x" * size)), filters=["/t"], count=1)
    assert [(message["length"], message["terminator"]) for message in value] == [(size, 0)]


def test_qos1_is_acknowledged_and_duplicates_are_delivered(pki):
    messages = [publish("/t", "m", qos=1, packet_id=500), publish("/t", "m", qos=1, packet_id=500, dup=1)]
    value, server = run(pki, receive, after_start(*messages), filters=["/t"], count=2)
    assert [(message["qos"], message["id"]) for message in value] == [(1, 500), (1, 500)]
    assert [found.id for found in server.packets("PUBACK")] == [500, 500]


def test_burst_in_one_record_is_drained(pki):
    burst = b"".join(publish("/t", str(number)) for number in range(1000))
    value, _ = run(pki, receive, after_start(burst), filters=["/t"], count=1000)
    assert [message["payload"] for message in value] == [str(number) for number in range(1000)]


def test_packet_in_single_bytes(pki):
    bytes_of = [bytes([byte]) for byte in publish("/t", "slow", qos=1, packet_id=9)]
    value, _ = run(pki, receive, after_start(*bytes_of), filters=["/t"], count=1)
    assert [message["payload"] for message in value] == ["slow"]


def overflow(library, ca, port):
    device = connected(library, ca, port, read_buf_size=256)
    device.subscribe("/t")
    device.publish("/start", b"go")
    device.until(lambda: device.messages, 5)
    device.destroy()
    return device.report()


def test_packet_over_the_read_buffer(pki):
    script = after_start(publish("/t", "x" * 5000, qos=1, packet_id=7), publish("/t", "small"))
    value, server = run(pki, overflow, script)
    assert ["BUFFER_OVERFLOW", None] in value["events"]
    assert STATE["STATE_MQTT_RX_BUFFER_TOO_SHORT"] in [code for code, _ in value["states"]]
    assert [message["payload"] for message in value["messages"]] == ["small"], "the connection stays"
    assert 7 in [found.id for found in server.packets("PUBACK")], "acknowledged, so that it does not come back for ever"
    assert len(server.connections) == 1


# -- sending ----------------------------------------------------------------------------------


def sending(library, ca, port):
    device = connected(library, ca, port)
    fits, too_big = b"x" * 3065, b"x" * 3066
    found = {
        "fits": device.publish("/q", fits), "too big": device.publish("/q", too_big),
        "qos1 too big": device.publish("/q", b"x" * 3064, qos=1),
        "retain": device.publish_info("/r", b"r", qos=0, retain=1, dup=1),
        "ids": [device.publish_info("/i", b"i", qos=1) for _ in range(3)],
    }
    device.until(lambda: device.event_names().count("PUBLISH_SUCCESS") >= 4, 5)
    device.destroy()
    return {**found, "events": device.events}


def test_publish(pki):
    value, server = run(pki, sending)
    limit = STATE["STATE_MQTT_SERIALIZE_PUB_ERROR"]
    assert (value["fits"], value["too big"], value["qos1 too big"]) == (0, limit, limit)
    assert value["retain"][0] == 0
    sent = {found.topic: found for found in server.packets("PUBLISH")}
    assert len(sent["/q"].payload) == 3065
    assert (sent["/r"].retain, sent["/r"].dup) == (1, False), "retain as given, dup of the caller ignored"
    ids = [result for result, _ in value["ids"]]
    assert [list(pair) for pair in zip(ids, ids)] == value["ids"], "the id is also written back"
    assert ids == sorted(set(ids)) and ids[0] >= 2, "id 1 belongs to the version report"
    assert all(["PUBLISH_SUCCESS", number] in value["events"] for number in [1, *ids])


def in_flight(library, ca, port):
    device = connected(library, ca, port)
    results = [device.publish("/q", b"x", qos=1) for _ in range(130)]
    qos0 = device.publish("/q", b"x")
    device.destroy()
    return [results, qos0]


def test_qos1_window_is_128_without_the_version_report(pki):
    value, _ = run(pki, in_flight, lambda connection: (connection.accept(), connection.serve(puback=False)))
    results, qos0 = value
    full = STATE["STATE_MQTT_QOS1_REPUB_EXCEED_MAX"]
    assert all(result > 0 for result in results[:128])
    assert len(set(results[:128])) == 128
    assert results[128:] == [full, full]
    assert qos0 == 0


# -- subscribing ------------------------------------------------------------------------------


def subscriptions(library, ca, port):
    device = connected(library, ca, port)
    handler = device.message_handler("sync")
    sync = library.IOT_MQTT_Subscribe_Sync(device.handle, b"/sync", 1, c.cast(handler, c.c_void_p), None, 3000)
    refused = device.subscribe("/refused")
    local = device.subscribe("/local", qos=3, name="local")
    first = device.subscribe("/a/b", name="exact")
    device.subscribe("/a/+", name="wildcard")
    gone = library.IOT_MQTT_Unsubscribe(device.handle, b"/a/b")
    unknown = library.IOT_MQTT_Unsubscribe(device.handle, b"/never")
    device.until(lambda: device.event_names().count("UNSUBCRIBE_SUCCESS") == 2, 5)
    device.publish("/start", b"go")
    device.until(lambda: len(device.messages) >= 4, 5)
    device.step(100)
    device.destroy()
    return device.report(sync=sync, refused=refused, local=local, first=first, gone=gone, unknown=unknown)


def test_subscribe_and_unsubscribe(pki):
    def script(connection):
        connection.accept()
        while True:
            found = connection.read()
            if found.name == "SUBSCRIBE" and found.filter == "/refused":
                connection.send(b"\x90\x03" + found.body[:2] + b"\x80")
                continue
            connection.answer(found)
            if found.name == "PUBLISH" and found.topic == "/start":
                for topic in ("/local", "/a/b", "/refused", "/sync"):
                    connection.send(publish(topic, topic))

    value, server = run(pki, subscriptions, script)
    for name in ("sync", "refused", "local", "first", "gone", "unknown"):
        assert value[name] > 0, name
    assert ["SUBCRIBE_NACK", value["refused"]] in value["events"]
    assert ["SUBCRIBE_SUCCESS", value["sync"]] in value["events"]
    by = {message["topic"]: message["by"] for message in value["messages"]}
    assert by == {"/local": "local", "/a/b": "wildcard", "/refused": "default", "/sync": "sync"}
    assert "/local" not in [found.filter for found in server.packets("SUBSCRIBE")]


def sync_timeout(library, ca, port):
    device = connected(library, ca, port)
    handler = device.message_handler()
    start = time.monotonic()
    result = library.IOT_MQTT_Subscribe_Sync(device.handle, b"/s", 0, c.cast(handler, c.c_void_p), None, 700)
    seconds = time.monotonic() - start
    device.destroy()
    return [result, seconds]


def test_subscribe_sync_timeout(pki):
    def script(connection):
        connection.accept()
        while True:
            found = connection.read()
            if found.name != "SUBSCRIBE":
                connection.answer(found)

    (result, seconds), _ = run(pki, sync_timeout, script)
    assert result == STATE["STATE_MQTT_SYNC_SUB_TIMEOUT"]
    assert 0.65 < seconds < 2


# -- two threads ------------------------------------------------------------------------------


def destroy_under_yield(library, ca, port):
    device = connected(library, ca, port)

    def wait():
        library.IOT_MQTT_Yield(device.handle, 20_000)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)  # The reader waits for the network by now; if not, there is nothing to wake.
    start = time.monotonic()
    device.destroy()
    thread.join()
    return time.monotonic() - start


def test_destroy_wakes_a_waiting_yield(pki):
    seconds, _ = run(pki, destroy_under_yield)
    assert seconds < 0.5, "a waiting reader looks by itself once a second"


# -- inside callbacks -------------------------------------------------------------------------


def callbacks(library, ca, port, action):
    device = connected(library, ca, port)
    found = []

    def act(_message):
        if action == "yield":
            start = time.monotonic()
            found.append(library.IOT_MQTT_Yield(device.handle, 2000))
            found.append(time.monotonic() - start < 0.5)
        elif action == "publish":
            found.append(device.publish("/from-callback", b"x", qos=1) > 0)
        elif action == "unsubscribe":
            found.append(library.IOT_MQTT_Unsubscribe(device.handle, b"/t") > 0)
        elif action == "subscribe":
            found.append(device.subscribe("/more", wait=False) > 0)
        elif action == "sync":
            handler = c.cast(device.message_handler(), c.c_void_p)
            start = time.monotonic()
            found.append(library.IOT_MQTT_Subscribe_Sync(device.handle, b"/more", 0, handler, None, 5000) > 0)
            found.append(time.monotonic() - start < 1)
        elif action == "construct":
            found.append(library.IOT_MQTT_Construct(None) == device.handle)
        elif action == "destroy":
            handle = c.c_void_p(device.handle)
            found.append(library.IOT_MQTT_Destroy(c.byref(handle)) == 0)
            found.append(handle.value is None)

    device.subscribe("/t", also=act)
    device.publish("/start", b"go")
    end = time.monotonic() + 5
    while not found and time.monotonic() < end:
        library.IOT_MQTT_Yield(device.handle, 20)
    after = [library.IOT_MQTT_Yield(device.handle, 50), library.IOT_MQTT_CheckStateNormal(device.handle)]
    if action != "destroy":
        device.step(100)
        device.destroy()
    return [found, after]


@pytest.mark.parametrize("action", ["yield", "publish", "unsubscribe", "subscribe", "sync", "construct", "destroy"])
def test_calls_inside_a_callback(pki, action):
    (found, after), server = run(pki, callbacks, after_start(publish("/t", "1")), action=action)
    if action == "yield":
        assert found == [0, True]
    else:
        assert found and all(found)
    assert after == ([INVALID, INVALID] if action == "destroy" else [0, 1])
    assert server.packets()[-1].name == "DISCONNECT"


# -- time -------------------------------------------------------------------------------------


def yields(library, ca, port):
    device = connected(library, ca, port)
    device.step(200)
    found = [device.step(ms) for ms in (300, 1000, 0)]
    device.destroy()
    return found


def test_yield_lasts_its_time(pki):
    (short, long, zero), _ = run(pki, yields)
    assert 0.29 <= short < 0.8
    assert 0.99 <= long < 1.5
    assert zero < 0.3


# -- loss and reconnect -----------------------------------------------------------------------


def loss(library, ca, port, clean):
    device = connected(library, ca, port, clean_session=clean)
    device.subscribe("/t")
    packet_id = device.publish("/q", b"kept", qos=1)
    lost = device.until(lambda: "DISCONNECT" in device.event_names(), 5)
    offline = [library.IOT_MQTT_CheckStateNormal(device.handle), device.publish("/q", b"x"),
               device.subscribe("/more", wait=False), library.IOT_MQTT_Unsubscribe(device.handle, b"/t")]
    last = device.step(100)
    back = device.until(lambda: "RECONNECT" in device.event_names(), 15)
    device.until(lambda: ["PUBLISH_SUCCESS", packet_id] in device.events, 10)
    device.publish("/start", b"go")
    device.until(lambda: any(m["topic"] == "/t" for m in device.messages), 5)
    device.destroy()
    return device.report(lost=lost, offline=offline, back=back, id=packet_id, yield_seconds=last)


def losing(session_present):
    """Drops the first connection without acknowledging /q; behaves on the second."""
    def script(connection):
        if connection.number == 1:
            connection.accept()
            while True:
                found = connection.read()
                if found.name == "PUBLISH" and found.topic == "/q":
                    return
                connection.answer(found)
        connection.accept(bytes([0x20, 2, session_present, 0]) if session_present else CONNACK_OK)
        while True:
            found = connection.read()
            connection.answer(found)
            if found.name == "PUBLISH" and found.topic == "/start":
                connection.send(publish("/t", "after"))
    return script


@pytest.mark.parametrize("clean, present, again", [(1, 0, True), (0, 0, True), (0, 1, False)])
def test_reconnect(pki, clean, present, again):
    value, server = run(pki, loss, losing(present), clean=clean)
    assert value["lost"] and value["back"]
    names = [name for name, _ in value["events"]]
    assert names.index("DISCONNECT") < names.index("RECONNECT")
    offline = STATE["STATE_MQTT_IN_OFFLINE_STATUS"]
    assert value["offline"] == [0, offline, offline, offline]
    assert value["yield_seconds"] >= 0.09
    second = server.connections[1].packets
    repeated = [found for found in second if found.name == "PUBLISH" and found.topic == "/q"]
    assert [(found.id, found.dup, found.payload) for found in repeated[:1]] == [(value["id"], True, b"kept")]
    assert ["PUBLISH_SUCCESS", value["id"]] in value["events"]
    assert ("/t" in [found.filter for found in second if found.name == "SUBSCRIBE"]) is again
    assert [message["by"] for message in value["messages"] if message["topic"] == "/t"] == ["handler"]
    assert value["connect_successes"] == 1


def refused_on_reconnect(library, ca, port):
    device = connected(library, ca, port)
    device.until(lambda: "DISCONNECT" in device.event_names(), 5)
    before = len(device.states)
    device.until(lambda: "RECONNECT" in device.event_names(), 15)
    device.destroy()
    return device.report(between=device.states[before:])


def test_refused_reconnect_is_told_and_tried_again(pki):
    def script(connection):
        if connection.number == 1:
            connection.accept()
        elif connection.number == 2:
            connection.accept(bytes.fromhex("20 02 00 05"))
        else:
            broker(connection)

    value, _ = run(pki, refused_on_reconnect, script)
    assert "RECONNECT" in [name for name, _ in value["events"]]
    assert STATE["STATE_MQTT_CONNACK_NOT_AUTHORIZED"] in [code for code, _ in value["between"]]


# -- malformed packets ------------------------------------------------------------------------

# Each must end the connection: the stream cannot be trusted any more.
FATAL = {
    "publish: QoS 3": packet(0x36, text("/t") + b"\x00\x01x"),
    "publish: no room for the topic length": packet(0x30, b"\x00"),
    "publish: topic longer than the packet": packet(0x30, b"\x00\x10/t"),
    "publish: QoS 1 without room for its id": packet(0x32, text("/t")),
    "publish: QoS 1 with half an id": packet(0x32, text("/t") + b"\x01"),
    "publish: QoS 1 with id 0": packet(0x32, text("/t") + b"\x00\x00x"),
    "length: five bytes": b"\x30\xff\xff\xff\xff\x01",
    "length: never ends": b"\x30\xff\xff\xff\xff\xff\xff\xff",
    "puback: half an id": b"\x40\x01\x00",
    "puback: empty": b"\x40\x00",
    "suback: no code": b"\x90\x02\x00\x01",
    "suback: half an id": b"\x90\x01\x00",
    "unsuback: empty": b"\xb0\x00",
}
# Each is answered by ignoring it or by disconnecting; both are legal, a crash or a hang is not.
ODD = {
    "connack: again": CONNACK_OK,
    "connack: long": b"\x20\x05\x00\x00\x00\x00\x00",
    "puback: unknown id": b"\x40\x02\x12\x34",
    "puback: wrong flags": b"\x4f\x02\x00\x01",
    "suback: unknown id": b"\x90\x03\x12\x34\x00",
    "suback: unknown code": b"\x90\x03\x00\x02\x55",
    "unsuback: unknown id": b"\xb0\x02\x12\x34",
    "pingresp: with body": b"\xd0\x01\x00",
    "publish: empty topic": packet(0x30, text("") + b"x"),
    "publish: wildcard topic": packet(0x30, text("/a/#") + b"x"),
    "publish: bad UTF-8": packet(0x30, text(b"/\xc3\x28") + b"x"),
    "publish: NUL in the topic": packet(0x30, text(b"/a\x00b") + b"x"),
    "publish: QoS 2": packet(0x34, text("/t") + b"\x00\x05x"),
    "pubrec": b"\x50\x02\x00\x01",
    "pubrel": b"\x62\x02\x00\x01",
    "pubcomp": b"\x70\x02\x00\x01",
    "connect": packet(0x10, text("MQTT") + b"\x04\x00\x00\x00" + text("x")),
    "subscribe": packet(0x82, b"\x00\x01" + text("/t") + b"\x00"),
    "unsubscribe": packet(0xA2, b"\x00\x01" + text("/t")),
    "pingreq": b"\xc0\x00",
    "disconnect": b"\xe0\x00",
    "type 0": b"\x00\x00",
    "type 15": b"\xf0\x00",
}


def malformed(library, ca, port):
    device = connected(library, ca, port)
    device.subscribe("/t")
    device.publish("/start", b"go")
    device.until(lambda: "DISCONNECT" in device.event_names() or device.messages, 3)
    before = list(device.event_names())
    states = list(device.states)
    longest = max(device.step(50) for _ in range(5))
    # A server that is left in the middle of a handshake would complain.
    back = "DISCONNECT" not in before or device.until(lambda: "RECONNECT" in device.event_names(), 15)
    normal = library.IOT_MQTT_CheckStateNormal(device.handle)
    return device.report(before=before, told=states, longest=longest, back=back, normal=normal, destroyed=device.destroy())


@pytest.mark.parametrize("name", sorted({**FATAL, **ODD}))
def test_malformed_packet(pki, name):
    def script(connection):
        if connection.number > 1:
            return broker(connection)
        return after_start({**FATAL, **ODD}[name], publish("/t", "still here"))(connection)

    value, _ = run(pki, malformed, script)
    if name in FATAL:
        assert "DISCONNECT" in value["before"]
        assert value["messages"] == [], "nothing behind a broken packet is believed"
        assert [code for code, _ in value["told"] if code < 0 and code not in (
            STATE["STATE_MQTT_CONN_USER_INFO"], STATE["STATE_MQTT_SUB_INFO"], STATE["STATE_MQTT_PUB_INFO"])]
    else:
        assert "DISCONNECT" in value["before"] or any(m["payload"] == "still here" for m in value["messages"])
    assert value["destroyed"] == 0
    assert value["back"] and value["normal"] == 1
    assert value["longest"] < 0.5, "a Yield of 50 ms lasts its time, reconnecting or not"
    assert all(message["length"] < 100 for message in value["messages"])
