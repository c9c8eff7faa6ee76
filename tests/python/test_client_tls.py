"""TLS of the client API: certificates, keys and pre-shared keys of one client."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import threading

import pytest

from client import INVALID, TLS, Client, connect_code, refusals
from conftest import free_port, wait_until
from iotx_abi import STATE, set_data
from isolation import run_isolated


def files(pki, tmp_path):
    """An encrypted form of the device's key in each format."""
    made = {}
    for name, command in {
        "aes": ["rsa", "-aes256", "-traditional"], "pkcs8": ["pkcs8", "-topk8", "-v2", "des3"],
        "pkcs8-aes": ["pkcs8", "-topk8", "-v2", "aes-256-cbc"],
    }.items():
        made[name] = tmp_path / f"{name}.key"
        subprocess.run(["openssl", *command, "-in", pki / "device.key", "-out", made[name], "-passout", "pass:open sesame"],
                       check=True, capture_output=True)
    return made


def test_client_certificate_as_memory_and_file(pki, start_platform, tmp_path):
    platform = start_platform("--tls", "--client-cert", "require")
    keys = files(pki, tmp_path)
    # What a device without names sends: its certificate tells the platform who it is.
    url = {"url": f"mqtts://localhost:{platform.port}", "username": "&", "password": "0" * 64, "client_id":
           ".|timestamp=2524608000000,_v=sdk-c-3.2.0,securemode=2,signmethod=hmacsha256,lan=C,_ss=1,gw=0,ext=0|"}
    text = {name: pki.text(name) for name in ("root.crt", "device.crt", "device.key")}
    path = {name: {"file": str(pki / name)} for name in text}
    identity = {"certificate": text["device.crt"], "key": text["device.key"]}
    cases = {
        "memory": {"ca": text["root.crt"], **identity},
        "file": {"ca": path["root.crt"], "certificate": path["device.crt"], "key": path["device.key"]},
        "with its NUL": {"ca": text["root.crt"] + "\0", "certificate": text["device.crt"] + "\0",
                         "key": text["device.key"] + "\0"},
        "encrypted, PEM": {"ca": text["root.crt"], "certificate": text["device.crt"], "key": {"file": str(keys["aes"])},
                           "key_password": "open sesame"},
        "encrypted, PKCS#8": {"ca": text["root.crt"], "certificate": text["device.crt"],
                              "key": {"file": str(keys["pkcs8"])}, "key_password": "open sesame"},
    }
    for name, material in cases.items():
        outcome = run_isolated(connect_code, **url, **material)
        assert outcome.value["code"] == 0, (name, outcome.value, outcome.output)
    without = run_isolated(connect_code, **url, ca=text["root.crt"]).value
    assert without["code"] < 0 and "certificate" in without["error"][1]


def test_wrong_material_is_refused_at_creation(pki, tmp_path):
    keys = files(pki, tmp_path)
    empty = tmp_path / "empty"
    empty.write_text("")
    pairs = tmp_path / "pairs"
    pairs.write_text("# comment\nme:00ff\n")
    broken = tmp_path / "broken"
    broken.write_text("me:0g\n")
    odd = tmp_path / "odd"
    odd.write_text("just a word\n")
    crt, key = pki.text("device.crt"), pki.text("device.key")
    cases = {
        "other key": ({"certificate": crt, "key": pki.text("device-ec.key")}, "does not belong"),
        "no PEM certificate": ({"certificate": "garbage", "key": key}, "client certificate is not a PEM"),
        "no PEM key": ({"certificate": crt, "key": "garbage"}, "client key is not a readable"),
        "encrypted, no password": ({"certificate": crt, "key": {"file": str(keys["aes"])}}, "no password was given"),
        "PKCS#8 with AES": ({"certificate": crt, "key": {"file": str(keys["pkcs8-aes"])}, "key_password": "open sesame"},
                            "client key is not a readable PEM private key|cannot be opened"),
        "encrypted, wrong password": ({"certificate": crt, "key": {"file": str(keys["aes"])}, "key_password": "hush"},
                                      "cannot be opened with its password"),
        "PKCS#8, wrong password": ({"certificate": crt, "key": {"file": str(keys["pkcs8"])}, "key_password": "hush"},
                                   "cannot be opened with its password|not a readable"),
        "empty file": ({"certificate": {"file": str(empty)}, "key": key}, "certificate.file is empty"),
        "other identity": ({"psk": {"file": str(pairs)}, "psk_identity": "you"}, "does not have the key asked for"),
        "no hexadecimal": ({"psk": {"file": str(broken)}}, "not hexadecimal"),
        "no pair": ({"psk": {"file": str(odd)}}, "without a colon"),
    }
    outcome = run_isolated(refusals, cases=[{**TLS, **options} for options, _ in cases.values()])
    for (name, (_, text)), (code, found) in zip(cases.items(), outcome.value, strict=True):
        assert code == INVALID and re.search(text, found), (name, code, found)
    assert "hush" not in outcome.output and "open sesame" not in outcome.output
    for line in key.splitlines()[1:4]:
        assert line not in outcome.output


