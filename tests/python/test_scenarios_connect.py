"""Faults on the way to a session: resolver, TCP, TLS, CONNACK; at the first connect and later."""

import re
import ssl

import pytest

from iotx_abi import STATE
from scenario import Case, broker, each, leave, pause, run_case
from scripted import CONNACK_OK, ScriptedServer, publish

EAI_AGAIN, EAI_NONAME = -3, -2
CLOSE, TIMEOUT = "SYS_DEPEND_NWK_CLOSE", "SYS_DEPEND_NWK_TIMEOUT"
GOOD = broker()


def said(pattern):
    """A check: some sentence of a failure matches."""
    def check(seen):
        assert any(re.search(pattern, sentence, re.I) for sentence in seen.texts()), seen.texts()
    return check


def connections(count):
    """A check: that many TCP connections reached the server."""
    def check(seen):
        assert seen.server.accepted == count
    return check


def lost_then(*attempts, **more):
    """A session that is lost at the cue; the attempts that follow fail in the given ways, one each."""
    return each(broker(cue=leave), *attempts, GOOD)


BACK = [["cue"], ["event", "DISCONNECT"], ["event", "RECONNECT"], ["normal"]]
LOST_AND_BACK = ["DISCONNECT", "RECONNECT"]


def connack(code):
    """A server that refuses."""
    return broker(connack=bytes([0x20, 2, 0, code]))


def one_event_per_attempt(code, attempts):
    """A check: each failed attempt is told exactly once, and the device is back at the end."""
    def check(seen):
        told = [found for found, _ in seen.value["states"] if found == STATE["STATE_" + code]]
        # The loss itself is told with the code of a closed connection.
        assert len(told) == attempts + (code == CLOSE), seen.value["states"]
        assert seen.result("normal") == 1
    return check


def only_version(version):
    def adjust(context):
        context.minimum_version = context.maximum_version = version
    return adjust


