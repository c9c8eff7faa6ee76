"""Large and odd traffic: payloads of 256 KB, bytes that trickle in, records split anywhere, many subscriptions."""

import ctypes as c
import hashlib
import itertools
import random
import time

import pytest

from device import Device
from iotx_abi import INVALID, MQTT, STATE, EventHandler
from isolation import run_isolated
from scenario import TRIPLE, Case, broker, each, leave, run_case
from scripted import ScriptedServer, publish

KB = 1024


def ensure(condition, *told):
    assert condition, told


def digest(data):
    return hashlib.sha256(data).hexdigest()


# -- payloads -----------------------------------------------------------------------------------


def big(size):
    """Bytes without a pattern that a mistake could hide in."""
    return random.Random(size).randbytes(size)


def both_ways(library, credentials, port, size, qos, buffers):
    device = Device(library, **credentials)
    device.construct(host="localhost", port=port, write_buf_size=buffers, read_buf_size=buffers)
    device.subscribe("/echo", qos)
    sent = big(size)
    results = [device.publish("/echo", sent, qos) for _ in range(3)]
    arrived = device.until(lambda: len(device.messages) >= 3, 20)
    normal = library.IOT_MQTT_CheckStateNormal(device.handle)
    for message in device.messages:
        message["payload"] = digest(message["payload"].encode("latin-1"))
    device.destroy()
    return device.report(results=results, arrived=arrived, normal=normal, sent=digest(sent))


def echo(connection, found):
    """Sends the message back with an id of its own, after its PUBACK."""
    connection.answer(found)
    if found.topic == "/echo":
        connection.send(publish("/echo", found.payload, found.qos, packet_id=1000 + (found.id or 0)))


def trickle():
    """One byte at a time."""
    return itertools.repeat(1)


def ragged():
    """Portions of any size, the same in every run."""
    source = random.Random(7)
    while True:
        yield source.choice((1, 2, 3, 5, 17, 100, 1000, 5000))


@pytest.mark.parametrize("size, qos, records", [
    (256 * KB, 0, None), (256 * KB, 1, None), (256 * KB, 1, ragged), (16 * KB, 1, ragged), (1, 1, trickle), (0, 1, trickle),
], ids=["256 KB, QoS 0", "256 KB, QoS 1", "256 KB, ragged", "16 KB, ragged", "one byte, trickling", "empty, trickling"])
def test_payload_there_and_back(pki, size, qos, records):
    """`records` splits everything that the server sends on TCP, the handshake included."""
    with ScriptedServer(pki, broker(PUBLISH=echo), records=records) as server:
        value = run_isolated(both_ways, credentials={**pki.trust(), "triple": TRIPLE}, port=server.port, size=size, qos=qos,
                             buffers=256 * KB + 100).value
        server.drained()
        assert server.errors == []
    assert value["arrived"] and value["normal"] == 1, value["states"]
    assert [(message["length"], message["payload"]) for message in value["messages"]] == [(size, value["sent"])] * 3
    assert all(message["terminator"] == 0 for message in value["messages"])
    assert all(result == 0 if qos == 0 else result > 0 for result in value["results"])
    assert len(server.connections) == 1
    got = [digest(found.payload) for found in server.packets("PUBLISH") if found.topic == "/echo"]
    assert got == [value["sent"]] * 3
    if qos:
        assert len({found.id for found in server.packets("PUBACK")}) == 3


def test_every_record_boundary_inside_a_session(pki, port_library):
    """Each packet of a session is split into two TLS records at every place, and the records into single bytes."""
    def split(connection):
        for at in range(1, len(MESSAGE)):
            connection.send(MESSAGE[:at])
            connection.send(MESSAGE[at:])

    run_case(pki, port_library, Case(
        broker(cue=split), [["subscribe", "/t"], ["cue"], ["messages", len(MESSAGE) - 1]],
        messages=[["/t", "0123"]] * (len(MESSAGE) - 1), server={"records": trickle}, seconds=30,
        check=lambda seen: ensure([found.id for found in seen.sent("PUBACK")] == [77] * (len(MESSAGE) - 1))))


MESSAGE = publish("/t", "0123", qos=1, packet_id=77)

# -- topics at the limit ------------------------------------------------------------------------

LIMIT = 128


@pytest.mark.parametrize("length, code", [(LIMIT - 1, 0), (LIMIT, 0), (LIMIT + 1, "STATE_MQTT_TOPIC_BUF_TOO_SHORT"),
                                          (70_000, "STATE_MQTT_TOPIC_BUF_TOO_SHORT")])
