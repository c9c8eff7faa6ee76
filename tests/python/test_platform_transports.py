"""Every transport of the local platform, straight, over IPv6 and through its proxy."""

import hashlib
import hmac

import pytest

from isolation import run_isolated
from test_websocket import NAMES, attempt

PRODUCT_KEY, DEVICE_NAME, SECRET = NAMES
TRANSPORTS = ["tcp", "tls", "ws", "wss", "psk"]
SCHEMES = {"tcp": "mqtt", "tls": "mqtts", "ws": "ws", "wss": "wss", "psk": "mqtts"}


def listeners(address):
    return ["--listen-tcp", address, "--listen-ws", address, "--listen-wss", address, "--listen-psk", address,
            "--listen-proxy", address]


def options_of(transport, pki):
    """The device with a secret, and what the transport needs."""
    options = {"product_key": PRODUCT_KEY, "device_name": DEVICE_NAME, "device_secret": SECRET}
    if transport in ("tls", "wss"):
        options["ca"] = pki.text("root.crt")
    if transport == "psk":
        content = f"id{PRODUCT_KEY}&{DEVICE_NAME}timestamp2524608000000"
        options["psk"] = hmac.new(SECRET.encode(), content.encode(), hashlib.sha256).hexdigest().upper()
        options["psk_identity"] = f"devicename|hmacsha256|{PRODUCT_KEY}&{DEVICE_NAME}|2524608000000"
    return options


@pytest.mark.parametrize("route", ["straight", "ipv6", "proxy"])
def test_every_transport(pki, start_platform, tmp_path, route):
    words = tmp_path / "words"
    words.write_text("user:open sesame\n")
    host, more = "localhost", {}
    if route == "ipv6":
        platform = start_platform("--listen", "[::1]:0", *listeners("[::1]:0"))
        host = "[::1]"
    else:
        arguments = [f"--proxy-map=iot.example.com:{number}={name}" for number, name in enumerate(TRANSPORTS, 1)]
        platform = start_platform(*listeners("127.0.0.1:0"), "--proxy-auth-file", words, *arguments)
    if route == "proxy":
        more = {"proxy": f"http://127.0.0.1:{platform.ports['proxy']}", "proxy_username": "user",
                "proxy_password": "open sesame"}
    for number, transport in enumerate(TRANSPORTS, 1):
        url = f"{SCHEMES[transport]}://{host}:{platform.ports[transport]}"
        value = run_isolated(attempt, url=url, timeout_ms=10_000, **more, **options_of(transport, pki)).value
        assert value["code"] == 0, (transport, value)
        mode = "psk" if transport == "psk" else "secret"
        platform.wait_log('"event":"connect"', f'"transport":"{transport}"', f'"mode":"{mode}"', '"accepted":true')
        if route == "ipv6":
            platform.wait_log('"event":"accepted"', f'"transport":"{transport}"', '"peer":"[::1]:')
        if route == "proxy":
            platform.wait_log('"event":"proxy"', f'"target":"localhost:{platform.ports[transport]}"', '"status":200')
            # A name that leads nowhere without the proxy. The certificate is for another one, so without TLS only.
            if transport in ("tcp", "ws"):
                url = f"{SCHEMES[transport]}://iot.example.com:{number}"
                value = run_isolated(attempt, url=url, timeout_ms=10_000, **more, **options_of(transport, pki)).value
                assert value["code"] == 0, (transport, value)
    assert "sesame" not in platform.log_text()


def test_wrong_pre_shared_keys(pki, start_platform):
    platform = start_platform("--listen-psk", "127.0.0.1:0")
    url = f"mqtts://localhost:{platform.ports['psk']}"
    good = options_of("psk", pki)
    unknown = good["psk_identity"].replace(DEVICE_NAME, "nobody")
    for change, reason in [({"psk": "0" * 64}, "perhaps not the key of"), ({"psk_identity": unknown}, "there is no device")]:
        value = run_isolated(attempt, url=url, timeout_ms=500, **{**good, **change}).value
        assert value["code"] < 0 and value["error"][1].startswith("tls"), value
        platform.wait_log('"event":"tls"', '"ok":false', reason)


def proxied(platform, timeout_ms=500, **more):
    options = {"product_key": PRODUCT_KEY, "device_name": DEVICE_NAME, "device_secret": SECRET, **more}
    options["proxy"] = f"http://127.0.0.1:{platform.ports['proxy']}"
    url = f"mqtt://localhost:{platform.ports['tcp']}"
    return run_isolated(attempt, url=url, timeout_ms=timeout_ms, **options).value


def test_refusals_of_the_proxy(start_platform, tmp_path):
    words = tmp_path / "words"
    words.write_text("user:word\n")
    platform = start_platform("--listen-tcp", "127.0.0.1:0", "--listen-proxy", "127.0.0.1:0", "--proxy-auth-file", words)
    asked = {"proxy_username": "user", "proxy_password": "word"}
    assert proxied(platform, **asked)["code"] == 0
    for wrong in ({}, {**asked, "proxy_password": "other"}):
        value = proxied(platform, **wrong)
        assert value["code"] < 0 and "407" in value["error"][1], value
    for fault in ("proxy-status=403", "proxy-close", "proxy-garbage", "proxy-stall"):
        platform.command("clear")
        assert platform.fault(fault)["ok"]
        # The silent one is told when the attempt, of a second, is over.
        value = proxied(platform, timeout_ms=1500, **asked)
        assert value["code"] < 0 and "proxy" in value["error"][1], (fault, value)
        platform.wait_log('"event":"fault"', fault.split("=")[0])
    platform.command("clear")
    assert proxied(platform, **asked)["code"] == 0