@pytest.mark.parametrize("certificate, reason", [
    ("server-expired", "expired"), ("server-wrong-host", "host|name"), ("server-unknown-ca", "unknown CA|issuer|trust"),
])
def test_the_server_is_always_verified(pki, start_platform, certificate, reason):
    platform = start_platform("--tls", "--server-cert", certificate)
    value = run_isolated(connect_code, url=f"mqtts://localhost:{platform.port}", client_id="a", ca=pki.text("root.crt")).value
    assert value["code"] == STATE.get("ERROR_CERT_VERIFY_FAIL", -309) and value["seconds"] < 4, "not tried again"
    assert re.search(reason, value["error"][1], re.I)


def own_trust(library, port, good, other):
    """The CA of a client is its own: neither the process's nor another client's counts."""
    set_data(library, "iotx_ca_crt", good)
    url = f"mqtts://localhost:{port}"
    return {"default": Client(library, url=url, client_id="a").connect(),
            "own": Client(library, url=url, client_id="b", ca=good).connect(),
            "other": Client(library, url=url, client_id="c", ca=other).connect()}


def test_each_client_has_a_trust_of_its_own(pki, start_mosquitto):
    port = start_mosquitto().port
    good, other = pki.text("root.crt"), pki.text("other-root.crt")
    assert run_isolated(own_trust, port=port, good=good, other=other).value == {"default": 0, "own": 0, "other": -309}


def test_names_of_a_device_sign_the_connection(pki, start_platform):
    platform = start_platform("--tls", "--client-cert", "none")
    key, name, secret = pki.devices()[0]
    url = {"url": f"mqtts://localhost:{platform.port}", "ca": pki.text("root.crt"), "product_key": key, "device_name": name}
    outcome = run_isolated(connect_code, **url, device_secret=secret)
    assert outcome.value["code"] == 0, outcome.value
    assert secret not in outcome.output
    wrong = run_isolated(connect_code, **url, device_secret=secret[::-1]).value
    assert wrong["code"] in (STATE["STATE_MQTT_CONNACK_BAD_USERDATA"], STATE["STATE_MQTT_CONNACK_NOT_AUTHORIZED"])


KEY = bytes(range(1, 17))


