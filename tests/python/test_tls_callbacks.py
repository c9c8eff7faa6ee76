"""TLS settings that call the program back: key passwords, signatures from outside, the key of stored sessions;
revocation lists and trust anchors at run time."""

import ctypes as c
import subprocess
import time

import pytest

from client import INVALID, Client, KeyPasswordFn, Refused, SignFn
from conftest import free_port
from device import Device
from isolation import run_isolated

PASSWORD = "open sesame"
# What a device without names sends: its certificate tells the platform who it is.
LOGIN = {"username": "&", "password": "0" * 64, "client_id":
         ".|timestamp=2524608000000,_v=sdk-c-3.2.0,securemode=2,signmethod=hmacsha256,lan=C,_ss=1,gw=0,ext=0|"}


def openssl(*arguments, **more):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, **more).stdout


def password_callback(answer, calls):
    """Writes the password and returns `answer`, or its length; counts."""
    def ask(_context, buffer, size):
        calls.append(size)
        c.memmove(buffer, PASSWORD.encode(), len(PASSWORD))
        return len(PASSWORD) if answer is None else answer
    return KeyPasswordFn(ask)


def sign_callback(key, mode, calls):
    """Signs with a key that another process has, or fails in the way `mode` says."""
    def sign(context, hash_bits, digest, digest_size, signature, capacity, size):
        calls.append([context, hash_bits, digest_size, capacity])
        if mode == "refuses":
            return -7
        if mode in ("too long", "nothing"):
            size[0] = capacity + 1 if mode == "too long" else 0
            return 0
        if mode == "garbage":
            size[0] = 256
            return 0
        if mode == "slow":
            time.sleep(2.5)
        made = openssl("pkeyutl", "-sign", "-inkey", key, "-pkeyopt", f"digest:sha{hash_bits}",
                       input=c.string_at(digest, digest_size))
        c.memmove(signature, made, len(made))
        size[0] = len(made)
        return 0
    return SignFn(sign)


def with_password(library, answer=None, **options):
    """Scenario: a client whose encrypted key is opened by a callback."""
    calls = []
    callback = password_callback(answer, calls)
    try:
        client = Client(library, key_password_callback=callback, **options)
    except Refused as refused:
        return {"code": refused.code, "text": refused.text, "calls": calls}
    at_creation = len(calls)
    return {"code": client.connect(), "text": client.error()[1], "calls": calls, "at_creation": at_creation}


@pytest.fixture
def locked(pki, tmp_path):
    path = tmp_path / "locked.key"
    openssl("rsa", "-aes256", "-traditional", "-in", pki / "device.key", "-out", path, "-passout", "pass:" + PASSWORD)
    return path


def test_a_callback_opens_the_key(pki, start_platform, locked):
    platform = start_platform("--tls", "--client-cert", "require")
    options = {"url": f"mqtts://localhost:{platform.port}", "ca": pki.text("root.crt"), **LOGIN,
               "certificate": pki.text("device.crt")}
    outcome = run_isolated(with_password, key={"file": str(locked)}, **options)
    value = outcome.value
    assert value["code"] == 0 and value["calls"] == [1024] * 2 and value["at_creation"] == 1, value
    assert PASSWORD not in outcome.output
    value = run_isolated(with_password, key=pki.text("device.key"), **options).value
    assert value["code"] == 0 and value["calls"] == [], "a key that is not encrypted needs no password"


@pytest.mark.parametrize("answer, text", [
    (-1, "gave no password"), (0, "empty password"), (1025, "beyond its buffer"), (2**31 - 1, "beyond its buffer"),
    (3, "cannot be opened with its password"),
])
def test_answers_that_open_no_key(pki, locked, answer, text):
    outcome = run_isolated(with_password, answer=answer, url="mqtts://localhost", client_id="a",
                           certificate=pki.text("device.crt"), key={"file": str(locked)})
    assert outcome.value["code"] == INVALID and text in outcome.value["text"], outcome.value
    assert PASSWORD not in outcome.output


