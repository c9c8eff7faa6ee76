"""Connections through an HTTP proxy, for both APIs, and over IPv6."""

import base64
import ctypes as c

import pytest

from client import INVALID, PLAIN, TLS, Client, PlainServer, refusals
from client import NAMES as NAMED
from device import Device
from iotx_abi import STATE
from isolation import run_isolated
from scripted import ScriptedServer
from test_websocket import NAMES, attempt, check_session, over_websocket, reflect, sdk_session, silent, whole_session
from upgrade import Proxy

OUT_OF_RANGE = STATE["STATE_USER_INPUT_OUT_RANGE"]
CLOSE = STATE["STATE_SYS_DEPEND_NWK_CLOSE"]


def server_of(scheme, pki, **more):
    script = over_websocket([]) if scheme.startswith("ws") else reflect
    return ScriptedServer(pki, script, **more) if scheme in ("mqtts", "wss") else PlainServer(script, **more)


def options_of(scheme, pki):
    return {"ca": pki.text("root.crt")} if scheme in ("mqtts", "wss") else {}


SCHEMES = ["mqtt", "mqtts", "ws", "wss"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_transport_goes_through(pki, scheme):
    with server_of(scheme, pki) as server, Proxy() as proxy:
        url = f"{scheme}://localhost:{server.port}"
        more = {"proxy": f"http://127.0.0.1:{proxy.port}", "proxy_username": "us er", "proxy_password": "p:\u00e4"}
        check_session(run_isolated(whole_session, url=url, **more, **options_of(scheme, pki)).value)
        (line, fields), = proxy.requests
    assert line == f"CONNECT localhost:{server.port} HTTP/1.1"
    expected = base64.b64encode("us er:p:\u00e4".encode()).decode()
    assert fields == {"host": f"localhost:{server.port}", "proxy-authorization": f"Basic {expected}"}


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts", "ws", "wss"])
def test_own_tcp_port_goes_through(pki, contract_ports, scheme):
    with server_of(scheme, pki) as server, Proxy() as proxy:
        more = {"proxy": f"http://127.0.0.1:{proxy.port}", **options_of(scheme, pki)}
        value = run_isolated(whole_session, url=f"{scheme}://localhost:{server.port}", **more,
                             environment={"LD_PRELOAD": str(contract_ports["tcp"])}).value
        check_session(value)
        assert len(proxy.requests) == 1 and "proxy-authorization" not in proxy.requests[0][1]


def test_own_tls_port_cannot(contract_ports):
    environment = {"LD_PRELOAD": str(contract_ports["tls"])}
    cases = [{**TLS, "proxy": "http://p"}, {**PLAIN, "proxy": "http://p"}]
    refused, taken = run_isolated(refusals, cases=cases, environment=environment).value
    assert refused[0] == INVALID and "no proxy with the application's own HAL_SSL" in refused[1]
    assert taken == [0, ""]
    value = run_isolated(with_proxy, host="127.0.0.1", port=9, url="http://127.0.0.1:9", environment=environment).value
    assert not value["ok"]
    assert any("no proxy with the application's own" in text for _, text in value["states"]), value["states"]


def raw(data):
    def refuse(stream, _line, _fields):
        stream.sendall(data)
        return True
    return refuse


def wait(stream, _line, _fields):
    stream.recv(1)
    return True


# name: what the proxy does, what the error says, whether a repeat makes sense
REFUSALS = {
    "asks for a password": (raw(b"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno"),
                            "proxy: status 407 (proxy authentication required)", False),
    "forbids": (raw(b"HTTP/1.1 403 x\r\n\r\n"), "proxy: status 403 (forbidden)", False),
    "cannot reach it": (raw(b"HTTP/1.0 502 x\r\n\r\n"), "proxy: status 502 (bad gateway)", True),
    "is no proxy": (raw(b"HTTP/1.1 302 x\r\nLocation: /\r\n\r\n"), "proxy: status 302 (redirect)", False),
    "talks first": (raw(b"HTTP/1.1 200 x\r\n\r\nhello"), "proxy: data behind the answer", True),
    "speaks something else": (raw(b"\x05\x00"), "proxy: answer is not HTTP", True),
    "never stops": (raw(b"HTTP/1.1 200 x\r\n" + b"A: b\r\n" * 2000), "proxy: head of the answer is longer than 8 KiB", True),
    "leaves": (raw(b""), "proxy: connection closed instead of an answer", True),
    "has too much to do": (raw(b"HTTP/1.1 429 x\r\n\r\n"), "proxy: status 429 (too many requests)", True),
    "is silent": (wait, "proxy: ", True),
}


@pytest.mark.parametrize("scheme", ["mqtt", "wss"])
@pytest.mark.parametrize("name", REFUSALS)
def test_proxy_that_refuses(pki, name, scheme):
    act, text, repeated = REFUSALS[name]
    with Proxy(act) as proxy:
        more = {"proxy": f"http://127.0.0.1:{proxy.port}", "proxy_username": "user", "proxy_password": "hush-hush"}
        outcome = run_isolated(attempt, url=f"{scheme}://localhost:9", **more, **options_of(scheme, pki),
                               timeout_ms=1500 if "silent" in name else 500)
    value = outcome.value
    assert value["code"] in (CLOSE, STATE["STATE_SYS_DEPEND_NWK_TIMEOUT"]) and text in value["error"][1], value
    assert value["seconds"] < 3
    assert repeated or value["attempts"] == 1
    secret = base64.b64encode(b"user:hush-hush").decode()
    assert "hush" not in outcome.output + value["error"][1] and secret not in outcome.output


def test_no_proxy_there():
    with PlainServer(silent) as server:
        gone = server.port
    value = run_isolated(attempt, url="mqtt://localhost:9", proxy=f"http://127.0.0.1:{gone}").value
    assert value["error"][1].startswith("proxy: connection refused"), value


def test_server_behind_the_proxy_is_verified(pki):
    with ScriptedServer(pki, reflect, certificate="server-wrong-host") as server, Proxy() as proxy:
        more = {"proxy": f"http://127.0.0.1:{proxy.port}", "ca": pki.text("root.crt")}
        value = run_isolated(attempt, url=f"mqtts://localhost:{server.port}", **more).value
    assert value["error"][1].startswith("verify: "), value


REFUSED = [
    ("no scheme", {"proxy": "proxy:3128"}, INVALID, "proxy has no scheme"),
    ("https", {"proxy": "https://proxy"}, INVALID, "not supported; use http://"),
    ("no host", {"proxy": "http://"}, INVALID, "no host"),
    ("path", {"proxy": "http://proxy/x"}, INVALID, "path"),
    ("password in the URL", {"proxy": "http://u:hush@proxy"}, INVALID, "do not belong"),
    ("port", {"proxy": "http://proxy:0"}, INVALID, "port"),
    ("too long", {"proxy": "http://" + "a" * 1024}, OUT_OF_RANGE, "proxy is longer than"),
    ("user alone", {"proxy_username": "u"}, INVALID, "without proxy"),
    ("password alone", {"proxy": "http://p", "proxy_password": "hush"}, INVALID, "without user name"),
    ("colon", {"proxy": "http://p", "proxy_username": "a:b"}, INVALID, "colon"),
    ("control character", {"proxy": "http://p", "proxy_username": "a\r\n"}, INVALID, "control character"),
    ("user too long", {"proxy": "http://p", "proxy_username": "u" * 256}, OUT_OF_RANGE, "proxy_username is longer"),
]


def test_options():
    rows = run_isolated(refusals, cases=[{**PLAIN, **given} for _, given, _, _ in REFUSED]).value
    for (name, _, code, text), row in zip(REFUSED, rows, strict=True):
        assert row[0] == code and text in row[1] and "hush" not in row[1], (name, row)


# ---- the SDK's API -----------------------------------------------------------------------------


class ProxyOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("url", c.c_char_p), ("username", c.c_char_p), ("password", c.c_char_p)]

    def __init__(self, url, username=None, password=None, size=None):
        super().__init__(c.sizeof(type(self)) if size is None else size, url, username, password)


