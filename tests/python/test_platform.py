"""The whole way against the local platform: device secret and X.509, faults, kicks and drops."""

import time

import pytest

from device import Device
from iotx_abi import INFORMATION, STATE
from isolation import run_isolated


def round_trip(library, credentials, port, qos, **parameters):
    device = Device(library, **credentials)
    device.construct(host="localhost", port=port, **parameters)
    if device.handle is None:
        return device.report(ok=False)
    product_key, device_name = device.names()
    topic = f"/{product_key}/{device_name}/user/get"
    subscribed = device.subscribe(topic, qos=qos)
    published = device.publish(topic, b"there and back", qos=qos)
    arrived = device.until(lambda: any(m["topic"] == topic for m in device.messages), 8)
    acknowledged = qos == 0 or device.until(lambda: ["PUBLISH_SUCCESS", published] in device.events, 8)
    return device.report(ok=True, subscribed=subscribed, published=published, arrived=arrived,
                         acknowledged=acknowledged, destroyed=device.destroy())


@pytest.mark.parametrize("qos", [0, 1])
def test_device_secret(pki, start_platform, qos):
    platform = start_platform("--tls", "--client-cert", "none")
    triple = pki.devices()[0]
    value = run_isolated(round_trip, credentials={**pki.trust(), "triple": triple}, port=platform.port, qos=qos).value
    assert value["ok"], value["states"]
    assert value["arrived"] and value["acknowledged"] and value["destroyed"] == 0
    assert value["names"] == triple[:2]
    platform.wait_log('"report"', triple[1])
    platform.wait_log('"disconnect"', triple[1])


@pytest.mark.parametrize("qos", [0, 1])
def test_x509(pki, start_platform, qos):
    platform = start_platform("--tls", "--client-cert", "require")
    value = run_isolated(round_trip, credentials=pki.x509(), port=platform.port, qos=qos).value
    assert value["ok"], value["states"]
    assert value["names"] in pki.names() and len(value["identities"]) == 1
    assert value["arrived"] and value["acknowledged"] and value["destroyed"] == 0
    platform.wait_log('"identity"', value["names"][1])
    platform.wait_log('"disconnect"', value["names"][1])


def test_identity_after_a_delay(pki, start_platform):
    platform = start_platform("--tls", "--client-cert", "require", "--identity-delay-ms", "2000")
    value = run_isolated(round_trip, credentials=pki.x509(), port=platform.port, qos=1).value
    assert value["ok"] and value["names"] in pki.names() and value["arrived"]


def test_wrong_secret_is_refused(pki, start_platform):
    platform = start_platform("--tls", "--client-cert", "none")
    product_key, device_name, secret = pki.devices()[0]
    wrong = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    value = run_isolated(round_trip, port=platform.port, qos=0,
                         credentials={**pki.trust(), "triple": [product_key, device_name, wrong]}).value
    assert not value["ok"]
    refused = {STATE["STATE_MQTT_CONNACK_BAD_USERDATA"], STATE["STATE_MQTT_CONNACK_NOT_AUTHORIZED"],
               STATE["STATE_MQTT_CONNACK_IDENT_REJECT"]}
    assert refused & {code for code, _ in value["states"]}
    assert secret not in str(value)


def long_running(library, credentials, port):
    """Connects, says so by subscribing, and stays until it was disturbed, came back and got a message."""
    device = Device(library, **credentials)
    device.construct(host="localhost", port=port, clean_session=1)
    product_key, device_name = device.names()
    topic = f"/{product_key}/{device_name}/user/get"
    device.subscribe(topic, qos=1)
    lost = device.until(lambda: "DISCONNECT" in device.event_names(), 15)
    back = device.until(lambda: "RECONNECT" in device.event_names(), 20)
    device.publish(topic, b"again", qos=1)
    arrived = device.until(lambda: any(m["payload"] == "again" for m in device.messages), 8)
    return device.report(lost=lost, back=back, arrived=arrived, destroyed=device.destroy())


@pytest.mark.parametrize("command", ["kick", "drop"])
def test_disturbed_connection_comes_back(pki, start_platform, command):
    from concurrent.futures import ThreadPoolExecutor

    platform = start_platform("--tls", "--client-cert", "none")
    triple = pki.devices()[0]
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(run_isolated, long_running, credentials={**pki.trust(), "triple": triple},
                          port=platform.port)
        platform.wait_log('"subscribe"', triple[1], seconds=20)
        platform.command(command, device=f"{triple[0]}/{triple[1]}")
        value = job.result().value
    assert value["lost"] and value["back"] and value["arrived"] and value["destroyed"] == 0


