"""Schemes of the platform over every transport they may use, through the client API: a table in the output."""

import ctypes as c
import subprocess

import pytest

from client import Client, Options, Refused, set_data, structure
from isolation import run_isolated
from iotx_abi import ROOT, STATE
from test_platform_transports import SCHEMES as URL_SCHEMES
from test_platform_transports import listeners
from test_websocket import NAMES

PRODUCT_KEY, DEVICE_NAME, SECRET = NAMES
DEVICE = {"product_key": PRODUCT_KEY, "device_name": DEVICE_NAME, "device_secret": SECRET}
NUMBERS = {name: number for number, name in enumerate(("device-secret", "x509", "psk", "connwl", "id2"), 1)}
METHODS = {"hmacmd5": 1, "hmacsha1": 2, "hmacsha256": 3}


def signs_in(library, scheme, certificate=None, key=None, **options):
    """Connects, waits for the identity where the certificate vouches; what happened."""
    more = {"certificate": certificate, "key": key} if certificate else {}
    try:
        client = Client(library, scheme=NUMBERS[scheme], **options, **more)
    except Refused as refused:
        return {"code": refused.code, "text": refused.text}
    code = client.connect()
    found = None
    if code == 0 and scheme == "x509":
        assert client.until(lambda: client.saw("IDENTITY")), client.events
        identity = structure("iotx_client_identity_t")()
        identity.struct_size = c.sizeof(identity)
        assert library.iotx_client_identity(client.handle, c.byref(identity)) == 0
        found = [identity.product_key.decode(), identity.device_name.decode()]
    error = client.error_of(library, client.handle)
    client.call("destroy")
    return {"code": code, "identity": found, "text": error[1]}


# Which transports a scheme may use; the others are refused with a reason.
ROWS = {
    "device-secret hmacmd5": ("device-secret", {"sign_method": METHODS["hmacmd5"]}, ["tcp", "tls", "ws", "wss"]),
    "device-secret hmacsha1 + timestamp": (
        "device-secret", {"sign_method": METHODS["hmacsha1"], "timestamp": "789", "client_id": "mac-1"},
        ["tcp", "tls", "ws", "wss"]),
    "device-secret hmacsha256": ("device-secret", {}, ["tcp", "tls", "ws", "wss"]),
    "x509 without names": ("x509", {}, ["tls"]),
    "x509 with names": ("x509", {"product_key": "a1X509Demo0", "device_name": "x509-device-1"}, ["tls"]),
    "psk": ("psk", {}, ["psk"]),
}


@pytest.mark.parametrize("route", ["straight", "ipv6", "proxy"])
def test_schemes_over_transports(pki, start_platform, route, capsys):
    host, more = "localhost", {}
    if route == "ipv6":
        platform = start_platform("--listen", "[::1]:0", *listeners("[::1]:0"))
        host = "[::1]"
    else:
        platform = start_platform(*listeners("127.0.0.1:0"))
    if route == "proxy":
        more = {"proxy": f"http://127.0.0.1:{platform.ports['proxy']}"}
    table = []
    for label, (scheme, options, allowed) in ROWS.items():
        cells = []
        for transport in ("tcp", "tls", "ws", "wss", "psk"):
            if transport == "psk" and scheme != "psk":
                cells.append("-")
                continue
            given = {**({} if scheme == "x509" else DEVICE), **options, **more}
            if transport in ("tls", "wss"):
                given["ca"] = pki.text("root.crt")
            if scheme == "x509":
                given |= {"certificate": pki.text("device.crt"), "key": pki.text("device.key")}
            url = f"{URL_SCHEMES[transport]}://{host}:{platform.ports[transport]}"
            value = run_isolated(signs_in, scheme=scheme, url=url, **given).value
            if transport in allowed:
                assert value["code"] == 0, (label, transport, value)
                if scheme == "x509":
                    assert value["identity"] == ["a1X509Demo0", "x509-device-1"]
                cells.append("ok")
            else:
                assert value["code"] == STATE["STATE_USER_INPUT_INVALID"], (label, transport, value)
                assert "needs TLS" in value["text"] or "means nothing" in value["text"], (label, transport, value)
                cells.append("refused")
            assert SECRET not in value["text"]
        table.append(f"| {label} | " + " | ".join(cells) + " |")
    with capsys.disabled():
        print(f"\n{route}\n| scheme | tcp | tls | ws | wss | psk |\n|---|---|---|---|---|---|\n" + "\n".join(table))