def with_proxy(library, url, username=None, password=None, back=False, **parameters):
    proxy = ProxyOptions(url.encode(), username and username.encode(), password and password.encode())
    assert library.iotx_mqtt_set_proxy(c.byref(proxy)) == 0
    c.memset(c.byref(proxy), 0x5A, c.sizeof(proxy))
    if back:
        assert library.iotx_mqtt_set_proxy(None) == 0
    return sdk_session(library, **parameters)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_sdk_api(pki, scheme):
    with server_of(scheme, pki) as server, Proxy() as proxy:
        more = {"host": f"{scheme}://localhost", "port": server.port, "ca": pki.text("root.crt")}
        url = f"http://127.0.0.1:{proxy.port}"
        value = run_isolated(with_proxy, url=url, username="u", password="p", **more).value
        assert value["ok"] and value["arrived"], value["states"]
        assert len(proxy.requests) == 1 and proxy.requests[0][1]["proxy-authorization"] == "Basic dTpw"
        value = run_isolated(with_proxy, url=url, back=True, **more).value
        assert value["ok"] and len(proxy.requests) == 1


def setter(library):
    """Scenario: what iotx_mqtt_set_proxy takes."""
    cases = [(b"http://p", None, None, None), (b"http://p", None, None, 8), (b"http://p", None, None, 5000), (None, None, None, None),
             (b"ftp://p", None, None, None), (b"http://p", None, b"x", None), (b"http://p", b"u" * 256, None, None)]
    return [library.iotx_mqtt_set_proxy(c.byref(ProxyOptions(*case))) for case in cases]


