"""Faults of a running session: ends, silence, reconnects, what the server remembers, clocks that jump."""

import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from iotx_abi import STATE
from isolation import run_isolated
from scenario import Case, Player, broker, each, leave, pause, reset, run_case, then
from scripted import publish

CLOSE = "SYS_DEPEND_NWK_CLOSE"
PRESENT = b"\x20\x02\x01\x00"
GOOD = broker()
LOST_AND_BACK = ["DISCONNECT", "RECONNECT"]


def ensure(condition, *told):
    assert condition, told


def half(data):
    """The first half of the bytes, then the end of TCP."""
    return then(data[:len(data) // 2], leave)


def suback(found, code=0):
    return b"\x90\x03" + struct.pack(">H", found.id) + bytes([code])


def puback(found):
    return b"\x40\x02" + struct.pack(">H", found.id)


def filters(seen, connection):
    return [found.filter for found in seen.sent("SUBSCRIBE", connection)]


def published(seen, connection, topic="/q"):
    return [(found.id, found.dup, found.payload.decode()) for found in seen.sent("PUBLISH", connection) if found.topic == topic]


BACK = [["event", "DISCONNECT"], ["event", "RECONNECT"]]

# -- the connection ends at every stage ---------------------------------------------------------

MESSAGE = publish("/t", "whole", qos=1, packet_id=21)
ENDS = {
    "end: reset in an idle session": Case(
        each(broker(cue=reset), GOOD), [["cue"], *BACK], events=LOST_AND_BACK, states=[CLOSE]),
    "end: instead of SUBACK": Case(
        each(broker(SUBSCRIBE=leave), broker(connack=PRESENT, cue=publish("/t", "m"))),
        [["subscribe_only", "/t"], *BACK, ["event", "SUBCRIBE_SUCCESS"], ["cue"], ["messages", 1]],
        events=LOST_AND_BACK, states=[CLOSE], messages=[["/t", "m"]],
        # The server may never have seen the SUBSCRIBE: what was not acknowledged is sent again even into a kept session.
        check=lambda seen: ensure(filters(seen, 2) == ["/t"], filters(seen, 2))),
    "end: half a SUBACK": Case(
        each(broker(SUBSCRIBE=lambda connection, found: half(suback(found))(connection)), broker(cue=publish("/t", "m"))),
        [["subscribe_only", "/t"], *BACK, ["event", "SUBCRIBE_SUCCESS"], ["cue"], ["messages", 1]],
        events=LOST_AND_BACK, states=[CLOSE], messages=[["/t", "m"]]),
    "end: instead of UNSUBACK": Case(
        each(broker(UNSUBSCRIBE=leave), broker(cue=publish("/t", "m"))),
        [["subscribe", "/t"], ["unsubscribe", "/t"], *BACK, ["cue"], ["messages", 1]],
        events=LOST_AND_BACK, states=[CLOSE], messages=[["default", "m"]],
        check=lambda seen: ensure(filters(seen, 2) == [], filters(seen, 2))),
    "end: instead of PUBACK": Case(
        each(broker(PUBLISH=lambda c, f: leave() if f.topic == "/q" else False), broker(connack=PRESENT)),
        [["publish", "/q", "one", 1], *BACK, ["run", 100]], events=LOST_AND_BACK, states=[CLOSE],
        check=lambda seen: ensure(published(seen, 2) == [(seen.result("publish"), True, "one")])),
    "end: half a PUBACK": Case(
        each(broker(PUBLISH=lambda c, f: half(puback(f))(c) if f.topic == "/q" else False), broker(connack=PRESENT)),
        [["publish", "/q", "one", 1], *BACK, ["event", "PUBLISH_SUCCESS", 2]], events=LOST_AND_BACK, states=[CLOSE],
        check=lambda seen: ensure(published(seen, 2) == [(seen.result("publish"), True, "one")])),
    "end: in the header of a message": Case(
        each(broker(cue=then(MESSAGE[:1], leave)), broker(connack=PRESENT, behind=MESSAGE)),
        [["subscribe", "/t"], ["cue"], *BACK, ["messages", 1]], events=LOST_AND_BACK, states=[CLOSE], messages=[["/t", "whole"]],
        check=lambda seen: ensure([f.id for f in seen.sent("PUBACK")] == [21])),
    "end: in the topic of a message": Case(
        each(broker(cue=then(MESSAGE[:5], leave)), broker(connack=PRESENT, behind=MESSAGE)),
        [["subscribe", "/t"], ["cue"], *BACK, ["messages", 1]], events=LOST_AND_BACK, states=[CLOSE], messages=[["/t", "whole"]],
        check=lambda seen: ensure([f.id for f in seen.sent("PUBACK")] == [21])),
    "end: one byte before that of a message": Case(
        each(broker(cue=then(MESSAGE[:-1], leave)), broker(connack=PRESENT, behind=MESSAGE)),
        [["subscribe", "/t"], ["cue"], *BACK, ["messages", 1]], events=LOST_AND_BACK, states=[CLOSE], messages=[["/t", "whole"]],
        check=lambda seen: ensure([f.id for f in seen.sent("PUBACK")] == [21])),
    "end: right behind a message, reset": Case(
        each(broker(cue=then(publish("/t", "last"), pause(0.1), reset)), GOOD),
        [["subscribe", "/t"], ["cue"], ["messages", 1], *BACK], events=LOST_AND_BACK, states=[CLOSE], messages=[["/t", "last"]]),
    "end: in a packet over the read buffer": Case(
        each(broker(cue=then(publish("/t", "x" * 5000, qos=1)[:2000], leave)), broker(behind=publish("/t", "m"))),
        [["subscribe", "/t"], ["cue"], *BACK, ["messages", 1]], parameters={"read_buf_size": 512},
        events=LOST_AND_BACK, states=[CLOSE], messages=[["/t", "m"]],
        check=lambda seen: ensure(seen.sent("PUBACK") == [])),
    "end: instead of PINGRESP": Case(
        each(broker(PINGREQ=leave), GOOD), [["run", 40], ["skip", 30_000], *BACK], parameters={"keepalive_interval_ms": 30_000},
        events=LOST_AND_BACK, states=[CLOSE]),
    "end: six times running, each noticed and repaired": Case(
        each(*[broker(cue=leave)] * 6, GOOD),
        [step for number in range(6) for step in (["cue"], ["event", "DISCONNECT", number + 1], ["event", "RECONNECT", number + 1])],
        events=LOST_AND_BACK * 6, states=[CLOSE]),
    "end: TLS close_notify, then more bytes": Case(
        each(broker(cue=lambda c: (c.stream.close_tls(), c.stream.raw(b"\x17\x03\x03\x00\x05hello"), pause(0.3)(), leave())), GOOD),
        [["cue"], *BACK], events=LOST_AND_BACK, states=[CLOSE], server={"records": lambda: None}),
    "end: plain bytes in the TLS stream": Case(
        each(broker(cue=lambda c: (c.stream.raw(b"HTTP/1.1 503 Service Unavailable\r\n\r\n"), pause(1)())), GOOD),
        [["cue"], *BACK], events=LOST_AND_BACK, states=[CLOSE], server={"records": lambda: None}),
    "end: a forged TLS record": Case(
        each(broker(cue=lambda c: (c.stream.raw(c.stream.encrypt(publish("/t", "m"))[:-1] + b"\x00"), pause(1)())), GOOD),
        [["subscribe", "/t"], ["cue"], *BACK], events=LOST_AND_BACK, states=[CLOSE], server={"records": lambda: None}),
    "end: a TLS record repeated": Case(
        each(broker(cue=lambda c: (lambda record: (c.stream.raw(record * 2), pause(1)()))(c.stream.encrypt(publish("/t", "m")))), GOOD),
        [["subscribe", "/t"], ["cue"], *BACK], events=LOST_AND_BACK, states=[CLOSE], messages=[["/t", "m"]],
        server={"records": lambda: None}),
    "end: a fatal TLS alert": Case(
        each(broker(cue=lambda c: (c.stream.raw(bytes.fromhex("15 03 03 00 02 02 50")), pause(1)())), GOOD),
        [["cue"], *BACK], events=LOST_AND_BACK, states=[CLOSE], server={"records": lambda: None}),
}

# -- silence ------------------------------------------------------------------------------------


def never_reads(connection):
    """Takes CONNECT, then nothing more: the buffers of both sides fill."""
    connection.accept()
    time.sleep(12)


def pings(seen, connection=1):
    return len(seen.sent("PINGREQ", connection))


KEEP = {"keepalive_interval_ms": 30_000}
SILENCE = {
    "silence: pings are not answered": Case(
        each(broker(PINGREQ=None), GOOD),
        [["run", 40], *[["skip", 30_000], ["run", 60]] * 2, ["normal"], ["skip", 30_000], *BACK],
        parameters=KEEP, events=LOST_AND_BACK, states=[CLOSE],
        check=lambda seen: ensure(pings(seen) == 2 and seen.result("normal") == 1, pings(seen))),
    "silence: the third ping in time": Case(
        broker(PINGREQ=lambda c, f: False if len([p for p in c.packets if p.name == "PINGREQ"]) % 2 == 0 else None),
        [["run", 40], *[["skip", 30_000], ["run", 100]] * 8, ["normal"]], parameters=KEEP,
        check=lambda seen: ensure(pings(seen) == 8 and seen.result("normal") == 1, pings(seen))),
    "silence: no PINGRESP, but messages": Case(
        broker(PINGREQ=lambda c, f: c.send(publish("/t", "m"))),
        [["subscribe", "/t"], *[["skip", 30_000], ["run", 100]] * 5, ["normal"]], parameters=KEEP, messages=[["/t", "m"]] * 5,
        check=lambda seen: ensure(seen.result("normal") == 1)),
    "silence: a ping is due whatever else is sent": Case(
        broker(), [["run", 40], *[["skip", 10_000], ["publish", "/q"], ["run", 40]] * 6], parameters=KEEP,
        check=lambda seen: ensure(pings(seen) == 2, pings(seen))),
    "silence: the server reads nothing and a publisher goes on": Case(
        each(never_reads, GOOD),
        [["publish_many", "/q", 20_000, 0, 2000], ["publish", "/q"], *BACK], parameters={"request_timeout_ms": 1000},
        events=LOST_AND_BACK, states=[CLOSE],
        check=lambda seen: (
            ensure(seen.result("publish_many")[1] == STATE["STATE_" + CLOSE], seen.result("publish_many")),
            ensure(seen.result("publish_many")[2] < 4, seen.result("publish_many")),
            ensure(seen.result("publish") == STATE["STATE_MQTT_IN_OFFLINE_STATUS"], seen.result("publish")))),
    "silence: the server stops for less than the time-out": Case(
        lambda connection: (connection.accept(), pause(1.5)(), connection.serve()),
        [["publish_many", "/q", 4_000, 0, 2000], ["normal"]], parameters={"request_timeout_ms": 8000}, seconds=25,
        check=lambda seen: ensure(seen.result("publish_many")[0] == 4_000 and seen.result("normal") == 1, seen.value["steps"])),
    "silence: half-open, found by the pings": Case(
        each(broker(cue=pause(12)), GOOD), [["run", 60], ["cue"], *[["skip", 30_000], ["run", 40]] * 3, *BACK],
        parameters=KEEP, events=LOST_AND_BACK, states=[CLOSE], seconds=15),
}

# -- reconnect ----------------------------------------------------------------------------------


def waits(seen):
    """The HAL's milliseconds from each loss to the RECONNECT that ends it, as the `event` steps took them."""
    return [step["ms"] for step in seen.value["steps"] if step["step"] == "event"][1::2]


def cycle(count, up_ms=0):
    """Is lost and comes back `count` times; each session stays up for `up_ms`."""
    steps = []
    for number in range(count):
        steps += [["skip", up_ms], ["run", 20], ["cue"], ["event", "DISCONNECT", number + 1], ["event", "RECONNECT", number + 1]]
    return steps


RECONNECT = {
    "reconnect: the session is there, nothing is subscribed again": Case(
        each(broker(cue=leave), broker(connack=PRESENT)), [["subscribe", "/a"], ["subscribe", "/b/+", 1], ["cue"], *BACK, ["run", 60]],
        events=LOST_AND_BACK, states=[CLOSE], check=lambda seen: ensure(filters(seen, 2) == [])),
    "reconnect: the session is gone, all is subscribed again in order": Case(
        each(broker(cue=leave), GOOD),
        [["subscribe", "/z/#", 1], ["subscribe", "/a"], ["subscribe", "/local", 3], ["subscribe", "/m/+"], ["subscribe", "/gone"],
         ["unsubscribe", "/gone"], ["event", "UNSUBCRIBE_SUCCESS"], ["cue"], *BACK, ["run", 60]],
        events=LOST_AND_BACK, states=[CLOSE],
        check=lambda seen: (ensure(filters(seen, 2) == ["/z/#", "/a", "/m/+"], filters(seen, 2)),
                            ensure([found.body[-1] for found in seen.sent("SUBSCRIBE", 2)] == [1, 0, 0]))),
    "reconnect: lost again before the subscriptions were restored": Case(
        # The second server tells of a new session and dies before it has seen a SUBSCRIBE; the third still has that
        # session, without subscriptions.
        each(broker(cue=leave), broker(SUBSCRIBE=leave), broker(connack=PRESENT, cue=publish("/b", "m"))),
        [["subscribe", "/a"], ["subscribe", "/b"], ["cue"], ["event", "RECONNECT", 2], ["run", 100], ["cue"], ["messages", 1]],
        events=LOST_AND_BACK * 2, states=[CLOSE], messages=[["/b", "m"]],
        check=lambda seen: ensure(filters(seen, 3) == ["/a", "/b"], filters(seen, 3))),
    "reconnect: the server refuses a subscription that it granted before": Case(
        each(broker(cue=leave), broker(SUBSCRIBE=lambda c, f: c.send(suback(f, 0x80)), cue=publish("/t", "m"))),
        [["subscribe", "/t"], ["cue"], *BACK, ["run", 100], ["cue"], ["messages", 1]],
        events=LOST_AND_BACK, states=[CLOSE], messages=[["/t", "m"]],
        # The application knows no packet id of it, so a state event tells.
        check=lambda seen: ensure([STATE["STATE_MQTT_SUB_INFO"], "refused after reconnect - '/t'"] in seen.value["states"])),
    "reconnect: what was in flight is sent again in order, once, with DUP": Case(
        each(broker(PUBLISH=lambda c, f: None if f.topic == "/q" else False, cue=leave), broker(connack=PRESENT)),
        [*[["publish", "/q", str(number), 1] for number in range(5)], ["publish", "/q", "zero", 0], ["cue"], *BACK,
         ["event", "PUBLISH_SUCCESS", 6], ["run", 60]],
        events=LOST_AND_BACK, states=[CLOSE],
        check=lambda seen: ensure([(dup, payload) for _, dup, payload in published(seen, 2)] == [(True, str(n)) for n in range(5)],
                                  published(seen, 2))),
    "reconnect: in flight over two losses": Case(
        each(broker(PUBLISH=None, cue=leave), broker(PUBLISH=leave), GOOD),
        [["publish", "/q", "one", 1], ["cue"], ["event", "RECONNECT", 2], ["run", 100]], events=LOST_AND_BACK * 2, states=[CLOSE],
        check=lambda seen: ensure(published(seen, 3) == [(seen.result("publish"), True, "one")], published(seen, 3))),
    "reconnect: every wait is drawn from the whole interval, at its shortest": Case(
        each(*[broker(cue=leave)] * 4, GOOD), [["construct"], ["random", "smallest"], *cycle(4)],
        events=LOST_AND_BACK * 4, states=[CLOSE],
        check=lambda seen: ensure(max(waits(seen)) < 1500, waits(seen))),
    "reconnect: waits double up to the ceiling while no session stays up": Case(
        each(*[broker(cue=leave)] * 8, GOOD), [["construct"], ["random", "largest"], *cycle(8)],
        events=LOST_AND_BACK * 8, states=[CLOSE],
        check=lambda seen: (ensure(all(later > 1.5 * earlier for earlier, later in zip(waits(seen), waits(seen)[1:5])), waits(seen)),
                            ensure(max(waits(seen)) <= 47_000, waits(seen)),
                            ensure(min(waits(seen)[5:]) > 20_000, waits(seen)))),
    "reconnect: a session that stayed up makes the next wait short again": Case(
        each(*[broker(cue=leave)] * 7, GOOD), [["construct"], ["random", "largest"], *cycle(5), *cycle(7, up_ms=31_000)[-10:]],
        events=LOST_AND_BACK * 7, states=[CLOSE],
        check=lambda seen: (ensure(waits(seen)[4] > 10_000, waits(seen)), ensure(max(waits(seen)[5:]) < 2_500, waits(seen)))),
}

# -- clocks -------------------------------------------------------------------------------------

CLOCKS = {
    "clock: an hour back": Case(
        broker(cue=publish("/t", "m")), [["subscribe", "/t"], ["skip", -3_600_000], ["run", 60], ["cue"], ["messages", 1],
                                         ["publish", "/q", "x", 1], ["event", "PUBLISH_SUCCESS", 2], ["one_yield", 200]],
        messages=[["/t", "m"]], check=lambda seen: ensure(0.19 < seen.took("one_yield") < 2, seen.took("one_yield"))),
    "clock: an hour back while waiting for a reconnect": Case(
        each(broker(cue=leave), GOOD), [["cue"], ["event", "DISCONNECT"], ["skip", -3_600_000], ["event", "RECONNECT"]],
        events=LOST_AND_BACK, states=[CLOSE]),
    "clock: a day ahead, one ping and no loss": Case(
        broker(), [["run", 40], ["skip", 86_400_000], ["run", 100], ["normal"]], parameters=KEEP,
        check=lambda seen: ensure(pings(seen) == 1 and seen.result("normal") == 1, pings(seen))),
    "clock: a day ahead inside a Yield": Case(
        broker(cue=pause(0)), [["construct"], ["skip", 86_400_000], ["one_yield", 100], ["normal"]],
        check=lambda seen: ensure(seen.took("one_yield") < 2 and seen.result("normal") == 1)),
    "clock: 32 bits wrap in a session": Case(
        broker(cue=publish("/t", "m")),
        [["clock", 2**32 - 70_000, 32], ["construct"], ["subscribe", "/t"], *[["skip", 30_000], ["run", 60]] * 5, ["cue"],
         ["messages", 1], ["normal"]],
        parameters=KEEP, messages=[["/t", "m"]], check=lambda seen: ensure(pings(seen) == 5 and seen.result("normal") == 1, pings(seen))),
    "clock: 32 bits wrap while waiting for a reconnect": Case(
        each(broker(cue=leave), GOOD),
        [["clock", 2**32 - 1500, 32], ["construct"], ["cue"], ["event", "DISCONNECT"], ["skip", 1400], ["event", "RECONNECT"]],
        events=LOST_AND_BACK, states=[CLOSE]),
    "clock: 32 bits wrap before a repeat is due": Case(
        broker(PUBLISH=lambda c, f: None if f.topic == "/q" and not f.dup else False),
        [["clock", 2**32 - 1000, 32], ["construct"], ["publish", "/q", "x", 1], ["skip", 11_000], ["event", "PUBLISH_SUCCESS", 2]],
        check=lambda seen: ensure([dup for _, dup, _ in published(seen, 1)] == [False, True], published(seen, 1))),
}

CASES = {**ENDS, **SILENCE, **RECONNECT, **CLOCKS}


@pytest.mark.parametrize("name", sorted(CASES))
def test_session(pki, port_library, name):
    run_case(pki, port_library, CASES[name])


# -- two devices with one identity --------------------------------------------------------------


def rival(library, credentials, port, milliseconds):
    """Stays for that long on the HAL's clock, in which waits take no real time, or until the other one is gone."""
    player = Player(library, credentials, port, {})
    player.random("largest")
    assert player.construct(), player.device.states
    start, seen, end = player.now(), 0, time.monotonic() + 4
    while player.now() - start < milliseconds and time.monotonic() < end:
        player.device.step(20)
        if len(player.device.events) > seen:
            seen, end = len(player.device.events), time.monotonic() + 4
    names = player.device.event_names()
    lost = [text for code, text in player.device.states if code == STATE["STATE_" + CLOSE]]
    return {"reconnects": names.count("RECONNECT"), "losses": len(lost), "destroyed": player.destroy()}


def test_two_devices_with_one_identity_slow_down(pki, port_library, start_platform):
    """Each throws the other one out; with waits that started over at each connect they would do so for ever."""
    platform = start_platform("--tls", "--client-cert", "none")
    environment = {"LD_PRELOAD": str(port_library)}
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(run_isolated, rival, credentials={**pki.trust(), "triple": pki.devices()[0]}, port=platform.port,
                            milliseconds=150_000, environment=environment) for _ in range(2)]
        values = [job.result().value for job in jobs]
    # 1 + 2 + 4 + 8 + 16 + 30 + 30 + 30 seconds and more: eight reconnects take 121 s.
    assert sum(value["reconnects"] for value in values) >= 6, values
    assert all(value["reconnects"] <= 10 and value["destroyed"] == 0 for value in values), values
    assert len(platform.wait_log('"kicked"')) >= 6