def downlink(library, credentials, port):
    device = Device(library, **credentials)
    device.construct(host="localhost", port=port)
    product_key, device_name = device.names()
    device.subscribe(f"/{product_key}/{device_name}/user/+", qos=1)
    device.until(lambda: len([m for m in device.messages if "/user/" in m["topic"]]) >= 2, 15)
    device.step(200)
    device.destroy()
    return device.report()


def test_messages_from_the_cloud(pki, start_platform):
    from concurrent.futures import ThreadPoolExecutor

    platform = start_platform("--tls", "--client-cert", "none")
    triple = pki.devices()[0]
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(run_isolated, downlink, credentials={**pki.trust(), "triple": triple}, port=platform.port)
        platform.wait_log('"subscribe"', triple[1], seconds=20)
        for qos in (0, 1):
            platform.publish(f"/{triple[0]}/{triple[1]}/user/get", f"qos {qos}", qos)
        value = job.result().value
    got = [(m["payload"], m["by"]) for m in value["messages"] if "/user/" in m["topic"]]
    assert got == [("qos 0", "handler"), ("qos 1", "handler")]


# What each fault allows: does the round trip succeed, and may Construct fail?
FAULTS = {
    "byte-by-byte": "works",
    "delay=200": "works",
    "dup-publish": "works",
    "no-connack:1": "either",
    "garbage-connack:1": "either",
    "truncate-connack:1": "either",
    "close-after-connack:1": "either",
    "drop-after-accept:1": "works",
    "eof:1": "either",
    "no-connack": "refused",
    "garbage-connack": "refused",
    "connack=3": "refused",
    "drop-after-accept": "refused",
}


def under_fault(library, credentials, port):
    start = time.monotonic()
    device = Device(library, **credentials)
    device.construct(host="localhost", port=port, request_timeout_ms=1000)
    constructed = time.monotonic() - start
    if device.handle is None:
        return device.report(ok=False, seconds=constructed, arrived=False, destroyed=0)
    product_key, device_name = device.names()
    topic = f"/{product_key}/{device_name}/user/get"

    def arrived():
        return any(m["topic"] == topic for m in device.messages)

    handler = device.message_handler()
    end = time.monotonic() + 20
    while not arrived() and time.monotonic() < end:
        # Off-line calls fail with a code; the program tries again, as programs do.
        if library.IOT_MQTT_CheckStateNormal(device.handle) == 1:
            device.subscribe(topic, qos=1, handler=handler, wait=False)
            device.publish(topic, b"again", qos=1)
        device.step(300)
    return device.report(ok=True, seconds=constructed, arrived=arrived(), destroyed=device.destroy())


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_fault(pki, start_platform, fault):
    platform = start_platform("--tls", "--client-cert", "none", "--fault", fault)
    triple = pki.devices()[0]
    value = run_isolated(under_fault, credentials={**pki.trust(), "triple": triple}, port=platform.port, timeout=120).value
    if fault not in ("byte-by-byte", "delay=200", "dup-publish"):
        platform.wait_log('"event":"fault"', f'"{fault.split(":")[0].split("=")[0]}')
    assert value["destroyed"] == 0
    assert value["seconds"] < 45
    if FAULTS[fault] == "works":
        assert value["ok"] and value["arrived"], value["states"]
    elif FAULTS[fault] == "refused":
        assert not value["ok"]
        assert [code for code, _ in value["states"] if code not in INFORMATION]
    else:
        assert value["arrived"] or not value["ok"]


def test_stalled_handshake_is_bounded(pki, start_platform):
    platform = start_platform("--tls", "--client-cert", "none", "--fault", "stall-tls")
    triple = pki.devices()[0]
    value = run_isolated(under_fault, credentials={**pki.trust(), "triple": triple}, port=platform.port, timeout=120).value
    assert not value["ok"]
    assert value["seconds"] < 60, "three tries of at most ten seconds and their pauses"
    assert [code for code, _ in value["states"] if code not in INFORMATION]
