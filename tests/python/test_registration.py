"""Dynamic registration over HTTPS: IOT_Dynamic_Register against servers whose every byte is in the test."""

import ctypes as c
import hashlib
import hmac
import json
import socket
import threading
import time
from urllib.parse import parse_qsl

import pytest

from device import Device
from iotx_abi import IOCTL, STATE, MetaInfo, ioctl_set
from isolation import run_isolated
from scripted import ScriptedServer

PK, PS, DN = "a1MZxOdcBnO", "h4I4dneEFp7EImTv", "meter-1"
SECRET = "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X"
CUSTOM = 5
FAILED = STATE["STATE_HTTP_DYNREG_FAIL_RESP"]
UNUSABLE = STATE["STATE_HTTP_DYNREG_INVALID_DS"]
CLOSED, TIMEOUT = STATE["STATE_SYS_DEPEND_NWK_CLOSE"], STATE["STATE_SYS_DEPEND_NWK_TIMEOUT"]
ERROR_HTTP, ERROR_PROTOCOL, ERROR_VERIFY = -4, -5, -309


def answer_body(secret=SECRET, code=200, product_key=PK, device_name=DN):
    return json.dumps({"code": code, "message": "success",
                       "data": {"deviceName": device_name, "deviceSecret": secret, "productKey": product_key}})


def framed(body, status="200 OK", fields=""):
    data = body if isinstance(body, bytes) else body.encode()
    return f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(data)}\r\n\r\n".encode() + data


def chunked(body, size):
    data, parts = body.encode(), []
    for start in range(0, len(data), size):
        part = data[start:start + size]
        parts.append(b"%x;x=y\r\n%s\r\n" % (len(part), part))
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"".join(parts) + b"0\r\nT: v\r\n\r\n"


class Requests:
    """Reads one request per connection and answers with what `answer` gives: bytes, or a function that gets
    the stream."""

    def __init__(self, answer):
        self.answer, self.heads, self.forms = answer, [], []

    def __call__(self, connection):
        stream, data = connection.stream, b""
        while b"\r\n\r\n" not in data:
            part = stream.recv(4096)
            if not part:
                return
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        fields = {line.split(":")[0].lower(): line.split(": ", 1)[1] for line in head.decode().split("\r\n")[1:]}
        while len(body) < int(fields["content-length"]):
            body += stream.recv(4096)
        self.heads.append((head.decode().split("\r\n")[0], fields))
        self.forms.append(dict(parse_qsl(body.decode(), strict_parsing=True)))
        if callable(self.answer):
            self.answer(stream)
        else:
            stream.sendall(self.answer)


def register(library, ca, domain, region=CUSTOM, meta=None, times=1, own_ca=True):
    device = Device(library, ca=ca if own_ca else None)
    if domain is not None:
        assert ioctl_set(library, "SET_HTTP_DOMAIN", domain) == 0
    names = {"product_key": PK, "product_secret": PS, "device_name": DN, **(meta or {})}
    results = []
    for _ in range(times):
        block = MetaInfo(device_secret=b"before", **{name: text.encode() for name, text in names.items()})
        start = time.monotonic()
        result = library.IOT_Dynamic_Register(region, c.addressof(block))
        results.append([result, block.device_secret.decode(), time.monotonic() - start])
    return {"results": results, "states": device.states}


class Outcome:
    def __init__(self, value, output):
        self.code, self.secret, self.seconds = value["results"][0]
        self.all, self.states, self.output = value["results"], value["states"], output

    def texts(self, code):
        return [text for found, text in self.states if found == code]


def run(pki, answer, certificate="server", domain="localhost:{port}", **more):
    requests = answer if isinstance(answer, Requests) else Requests(answer)
    with ScriptedServer(pki, requests, certificate=certificate) as server:
        outcome = run_isolated(register, ca=pki.text("root.crt"), domain=domain.format(port=server.port),
                               **more)
        assert PS not in outcome.output, "the product secret is in the log"
        for form in requests.forms:
            assert form["sign"] not in outcome.output, "the signature is in the log"
    found = Outcome(outcome.value, outcome.output)
    found.server, found.requests = server, requests
    return found


# ---- what is sent --------------------------------------------------------------------------------

def test_request_on_the_wire(pki):
    found = run(pki, framed(answer_body()), times=2)
    assert [row[:2] for row in found.all] == [[0, SECRET]] * 2
    line, fields = found.requests.heads[0]
    assert line == "POST /auth/register/device HTTP/1.1"
    assert fields["host"] == f"localhost:{found.server.port}"
    assert fields["accept"] == "text/xml,text/javascript,text/html,application/json"
    assert fields["content-type"] == "application/x-www-form-urlencoded"
    for form in found.requests.forms:
        assert list(form) == ["productKey", "deviceName", "random", "sign", "signMethod"]
        text = f"deviceName{DN}productKey{PK}random{form['random']}"
        wanted = hmac.new(PS.encode(), text.encode(), hashlib.sha256).hexdigest().upper()
        assert (form["productKey"], form["deviceName"], form["sign"]) == (PK, DN, wanted)
        assert form["signMethod"] == "hmacsha256" and len(form["random"]) >= 8
    first, second = (form["random"] for form in found.requests.forms)
    assert first != second, "the random is fresh"
    assert SECRET not in found.output


