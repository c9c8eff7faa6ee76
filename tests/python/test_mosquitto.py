"""A second, independent broker: mosquitto, over TLS with the same PKI."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from device import Device
from iotx_abi import INFORMATION, MetaInfo, SignMqtt, STATE
from isolation import run_isolated

TRIPLE = ("a1MZxOdcBnO", "example1", "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X")
TOPIC = "/a1MZxOdcBnO/example1/user/get"


def session(library, ca, port, qos, downlink, **parameters):
    device = Device(library, ca=ca, triple=TRIPLE)
    device.construct(host="localhost", port=port, **parameters)
    if device.handle is None:
        return device.report(ok=False)
    device.subscribe(TOPIC, qos=qos)
    published = [device.publish(TOPIC, f"up {number}", qos=qos) for number in range(20)]
    own = device.until(lambda: len(device.messages) >= 20, 10)
    if downlink:
        device.publish_info("/ready", b"yes", retain=1)
        device.until(lambda: any(m["payload"] == "from mosquitto_pub" for m in device.messages), 15)
    acknowledged = qos == 0 or device.until(
        lambda: all(["PUBLISH_SUCCESS", number] in device.events for number in published), 10)
    return device.report(ok=True, own=own, acknowledged=acknowledged, destroyed=device.destroy())


@pytest.mark.parametrize("qos", [0, 1])
def test_round_trip(pki, start_mosquitto, qos):
    broker = start_mosquitto()
    value = run_isolated(session, ca=pki.text("root.crt"), port=broker.port, qos=qos, downlink=False).value
    assert value["ok"], value["states"]
    assert value["own"] and value["acknowledged"] and value["destroyed"] == 0
    assert [m["payload"] for m in value["messages"]] == [f"up {number}" for number in range(20)]
    assert {m["qos"] for m in value["messages"]} == {qos}
    assert {m["by"] for m in value["messages"]} == {"handler"}


def test_message_of_mosquitto_pub_arrives(pki, start_mosquitto):
    broker = start_mosquitto()
    plain = ["-h", "127.0.0.1", "-p", str(broker.plain_port)]
    with ThreadPoolExecutor(1) as pool:
        # The device's own, retained signal that it is ready takes the place of a pause.
        ready = subprocess.Popen(["mosquitto_sub", *plain, "-t", "/ready", "-C", "1", "-W", "30"], stdout=subprocess.PIPE)
        job = pool.submit(run_isolated, session, ca=pki.text("root.crt"), port=broker.port, qos=1, downlink=True)
        assert ready.communicate(timeout=40)[0] == b"yes\n"
        subprocess.run(["mosquitto_pub", *plain, "-q", "1", "-t", TOPIC, "-m", "from mosquitto_pub"], check=True, timeout=20)
        value = job.result().value
    assert "from mosquitto_pub" in [m["payload"] for m in value["messages"]]
    assert value["acknowledged"] and value["destroyed"] == 0


def credentials(library):
    meta = MetaInfo(*(b"",) * 5)
    for name, value in zip(("product_key", "device_name", "device_secret"), TRIPLE):
        setattr(meta, name, value.encode())
    out = SignMqtt()
    import ctypes as c
    assert library.IOT_Sign_MQTT(0, c.addressof(meta), c.byref(out)) == 0
    return [out.username.decode(), out.password.decode()]


def test_signed_password_opens_a_broker_with_a_password_file(pki, start_mosquitto):
    user, password = run_isolated(credentials).value
    good, bad = start_mosquitto([user, password]), start_mosquitto([user, password[:-1] + "x"])
    parameters = {"ca": pki.text("root.crt"), "qos": 0, "downlink": False}
    assert run_isolated(session, port=good.port, **parameters).value["ok"]
    refused = run_isolated(session, port=bad.port, **parameters).value
    assert not refused["ok"]
    assert STATE["STATE_MQTT_CONNACK_NOT_AUTHORIZED"] in [code for code, _ in refused["states"] if code not in INFORMATION]


def test_clean_session(pki, start_mosquitto):
    broker = start_mosquitto()
    value = run_isolated(session, ca=pki.text("root.crt"), port=broker.port, qos=1, downlink=False, clean_session=1).value
    assert value["ok"] and value["own"] and value["acknowledged"]
