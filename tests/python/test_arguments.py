"""Exact return codes of every IOT_MQTT function for bad input, without and with a live client."""

import ctypes as c

from device import Device
from iotx_abi import INVALID, STATE, EventHandler, TopicInfo
from isolation import run_isolated
from scripted import ScriptedServer

TRIPLE = ("pk", "dn", "secret")
FORMAT = STATE["STATE_MQTT_UNEXP_TOPIC_FORMAT"]
TOO_LONG = STATE["STATE_MQTT_TOPIC_BUF_TOO_SHORT"]
BAD_QOS = STATE["STATE_MQTT_PUB_QOS_INVALID"]


def nothing(*_):
    return None


def no_client(library):
    handler = EventHandler(nothing)
    address = c.cast(handler, c.c_void_p)
    info = TopicInfo(payload=b"x", payload_len=1)
    buffer = c.create_string_buffer(b"x")
    results = {}
    for name, handle in (("null", None), ("stale", c.create_string_buffer(4096)), ("odd", 1)):
        pointer = c.addressof(handle) if isinstance(handle, c.Array) else handle
        slot = c.c_void_p(pointer)
        results[name] = [
            library.IOT_MQTT_Destroy(c.byref(slot)),
            library.IOT_MQTT_Yield(pointer, 1),
            library.IOT_MQTT_CheckStateNormal(pointer),
            library.IOT_MQTT_Subscribe(pointer, b"/a", 0, address, None),
            library.IOT_MQTT_Subscribe_Sync(pointer, b"/a", 0, address, None, 100),
            library.IOT_MQTT_Unsubscribe(pointer, b"/a"),
            library.IOT_MQTT_Publish(pointer, b"/a", c.addressof(info)),
            library.IOT_MQTT_Publish_Simple(pointer, b"/a", 0, buffer, 1),
        ]
    results["destroy NULL"] = library.IOT_MQTT_Destroy(None)
    results["network"] = [library.IOT_MQTT_Nwk_Event_Handler(None, event, None) for event in (0, 1, 2, 3, 4, -1)]
    return results


def test_without_a_client_everything_is_invalid():
    found = run_isolated(no_client).value
    for name in ("null", "stale", "odd"):
        assert found[name] == [INVALID] * 8, name
    assert found["destroy NULL"] == INVALID
    assert found["network"] == [STATE["STATE_MQTT_ASYNC_STACK_NOT_SUPPORT"]] * 6


