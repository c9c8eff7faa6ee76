"""Faults in the traffic: acknowledgements that are lost, late, wrong; messages nobody expects."""

import struct

import pytest

from iotx_abi import STATE
from scenario import Case, broker, each, leave, pause, run_case, then
from scripted import packet, publish, text

CLOSE = "SYS_DEPEND_NWK_CLOSE"
BROKEN = "MQTT_PACKET_READ_ERROR"
TOO_LARGE = "MQTT_RX_BUFFER_TOO_SHORT"
LOST_AND_BACK = ["DISCONNECT", "RECONNECT"]
GOOD = broker()


def ensure(condition, *told):
    assert condition, told


def puback(number):
    return b"\x40\x02" + struct.pack(">H", number)


def suback(number, code=0):
    return b"\x90\x03" + struct.pack(">H", number) + bytes([code])


def unsuback(number):
    return b"\xb0\x02" + struct.pack(">H", number)


def on_q(reaction):
    """Answers PUBLISH to /q in this way, others as usual."""
    return lambda connection, found: reaction(connection, found) if found.topic == "/q" else False


def acknowledged(seen):
    """The ids of event 9, without that of the version report."""
    return [number for name, number in seen.value["events"] if name == "PUBLISH_SUCCESS" and number != 1]


def to_q(seen):
    return [(found.id, found.dup) for found in seen.sent("PUBLISH") if found.topic == "/q"]


def ids(seen, name="PUBACK"):
    return [found.id for found in seen.sent(name)]


class Held:
    """Collects packets and lets `reaction` answer all of them when there are `count`."""

    def __init__(self, count, reaction):
        self.count, self.reaction, self.found = count, reaction, []

    def __call__(self, connection, found):
        self.found.append(found)
        if len(self.found) == self.count:
            self.reaction(connection, self.found)


