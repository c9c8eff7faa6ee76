"""Registration at the local platform, over HTTPS, with every fault that it has for either way."""

import json

import pytest

from isolation import run_isolated
from test_registration import CUSTOM, ERROR_HTTP, ERROR_PROTOCOL, FAILED, TIMEOUT, UNUSABLE, register as register_sdk
from test_registration_mqtt import HTTPS, MQTT, WITHOUT, register
from test_registration_platform import DEVICE_SECRET, NAME, PRODUCT_SECRET

HTTPS_LISTENER = ("--listen-https", "127.0.0.1:0")
META = {"device_name": NAME, "product_secret": PRODUCT_SECRET}
PK = "a1MZxOdcBnO"


def https_port(platform):
    return json.loads((platform.log.parent / "ready.json").read_text())["https_port"]


def over_https(pki, platform, times=1, **meta):
    """[code, secret, state texts] of each registration by IOT_Dynamic_Register."""
    value = run_isolated(register_sdk, ca=pki.text("root.crt"), domain=f"localhost:{https_port(platform)}",
                         region=CUSTOM, meta={**META, **meta}, times=times).value
    return [row[:2] for row in value["results"]], value["states"]


def test_https(pki, start_platform):
    platform = start_platform(*HTTPS_LISTENER)
    results, states = over_https(pki, platform)
    assert results == [[0, DEVICE_SECRET]] and states == []
    value = run_isolated(register, ca_file=str(pki / "root.crt"), url=f"https://localhost:{https_port(platform)}",
                         method=HTTPS, **META).value
    assert (value["code"], value["device_secret"]) == (0, DEVICE_SECRET)


def test_a_secret_is_given_out_once(pki, start_platform):
    """Until the device is reset in the console."""
    platform = start_platform(*HTTPS_LISTENER, "--register-once")
    (first, second), states = over_https(pki, platform, times=2)
    assert first == [0, DEVICE_SECRET] and second == [FAILED, "before"]
    assert [code for code, _ in states] == [FAILED] and "code" in states[0][1]
    platform.command("reset-device", device=f"{PK}/{NAME}")
    assert over_https(pki, platform)[0] == [[0, DEVICE_SECRET]]


@pytest.mark.parametrize("meta", [{"product_secret": "wrong"}, {"device_name": "never-created"}, {"product_key": "nobody"}])
def test_refused_by_the_platform(pki, start_platform, meta):
    results, states = over_https(pki, start_platform(*HTTPS_LISTENER), **meta)
    assert results == [[FAILED, "before"]]
    assert len(states) == 1 and states[0][0] == FAILED and '"code"' in states[0][1]


@pytest.mark.parametrize("fault, code", [
    ("http-chunked", 0), ("http-no-length", 0), ("http-secret=64", 0),
    ("http-secret=65", UNUSABLE), ("http-secret=0", UNUSABLE), ("http-wrong-type", UNUSABLE), ("http-other-device", UNUSABLE),
    ("http-code=6288", FAILED), ("http-status=500", ERROR_HTTP), ("http-redirect", ERROR_HTTP),
    ("http-huge", ERROR_PROTOCOL), ("http-endless", ERROR_PROTOCOL), ("http-truncate", ERROR_PROTOCOL), ("http-stall", TIMEOUT),
])
def test_faults_of_https(pki, start_platform, fault, code):
    results, states = over_https(pki, start_platform(*HTTPS_LISTENER, "--fault", fault))
    assert results[0][0] == code, states
    assert code == 0 or results[0][1] == "before"


@pytest.mark.parametrize("fault, method, codes", [
    ("reg-delay=500", MQTT, {0}), ("reg-secret=64", MQTT, {0}), ("reg-secret=65", MQTT, {UNUSABLE}),
    ("reg-secret=0", MQTT, {UNUSABLE}), ("reg-connack=2", MQTT, {-0x0302}), ("reg-connack=3", MQTT, {-0x0303}),
    ("reg-connack=4", MQTT, {-0x0305}), ("reg-close", MQTT, {UNUSABLE}), ("reg-other-device", MQTT, {UNUSABLE}),
    ("reg-wrong-types", MQTT, {UNUSABLE}), ("reg-truncate", MQTT, {UNUSABLE}), ("reg-huge=100000", MQTT, {UNUSABLE}),
    ("reg-never", MQTT, {UNUSABLE}), ("reg-nwl-topic", WITHOUT, {0}), ("reg-wrong-types", WITHOUT, {UNUSABLE}),
    ("reg-other-device", WITHOUT, {UNUSABLE}),
])
def test_faults_of_mqtt(pki, start_platform, fault, method, codes):
    platform = start_platform("--fault", fault)
    value = run_isolated(register, ca_file=str(pki / "root.crt"), url=f"mqtts://localhost:{platform.port}", method=method,
                         **META).value
    assert value["code"] in codes, value
    assert (value["code"] == 0) == bool(value["device_secret"] or value["device_token"])