# ---- good answers --------------------------------------------------------------------------------

@pytest.mark.parametrize("answer", [
    framed(' \r\n{ "message" : "ok" ,\n "data" : { "deviceSecret" : "%s" } , "code" : 200 }\n' % SECRET),
    framed(answer_body()).replace(b"Content-Length", b"content-LENGTH"),
    chunked(answer_body(), 7),
    b"HTTP/1.1 200 OK\r\n\r\n" + answer_body().encode(),
    b"HTTP/1.1 100 Continue\r\n\r\n" + framed(answer_body()),
], ids=["blanks and another order", "header in another case", "chunked", "until close", "interim answer"])
def test_every_framing(pki, answer):
    found = run(pki, answer)
    assert (found.code, found.secret) == (0, SECRET), found.states


def test_answer_byte_by_byte(pki):
    def slowly(stream):
        for byte in framed(answer_body()):
            stream.sendall(bytes([byte]))
    assert run(pki, slowly).code == 0


def test_longest_secret(pki):
    found = run(pki, framed(answer_body("x" * 64)))
    assert (found.code, found.secret) == (0, "x" * 64)


# ---- refusals and bad answers: nothing is written -------------------------------------------------

def test_refusal_of_the_cloud_is_data(pki):
    body = '{"code":6288,"message":"device %s%n is active"}'
    found = run(pki, framed(body))
    assert (found.code, found.secret) == (FAILED, "before")
    assert found.texts(FAILED) == [body[:63]]


def test_long_refusal(pki):
    found = run(pki, framed(json.dumps({"code": 5, "message": "m" * 500})))
    assert found.code == FAILED and len(found.texts(FAILED)[0]) == 63


@pytest.mark.parametrize("body", [
    answer_body("x" * 65), answer_body(""), answer_body(7), answer_body(None), answer_body([SECRET]),
    answer_body("s\ns"), answer_body("s\0s"), answer_body(code="200"),
    '{"code":200,"message":"success"}', '{"code":200,"data":"' + SECRET + '"}', "[200]", "null", "", "hello",
    answer_body()[:-2], answer_body() + "x",
], ids=["secret too long", "secret empty", "secret a number", "secret null", "secret a list", "line end in the secret",
        "NUL in the secret", "code a text", "no data", "data a text", "a list", "null", "empty", "not JSON", "truncated",
        "more behind it"])
def test_answer_with_wrong_types(pki, body):
    found = run(pki, framed(body))
    assert (found.code, found.secret) == (UNUSABLE, "before")
    assert len(found.texts(UNUSABLE)) == 1
    assert SECRET not in found.output and all(SECRET not in text for _, text in found.states)


@pytest.mark.parametrize("names", [{"product_key": "other"}, {"device_name": "other"}])
def test_answer_for_another_device(pki, names):
    found = run(pki, framed(answer_body(**names)))
    assert (found.code, found.secret) == (UNUSABLE, "before")
    assert "another device" in found.texts(UNUSABLE)[0]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_not_followed(pki, status):
    elsewhere = "Location: https://localhost:1/auth/register/device\r\n"
    found = run(pki, framed("", f"{status} Moved", elsewhere))
    assert (found.code, found.secret, found.server.accepted) == (ERROR_HTTP, "before", 1)
    assert "redirect" in found.texts(ERROR_HTTP)[0]


@pytest.mark.parametrize("status", ["400 Bad Request", "500 Oops", "503 Busy"])
def test_http_status(pki, status):
    found = run(pki, framed(answer_body(), status))
    assert (found.code, found.secret) == (ERROR_HTTP, "before")
    assert status[:3] in found.texts(ERROR_HTTP)[0]


@pytest.mark.parametrize("answer, code", [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", ERROR_PROTOCOL),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", ERROR_PROTOCOL),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", ERROR_PROTOCOL),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxyz\r\n", ERROR_PROTOCOL),
    (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", STATE["STATE_HTTP_RESP_MISSING_CONTENT_LEN"]),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", STATE["STATE_HTTP_RESP_MISSING_CONTENT_LEN"]),
    (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 9000, ERROR_PROTOCOL),
    (b"SSH-2.0-OpenSSH\r\n\r\n", ERROR_PROTOCOL),
    (framed(answer_body())[:-5], ERROR_PROTOCOL),
    (b"HTTP/1.1 200 OK\r\n", ERROR_PROTOCOL),
    (b"", ERROR_PROTOCOL),
], ids=["huge length", "huge chunk", "bad chunk", "unknown coding", "length no number", "two lengths", "huge head",
        "not HTTP", "truncated body", "truncated head", "closed at once"])
def test_bad_framing(pki, answer, code):
    found = run(pki, answer)
    assert (found.code, found.secret) == (code, "before"), found.states
    assert found.seconds < 5