def test_setter():
    assert run_isolated(setter).value == [0, OUT_OF_RANGE, OUT_OF_RANGE, INVALID, INVALID, INVALID, OUT_OF_RANGE]


def refused_by_proxy(library, port):
    device = Device(library, triple=NAMES)
    proxy = ProxyOptions(f"http://127.0.0.1:{port}".encode())
    assert library.iotx_mqtt_set_proxy(c.byref(proxy)) == 0
    device.construct(host="mqtt://localhost", port=9)
    return device.report()


def test_sdk_api_names_the_stage():
    with Proxy(raw(b"HTTP/1.1 407 x\r\n\r\n")) as proxy:
        value = run_isolated(refused_by_proxy, port=proxy.port).value
        assert len(proxy.requests) == 1, "nothing is gained by a repeat"
    assert [CLOSE, "proxy: status 407 (proxy authentication required)"] in value["states"]


# ---- ports of the schemes, as the proxy is told them -------------------------------------------


# URL or host, other options, port
CLIENT_PORTS = [("mqtt://localhost", {}, 1883), ("mqtts://localhost", {}, 8883), ("ws://localhost", {}, 80), ("wss://localhost", {}, 443),
                ("ws://localhost/x", NAMED, 443), ("ws://localhost:81", NAMED, 81), ("wss://localhost", NAMED, 443),
                ("mqtt://localhost", NAMED, 1883)]
SDK_PORTS = [("ws://localhost", {}, 443), ("wss://localhost/x", {}, 443), ("ws://localhost:81", {"port": 82}, 81),
             ("ws://localhost", {"port": 82}, 82), ("mqtt://localhost", {}, 1883)]


def test_default_ports():
    with Proxy(raw(b"HTTP/1.1 403 x\r\n\r\n")) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        for given, more, port in CLIENT_PORTS:
            run_isolated(named, url=given, proxy=url, **{"client_id": "a", **more} if not more else more)
            assert proxy.requests.pop()[0] == f"CONNECT localhost:{port} HTTP/1.1", given
        for given, more, port in SDK_PORTS:
            run_isolated(with_proxy, url=url, host=given, **more)
            assert proxy.requests.pop()[0] == f"CONNECT localhost:{port} HTTP/1.1", given


def named(library, **options):
    return Client(library, **options).connect(1000)


# ---- IPv6 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("through", [False, True])
def test_ipv6_literals(pki, scheme, through):
    with server_of(scheme, pki, address="::1") as server, Proxy(address="::1") as proxy:
        more = options_of(scheme, pki) | ({"proxy": f"http://[::1]:{proxy.port}"} if through else {})
        check_session(run_isolated(whole_session, url=f"{scheme}://[::1]:{server.port}", **more).value)
        assert [line for line, _ in proxy.requests] == [f"CONNECT [::1]:{server.port} HTTP/1.1"] * through