def signed(library, key, mode="good", **options):
    """Scenario: a client whose key is in another process."""
    calls = []
    callback = sign_callback(key, mode, calls)
    client = Client(library, sign=callback, sign_context=77, **options)
    code = client.connect(8000)
    return {"code": code, "text": client.error()[1], "calls": calls, "events": client.events}


@pytest.mark.parametrize("name", ["device", "device-ec"])
def test_a_key_outside_signs(pki, start_platform, name):
    platform = start_platform("--tls", "--client-cert", "require")
    value = run_isolated(signed, key=str(pki / f"{name}.key"), url=f"mqtts://localhost:{platform.port}", **LOGIN,
                         ca=pki.text("root.crt"), certificate=pki.text(f"{name}.crt")).value
    assert value["code"] == 0, value
    [[context, hash_bits, digest_size, capacity]] = value["calls"]
    assert context == 77 and digest_size * 8 == hash_bits in (256, 384) and capacity == 1024


@pytest.mark.parametrize("name, suite, bits", [
    ("device", "ECDHE-RSA-AES128-GCM-SHA256", 256), ("device", "ECDHE-RSA-AES256-GCM-SHA384", 384),
    ("device-ec", "ECDHE-RSA-AES256-GCM-SHA384", 384),
])
def test_a_key_outside_signs_for_openssl(pki, tmp_path, name, suite, bits):
    """OpenSSL verifies the signature; the connection then ends, since s_server speaks no MQTT."""
    port = free_port()
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(pki.text("root.crt") + pki.text("device-ca.crt"))
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", pki / "server-rsa.crt",
         "-cert_chain", pki / "server-rsa.crt", "-key", pki / "server-rsa.key", "-CAfile", trusted, "-Verify", "3",
         "-verify_return_error", "-tls1_2", "-cipher", suite],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        value = run_isolated(signed, key=str(pki / f"{name}.key"), url=f"mqtts://127.0.0.1:{port}", client_id="a",
                             ca=pki.text("root.crt"), certificate=pki.text(f"{name}.crt"),
                             request_timeout_ms=300, reconnect_min_ms=100, reconnect_max_ms=100).value
    finally:
        server.kill()
        output = server.communicate()[0].decode("latin-1")
    assert value["calls"] and value["calls"][0][1] == bits, (value, output)
    assert f"CIPHER is {suite}" in output and "verify error" not in output, output


@pytest.mark.parametrize("mode, text", [
    ("refuses", "the sign callback failed (-7)"), ("too long", "returned 1025 bytes"), ("nothing", "returned 0 bytes"),
    ("garbage", "does not fit the client certificate"), ("other key", "does not fit the client certificate"),
])
def test_signatures_that_fail(pki, start_platform, mode, text):
    platform = start_platform("--tls", "--client-cert", "require")
    key = pki / ("server.key" if mode == "other key" else "device.key")
    value = run_isolated(signed, key=str(key), mode=mode, url=f"mqtts://localhost:{platform.port}", **LOGIN,
                         ca=pki.text("root.crt"), certificate=pki.text("device.crt"), connect_timeout_ms=2000,
                         reconnect_min_ms=100, reconnect_max_ms=100).value
    assert value["code"] != 0 and any(text in event[3] for event in value["events"]), value


def test_a_slow_signature_ends_the_attempt_in_time(pki, start_platform):
    platform = start_platform("--tls", "--client-cert", "require")
    value = run_isolated(signed, key=str(pki / "device.key"), mode="slow", url=f"mqtts://localhost:{platform.port}",
                         **LOGIN, ca=pki.text("root.crt"), certificate=pki.text("device.crt"), connect_timeout_ms=1000,
                         reconnect_min_ms=3_600_000).value
    assert value["code"] != 0 and any("timed out" in event[3] or "time" in event[3] for event in value["events"]), value