def test_topic_at_the_limit(pki, port_library, length, code):
    topic = "/" + "t" * (length - 1)
    wanted = STATE[code] if code else None
    seen = run_case(pki, port_library, Case(
        broker(PUBLISH=echo_back), [["subscribe_only", topic], ["run", 60], ["publish", topic, "m", 0], ["publish", topic, "m", 1],
                                    ["run", 10] if code else ["messages", 2], ["unsubscribe", topic], ["run", 100]],
        messages=[] if code else [[topic, "m"]] * 2, events=[]))
    results = [seen.result("subscribe_only"), seen.result("publish"), seen.result("publish", 1), seen.result("unsubscribe")]
    if code:
        assert results == [wanted] * 4
    else:
        assert results[1] == 0 and min(results[0], *results[2:]) > 0


def echo_back(connection, found):
    """As `echo`, for any topic but that of the version report."""
    connection.answer(found)
    if not found.topic.startswith("/ota/"):
        connection.send(publish(found.topic, found.payload))


def nulls(library, credentials, port):
    device = Device(library, **credentials)
    device.construct(host="localhost", port=port)
    simple = library.IOT_MQTT_Publish_Simple
    found = [simple(device.handle, b"/q", 0, None, 0), simple(device.handle, b"/q", 0, b"x", -1),
             device.publish("/q", b"", 0), device.publish("/q", b"", 1) > 0]
    device.destroy()
    return found


def test_empty_payloads_are_sent_and_missing_ones_refused(pki):
    with ScriptedServer(pki, broker()) as server:
        found = run_isolated(nulls, credentials={**pki.trust(), "triple": TRIPLE}, port=server.port).value
        server.drained()
    assert found == [INVALID, INVALID, 0, True]
    assert [packet.payload for packet in server.packets("PUBLISH") if packet.topic == "/q"] == [b"", b""]


# -- ten thousand subscriptions -----------------------------------------------------------------

MANY = 10_000


def name(number):
    """Filters of all kinds; each matches the topic of the same number only."""
    return (f"/d/{number}/get", f"/d/{number}/+", f"/d/{number}/#")[number % 3]


def many(library, credentials, port, qos, asked):
    device = Device(library, **credentials)
    device.construct(host="localhost", port=port)
    hits = []

    @EventHandler
    def receive(context, _client, message):
        if message[0].event_type == MQTT["IOTX_MQTT_EVENT_PUBLISH_RECEIVED"]:
            hits.append(context)
    function = c.cast(receive, c.c_void_p)
    for number in range(MANY):
        assert library.IOT_MQTT_Subscribe(device.handle, name(number).encode(), qos, function, number + 1) > 0
        if number % 500 == 0:
            device.step(1)
    if qos != 3:
        assert device.until(lambda: device.event_names().count("SUBCRIBE_SUCCESS") >= MANY, 30), len(device.events)
    device.publish("/cue", b"now")
    assert device.until(lambda: len(hits) >= asked, 20), len(hits)
    first = list(hits)
    # Every second one goes; the others stay as they are.
    for number in range(0, MANY, 2):
        assert library.IOT_MQTT_Unsubscribe(device.handle, name(number).encode()) > 0
        if number % 500 == 0:
            device.step(1)
    hits.clear()
    device.publish("/cue", b"now")
    device.until(lambda: len(hits) + len(device.messages) >= asked, 20)
    second = list(hits)
    device.publish("/end", b"now")
    back = device.until(lambda: "RECONNECT" in device.event_names(), 20)
    device.step(200)
    start = time.process_time()
    device.destroy()
    return {"first": first, "second": second, "default": len(device.messages), "back": back, "destroy": time.process_time() - start}


@pytest.mark.parametrize("qos", [1, 3], ids=["at the server", "local"])
def test_ten_thousand_subscriptions(pki, qos):
    source = random.Random(3)
    asked = [source.randrange(MANY) for _ in range(300)]

    def message(connection):
        connection.send(b"".join(publish(f"/d/{number}/get", str(number)) for number in asked))

    def ending(connection, found):
        if found.topic == "/end":
            leave()
        return False

    with ScriptedServer(pki, each(broker(cue=message, PUBLISH=ending), broker())) as server:
        value = run_isolated(many, credentials={**pki.trust(), "triple": TRIPLE}, port=server.port, qos=qos, asked=len(asked), timeout=120).value
        server.drained(10)
    assert value["first"] == [number + 1 for number in asked]
    odd = [number + 1 for number in asked if number % 2]
    assert value["second"] == odd and value["default"] == len(asked) - len(odd)
    assert value["back"]
    again = [found.filter for found in server.connections[1].packets if found.name == "SUBSCRIBE"]
    assert again == ([name(number) for number in range(1, MANY, 2)] if qos == 1 else [])