REPEATED = {"request_timeout_ms": 1000}
ACKNOWLEDGEMENTS = {
    "PUBACK: lost once, sent again with DUP": Case(
        broker(PUBLISH=on_q(lambda c, f: False if f.dup else None)),
        [["publish", "/q", "x", 1], ["skip", 2_100], ["event", "PUBLISH_SUCCESS", 2]], parameters=REPEATED,
        check=lambda seen: ensure(to_q(seen) == [(2, False), (2, True)] and acknowledged(seen) == [2], to_q(seen))),
    "PUBACK: lost five times, the id stays": Case(
        broker(PUBLISH=on_q(lambda c, f: False if len([p for p in c.packets if p.name == "PUBLISH" and p.topic == "/q"]) > 5 else None)),
        [["publish", "/q", "x", 1], *[["skip", 2_100], ["run", 60]] * 5, ["event", "PUBLISH_SUCCESS", 2]], parameters=REPEATED,
        check=lambda seen: ensure(to_q(seen) == [(2, False)] + [(2, True)] * 5, to_q(seen))),
    "PUBACK: twice": Case(
        broker(PUBLISH=on_q(lambda c, f: c.send(puback(f.id) * 2))), [["publish", "/q", "x", 1], ["run", 200], ["normal"]],
        check=lambda seen: ensure(acknowledged(seen) == [2] and seen.result("normal") == 1, acknowledged(seen))),
    "PUBACK: an id that is not in flight": Case(
        broker(PUBLISH=on_q(lambda c, f: c.send(puback(4711) + puback(f.id)))), [["publish", "/q", "x", 1], ["run", 200], ["normal"]],
        check=lambda seen: ensure(acknowledged(seen) == [2] and seen.result("normal") == 1)),
    "PUBACK: in the wrong order": Case(
        broker(PUBLISH=on_q(Held(4, lambda c, found: c.send(b"".join(puback(f.id) for f in reversed(found)))))),
        [*[["publish", "/q", "x", 1]] * 4, ["event", "PUBLISH_SUCCESS", 5]],
        check=lambda seen: ensure(acknowledged(seen) == [5, 4, 3, 2], acknowledged(seen))),
    "PUBACK: late, after the repeat": Case(
        broker(PUBLISH=on_q(Held(2, lambda c, found: c.send(puback(found[0].id) * 2)))),
        [["publish", "/q", "x", 1], ["skip", 2_100], ["event", "PUBLISH_SUCCESS", 2], ["run", 100]], parameters=REPEATED,
        check=lambda seen: ensure(acknowledged(seen) == [2], acknowledged(seen))),
    "PUBACK: makes room in a full window": Case(
        broker(PUBLISH=on_q(Held(128, lambda c, found: c.send(puback(found[5].id))))),
        [["publish_many", "/q", 200, 1], ["event", "PUBLISH_SUCCESS", 2], ["publish", "/q", "more", 1], ["publish", "/q", "more", 1]],
        check=lambda seen: ensure(
            seen.result("publish_many")[:2] == [128, STATE["STATE_MQTT_QOS1_REPUB_EXCEED_MAX"]]
            and seen.result("publish") > 0 and seen.result("publish", 1) == STATE["STATE_MQTT_QOS1_REPUB_EXCEED_MAX"],
            seen.value["steps"])),
    "PUBACK: id 0": Case(
        each(broker(PUBLISH=on_q(lambda c, f: c.send(puback(0)))), GOOD),
        [["publish", "/q", "x", 1], ["event", "RECONNECT"], ["event", "PUBLISH_SUCCESS", 2]],
        events=LOST_AND_BACK, states=[BROKEN, CLOSE]),
    "PUBREC in its place": Case(
        broker(PUBLISH=on_q(lambda c, f: c.send(b"\x50\x02" + struct.pack(">H", f.id)))),
        [["publish", "/q", "x", 1], ["run", 200], ["normal"]],
        check=lambda seen: ensure(acknowledged(seen) == [] and seen.result("normal") == 1)),
    "packet ids: wrap, without those in flight": Case(
        broker(PUBLISH=on_q(lambda c, f: None)),
        [["publish", "/q", "x", 1], ["publish", "/q", "x", 1], ["use_ids", 65_530], ["publish", "/q", "x", 1], ["subscribe", "/a"],
         ["subscribe", "/b"], ["subscribe", "/c"], ["subscribe", "/d"]],
        check=lambda seen: ensure(
            [found["result"] for found in seen.value["steps"] if found["step"] == "subscribe"] == [65535, 1, 4, 5]
            and seen.result("publish", 2) == 65534, seen.value["steps"])),
    "SUBACK: none, the handler works": Case(
        broker(SUBSCRIBE=None, cue=publish("/t", "m")), [["subscribe_only", "/t"], ["cue"], ["messages", 1]], messages=[["/t", "m"]]),
    "SUBACK: behind the first message": Case(
        broker(SUBSCRIBE=lambda c, f: c.send(publish("/t", "early", qos=1, packet_id=8) + suback(f.id))),
        [["subscribe", "/t", 1]], messages=[["/t", "early"]], check=lambda seen: ensure(ids(seen) == [8])),
    "SUBACK: wrong id, then the right one": Case(
        broker(SUBSCRIBE=lambda c, f: c.send(suback(f.id + 1) + suback(f.id))), [["subscribe", "/t"], ["normal"]],
        check=lambda seen: ensure([n for n, _ in seen.value["events"]].count("SUBCRIBE_SUCCESS") == 1 and seen.result("normal") == 1)),
    "SUBACK: twice": Case(
        broker(SUBSCRIBE=lambda c, f: c.send(suback(f.id) * 2)), [["subscribe", "/t"], ["run", 100]],
        check=lambda seen: ensure([n for n, _ in seen.value["events"]].count("SUBCRIBE_SUCCESS") == 1)),
    "SUBACK: refuses, then a second try is granted": Case(
        broker(SUBSCRIBE=lambda c, f: c.send(suback(f.id, 0x80 if len([p for p in c.packets if p.name == "SUBSCRIBE"]) == 1 else 1)),
               cue=publish("/t", "m")),
        [["subscribe", "/t", 1], ["subscribe", "/t", 1], ["cue"], ["messages", 1]], events=["SUBCRIBE_NACK"], messages=[["/t", "m"]]),
    "SUBACK: refuses a synchronous call until it is granted": Case(
        broker(SUBSCRIBE=lambda c, f: c.send(suback(f.id, 0x80 if len([p for p in c.packets if p.name == "SUBSCRIBE"]) < 3 else 0))),
        [["sync", "/t", 5000]], events=["SUBCRIBE_NACK"] * 2, check=lambda seen: ensure(seen.result("sync") > 0)),
    "SUBACK: lost with the connection of a synchronous call": Case(
        each(broker(SUBSCRIBE=leave), GOOD), [["sync", "/t", 8000]], events=LOST_AND_BACK, states=[CLOSE],
        check=lambda seen: ensure(seen.result("sync") > 0, seen.result("sync"))),
    "SUBACK: answers UNSUBSCRIBE": Case(
        broker(UNSUBSCRIBE=lambda c, f: c.send(unsuback(f.id + 7) + unsuback(f.id))),
        [["subscribe", "/t"], ["unsubscribe", "/t"], ["event", "UNSUBCRIBE_SUCCESS"]],
        check=lambda seen: ensure([n for n, _ in seen.value["events"]].count("UNSUBCRIBE_SUCCESS") == 1)),
    "UNSUBACK: none, the handler is gone at once": Case(
        broker(UNSUBSCRIBE=None, cue=publish("/t", "m")), [["subscribe", "/t"], ["unsubscribe", "/t"], ["cue"], ["messages", 1]],
        messages=[["default", "m"]]),
}

