"""Certificates: who is trusted, what is refused and how clearly, the client's own material."""

import re
import socket
import threading

import pytest

from device import Device
from iotx_abi import INFORMATION, STATE
from isolation import run_isolated
from ports import listen
from scripted import ScriptedServer

TRIPLE = ("pk", "dn", "secret")
OTHER_PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def broker(connection):
    connection.accept()
    connection.serve()


def connect(library, credentials, host, port, **parameters):
    device = Device(library, **credentials)
    seconds = device.construct(host=host, port=port, **parameters)
    connected = device.handle is not None
    if connected:
        device.destroy()
    return device.report(was_connected=connected, seconds=seconds)


def run(pki, certificate="server", host="localhost", credentials=None, address="127.0.0.1", **parameters):
    with ScriptedServer(pki, broker, certificate=certificate, address=address) as server:
        outcome = run_isolated(connect, credentials={**(credentials or pki.trust()), "triple": TRIPLE},
                               host=host, port=server.port, **parameters)
    value = outcome.value
    value["complaints"] = [text for code, text in value["states"] if code not in INFORMATION]
    return value, outcome.output, server


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("certificate", ["server", "server-rsa"])
def test_good_server(pki, certificate, host):
    value, output, _ = run(pki, certificate, host)
    assert value["was_connected"]
    assert re.search(r"TLSv1\.[23].*" + re.escape(host), output), "the log tells what was agreed"


@pytest.mark.parametrize("certificate, reason", [
    ("server-expired", r"expired"),
    ("server-not-yet", r"not yet valid"),
    ("server-wrong-host", r"host|name"),
    ("server-unknown-ca", r"unknown CA|issuer|trust"),
])
def test_bad_server(pki, certificate, reason):
    value, output, server = run(pki, certificate)
    assert not value["was_connected"]
    assert server.packets() == [], "nothing was sent to it"
    assert any(re.search(reason, text, re.I) for text in value["complaints"]), value["complaints"]
    assert re.search(reason, output, re.I)
    assert value["seconds"] < 20


def test_a_name_that_only_looks_like_the_right_one(pki):
    """The name is compared with the host that was asked for, whatever else the certificate covers."""
    value, _, server = run(pki, host="127.0.0.2", address="127.0.0.2")
    assert not value["was_connected"]
    assert server.packets() == []
    assert any(re.search(r"host|name|address", text, re.I) for text in value["complaints"]), value["complaints"]


def test_without_the_platforms_root_nothing_is_trusted(pki):
    value, _, server = run(pki, credentials={"ca": None})
    assert not value["was_connected"] and server.packets() == []
    assert any(re.search(r"unknown CA|issuer|trust", text, re.I) for text in value["complaints"])


@pytest.mark.parametrize("ca", ["", "not a certificate", OTHER_PEM, "-----BEGIN CERTIFICATE-----\n"])
def test_bad_bundle(pki, ca):
    value, _, server = run(pki, credentials={"ca": ca})
    assert not value["was_connected"] and server.packets() == []
    assert value["complaints"]


def test_pub_key_is_the_only_trust_when_it_is_given(pki):
    root = pki.text("root.crt")
    assert run(pki, credentials={"ca": None}, pub_key=root)[0]["was_connected"]
    other = pki.text("other-root.crt")
    assert not run(pki, credentials={"ca": root}, pub_key=other)[0]["was_connected"]
    assert run(pki, credentials={"ca": root}, pub_key="")[0]["was_connected"]
    bad = run(pki, credentials={"ca": root}, pub_key="garbage")[0]
    assert not bad["was_connected"] and bad["complaints"]


@pytest.mark.parametrize("name", ["device", "device-ec"])
def test_client_certificate(pki, start_platform, name):
    platform = start_platform("--tls", "--client-cert", "require")
    value = run_isolated(connect, credentials=pki.x509(name), host="localhost", port=platform.port).value
    assert value["was_connected"]
    assert value["names"] in pki.names()