def signed(library, **options):
    """What iotx_client_sign makes of the options."""

    block, kept = Options(), []
    assert library.iotx_client_options_init(c.byref(block), c.c_size_t(c.sizeof(block))) == 0
    for name, value in options.items():
        if name == "certificate":
            kept.append(set_data(block.certificate, value))
        else:
            setattr(block, name, value.encode() if isinstance(value, str) else value)
    out = structure("iotx_client_signed_t")()
    c.memset(c.byref(out), 0xFF, c.sizeof(out))
    out.struct_size = c.sizeof(out)
    code = library.iotx_client_sign(c.byref(block), c.byref(out))
    texts = {name: getattr(out, name).decode() for name in ("host", "client_id", "username", "password", "psk_identity", "psk")}
    result = {"code": code, "port": out.port, "tls": out.tls, **texts}
    library.iotx_client_signed_clear(c.byref(out))
    assert bytes(out)[c.sizeof(c.c_size_t):].strip(b"\0") == b""
    return result


def test_what_is_signed():
    value = run_isolated(signed, scheme=1, product_key="pk", device_name="device", device_secret="secret",
                         client_id="12345", timestamp="789", sign_method=METHODS["hmacsha1"]).value
    # The worked example of the product document.
    assert value == {"code": 0, "host": "pk.iot-as-mqtt.cn-shanghai.aliyuncs.com", "port": 443, "tls": 1,
                     "client_id": "12345|securemode=2,signmethod=hmacsha1,timestamp=789|", "username": "device&pk",
                     "password": "FAFD82A3D602B37FB0FA8B7892F24A477F851A14", "psk_identity": "", "psk": ""}
    value = run_isolated(signed, scheme=NUMBERS["connwl"], product_key="pk", device_name="device", client_id="mac",
                         device_token="token", instance_id="iot-1").value
    assert (value["client_id"], value["password"]) == ("mac|securemode=-2,authType=connwl,instanceId=iot-1|", "token")
    value = run_isolated(signed, scheme=NUMBERS["psk"], product_key="a1MZxOdcBnO", device_name="example1",
                         device_secret="jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X").value
    assert value["psk"] == "5E664BB2A2EE3D52520832268C0FBAA87428E92EB282D1242BC84ECC5754174B"
    assert (value["host"], value["port"]) == ("a1MZxOdcBnO.itls.cn-shanghai.aliyuncs.com", 1883)


@pytest.mark.parametrize("options, text", [
    ({"scheme": 9}, "scheme is 9"), ({"scheme": 1, "sign_method": 4}, "sign_method is 4"),
    ({"scheme": 1, "product_key": "pk"}, "device_name is missing"),
    ({"scheme": 4, "product_key": "pk", "device_name": "dn"}, "device_token is missing"),
    ({"scheme": 5, "product_key": "pk", "device_name": "dn"}, "a port that brings iTLS"),
    ({"scheme": 2}, "certificate is missing"), ({"device_token": "t", "url": "mqtt://b"}, "device_token without scheme"),
    ({"scheme": 1, "product_key": "pk", "device_name": "dn", "device_secret": "s", "password": "p"}, "follow from the scheme"),
    ({"scheme": 1, "product_key": "pk", "device_name": "dn", "device_secret": "s", "region": "x" * 40}, "region is longer"),
])
def test_wrong_options_are_told(options, text):
    def refused(value):
        return value["code"] < 0 and text in value["text"]
    assert refused(run_isolated(refusal, **options).value)


def refusal(library, **options):
    """The code and text of a refusal by both functions, which agree."""
    value = signed(library, **options)
    assert value["code"] < 0 and value["client_id"] == value["password"] == ""
    try:
        Client(library, **options)
    except Refused as error:
        assert error.code == value["code"]
        return {"code": error.code, "text": error.text}
    return value


def test_the_parts_of_the_document_compile(tmp_path):
    blocks = [block.split("```")[0] for block in (ROOT / "docs" / "credentials.md").read_text().split("```c\n")[1:]]
    assert len(blocks) == 6
    given = "iotx_client_options_t options; const char *secret; iotx_register_result_t result; iotx_client_event_fn on_event;\n"
    for number, block in enumerate(blocks):
        source = tmp_path / f"part{number}.c"
        source.write_text(f'#include "iotx.h"\n{given}void fill(void);\nvoid fill(void)\n{{\n{block}}}\n')
        subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}", "-fsyntax-only", source],
                       check=True, timeout=60)
