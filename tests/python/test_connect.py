"""CONNECT on the wire, every CONNACK, the version report, parameter rules, secrecy."""

import json

import pytest

from device import Device
from iotx_abi import INFORMATION, STATE
from isolation import run_isolated
from scripted import ScriptedServer

TRIPLE = ("a1MZxOdcBnO", "example1", "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X")
PASSWORD = "E157285389659C45DDB66E19B5C2385377E3CE627C712129DEB32263D3ACB227"
CLIENT_ID = ("a1MZxOdcBnO.example1|timestamp=2524608000000,_v=sdk-c-3.2.0,securemode=2,"
             "signmethod=hmacsha256,lan=C,_ss=1,gw=0,ext=0|")


def connect(library, ca, triple, yields=0, module=None, **parameters):
    device = Device(library, ca=ca, triple=triple)
    if module is not None:
        from iotx_abi import ioctl_set
        assert ioctl_set(library, "SET_MODULE", module) == 0
    seconds = device.construct(host="localhost", **parameters)
    for _ in range(yields):
        device.step(50)
    after = [library.IOT_MQTT_CheckStateNormal(None), library.IOT_MQTT_Yield(None, 1)]
    connected = device.handle is not None
    destroyed = device.destroy() if connected else None
    return device.report(seconds=seconds, after=after, was_connected=connected, destroyed=destroyed)


def plain_broker(connection):
    connection.accept()
    connection.serve()


def run(pki, script=plain_broker, triple=TRIPLE, **parameters):
    with ScriptedServer(pki, script) as server:
        outcome = run_isolated(connect, ca=pki.text("root.crt"), triple=triple, port=server.port, **parameters)
        server.drained()
        assert server.errors == []
        return outcome, server


def test_connect_fields(pki):
    outcome, server = run(pki, yields=4)
    assert outcome.value["was_connected"] and outcome.value["destroyed"] == 0
    first = server.packets("CONNECT")[0]
    assert first.body[:7] == bytes.fromhex("00 04 4d 51 54 54 04")
    assert first.flags == 0xC0
    assert (first.client_id, first.username, first.password) == (CLIENT_ID, "example1&a1MZxOdcBnO", PASSWORD)
    assert first.keep_alive == 120
    assert server.packets()[-1].name == "DISCONNECT"
    assert outcome.value["connect_successes"] == 1


@pytest.mark.parametrize("given, seconds", [
    (0, 120), (30_000, 60), (29_999, 120), (300_000, 600), (600_000, 1200), (1_200_000, 1200), (1_200_001, 120), (45_999, 90),
])
def test_keep_alive(pki, given, seconds):
    _, server = run(pki, keepalive_interval_ms=given)
    assert server.packets("CONNECT")[0].keep_alive == seconds
    assert 30 <= seconds <= 1200


@pytest.mark.parametrize("given, flags", [(0, 0xC0), (1, 0xC2), (2, 0xC0), (255, 0xC0)])
def test_clean_session_flag(pki, given, flags):
    _, server = run(pki, clean_session=given)
    assert server.packets("CONNECT")[0].flags == flags


def test_own_client_id_without_comma_user_name_and_password(pki):
    own = {"client_id": "x|securemode=2|", "username": "someone", "password": "word"}
    outcome, server = run(pki, **own)
    first = server.packets("CONNECT")[0]
    assert {"client_id": first.client_id, "username": first.username, "password": first.password} == own
    told = [text for code, text in outcome.value["states"] if code == STATE["STATE_MQTT_CONN_USER_INFO"]]
    assert told[2] == "", "the part behind the first comma is empty"


@pytest.mark.parametrize("info, end", [
    ("partner_id=example,module_id=ex", "ext=0,partner_id=example,module_id=ex|"), ("", "ext=0|"),
])
def test_customize_info(pki, info, end):
    _, server = run(pki, customize_info=info)
    assert server.packets("CONNECT")[0].client_id.endswith(end)


def test_customize_info_that_does_not_fit(pki):
    outcome, server = run(pki, triple=("p" * 20, "d" * 32, "s" * 64), customize_info="c" * 48)
    assert not outcome.value["was_connected"]
    assert server.packets() == []
    assert STATE["STATE_MQTT_SIGN_CLIENTID_BUF_SHORT"] in [code for code, _ in outcome.value["states"]]