@pytest.fixture
def psk_mosquitto(tmp_path):
    """A mosquitto whose clients have pre-shared keys: the file of them and the port."""
    pairs = tmp_path / "pairs"
    pairs.write_text(f"me:{KEY.hex()}\nother:00112233\n")
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    lines = [f"listener {port} 127.0.0.1", f"psk_file {pairs}", "psk_hint hint", "allow_anonymous true", "persistence false"]
    config.write_text("\n".join(lines + ["user root"] * (os.geteuid() == 0)) + "\n")
    program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    process = subprocess.Popen([program, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
    wait_until(answers, 10, "mosquitto listens")
    yield pairs, port
    process.terminate()
    process.wait(10)


def test_pre_shared_key_with_mosquitto(psk_mosquitto):
    pairs, port = psk_mosquitto
    url = {"url": f"mqtts://127.0.0.1:{port}", "client_id": "a"}
    memory = run_isolated(psk_code, **url, psk_hex=KEY.hex(), psk_identity="me")
    assert memory.value["code"] == 0, (memory.value, memory.output)
    assert re.search(r"TLSv1.2, TLS-(ECDHE-)?PSK-", memory.output)
    assert run_isolated(connect_code, **url, psk={"file": str(pairs)}, psk_identity="me").value["code"] == 0
    assert run_isolated(connect_code, **url, psk={"file": str(pairs)}).value["code"] == 0, "the first line"
    wrong = run_isolated(psk_code, **url, psk_hex=KEY[::-1].hex(), psk_identity="me", timeout_ms=1500)
    assert wrong.value["code"] == STATE["STATE_SYS_DEPEND_NWK_CLOSE"]
    assert "pre-shared key" in wrong.value["error"][1] or "handshake" in wrong.value["error"][1]
    assert KEY[::-1].hex() not in wrong.output and repr(KEY) not in wrong.output
    unknown = run_isolated(psk_code, **url, psk_hex=KEY.hex(), psk_identity="nobody", timeout_ms=1500).value
    assert unknown["code"] == STATE["STATE_SYS_DEPEND_NWK_CLOSE"]


def psk_code(library, psk_hex, **options):
    return connect_code(library, psk=bytes.fromhex(psk_hex), **options)


# As the platform has it: the digits of an HMAC-SHA256.
LONG_KEY = b"0123456789ABCDEF" * 4


@pytest.mark.parametrize("suite, key", [
    ("ECDHE-PSK-CHACHA20-POLY1305", KEY), ("ECDHE-PSK-AES128-CBC-SHA256", KEY), ("PSK-AES128-GCM-SHA256", KEY),
    ("PSK-AES128-CCM8", KEY), ("PSK-AES128-CBC-SHA", KEY), ("PSK-AES128-CBC-SHA", LONG_KEY),
    ("ECDHE-PSK-CHACHA20-POLY1305", LONG_KEY), ("PSK-AES128-GCM-SHA256", LONG_KEY[:33]),
])
def test_pre_shared_key_suites_with_openssl(suite, key):
    """The handshake completes with each; s_server then sees CONNECT, which it does not understand."""
    port = free_port()
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-nocert", "-psk", key.hex(), "-psk_identity", "me",
         "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0", "-quiet"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        outcome = run_isolated(psk_code, url=f"mqtts://127.0.0.1:{port}", client_id="a", psk_hex=key.hex(), psk_identity="me",
                               timeout_ms=2500, request_timeout_ms=300, reconnect_min_ms=100, reconnect_max_ms=100)
    finally:
        server.kill()
        output = server.communicate()[0]
    assert b"MQTT" in output, (output, outcome.output)
    assert outcome.value["code"] == STATE["STATE_SYS_DEPEND_NWK_TIMEOUT"], "no CONNACK"
    assert "TLSv1.2, TLS-" + ("ECDHE-PSK" if suite.startswith("ECDHE") else "PSK") in outcome.output


def test_a_server_with_a_certificate_only_is_no_match_for_a_pre_shared_key(start_mosquitto):
    value = run_isolated(psk_code, url=f"mqtts://127.0.0.1:{start_mosquitto().port}", client_id="a", psk_hex=KEY.hex(),
                         psk_identity="me", timeout_ms=1000).value
    assert value["code"] == STATE["STATE_SYS_DEPEND_NWK_CLOSE"] and "pre-shared keys at all" in value["error"][1]


def test_with_a_pre_shared_key_no_server_name_is_sent(pki):
    """And the suites: forward secrecy first, then AES-GCM, the one the platform has in the field among them."""
    hellos = {}
    for name, options in {"psk": {"psk_hex": LONG_KEY.hex(), "psk_identity": "me"}, "certificate": {}}.items():
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(20)
            port = server.getsockname()[1]
            process = threading.Thread(target=lambda server=server, name=name: hellos.update({name: first_bytes(server)}))
            process.start()
            run_isolated(psk_code if name == "psk" else connect_code, url=f"mqtts://localhost:{port}", client_id="a",
                         timeout_ms=1000, reconnect_min_ms=3_600_000, reconnect_max_ms=3_600_000,
                         **({} if name == "psk" else {"ca": pki.text("root.crt")}), **options)
            process.join()
    assert b"localhost" in hellos["certificate"] and b"localhost" not in hellos["psk"]
    # Type, version and length of the record, those of the message, random, no session.
    hello = hellos["psk"][5 + 4 + 2 + 32 + 1:]
    size = int.from_bytes(hello[:2], "big")
    suites = [hello[at:at + 2].hex() for at in range(2, 2 + size, 2)]
    assert suites[:3] == ["ccac", "c037", "c035"] and "008c" in suites
    assert suites.index("00a8") < suites.index("008c")


def first_bytes(server):
    stream, _ = server.accept()
    with stream:
        return stream.recv(4096)
