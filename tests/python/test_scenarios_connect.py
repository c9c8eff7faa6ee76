"""Faults on the way to a session: resolver, TCP, TLS, CONNACK; at the first connect and later."""

import re
import socket
import ssl
import struct

import pytest

from iotx_abi import STATE
from scenario import Case, broker, each, leave, pause, run_case
from scripted import CONNACK_OK, publish

EAI_AGAIN, EAI_NONAME = -3, -2
CLOSE, TIMEOUT = "SYS_DEPEND_NWK_CLOSE", "SYS_DEPEND_NWK_TIMEOUT"
# What the SDK reports for a certificate that does not verify; a return code without a name in the state table.
CERTIFICATE = "-309"
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


def shut(_stream):
    """The end of TCP at once."""


def abort(stream):
    """A reset at once."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def half_handshake(stream):
    """Announces a record of 74 bytes and sends a few of them."""
    stream.recv(4096)
    stream.sendall(bytes.fromhex("16 03 03 00 4a 02 00 00 46 03 03") + b"x" * 20)


def alert(stream):
    stream.recv(4096)
    stream.sendall(bytes.fromhex("15 03 03 00 02 02 50"))


def refuses_version(stream):
    stream.recv(4096)
    stream.sendall(bytes.fromhex("15 03 01 00 02 02 46"))


def mute(stream):
    """Takes what comes and says nothing."""
    stream.settimeout(20)
    while stream.recv(4096):
        pass


# -- what must not hold the application up -------------------------------------------------------


def stall(*before, server=None, script=None, states=(CLOSE, TIMEOUT), word):
    """A session is lost; the attempt that follows hangs in one stage. Yields and publishes go on in time."""
    def check(seen):
        longest_yield, longest_publish, results = seen.result("stalled")
        assert longest_yield < 0.5, "Yield(50) lasts its time and little more"
        assert longest_publish < 0.2 and results == [STATE["STATE_MQTT_IN_OFFLINE_STATUS"]]
        assert any(text.startswith(word) for text in seen.texts()), seen.texts()
    return Case(script or lost_then(), [["construct"], ["random", "smallest"], *before, ["cue"], ["event", "DISCONNECT"], ["skip", 1_000],
                                        ["stalled", 0.8], ["resolver"], ["skip", 40_000], ["event", "RECONNECT"]],
                events=LOST_AND_BACK, states=list(states), server=server or {}, check=check)


STALLS = {
    "stall: in the resolver": stall(["resolver", {"delay_ms": 5000}], word="resolve:"),
    "stall: in a connect that nobody answers": stall(["resolver", {"addresses": "127.0.0.5"}], server={"hole": "127.0.0.5"}, word="connect:"),
    "stall: in the TLS handshake": stall(server={"plain": {2: mute}}, word="tls:"),
    "stall: half a TLS handshake": stall(
        server={"plain": {2: lambda stream: (half_handshake(stream), mute(stream))}}, word="tls:"),
    "stall: waiting for CONNACK": stall(script=lost_then(broker(connack=b"")), word="connack:"),
}

CASES = {
    **STALLS,
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
        lost_then(), BACK, server={"plain": dict.fromkeys(range(2, 6), shut)}, events=LOST_AND_BACK, states=[CLOSE],
        check=one_event_per_attempt(CLOSE, 4)),
    "TCP: network unreachable": Case(
        GOOD, [["connect", "ENETUNREACH"], ["construct"]], connects=False, states=[CLOSE], check=said("cannot connect.*unreach")),
    "TCP: no route to the host, twice": Case(
        GOOD, [["connect", "EHOSTUNREACH", 2], ["construct"]], states=[CLOSE], check=connections(1)),
    "TCP: no local port left, once": Case(
        GOOD, [["connect", "EADDRNOTAVAIL", 1], ["construct"]], states=[CLOSE], check=connections(1)),
    "TCP: the server is away for a day": Case(
        lost_then(), [["construct"], ["random", "largest"], ["connect", "ECONNREFUSED"], ["cue"], ["event", "DISCONNECT"],
                      ["away", 86_400_000], ["connect", ""], ["skip", 31_000], ["event", "RECONNECT"], ["normal"]],
        events=LOST_AND_BACK, states=[CLOSE], seconds=25,
        # At 30 s each there are 2880, and a state event for every one.
        check=lambda seen: 2_800 < len(seen.texts()) < 3_000 or pytest.fail(str(len(seen.texts())))),
    "TCP: reset at accept": Case(GOOD, server={"plain": {1: abort}}, states=[CLOSE], check=connections(2)),
    "TCP: first address is a black hole": Case(
        GOOD, [["resolver", {"addresses": "127.0.0.5 127.0.0.1"}], ["construct"]], server={"hole": "127.0.0.5"}, check=connections(1)),
    # -- TLS
    **{f"certificate: {name} when the session comes back": Case(
        lost_then(), BACK, server={"certificates": {2: name, 3: name}}, events=LOST_AND_BACK, states=[CLOSE, CERTIFICATE],
        check=said(reason)) for name, reason in (("server-expired", "expired"), ("server-unknown-ca", "unknown CA|issuer|trust"),
                                                 ("server-wrong-host", "host|name"))},
    "TLS: half a handshake, then the end": Case(GOOD, server={"plain": {1: half_handshake}}, states=[CLOSE], check=connections(2)),
    "TLS: an alert in answer to the first bytes": Case(
        GOOD, server={"plain": {1: alert}}, states=[CLOSE], check=said("internal_error|alert")),
    "TLS: an older version's alert": Case(
        GOOD, server={"plain": dict.fromkeys(range(1, 9), refuses_version)}, connects=False, states=[CLOSE],
        check=said("protocol_version")),
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


@pytest.mark.parametrize("name", sorted(CASES))
def test_connecting(pki, port_library, name):
    run_case(pki, port_library, CASES[name])
