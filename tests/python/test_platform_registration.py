"""The library against the local platform: registration over HTTPS with wrong answers, devices of a private CA."""

import pytest

from isolation import run_isolated
from test_platform import round_trip
from test_registration import ERROR_HTTP, ERROR_PROTOCOL, FAILED, UNUSABLE, register

NAMES = {"product_key": "a1MZxOdcBnO", "product_secret": "AbCdEfGhIjKlMnOp", "device_name": "example1"}


def ask(pki, platform, **other):
    outcome = run_isolated(register, ca=pki.text("root.crt"), domain=f"localhost:{platform.ports['https']}",
                           meta={**NAMES, **other})
    secret = pki.devices()[0][2]
    assert not any(hidden in outcome.output + platform.log_text() for hidden in (secret, NAMES["product_secret"]))
    return outcome.value["results"][0][:2]


def test_secret_over_https(pki, start_platform):
    platform = start_platform("--listen-https", "127.0.0.1:0", "--register-once")
    secret = pki.devices()[0][2]
    assert ask(pki, platform) == [0, secret]
    # The registered device connects.
    triple = [NAMES["product_key"], NAMES["device_name"], secret]
    value = run_isolated(round_trip, credentials={**pki.trust(), "triple": triple}, port=platform.port, qos=1).value
    assert value["ok"] and value["arrived"]
    assert ask(pki, platform)[0] == FAILED
    platform.wait_log('"registration"', "activated already", "6289")
    assert platform.command("reset-device", device="/".join(triple[:2]))["ok"]
    assert ask(pki, platform) == [0, secret]


@pytest.mark.parametrize("meta, reason", [
    ({"product_key": "a1Nothing00"}, "no such product"),
    ({"device_name": "nobody"}, "not created"),
    ({"product_secret": "AbCdEfGhIjKlMnOq"}, "signature"),
])
def test_refusals_over_https(pki, start_platform, meta, reason):
    platform = start_platform("--listen-https", "127.0.0.1:0")
    code, secret = ask(pki, platform, **meta)
    assert code == FAILED and len(secret) < 32
    platform.wait_log('"registration"', reason)


def test_wrong_answers_over_https(pki, start_platform):
    platform = start_platform("--listen-https", "127.0.0.1:0")
    good = pki.devices()[0][2]
    for fault, wanted in [("http-chunked", 0), ("http-no-length", 0), ("http-secret=64", 0), ("http-secret=65", UNUSABLE),
                          ("http-secret=0", UNUSABLE), ("http-wrong-type", UNUSABLE), ("http-code=6288", FAILED),
                          ("http-redirect", ERROR_HTTP), ("http-status=500", ERROR_HTTP), ("http-truncate", ERROR_PROTOCOL)]:
        platform.fault(f"{fault}:1")
        code, secret = ask(pki, platform)
        assert code == wanted, fault
        if wanted == 0:
            assert secret == ("s" * 64 if "secret" in fault else good), fault
    for fault in ("http-other-device", "http-huge", "http-endless"):
        platform.fault(f"{fault}:1")
        code, secret = ask(pki, platform)
        assert code < 0 and secret != good, fault


def test_devices_of_a_private_ca(pki, start_platform):
    platform = start_platform()
    for name in ("private-1", "private-2"):
        certificate = next((pki / "private").glob(f"a1PrivateCa_{name}_*.cer"))
        files = {"cert": certificate.read_text(), "key": certificate.with_suffix(".key").read_text()}
        value = run_isolated(round_trip, credentials={**pki.trust(), **files}, port=platform.port, qos=1).value
        assert value["ok"] and value["arrived"], value
        assert value["names"] == ["a1PrivateCa", name] and len(value["identities"]) == 1