CLIENT = {
    "key of another certificate": lambda pki: {"cert": pki.text("device.crt"), "key": pki.text("device-ec.key")},
    "certificate without key": lambda pki: {"cert": pki.text("device.crt"), "key": ""},
    "key without certificate": lambda pki: {"cert": "", "key": pki.text("device.key")},
    "no PEM certificate": lambda pki: {"cert": "garbage", "key": pki.text("device.key")},
    "no PEM key": lambda pki: {"cert": pki.text("device.crt"), "key": "garbage"},
    "cut off certificate": lambda pki: {"cert": pki.text("device.crt")[:300], "key": pki.text("device.key")},
    "cut off key": lambda pki: {"cert": pki.text("device.crt"), "key": pki.text("device.key")[:300]},
    "certificate for key": lambda pki: {"cert": pki.text("device.crt"), "key": pki.text("device.crt")},
}


@pytest.mark.parametrize("name", sorted(CLIENT))
def test_bad_client_material(pki, start_platform, name):
    platform = start_platform("--tls", "--client-cert", "require")
    material = CLIENT[name](pki)
    outcome = run_isolated(connect, credentials={**pki.trust(), **material}, host="localhost", port=platform.port)
    assert not outcome.value["was_connected"]
    assert [text for code, text in outcome.value["states"] if code not in INFORMATION and text]
    for line in pki.text("device.key").splitlines()[1:4]:
        assert line not in outcome.output


def test_client_certificate_of_an_unknown_ca(pki, start_platform):
    platform = start_platform("--tls", "--client-cert", "require")
    value = run_isolated(connect, credentials=pki.x509("device-unknown-ca"), host="localhost", port=platform.port).value
    assert not value["was_connected"]
    assert [text for code, text in value["states"] if code not in INFORMATION and text]


def test_demanded_client_certificate_is_missing(pki, start_platform):
    platform = start_platform("--tls", "--client-cert", "require")
    value = run_isolated(connect, credentials=pki.trust(), host="localhost", port=platform.port).value
    assert not value["was_connected"]
    assert [text for code, text in value["states"] if code not in INFORMATION and text]


def test_no_client_certificate_for_a_server_that_does_not_ask(pki, start_platform):
    platform = start_platform("--tls", "--client-cert", "none")
    device = pki.devices()[0]
    value = run_isolated(connect, credentials={**pki.x509(), "triple": device}, host="localhost", port=platform.port).value
    assert value["was_connected"]


def mute_server(first_bytes):
    """A TCP server that sends some bytes, then keeps the connection open and silent."""
    listener = listen()
    held = []

    def accept():
        while True:
            try:
                stream, _ = listener.accept()
            except OSError:
                return
            held.append(stream)
            if first_bytes is None:
                stream.close()
            else:
                stream.sendall(first_bytes)
    threading.Thread(target=accept, daemon=True).start()
    return listener, held


@pytest.mark.parametrize("name, first", [
    ("closes at once", None), ("plain text", b"220 hello\r\n" * 3), ("MQTT without TLS", b"\x20\x02\x00\x00"),
    ("alert", bytes.fromhex("15 03 03 00 02 02 28")), ("huge record", bytes.fromhex("16 03 03 ff ff") + b"x" * 100),
])
def test_not_a_tls_server(pki, name, first):
    listener, held = mute_server(first)
    try:
        value = run_isolated(connect, credentials={**pki.trust(), "triple": TRIPLE}, host="localhost",
                             port=listener.getsockname()[1], timeout=90).value
    finally:
        listener.close()
        for stream in held:
            stream.close()
    assert not value["was_connected"]
    assert value["seconds"] < 60
    assert STATE["STATE_SYS_DEPEND_NWK_CLOSE"] in [code for code, _ in value["states"]]


def test_nobody_listens(pki):
    with listen() as probe:
        port = probe.getsockname()[1]
    value = run_isolated(connect, credentials={**pki.trust(), "triple": TRIPLE}, host="localhost", port=port).value
    assert not value["was_connected"]
    assert 1.5 < value["seconds"] < 10, "three tries, one second apart"
    assert STATE["STATE_SYS_DEPEND_NWK_CLOSE"] in [code for code, _ in value["states"]]