@pytest.mark.parametrize("size", [1_000, 100_000])
def test_very_long_host(pki, size):
    outcome = run_isolated(connect_host, ca=pki.text("root.crt"), host="h" * size)
    connected, states, seconds = outcome.value
    assert not connected and seconds < 45
    assert [code for code, _ in states if code not in INFORMATION]


def connect_host(library, ca, host):
    device = Device(library, ca=ca, triple=TRIPLE)
    seconds = device.construct(host=host, port=1)
    return [device.handle is not None, device.states, seconds]


def test_five_parameter_events_and_a_masked_password(pki):
    outcome, _ = run(pki, yields=2)
    told = [text for code, text in outcome.value["states"] if code == STATE["STATE_MQTT_CONN_USER_INFO"]]
    assert len(told) == 5
    assert told[0] == "localhost"
    assert told[4] == "***"
    everything = outcome.output + json.dumps(outcome.value)
    for secret in (PASSWORD, PASSWORD[:16], PASSWORD.lower()[:16], TRIPLE[2]):
        assert secret not in everything


def test_version_report_comes_first_and_takes_id_one(pki):
    outcome, server = run(pki, yields=6)
    report = server.packets("PUBLISH")[0]
    assert (report.topic, report.qos, report.id) == ("/ota/device/inform/a1MZxOdcBnO/example1", 1, 1)
    body = json.loads(report.payload)
    assert body["id"].isdigit() and body["params"]["version"]
    assert ["PUBLISH_SUCCESS", 1] in outcome.value["events"]


@pytest.mark.parametrize("module", ["m" * 64, 'quo"te\\', "plain"])
def test_version_report_with_module_is_always_json(pki, module):
    _, server = run(pki, yields=4, module=module)
    assert json.loads(server.packets("PUBLISH")[0].payload)["params"]["module"] == module


@pytest.mark.parametrize("code, state", [
    (1, "CONNACK_VERSION_UNACCEPT"), (2, "CONNACK_IDENT_REJECT"), (3, "CONNACK_SERVICE_NA"),
    (4, "CONNACK_BAD_USERDATA"), (5, "CONNACK_NOT_AUTHORIZED"),
    (6, "CONNACK_UNKNOWN_ERROR"), (0x80, "CONNACK_UNKNOWN_ERROR"), (0xFF, "CONNACK_UNKNOWN_ERROR"),
])
def test_connack_codes_fail_at_once(pki, code, state):
    def script(connection):
        connection.accept(bytes([0x20, 2, 0, code]))
        connection.serve()

    outcome, server = run(pki, script)
    value = outcome.value
    assert not value["was_connected"]
    assert value["seconds"] < 2
    assert STATE["STATE_MQTT_" + state] in [seen for seen, _ in value["states"]]
    assert len(server.packets("CONNECT")) == 1
    assert value["after"] == [STATE["STATE_USER_INPUT_INVALID"]] * 2
    assert value["connect_successes"] == 0


BROKEN = {
    "nothing": b"",
    "one byte, then close": b"\x20",
    "garbage": b"\xde\xad\xbe\xef" * 8,
    "other packet, then close": b"\xd0\x00",
    "too short": b"\x20\x01\x00",
    "too long": b"\x20\x03\x00\x00\x00",
    "endless length": b"\x20\xff\xff\xff\xff\xff\x7f",
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_broken_connack(pki, name):
    def script(connection):
        connection.expect("CONNECT")
        connection.send(BROKEN[name])

    outcome, _ = run(pki, script, request_timeout_ms=1000)
    value = outcome.value
    assert not value["was_connected"]
    assert value["seconds"] < 40
    assert [code for code, _ in value["states"] if code not in INFORMATION]


def test_no_connack_is_bounded(pki):
    def script(connection):
        connection.expect("CONNECT")
        connection.serve()

    outcome, server = run(pki, script, request_timeout_ms=1000)
    assert not outcome.value["was_connected"]
    assert 1 <= outcome.value["seconds"] < 40
    assert len({packet.keep_alive for packet in server.packets("CONNECT")}) == 1


def test_connack_byte_by_byte(pki):
    def script(connection):
        connection.expect("CONNECT")
        for byte in b"\x20\x02\x00\x00":
            connection.send(bytes([byte]))
        connection.serve()

    assert run(pki, script)[0].value["was_connected"]