MESSAGE = publish("/t/1", "payload", qos=1, packet_id=0x1234)
OVER = 512  # read buffer of the cases with packets over it
SMALL = publish("/t", "small")


def sized(total, qos, **more):
    """A PUBLISH of exactly that many bytes."""
    for length in range(total - 20, total):
        found = publish("/t", "x" * length, qos=qos, **more)
        if len(found) == total:
            return found
    raise AssertionError(total)


MESSAGES = {
    "message: for nobody, QoS 1": Case(
        broker(cue=publish("/nobody", "m", qos=1, packet_id=5)), [["cue"], ["messages", 1], ["run", 60]], messages=[["default", "m"]],
        check=lambda seen: ensure(ids(seen) == [5])),
    "message: QoS 2 is delivered and not acknowledged": Case(
        broker(cue=publish("/t", "two", qos=2, packet_id=5) + SMALL), [["subscribe", "/t"], ["cue"], ["messages", 2], ["run", 60]],
        messages=[["/t", "two"], ["/t", "small"]],
        check=lambda seen: ensure({p.name for p in seen.server.packets()} == {"CONNECT", "SUBSCRIBE", "PUBLISH", "DISCONNECT"})),
    "message: retained and marked as a duplicate": Case(
        broker(cue=publish("/t", "m", qos=1, packet_id=6, retain=1, dup=1)), [["subscribe", "/t"], ["cue"], ["messages", 1]],
        messages=[["/t", "m"]], check=lambda seen: ensure(seen.value["messages"][0]["retain"] == 1)),
    "message: the same one three times with DUP, each acknowledged": Case(
        broker(cue=b"".join(publish("/t", "m", qos=1, packet_id=6, dup=dup) for dup in (0, 1, 1))),
        [["subscribe", "/t"], ["cue"], ["messages", 3], ["run", 60]], messages=[["/t", "m"]] * 3,
        check=lambda seen: ensure(ids(seen) == [6, 6, 6])),
    "message: empty payload, QoS 0 and 1": Case(
        broker(cue=publish("/t", "") + publish("/t", "", qos=1, packet_id=9)), [["subscribe", "/t"], ["cue"], ["messages", 2], ["run", 60]],
        messages=[["/t", ""]] * 2, check=lambda seen: ensure(ids(seen) == [9])),
    "message: remaining length not in its shortest form": Case(
        broker(cue=b"\x30\x85\x00" + text("/t") + b"m" + SMALL), [["subscribe", "/t"], ["cue"], ["messages", 2]],
        messages=[["/t", "m"], ["/t", "small"]]),
    "message: a topic of 60 000 bytes": Case(
        broker(cue=publish("/" + "t" * 60_000, "m", qos=1, packet_id=4)), [["cue"], ["messages", 1], ["run", 60]],
        parameters={"read_buf_size": 70_000}, messages=[["default", "m"]], check=lambda seen: ensure(ids(seen) == [4])),
    "message: a topic of 10 000 levels against wildcards": Case(
        broker(cue=publish("/a" + "/" * 10_000, "m")), [["subscribe", "/a/#"], ["subscribe", "/+/+/+"], ["cue"], ["messages", 1]],
        parameters={"read_buf_size": 70_000}, messages=[["/a/#", "m"]]),
    "message: split at every byte": Case(
        broker(cue=lambda c: [then(MESSAGE[:at], pause(0.004), MESSAGE[at:])(c) for at in range(1, len(MESSAGE))]),
        [["subscribe", "/t/+"], ["cue"], ["messages", len(MESSAGE) - 1]], messages=[["/t/+", "payload"]] * (len(MESSAGE) - 1),
        check=lambda seen: ensure(ids(seen) == [0x1234] * (len(MESSAGE) - 1))),
    "message: slower than the Yields that read it": Case(
        broker(cue=then(*[part for byte in publish("/t", "slow", qos=1, packet_id=3) for part in (bytes([byte]), pause(0.03))])),
        [["subscribe", "/t"], ["cue"], ["messages", 1]], messages=[["/t", "slow"]]),
    "message: a hundred with SUBACK, UNSUBACK and PUBACKs between them in one piece": Case(
        broker(cue=lambda c: c.send(b"".join(publish("/t", str(n), qos=n % 2, packet_id=n + 1) + b"\xd0\x00" + puback(900) + suback(901)
                                             + unsuback(902) for n in range(100)))),
        [["subscribe", "/t"], ["cue"], ["messages", 100], ["run", 60]], messages=[["/t", str(n)] for n in range(100)],
        check=lambda seen: ensure(ids(seen) == list(range(2, 101, 2)), ids(seen))),
    "oversize: fits exactly": Case(
        broker(cue=sized(OVER, 1, packet_id=2)), [["subscribe", "/t"], ["cue"], ["messages", 1], ["run", 60]],
        parameters={"read_buf_size": OVER}, messages=[["/t", "x" * (OVER - 9)]], check=lambda seen: ensure(ids(seen) == [2])),
    "oversize: one byte, QoS 0": Case(
        broker(cue=sized(OVER + 1, 0) + SMALL), [["subscribe", "/t"], ["cue"], ["messages", 1], ["normal"]],
        parameters={"read_buf_size": OVER}, events=["BUFFER_OVERFLOW"], states=[TOO_LARGE], messages=[["/t", "small"]],
        check=lambda seen: ensure(ids(seen) == [] and seen.result("normal") == 1)),
    "oversize: one byte, QoS 1": Case(
        broker(cue=sized(OVER + 1, 1, packet_id=2) + SMALL), [["subscribe", "/t"], ["cue"], ["messages", 1], ["run", 60], ["normal"]],
        parameters={"read_buf_size": OVER}, events=["BUFFER_OVERFLOW"], states=[TOO_LARGE], messages=[["/t", "small"]],
        check=lambda seen: ensure(ids(seen) == [2] and seen.result("normal") == 1)),
    "oversize: three in a row between small ones": Case(
        broker(cue=(publish("/t", "x" * 3000, qos=1, packet_id=3) + SMALL) * 3), [["subscribe", "/t"], ["cue"], ["messages", 3], ["run", 60]],
        parameters={"read_buf_size": OVER}, events=["BUFFER_OVERFLOW"] * 3, states=[TOO_LARGE], messages=[["/t", "small"]] * 3,
        check=lambda seen: ensure(ids(seen) == [3, 3, 3])),
    "oversize: 20 MB, drained": Case(
        broker(cue=then(publish("/t", b"x" * 20_000_000, qos=1, packet_id=77), SMALL)), [["subscribe", "/t"], ["cue"], ["messages", 1], ["run", 60]],
        events=["BUFFER_OVERFLOW"], states=[TOO_LARGE], messages=[["/t", "small"]], check=lambda seen: ensure(ids(seen) == [77])),
    "oversize: its topic alone is too large": Case(
        broker(cue=publish("/" + "t" * 5000, "m", qos=1, packet_id=12) + SMALL), [["subscribe", "/t"], ["cue"], ["messages", 1], ["run", 60]],
        parameters={"read_buf_size": OVER}, events=["BUFFER_OVERFLOW"], states=[TOO_LARGE], messages=[["/t", "small"]],
        check=lambda seen: ensure(ids(seen) == [12])),
    "oversize: claims 256 MB and stops": Case(
        each(broker(cue=lambda c: (c.send(b"\x30\xff\xff\xff\x7f\x00\x02/t" + b"x" * 1000), pause(8)())), GOOD),
        [["subscribe", "/t"], ["run", 60], ["cue"], ["run", 100], *[["skip", 30_000], ["run", 60]] * 3, ["event", "RECONNECT"]],
        parameters={"keepalive_interval_ms": 30_000}, events=LOST_AND_BACK, states=[CLOSE]),
    "oversize: a SUBACK of 70 000 codes": Case(
        each(broker(cue=packet(0x90, b"\x00\x02" + b"\x00" * 70_000)), GOOD), [["cue"], ["event", "RECONNECT"]],
        events=LOST_AND_BACK, states=[BROKEN, CLOSE]),
    "broken: topic is a wildcard": Case(
        each(broker(cue=publish("/t/#", "m")), GOOD), [["subscribe", "/t/#"], ["cue"], ["event", "RECONNECT"]],
        events=LOST_AND_BACK, states=[BROKEN, CLOSE]),
    "broken: NUL in the topic": Case(
        each(broker(cue=publish(b"/t\0x", "m")), GOOD), [["subscribe", "/t"], ["cue"], ["event", "RECONNECT"]],
        events=LOST_AND_BACK, states=[BROKEN, CLOSE]),
    "broken: remaining length of five bytes, over the limit": Case(
        each(broker(cue=b"\x30\x80\x80\x80\x80\x01"), GOOD), [["cue"], ["event", "RECONNECT"]],
        events=LOST_AND_BACK, states=[BROKEN, CLOSE]),
    "broken: behind good messages, those count": Case(
        each(broker(cue=publish("/t", "good", qos=1, packet_id=5) + b"\xf0\x00" + SMALL), GOOD),
        [["subscribe", "/t"], ["cue"], ["event", "RECONNECT"]],
        events=LOST_AND_BACK, states=[BROKEN, CLOSE], messages=[["/t", "good"]]),
    "broken: CONNACK that refuses, in a session": Case(
        broker(cue=b"\x20\x02\x00\x05" + SMALL), [["subscribe", "/t"], ["cue"], ["messages", 1], ["normal"]], messages=[["/t", "small"]],
        check=lambda seen: ensure(seen.result("normal") == 1)),
}
CASES = {**ACKNOWLEDGEMENTS, **MESSAGES}


@pytest.mark.parametrize("name", sorted(CASES))
def test_traffic(pki, port_library, name):
    run_case(pki, port_library, CASES[name])