def test_combinations_that_are_refused(pki):
    crt, key = pki.text("device.crt"), pki.text("device.key")
    url = {"url": "mqtts://localhost", "client_id": "a"}
    cases = [
        ({**url, "certificate": crt, "key": key}, "sign", "sign is for a key that is not here"),
        ({**url, "certificate": crt, "key_password": "x"}, "sign", "sign is for a key that is not here"),
        (url, "sign", "need a certificate"), (url, "password", "need a certificate"),
        ({**url, "psk": "key", "psk_identity": "me"}, "sign", "need a certificate"),
        ({**url, "certificate": "garbage"}, "sign", "client certificate is not a PEM"),
        ({**url, "certificate": crt, "key": key, "key_password": "x"}, "password", "exclude each other"),
        ({**url, "certificate": crt}, "password", "certificate without key"),
        ({"url": "mqtt://localhost", "client_id": "a"}, "sign", "sign is given, but mqtt://"),
        ({"url": "mqtt://localhost", "client_id": "a"}, "password", "key_password_callback is given, but mqtt://"),
        ({"url": "mqtt://localhost", "client_id": "a", "crl": "x"}, None, "crl is given, but mqtt://"),
        ({**url, "crl": "garbage"}, None, "CRL is neither PEM nor DER"),
        ({**url, "crl": "-----BEGIN X509 CRL-----\nMAAA\n-----END X509 CRL-----\n"}, None, "CRL is unreadable"),
        ({**url, "crl": "-----BEGIN X509 CRL-----\nMAAA"}, None, "CRL is unreadable"),
        ({**url, "crl": "x", "psk": "key", "psk_identity": "me"}, None, "exclude each other"),
    ]
    value = run_isolated(refused, cases=[case[:2] for case in cases]).value
    for (options, kind, text), (code, found) in zip(cases, value, strict=True):
        assert code == INVALID and text in found, (options, kind, code, found)


def refused(library, cases):
    """Scenario: code and text of each refusal."""
    found = []
    for options, kind in cases:
        more = {"sign": {"sign": sign_callback("", "refuses", [])},
                "password": {"key_password_callback": password_callback(None, [])}}.get(kind, {})
        try:
            Client(library, **options, **more)
            found.append([0, ""])
        except Refused as error:
            found.append([error.code, error.text])
    return found


# ---- the SDK's API -------------------------------------------------------------------------------------------------

def sdk_device(library, port, ca, cert, key=None, sign_key=None):
    """Scenario: IOT_MQTT_Construct with g_cli_crt, and the process's callbacks."""
    calls = []
    if sign_key:
        callback = sign_callback(sign_key, "good", calls)
        assert library.iotx_tls_set_sign_callback(callback, c.c_void_p(77)) == 0
    else:
        callback = password_callback(None, calls)
        assert library.iotx_tls_set_key_password_callback(callback, None) == 0
    device = Device(library, ca=ca, cert=cert, key=key)
    device.construct(host="localhost", port=port)
    made = device.handle is not None
    if made:
        device.destroy()
    assert library.iotx_tls_set_sign_callback(SignFn(), None) == 0
    assert library.iotx_tls_set_key_password_callback(KeyPasswordFn(), None) == 0
    assert library.iotx_tls_set_session_resumption(0) == 0
    device.construct(host="localhost", port=port)
    return {"made": made, "calls": len(calls), "without": device.handle is not None, "states": device.states}


@pytest.mark.parametrize("kind", ["password", "sign"])
def test_callbacks_of_the_process(pki, start_platform, locked, kind):
    platform = start_platform("--tls", "--client-cert", "require")
    key = {"key": locked.read_text()} if kind == "password" else {"sign_key": str(pki / "device.key")}
    value = run_isolated(sdk_device, port=platform.port, ca=pki.text("root.crt"), cert=pki.text("device.crt"), **key).value
    assert value["made"] and value["calls"] >= 1 and not value["without"], value
    text = "no password was given" if kind == "password" else "without a private key"
    assert any(text in state[1] for state in value["states"]), value["states"]