CASES = {
    # -- resolver
    "resolver: no such name": Case(
        GOOD, [["resolver", {"error": EAI_NONAME, "times": -1}], ["construct"]], connects=False, states=[CLOSE],
        check=said("resolve host localhost")),
    "resolver: fails twice, then works": Case(
        GOOD, [["resolver", {"error": EAI_AGAIN, "times": 2}], ["construct"], ["questions"]], states=[CLOSE],
        check=lambda seen: seen.result("questions") == 3 or pytest.fail(str(seen.result("questions")))),
    "resolver: slow": Case(GOOD, [["resolver", {"delay_ms": 1200}], ["construct"]]),
    "resolver: first address refuses": Case(
        GOOD, [["resolver", {"addresses": "127.0.0.9 127.0.0.1"}], ["construct"]], check=connections(1)),
    "resolver: all addresses refuse": Case(
        GOOD, [["resolver", {"addresses": "127.0.0.9 127.0.0.8 127.0.0.7"}], ["construct"]], connects=False, states=[CLOSE],
        check=said("refused.*3 ad")),
    "resolver: fails three times while the session is away": Case(
        lost_then(), [["construct"], ["resolver", {"error": EAI_AGAIN, "times": 3}], *BACK], events=LOST_AND_BACK, states=[CLOSE],
        check=one_event_per_attempt(CLOSE, 3)),
    "resolver: is asked again by every attempt": Case(
        lost_then(), [["construct"], ["resolver", {"addresses": "127.0.0.9"}], ["cue"], ["event", "DISCONNECT"],
                      ["state", "STATE_SYS_DEPEND_NWK_CLOSE", 3], ["resolver"], ["event", "RECONNECT"], ["normal"]],
        events=LOST_AND_BACK, states=[CLOSE]),
    # -- TCP
    "TCP: no descriptor left": Case(
        GOOD, [["descriptors", 0], ["construct"], ["descriptors", None], ["construct"]], connects=False, states=[CLOSE],
        check=lambda seen: seen.result("construct", 1) or pytest.fail("the second Construct fails")),
    "TCP: closed at accept, four times while the session is away": Case(
        GOOD, events=LOST_AND_BACK, states=[CLOSE], check=one_event_per_attempt(CLOSE, 4)),
    # -- TLS
    "TLS: only 1.2": Case(GOOD, server={"adjust": only_version(ssl.TLSVersion.TLSv1_2)}),
    "TLS: only a version that the library lacks": Case(
        GOOD, server={"adjust": only_version(ssl.TLSVersion.TLSv1_3)}, connects=False, states=[CLOSE],
        check=said("refused the handshake.*version")),
    # -- CONNACK
    "CONNACK: late, within the time-out": Case(
        lambda connection: (connection.expect("CONNECT"), pause(0.8)(), connection.send(CONNACK_OK), connection.serve()),
        parameters={"request_timeout_ms": 2000}, check=connections(1)),
    "CONNACK: none at first, then an answer": Case(
        each(broker(connack=b""), GOOD), parameters={"request_timeout_ms": 1000}, states=[TIMEOUT], check=connections(2)),
    "CONNACK: comes when its connection was given up": Case(
        each(lambda connection: (connection.expect("CONNECT"), pause(1.6)(), connection.send(CONNACK_OK), connection.serve()), GOOD),
        parameters={"request_timeout_ms": 1000}, states=[TIMEOUT]),
    "CONNACK: before CONNECT": Case(lambda connection: (connection.send(CONNACK_OK), connection.serve())),
    "CONNACK: in the company of two messages and PINGRESP": Case(
        broker(behind=publish("/off", "1", qos=1, packet_id=7) + b"\xd0\x00" + publish("/off", "2")),
        [["messages", 2]], messages=[["default", "1"], ["default", "2"]],
        check=lambda seen: [found.id for found in seen.sent("PUBACK")] == [7] or pytest.fail("one PUBACK")),
    "CONNACK: behind three other packets": Case(
        broker(connack=b"\xd0\x00" * 3 + CONNACK_OK)),
    "CONNACK: behind eleven other packets": Case(
        broker(connack=b"\xd0\x00" * 11 + CONNACK_OK), connects=False, states=["MQTT_DESERIALIZE_CONNACK_ERROR"]),
    "CONNACK: reserved flags": Case(
        broker(connack=b"\x20\x02\x02\x00"), connects=False, states=["MQTT_DESERIALIZE_CONNACK_ERROR"]),
    "CONNACK: refuses and claims a session": Case(
        broker(connack=b"\x20\x02\x01\x05"), connects=False, states=["MQTT_DESERIALIZE_CONNACK_ERROR"]),
    "CONNACK: wrong packet type": Case(
        broker(connack=b"\x40\x02\x00\x01" + b"\xff\x00"), connects=False, states=["MQTT_DESERIALIZE_CONNACK_ERROR"]),
    "CONNACK: reset in its place": Case(
        each(lambda connection: (connection.expect("CONNECT"), connection.reset()), GOOD), states=[CLOSE], check=connections(2)),
    "CONNACK: half of it, then the end": Case(
        each(lambda connection: (connection.expect("CONNECT"), connection.send(b"\x20\x02")), GOOD), states=[CLOSE],
        check=connections(2)),
    "CONNACK: half of it, then silence": Case(
        each(broker(connack=b"\x20\x02\x00"), GOOD), parameters={"request_timeout_ms": 1000}, states=[TIMEOUT]),
    **{f"CONNACK: {code} three times while the session is away": Case(
        lost_then(*[connack(code)] * 3), BACK, events=LOST_AND_BACK, states=[CLOSE, state], check=one_event_per_attempt(state, 3))
       for code, state in ((2, "MQTT_CONNACK_IDENT_REJECT"), (3, "MQTT_CONNACK_SERVICE_NA"), (4, "MQTT_CONNACK_BAD_USERDATA"))},
    "CONNACK: none, once while the session is away": Case(
        lost_then(broker(connack=b"")), BACK, parameters={"request_timeout_ms": 1000}, events=LOST_AND_BACK, states=[CLOSE, TIMEOUT],
        check=one_event_per_attempt(TIMEOUT, 1)),
    "CONNACK: reset in its place while the session is away": Case(
        lost_then(lambda connection: (connection.expect("CONNECT"), connection.reset())), BACK, events=LOST_AND_BACK, states=[CLOSE],
        check=one_event_per_attempt(CLOSE, 1)),
    "CONNACK: garbage while the session is away": Case(
        lost_then(broker(connack=b"\xde\xad\xbe\xef")), BACK, events=LOST_AND_BACK, states=[CLOSE, "MQTT_DESERIALIZE_CONNACK_ERROR"],
        check=one_event_per_attempt("MQTT_DESERIALIZE_CONNACK_ERROR", 1)),
    # -- right behind CONNACK
    "behind CONNACK: closed by the server, four times running": Case(
        each(*[broker(behind=b"", cue=leave)] + [lambda connection: (connection.accept(),)] * 4 + [GOOD]),
        [["cue"], ["event", "RECONNECT", 5], ["run", 60], ["normal"]], events=["DISCONNECT", "RECONNECT"] * 5, states=[CLOSE],
        check=lambda seen: seen.result("normal") == 1 or pytest.fail("not connected")),
    "behind CONNACK: a message, then the end": Case(
        each(lambda connection: (connection.expect("CONNECT"),
                                 connection.send(CONNACK_OK + publish("/t", "last", qos=1, packet_id=3))), GOOD),
        [["event", "RECONNECT"]], messages=[["default", "last"]], events=LOST_AND_BACK, states=[CLOSE]),
}


def closing(times):
    """Runs the case with a server whose listener closes what it accepts, `times` times, after the first session."""
    class Closing(ScriptedServer):
        def _run(self, stream):
            if 1 < self.accepted <= 1 + times:
                stream.close()
            else:
                super()._run(stream)
    return Closing


@pytest.mark.parametrize("name", sorted(CASES))
def test_connecting(pki, port_library, monkeypatch, name):
    case = CASES[name]
    if name.startswith("TCP: closed at accept"):
        import scenario
        monkeypatch.setattr(scenario, "ScriptedServer", closing(4))
        case.script, case.steps = lost_then(), BACK
    run_case(pki, port_library, case)