def with_client(library, port, ca):
    device = Device(library, ca=ca, triple=TRIPLE)
    device.construct(host="localhost", port=port)
    assert device.handle
    handler = device.message_handler()
    address = c.cast(handler, c.c_void_p)
    h = device.handle
    bogus = c.addressof(c.create_string_buffer(4096))

    def subscribe(topic, qos=0, function=address, handle=h):
        return library.IOT_MQTT_Subscribe(handle, topic, qos, function, None)

    def sync(topic, function=address):
        return library.IOT_MQTT_Subscribe_Sync(h, topic, 0, function, None, 500)

    def publish(topic, info=None, **fields):
        info = info if info is not None else TopicInfo(**{"payload": b"x", "payload_len": 1, **fields})
        return library.IOT_MQTT_Publish(h, topic, c.addressof(info))

    def simple(topic, qos=0, data=b"x", length=1):
        return library.IOT_MQTT_Publish_Simple(h, topic, qos, c.create_string_buffer(data) if data is not None else None, length)

    long_ok, long_bad = b"/" + b"t" * 127, b"/" + b"t" * 128
    found = {
        "second construct": library.IOT_MQTT_Construct(None) == h,
        "yield": [library.IOT_MQTT_Yield(h, -1), library.IOT_MQTT_Yield(h, -(2**31)), library.IOT_MQTT_Yield(bogus, 1)],
        "check": [library.IOT_MQTT_CheckStateNormal(h), library.IOT_MQTT_CheckStateNormal(None),
                  library.IOT_MQTT_CheckStateNormal(bogus)],
        "subscribe nulls": [subscribe(None), subscribe(b""), subscribe(b"/a", 0, None), subscribe(b"/a", 0, address, bogus)],
        "sync nulls": [sync(None), sync(b""), sync(b"/a", None)],
        "unsubscribe nulls": [library.IOT_MQTT_Unsubscribe(h, None), library.IOT_MQTT_Unsubscribe(h, b""),
                              library.IOT_MQTT_Unsubscribe(bogus, b"/a")],
        "publish nulls": [publish(None), publish(b""), library.IOT_MQTT_Publish(h, b"/a", None),
                          publish(b"/a", payload=None, payload_len=0), simple(None), simple(b""), simple(b"/a", data=None)],
        "publish topics": [publish(topic) for topic in (b"a", b"/a/+", b"/a/#", b"/+", b"/#", b"/a b\x7f", b"/\xc3\xa4", b"/a\x01")],
        "filters": [subscribe(topic) for topic in (b"a", b"/a+", b"/a/b#", b"/#/a", b"/#/#", b"/a\x01", b"/\xc3\xa4")],
        "slashes": [subscribe(b"/"), subscribe(b"//"), publish(b"/"), publish(b"//")],
        "long": [subscribe(long_bad), publish(long_bad), library.IOT_MQTT_Unsubscribe(h, long_bad)],
        "long enough": [publish(long_ok), subscribe(long_ok) > 0],
        "bad qos": [simple(b"/a", qos) for qos in (-1, 2, 3, 256, 257, 2**31 - 1)] + [publish(b"/a", qos=qos) for qos in (2, 3, 255)],
        "negative length": [simple(b"/a", 0, b"x", -1), simple(b"/a", 1, b"x", -(2**31))],
        "legal filters": [subscribe(topic) > 0 for topic in (b"/a/+", b"/+/b", b"/#", b"/a/#", b"/+")],
        "local": subscribe(b"/local", 3) > 0,
        "empty payload": [simple(b"/a", 0, b"", 0), simple(b"/a", 1, b"", 0) > 0],
        "network": [library.IOT_MQTT_Nwk_Event_Handler(h, event, None) for event in (0, 1, 2, 3, 4)],
    }
    found["good publish"] = device.publish_info("/a", b"x", qos=1)
    # NULL stands for the live client, in the examples of the SDK as well.
    found["null handle"] = [library.IOT_MQTT_Publish_Simple(None, b"/a", 0, c.create_string_buffer(b"x"), 1),
                            library.IOT_MQTT_Yield(None, 1)]
    wrong = c.c_void_p(bogus)
    found["destroy bogus"] = library.IOT_MQTT_Destroy(c.byref(wrong))
    empty = c.c_void_p(None)
    found["destroy empty"] = library.IOT_MQTT_Destroy(c.byref(empty))
    found["still there"] = library.IOT_MQTT_CheckStateNormal(h)
    found["destroy"] = [device.destroy(), device.handle]
    stale = c.c_void_p(h)
    found["destroy twice"] = [library.IOT_MQTT_Destroy(c.byref(stale)), library.IOT_MQTT_Destroy(None)]
    found["stale"] = [library.IOT_MQTT_Yield(h, 1), library.IOT_MQTT_CheckStateNormal(h), subscribe(b"/a"), publish(b"/a")]
    return found


def test_with_a_live_client(pki):
    def script(connection):
        connection.accept()
        connection.serve()

    with ScriptedServer(pki, script) as server:
        found = run_isolated(with_client, port=server.port, ca=pki.text("root.crt")).value
        assert server.errors == []
        sent = [packet for packet in server.packets("PUBLISH")]
    assert found["second construct"] is True
    assert found["yield"] == [INVALID] * 3
    assert found["check"] == [1, 1, INVALID]
    for name in ("subscribe nulls", "sync nulls", "unsubscribe nulls", "publish nulls", "slashes"):
        assert set(found[name]) == {INVALID}, name
    assert set(found["publish topics"]) == {FORMAT}
    assert set(found["filters"]) == {FORMAT}
    assert set(found["long"]) == {TOO_LONG}
    assert found["long enough"] == [0, True]
    assert set(found["bad qos"]) == {BAD_QOS}
    assert set(found["negative length"]) == {INVALID}
    assert found["legal filters"] == [True] * 5
    assert found["local"] is True
    assert found["empty payload"] == [0, True]
    assert found["network"] == [STATE["STATE_MQTT_ASYNC_STACK_NOT_SUPPORT"]] * 5
    result, packet = found["good publish"]
    assert result == packet > 0
    assert found["null handle"] == [0, 0]
    assert found["destroy bogus"] == found["destroy empty"] == INVALID
    assert found["still there"] == 1
    assert found["destroy"] == [0, None]
    assert found["destroy twice"] == [INVALID, INVALID]
    assert found["stale"] == [INVALID] * 4
    assert all(packet.qos in (0, 1) for packet in sent), "no malformed QoS on the wire"
