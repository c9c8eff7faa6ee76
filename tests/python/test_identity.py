"""The X.509 flow: empty triple, identity from the cloud, hostile payloads, the second connection."""

import json

import pytest

from device import Device
from iotx_abi import INFORMATION, STATE
from isolation import run_isolated
from scripted import ScriptedServer, publish

TOPIC = "/ext/auth/identity/response"
GOOD = '{"productKey":"pk1","deviceName":"dn1"}'
NAMES = ["pk1", "dn1"]


def identify(library, credentials, port, until=1, host="localhost", **parameters):
    device = Device(library, **credentials)
    parameters = {"read_buf_size": 65536, **parameters}
    seconds = device.construct(host=host, port=port, **parameters)
    names = device.names()
    if device.handle:
        device.until(lambda: len(device.identities) >= until, 5)
        device.step(100)
        device.destroy()
    return device.report(seconds=seconds, names_after_construct=names)


def run(pki, script, credentials=None, **parameters):
    with ScriptedServer(pki, script) as server:
        outcome = run_isolated(identify, credentials=credentials or pki.x509(), port=server.port, **parameters)
        assert server.errors == []
        return outcome.value, server


def pushing(*payloads, **fields):
    """A script that accepts and pushes the payloads one after the other."""
    def script(connection):
        connection.accept()
        for payload in payloads:
            connection.send(publish(TOPIC, payload, **fields))
        connection.serve()
    return script


def test_first_connection(pki):
    value, server = run(pki, pushing(GOOD))
    first = server.packets("CONNECT")[0]
    assert first.client_id.startswith(".|") and "securemode=2," in first.client_id
    assert (first.username, first.password) == ("&", "B36DABAE2EBB7B8FA6FFD92B217E13D97C1AB196441561B0F71B3C3BF1DACA05")
    assert value["names_after_construct"] == NAMES
    assert value["seconds"] < 2
    assert value["identities"] == [GOOD]
    assert value["stored_when_identified"] == [["", ""]], "the callback runs before the names are stored"
    assert [m["payload"] for m in value["messages"] if m["topic"] == TOPIC] == [GOOD], "delivered to handle_event too"
    assert value["connect_successes"] == 1
    assert server.packets("PUBLISH")[0].topic == "/ota/device/inform/pk1/dn1"


@pytest.mark.parametrize("name, payload", {
    "white space": ' \r\n\t{ "productKey" :\n "pk1" ,\t"deviceName" : "dn1" }\n',
    "order": '{"deviceName":"dn1","productKey":"pk1"}',
    "more members": '{"id":7,"productKey":"pk1","x":[1,{"y":null}],"deviceName":"dn1"}',
    "escapes": '{"productKey":"\\u0070k1","deviceName":"dn\\u0031"}',
    "nested names first": '{"data":{"productKey":"no","deviceName":"no"},"productKey":"pk1","deviceName":"dn1"}',
    "key inside a value": '{"note":"\\"productKey\\":\\"no\\"","productKey":"pk1","deviceName":"dn1"}',
}.items())
def test_legal_payloads(pki, name, payload):
    value, _ = run(pki, pushing(payload))
    assert value["names"] == NAMES
    assert value["identities"] == [payload]


@pytest.mark.parametrize("fields", [{"qos": 1, "packet_id": 77}, {"retain": 1}, {"qos": 1, "dup": 1, "packet_id": 78}])
def test_qos_and_retain(pki, fields):
    value, server = run(pki, pushing(GOOD, **fields))
    assert value["names"] == NAMES
    if fields.get("qos"):
        assert fields["packet_id"] in [packet.id for packet in server.packets("PUBACK")]


