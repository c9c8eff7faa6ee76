"""The local platform's faults, one at a time, against a device that wants its message back."""

import time

import pytest

from iotx_abi import INFORMATION
from isolation import run_isolated
from scenario import _NAMES, Player, collapsed

CLOSE, BROKEN = "SYS_DEPEND_NWK_CLOSE", "MQTT_PACKET_READ_ERROR"
CONNACK = "MQTT_DESERIALIZE_CONNACK_ERROR"
ONCE = ["DISCONNECT", "RECONNECT"]

# Fault: losses and refusals that the device sees, state codes that it is told, Constructs it takes.
DEVICE_SECRET = {
    "drop-in-tls:1": ([], [CLOSE], 1),
    "stall-tls:1": ([], [CLOSE], 1),
    "reset-after-connack:1": (ONCE, [CLOSE], 1),
    "close-after=100:1": (ONCE, [CLOSE], 1),
    "coalesce": ([], [], 1),
    "no-suback:1": ([], [], 1),
    "suback-80:1": (["SUBCRIBE_NACK"], [], 1),
    "no-puback:2": ([], [], 1),
    "delay-puback=400:2": ([], [], 1),
    "oversize=100000:1": (["BUFFER_OVERFLOW"], ["MQTT_RX_BUFFER_TOO_SHORT"], 1),
    "connack=3:1": ([], ["MQTT_CONNACK_SERVICE_NA"], 2),
    "malformed=connack:1": ([], [CONNACK], 2),
    "malformed=publish:1": (ONCE, [BROKEN, CLOSE], 1),
    "malformed=puback:1": (ONCE, [BROKEN, CLOSE], 1),
    "malformed=suback:1": (ONCE, [BROKEN, CLOSE], 1),
    "malformed=type0:1": (ONCE, [BROKEN, CLOSE], 1),
    "malformed=type15:1": (ONCE, [BROKEN, CLOSE], 1),
    "malformed=length:1": (ONCE, [BROKEN, CLOSE], 1),
    "malformed=qos3:1": (ONCE, [BROKEN, CLOSE], 1),
    "malformed=pid0:1": (ONCE, [BROKEN, CLOSE], 1),
    "malformed=utf8:1": (ONCE, [BROKEN, CLOSE], 1),
    "half-open:1": (ONCE, [CLOSE], 1),
}

# The first session of an X.509 device ends before it knows its names.
X509 = {
    "close-after-connack:1": ONCE,
    "eof:1": ONCE,
    "reset-after-connack:1": ONCE,
    "dup-publish": [],
    "byte-by-byte": [],
    "delay=150": [],
}


def there_and_back(library, credentials, port):
    """Constructs until it works, subscribes until it is granted, publishes until the message is back."""
    player = Player(library, credentials, port, {"request_timeout_ms": 1000, "keepalive_interval_ms": 30_000})
    device, constructs, end = player.device, 0, time.monotonic() + 25
    while device.handle is None and time.monotonic() < end:
        constructs += 1
        player.construct()
    topic, subscribed, acknowledged, sent, tries = None, 0, set(), [], 0

    def back():
        return any(message["topic"] == topic for message in device.messages)

    while time.monotonic() < end and not (back() and acknowledged >= set(sent) and sent):
        product_key, device_name = device.names()
        if topic is None and product_key and device_name:
            topic = f"/{product_key}/{device_name}/user/get"
        granted = ["SUBCRIBE_SUCCESS", subscribed] in device.events
        if topic and player.normal() == 1 and tries % 10 == 0:
            if not granted:
                subscribed = player.subscribe_only(topic, 1)
            elif not back():
                sent.append(player.publish(topic, "there and back", 1))
        tries += 1
        device.step(20)
        if tries % 20 == 0:
            # Silence is found by the clock; the rest of the world needs a moment of its own.
            player.skip(11_000)
        acknowledged = {number for name, number in device.events if name == "PUBLISH_SUCCESS"}
    return device.report(back=back(), sent=sent, acknowledged=sorted(acknowledged), constructs=constructs, destroyed=player.destroy())


def run(pki, port_library, start_platform, fault, credentials, *arguments):
    platform = start_platform("--tls", *arguments, "--fault", fault)
    value = run_isolated(there_and_back, credentials=credentials, port=platform.port,
                         environment={"LD_PRELOAD": str(port_library)}).value
    assert value["back"] and value["destroyed"] == 0, [value["states"], value["events"]]
    assert set(value["sent"]) <= set(value["acknowledged"])
    quiet = ("SUBCRIBE_SUCCESS", "PUBLISH_SUCCESS", "PUBLISH_RECEIVED")
    value["seen"] = [name for name, _ in value["events"] if name not in quiet]
    value["told"] = collapsed([_NAMES.get(code, str(code)) for code, _ in value["states"] if code not in INFORMATION])
    return value, platform


@pytest.mark.parametrize("fault", sorted(DEVICE_SECRET))
def test_device_secret(pki, port_library, start_platform, fault):
    events, states, constructs = DEVICE_SECRET[fault]
    value, platform = run(pki, port_library, start_platform, fault, {**pki.trust(), "triple": pki.devices()[0]}, "--client-cert", "none")
    assert (value["seen"], value["told"], value["constructs"]) == (events, states, constructs), [value["states"], value["events"]]
    if fault != "coalesce":
        platform.wait_log('"event":"fault"', fault.split(":")[0].split("=")[0])


@pytest.mark.parametrize("fault", sorted(X509))
def test_x509(pki, port_library, start_platform, fault):
    value, _ = run(pki, port_library, start_platform, fault, pki.x509(), "--client-cert", "require")
    assert value["seen"] == X509[fault], [value["states"], value["events"]]
    assert value["names"] in pki.names() and value["identities"]