@pytest.mark.parametrize("start, part", [
    (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 500),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10\r\n" + b"x" * 16 + b"\r\n"),
    (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
], ids=["until close", "chunked", "head"])
def test_endless_answer_ends_by_its_limit(pki, start, part):
    def endless(stream):
        stream.sendall(start)
        while True:
            stream.sendall(part)
    found = run(pki, endless)
    assert (found.code, found.secret) == (ERROR_PROTOCOL, "before")
    assert found.seconds < 5


def test_silent_and_trickling_servers_end_by_the_deadline(pki):
    def trickle(stream):
        stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with pytest.raises(OSError):
            while True:
                stream.sendall(b"x")
                time.sleep(0.3)
    silent = threading.Event()
    found = {}
    threads = [
        threading.Thread(target=lambda: found.update(silent=run(pki, lambda _: silent.wait(20)))),
        threading.Thread(target=lambda: found.update(trickle=run(pki, trickle))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    silent.set()
    for name in ("silent", "trickle"):
        assert (found[name].code, found[name].secret) == (TIMEOUT, "before"), name
        assert 9.5 < found[name].seconds < 13, name


# ---- the server and the network ------------------------------------------------------------------

@pytest.mark.parametrize("certificate", ["server-expired", "server-not-yet", "server-wrong-host", "server-unknown-ca"])
def test_server_is_verified(pki, certificate):
    found = run(pki, framed(answer_body()), certificate=certificate)
    assert (found.code, found.secret) == (ERROR_VERIFY, "before")
    assert found.requests.forms == [], "nothing was sent to it"
    assert found.server.accepted == 1, "it is not tried again"


def test_three_tries_to_connect(pki):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    value = run_isolated(register, ca=pki.text("root.crt"), domain=f"localhost:{port}").value
    code, secret, seconds = value["results"][0]
    assert (code, secret) == (CLOSED, "before")
    assert 2 <= seconds < 6, "two pauses of a second"


def test_no_certificate_of_the_device_is_shown(pki):
    """Also where the process has one for the MQTT endpoint."""
    shown = []

    def answer(stream):
        shown.append(stream.getpeercert())
        stream.sendall(framed(answer_body()))
    requests = Requests(answer)
    with ScriptedServer(pki, requests) as server:
        value = run_isolated(register_x509, credentials=pki.x509(), domain=f"localhost:{server.port}").value
    # ssl gives {} or None for a client without a certificate.
    assert value == [0, SECRET] and not any(shown)


def register_x509(library, credentials, domain):
    Device(library, **credentials)
    assert ioctl_set(library, "SET_HTTP_DOMAIN", domain) == 0
    block = MetaInfo(product_key=PK.encode(), product_secret=PS.encode(), device_name=DN.encode())
    return [library.IOT_Dynamic_Register(CUSTOM, c.addressof(block)), block.device_secret.decode()]


# ---- arguments -----------------------------------------------------------------------------------

@pytest.mark.parametrize("meta, region, code", [
    ({"product_key": ""}, 0, "STATE_USER_INPUT_PK"),
    ({"product_secret": ""}, 0, "STATE_USER_INPUT_PS"),
    ({"device_name": ""}, 0, "STATE_USER_INPUT_DN"),
    ({"product_key": "k" * 21}, 0, "STATE_USER_INPUT_PK"),
    ({"product_secret": "s" * 65}, 0, "STATE_USER_INPUT_PS"),
    ({"device_name": "d" * 33}, 0, "STATE_USER_INPUT_DN"),
    ({"device_name": "a&random=1"}, 0, "STATE_USER_INPUT_DN"),
    ({"product_key": "a b"}, 0, "STATE_USER_INPUT_PK"),
    ({}, CUSTOM, "STATE_USER_INPUT_HTTP_DOMAIN"),
    ({}, 6, "STATE_USER_INPUT_HTTP_DOMAIN"),
    ({}, 4_000_000_000, "STATE_USER_INPUT_HTTP_DOMAIN"),
])
def test_bad_arguments(meta, region, code):
    value = run_isolated(register, ca=None, domain=None, region=region, meta=meta, own_ca=False).value
    result, secret, seconds = value["results"][0]
    assert (result, secret) == (STATE[code], "before")
    assert [found for found, _ in value["states"]] == [STATE[code]]
    assert seconds < 1, "no network traffic"


def test_null(library):
    assert library.IOT_Dynamic_Register(0, None) == STATE["STATE_USER_INPUT_INVALID"]


@pytest.mark.parametrize("value, result", [(0, 0), (1, 0), (2, -1), (-1, -1)])
def test_ioctl(library, value, result):
    def call(option, number):
        return library.IOT_Ioctl(IOCTL[f"IOTX_IOCTL_{option}_DYNAMIC_REGISTER"], c.byref(number))
    assert call("SET", c.c_int(0)) == 0
    assert call("SET", c.c_int(value)) == result
    found = c.c_int(99)
    assert call("GET", found) == 0
    assert found.value == (value if result == 0 else 0)
    assert call("SET", c.c_int(0)) == 0