HOSTILE = {
    "not JSON": "hello",
    "empty": "",
    "empty object": "{}",
    "array": '["productKey","pk","deviceName","dn"]',
    "no device name": '{"productKey":"bad"}',
    "no product key": '{"deviceName":"bad"}',
    "nested only": '{"data":{"productKey":"bad","deviceName":"bad"}}',
    "number": '{"productKey":1,"deviceName":2}',
    "null": '{"productKey":null,"deviceName":null}',
    "object": '{"productKey":{},"deviceName":[]}',
    "empty names": '{"productKey":"","deviceName":""}',
    "33 characters": json.dumps({"productKey": "bad", "deviceName": "n" * 33}),
    "21 characters": json.dumps({"productKey": "n" * 21, "deviceName": "bad"}),
    "10 kB": json.dumps({"productKey": "n" * 10_000, "deviceName": "n" * 10_000}),
    "cut off": '{"productKey":"bad","deviceName":"ba',
    "trailing garbage": '{"productKey":"bad","deviceName":"bad"} x',
    "deep": "[" * 20_000,
    "deep object": '{"a":' * 5_000,
    "bad UTF-8": b'{"productKey":"\xff\xfe","deviceName":"bad"}',
    "NUL in a name": '{"productKey":"ba\\u0000d","deviceName":"bad"}',
    "NUL byte": b'{"productKey":"bad"\x00,"deviceName":"bad"}',
    "format": '{"productKey":"%s%n%s%n%s%n%s%n%n%n","deviceName":1}',
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_payload_stores_nothing(pki, name):
    # The good payload behind it ends the wait of Construct and proves that the session goes on.
    value, _ = run(pki, pushing(HOSTILE[name], GOOD), until=2)
    assert len(value["identities"]) == 2, "the callback gets every payload"
    assert value["stored_when_identified"] == [["", ""], ["", ""]]
    assert value["names"] == NAMES
    complaints = [code for code, _ in value["states"] if code not in INFORMATION]
    assert complaints, "a refused identity is told"
    if "characters" in name or name == "10 kB":
        assert STATE["STATE_USER_INPUT_OUT_RANGE"] in complaints


@pytest.mark.parametrize("topic", [TOPIC + "s", TOPIC[:-1], TOPIC + "/x", "/ext/auth/identity"])
def test_other_topics_are_no_identity(pki, topic):
    def script(connection):
        connection.accept()
        connection.send(publish(topic, '{"productKey":"bad","deviceName":"bad"}') + publish(TOPIC, GOOD))
        connection.serve()

    value, _ = run(pki, script)
    assert value["identities"] == [GOOD]
    assert value["names"] == NAMES


def test_no_identity_in_time(pki):
    value, server = run(pki, lambda connection: (connection.accept(), connection.serve()), until=0)
    assert value["connected"] is False and value["connect_successes"] == 1, "Construct succeeded, then was destroyed"
    assert 3 < value["seconds"] < 6
    assert value["names"] == ["", ""]
    assert server.packets("PUBLISH") == [], "no version report without names"
    assert [code for code, _ in value["states"] if code not in INFORMATION]


def late(library, credentials, port):
    device = Device(library, **credentials)
    device.construct(host="localhost", port=port)
    before = device.names()
    ok = device.until(lambda: device.names() != ["", ""], 5)
    device.step(200)
    device.destroy()
    return device.report(before=before, arrived=ok)


def test_late_identity_is_stored_and_reported(pki):
    import time

    def script(connection):
        connection.accept()
        time.sleep(6)  # longer than Construct waits: this delay is the subject of the test
        connection.send(publish(TOPIC, GOOD))
        connection.serve()

    with ScriptedServer(pki, script) as server:
        value = run_isolated(late, credentials=pki.x509(), port=server.port).value
        assert value["before"] == ["", ""] and value["arrived"]
        assert value["names"] == NAMES
        assert [packet.topic for packet in server.packets("PUBLISH")] == ["/ota/device/inform/pk1/dn1"]


def test_later_different_identity_overwrites_and_is_told(pki):
    second = '{"productKey":"pk2","deviceName":"dn2"}'
    value, _ = run(pki, pushing(GOOD, second), until=2)
    assert value["names"] == ["pk2", "dn2"]
    assert value["stored_when_identified"] == [["", ""], NAMES]
    assert [code for code, _ in value["states"] if code not in INFORMATION]


def test_refused_connect_does_not_wait_for_an_identity(pki):
    value, server = run(pki, lambda connection: connection.accept(bytes.fromhex("20 02 00 05")))
    assert len(server.packets("CONNECT")) == 1
    assert STATE["STATE_MQTT_CONNACK_NOT_AUTHORIZED"] in [code for code, _ in value["states"]]
    assert value["seconds"] < 2


def test_second_connection_with_stored_names(pki):
    own = {"client_id": "00163E112233|securemode=2,signmethod=hmacsha1,timestamp=132323232|", "username": "dn1&pk1"}
    value, server = run(pki, lambda connection: (connection.accept(), connection.serve()), until=0,
                        credentials={**pki.x509(), "triple": ("pk1", "dn1", "")}, **own)
    first = server.packets("CONNECT")[0]
    assert (first.client_id, first.username) == (own["client_id"], own["username"])
    assert value["seconds"] < 2, "no wait when both names are known"


def again(library, credentials, port):
    device = Device(library, **credentials)
    device.construct(host="localhost", port=port)
    ok = device.until(lambda: "RECONNECT" in device.event_names(), 15)
    device.until(lambda: len(device.identities) == 2, 5)
    device.destroy()
    return device.report(again=ok)


def test_reconnect_keeps_the_connect_fields_and_takes_the_identity_again(pki):
    def script(connection):
        connection.accept()
        connection.send(publish(TOPIC, GOOD))
        if connection.number == 1:
            connection.expect("PUBLISH")
        else:
            connection.serve()

    with ScriptedServer(pki, script) as server:
        value = run_isolated(again, credentials=pki.x509(), port=server.port).value
        connects = server.packets("CONNECT")
    assert value["again"] and value["identities"] == [GOOD, GOOD]
    fields = {(packet.client_id, packet.username, packet.password, packet.keep_alive) for packet in connects}
    assert len(connects) == 2 and len(fields) == 1
    assert value["connect_successes"] == 1
