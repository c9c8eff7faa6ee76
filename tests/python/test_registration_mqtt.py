"""Dynamic registration over MQTT (iotx_register), and inside Construct over either way."""

import ctypes as c
import hashlib
import hmac
import json
import time

import pytest

from device import Device
from iotx_abi import IOCTL, STATE, ioctl_get, ioctl_set
from isolation import run_isolated
from scripted import CONNACK_OK, ScriptedServer, packet, publish
from test_registration import DN, PK, PS, SECRET, Requests, answer_body, framed

HTTPS, MQTT, WITHOUT = 0, 1, 2
UNUSABLE = STATE["STATE_HTTP_DYNREG_INVALID_DS"]
TOKEN = "AABBCCDD-token"


class Data(c.Structure):
    _fields_ = [("data", c.c_void_p), ("size", c.c_size_t), ("file", c.c_char_p)]


class Options(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("method", c.c_uint32), ("region", c.c_uint32), ("url", c.c_char_p),
                ("product_key", c.c_char_p), ("product_secret", c.c_char_p), ("device_name", c.c_char_p),
                ("instance_id", c.c_char_p), ("client_id", c.c_char_p), ("ca", Data)]


class Result(c.Structure):
    _fields_ = [("device_secret", c.c_char * 65), ("client_id", c.c_char * 65), ("device_token", c.c_char * 257),
                ("text", c.c_char * 128)]


def register(library, ca_file, **given):
    options, result = Options(), Result()
    assert library.iotx_register_options_init(c.byref(options), c.c_size_t(c.sizeof(options))) == 0
    options.ca.file = ca_file.encode()
    for name, value in {"product_key": PK, "product_secret": PS, "device_name": DN, **given}.items():
        setattr(options, name, value.encode() if isinstance(value, str) else value)
    start = time.monotonic()
    code = library.iotx_register(c.byref(options), c.byref(result))
    found = {"code": code, "seconds": time.monotonic() - start,
             **{name: getattr(result, name).decode() for name, _ in Result._fields_}}
    library.iotx_register_result_clear(c.byref(result))
    assert bytes(result) == bytes(c.sizeof(result))
    return found


def run(pki, script, scheme="mqtts", **given):
    with ScriptedServer(pki, script) as server:
        outcome = run_isolated(register, ca_file=str(pki / "root.crt"), url=f"{scheme}://localhost:{server.port}", **given)
        server.drained()
        assert server.errors == []
    assert not any(secret in outcome.output for secret in (PS, SECRET, TOKEN)), "a secret is in the log"
    return outcome.value, server


def answering(payload, topic="/ext/register", delay=0.0, before=(), qos=0):
    """Accepts, answers, and reads until the device leaves."""
    def script(connection):
        connection.accept()
        time.sleep(delay)
        for other in before:
            connection.send(other)
        connection.send(publish(topic, payload, qos=qos))
        connection.serve()
    return script


def granted(**more):
    return json.dumps({"productKey": PK, "deviceName": DN, **more})


SECRET_ANSWER = granted(deviceSecret=SECRET)
TOKEN_ANSWER = granted(clientId="mac-1", deviceToken=TOKEN)


def signature(random):
    text = f"deviceName{DN}productKey{PK}random{random}"
    return hmac.new(PS.encode(), text.encode(), hashlib.sha256).hexdigest().upper()


def parameters(client_id):
    name, inner, rest = client_id.split("|")
    assert rest == ""
    return name, dict(pair.split("=") for pair in inner.split(","))


# ---- register ------------------------------------------------------------------------------------

def test_register_on_the_wire(pki):
    value, server = run(pki, answering(SECRET_ANSWER), method=MQTT)
    assert (value["code"], value["device_secret"], value["client_id"], value["text"]) == (0, SECRET, "", "")
    connect = server.packets("CONNECT")[0]
    name, inner = parameters(connect.client_id)
    assert name == f"{PK}.{DN}" and list(inner) == ["authType", "random", "signmethod", "securemode"]
    assert (inner["authType"], inner["signmethod"], inner["securemode"]) == ("register", "hmacsha256", "2")
    assert len(inner["random"]) == 8 and int(inner["random"], 16) >= 0
    assert (connect.username, connect.password) == (f"{DN}&{PK}", signature(inner["random"]))
    assert connect.keep_alive == 120 and connect.flags & 2, "clean session"
    assert [item.name for item in server.packets()] == ["CONNECT", "DISCONNECT"], "no subscription, a clean end"


def test_instance_id(pki):
    value, server = run(pki, answering(SECRET_ANSWER), method=MQTT, instance_id="iot-060a")
    assert value["code"] == 0
    assert parameters(server.packets("CONNECT")[0].client_id)[1]["instanceId"] == "iot-060a"


@pytest.mark.parametrize("delay", [0.01, 3])
def test_returns_at_once_on_the_answer(pki, delay):
    value, _ = run(pki, answering(SECRET_ANSWER, delay=delay), method=MQTT)
    assert (value["code"], value["device_secret"]) == (0, SECRET)
    assert delay <= value["seconds"] < delay + 1.5


def test_answer_with_qos_1_is_acknowledged(pki):
    value, server = run(pki, answering(SECRET_ANSWER, qos=1), method=MQTT)
    assert value["code"] == 0
    assert [item.name for item in server.packets()] == ["CONNECT", "PUBACK", "DISCONNECT"]


@pytest.mark.parametrize("topic", ["/ext/registerXYZ", "/ext/regis", "/ext/regnwl", "/ext/register/x", "x"])
def test_another_topic_is_no_answer(pki, topic):
    stray = publish(topic, granted(deviceSecret="wrong"))
    value, _ = run(pki, answering(SECRET_ANSWER, before=[stray]), method=MQTT)
    assert (value["code"], value["device_secret"]) == (0, SECRET)


@pytest.mark.parametrize("code, state", [
    (1, "STATE_MQTT_CONNACK_VERSION_UNACCEPT"), (2, "STATE_MQTT_CONNACK_IDENT_REJECT"),
    (3, "STATE_MQTT_CONNACK_SERVICE_NA"), (4, "STATE_MQTT_CONNACK_BAD_USERDATA"),
    (5, "STATE_MQTT_CONNACK_NOT_AUTHORIZED"), (6, "STATE_MQTT_CONNACK_UNKNOWN_ERROR"),
    (255, "STATE_MQTT_CONNACK_UNKNOWN_ERROR"),
])
def test_connack(pki, code, state):
    def refuse(connection):
        connection.accept(bytes([0x20, 2, 0, code]))
        connection.serve()
    value, server = run(pki, refuse, method=MQTT)
    assert (value["code"], value["device_secret"]) == (STATE[state], "")
    assert value["text"].startswith(f"CONNACK {code}: ")
    assert value["seconds"] < 2 and server.accepted == 1, "refused at once, not tried again"


@pytest.mark.parametrize("payload", [
    granted(deviceSecret="x" * 65), granted(deviceSecret=""), granted(deviceSecret=1), granted(), granted(deviceSecret="a\nb"),
    "", "[]", "null", "hello", SECRET_ANSWER[:-1], "x" * 2000, json.dumps({"data": json.loads(SECRET_ANSWER)}),
    json.dumps({"productKey": "other", "deviceName": DN, "deviceSecret": SECRET}),
    json.dumps({"productKey": PK, "deviceName": "other", "deviceSecret": SECRET}),
], ids=["too long", "empty", "a number", "missing", "line end", "no payload", "a list", "null", "not JSON", "truncated",
        "2000 bytes", "nested", "another product", "another device"])
def test_bad_answer(pki, payload):
    value, _ = run(pki, answering(payload), method=MQTT)
    assert (value["code"], value["device_secret"]) == (UNUSABLE, "")
    assert value["text"] and value["seconds"] < 3


def test_huge_answer(pki):
    value, _ = run(pki, answering("x" * 100_000), method=MQTT)
    assert (value["code"], value["text"]) == (UNUSABLE, "the answer is too large")


def test_flood_of_other_messages_ends(pki):
    value, _ = run(pki, answering(SECRET_ANSWER, before=[publish("/x", "y")] * 100), method=MQTT)
    assert value["code"] == UNUSABLE and value["seconds"] < 5


@pytest.mark.parametrize("sent, code", [
    (b"", STATE["STATE_SYS_DEPEND_NWK_CLOSE"]), (CONNACK_OK, UNUSABLE), (b"HTTP/1.1 400 Bad\r\n\r\n", None),
    (packet(0x30, b"\0\xff/ext"), None),
], ids=["before CONNACK", "after CONNACK", "not MQTT", "malformed"])
def test_server_that_closes(pki, sent, code):
    def close(connection):
        connection.expect("CONNECT")
        connection.send(sent)
    value, _ = run(pki, close, method=MQTT)
    assert value["code"] < 0 and value["device_secret"] == ""
    assert code is None or value["code"] == code
    assert value["seconds"] < 3


def fifteen_seconds(connection):
    """What the platform does: an answer that never comes, then the end."""
    connection.accept()
    connection.stream.settimeout(17)
    connection.serve()


def test_no_answer_within_15_s(pki):
    value, server = run(pki, fifteen_seconds, method=MQTT)
    assert (value["code"], value["device_secret"]) == (UNUSABLE, "")
    assert 14.5 < value["seconds"] < 17


def test_answer_after_14_s(pki):
    value, _ = run(pki, answering(SECRET_ANSWER, delay=14), method=MQTT)
    assert (value["code"], value["device_secret"]) == (0, SECRET)


# ---- without pre-registration --------------------------------------------------------------------

@pytest.mark.parametrize("topic", ["/ext/register", "/ext/regnwl"])
@pytest.mark.parametrize("instance_id", [None, "iot-060a"])
def test_without_pre_registration(pki, topic, instance_id):
    more = {"instance_id": instance_id} if instance_id else {}
    value, server = run(pki, answering(TOKEN_ANSWER, topic=topic), method=WITHOUT, client_id="aa:bb:cc", **more)
    assert (value["code"], value["device_secret"]) == (0, "")
    assert (value["client_id"], value["device_token"]) == ("mac-1", TOKEN)
    connect = server.packets("CONNECT")[0]
    name, inner = parameters(connect.client_id)
    assert name == "aa:bb:cc" and inner["authType"] == "regnwl"
    assert inner["securemode"] == ("-2" if instance_id else "2")
    assert inner.get("instanceId") == instance_id
    assert connect.password == signature(inner["random"])


def test_default_client_id(pki):
    value, server = run(pki, answering(TOKEN_ANSWER), method=WITHOUT)
    assert value["code"] == 0
    assert parameters(server.packets("CONNECT")[0].client_id)[0] == f"{PK}.{DN}"


@pytest.mark.parametrize("payload", [
    granted(clientId="c"), granted(deviceToken="t"), granted(clientId="c" * 65, deviceToken="t"),
    granted(clientId="c", deviceToken="t" * 257), granted(clientId="c|authType=x", deviceToken="t"), SECRET_ANSWER,
], ids=["no token", "no client id", "client id too long", "token too long", "separator", "a secret"])
def test_bad_token_answer(pki, payload):
    value, _ = run(pki, answering(payload), method=WITHOUT)
    assert (value["code"], value["client_id"], value["device_token"]) == (UNUSABLE, "", "")


# ---- over HTTPS, with options --------------------------------------------------------------------

def test_https_with_options(pki):
    value, _ = run(pki, Requests(framed(answer_body())), scheme="https", method=HTTPS)
    assert (value["code"], value["device_secret"], value["text"]) == (0, SECRET, "")


def test_https_refusal_is_the_text(pki):
    body = '{"code":6288,"message":"%s%n"}'
    value, _ = run(pki, Requests(framed(body)), scheme="https", method=HTTPS)
    assert (value["code"], value["text"]) == (STATE["STATE_HTTP_DYNREG_FAIL_RESP"], body)


# ---- inside Construct ----------------------------------------------------------------------------

SecretHandler = c.CFUNCTYPE(c.c_int, c.c_char_p)


def construct(library, ca, cloud, http, kv, secret="", product_secret=PS, flag=1, mqtt=0, keep=0, lives=1, older=None,
              forget=False, separate=0, record=None):
    library.iotx_kv_set_path(kv.encode())
    device = Device(library, ca=ca, triple=(PK, DN, secret))
    handed_out, results = [], []
    handler = device.keep(SecretHandler(lambda text: handed_out.append(
        [text.decode(), ioctl_get(library, "GET_DEVICE_SECRET"), device.connect_successes]) or 0))
    assert library.iotx_register_for_ITE_DYNREG_DEVICE_SECRET(c.cast(handler, c.c_void_p)) == 0
    assert ioctl_set(library, "SET_PRODUCT_SECRET", product_secret) == 0
    assert ioctl_set(library, "SET_HTTP_DOMAIN", f"localhost:{http}") == 0
    if mqtt:
        assert ioctl_set(library, "SET_MQTT_DOMAIN", "localhost") == 0
        assert library.IOT_Ioctl(IOCTL["IOTX_IOCTL_SET_MQTT_PORT"], c.byref(c.c_uint16(http))) == 0
    assert library.IOT_Ioctl(IOCTL["IOTX_IOCTL_SET_DYNAMIC_REGISTER"], c.byref(c.c_int(flag))) == 0
    assert library.iotx_dynreg_use_mqtt(mqtt) == 0 and library.iotx_dynreg_keep_secret(keep) == 0
    if older is not None:
        assert library.HAL_Kv_Set(f"DYNAMIC_REG_{DN}".encode(), older.encode(), len(older), 1) == 0
    if record is not None:
        assert library.HAL_Kv_Set(b"iotx_dynreg", record.encode(), len(record), 1) == 0
    for life in range(lives):
        if life:
            # What a restart leaves: the KV store.
            assert ioctl_set(library, "SET_DEVICE_SECRET", secret) == 0
            if forget:
                assert library.iotx_dynreg_forget() == 0
        device.construct(host="localhost", port=cloud)
        results.append(device.handle is not None)
        if device.handle is not None:
            device.destroy()
    return {"results": results, "handed_out": handed_out, "states": device.states,
            "secret": ioctl_get(library, "GET_DEVICE_SECRET")}


def broker(connection):
    connection.accept()
    connection.serve()


def live(pki, tmp_path, requests=None, registrar=None, **more):
    """Construct with a registration server and a broker. Returns outcome, registrar's requests, CONNECTs."""
    requests = requests or Requests(framed(answer_body()))
    with ScriptedServer(pki, registrar or requests) as http, ScriptedServer(pki, broker) as cloud:
        order = []
        original = cloud.script
        cloud.script = lambda connection: (order.append(len(requests.forms)), original(connection))
        outcome = run_isolated(construct, ca=pki.text("root.crt"), cloud=cloud.port, http=http.port,
                               kv=str(tmp_path / "kv.bin"), **more)
        cloud.drained()
        http.drained()
    assert not any(secret in outcome.output for secret in (PS, SECRET)), "a secret is in the log"
    assert all(SECRET not in text for _, text in outcome.value["states"])
    return outcome.value, requests, cloud.packets("CONNECT"), order, http


def password(secret):
    text = f"clientId{PK}.{DN}deviceName{DN}productKey{PK}timestamp2524608000000"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest().upper()


def test_construct_registers_and_connects(pki, tmp_path):
    value, requests, connects, order, _ = live(pki, tmp_path)
    assert value["results"] == [True]
    # Once, with the secret stored already, before the MQTT connection.
    assert value["handed_out"] == [[SECRET, SECRET, 0]]
    assert len(requests.forms) == 1 and order == [1]
    assert [connect.password for connect in connects] == [password(SECRET)]


def test_construct_with_a_secret_does_not_register(pki, tmp_path):
    value, requests, connects, _, _ = live(pki, tmp_path, secret="known already")
    assert value["results"] == [True] and value["handed_out"] == [] and requests.forms == []
    assert [connect.password for connect in connects] == [password("known already")]


def test_construct_without_the_flag_does_not_register(pki, tmp_path):
    """X.509 and connwl need no secret."""
    value, requests, connects, _, _ = live(pki, tmp_path, flag=0, product_secret="")
    assert value["results"] == [True] and value["handed_out"] == [] and requests.forms == []
    assert len(connects) == 1


def test_construct_without_a_product_secret(pki, tmp_path):
    value, requests, connects, _, http = live(pki, tmp_path, product_secret="")
    assert value["results"] == [False] and connects == [] and http.accepted == 0
    assert [code for code, _ in value["states"]] == [STATE["STATE_USER_INPUT_PS"]]


def test_construct_with_a_refused_registration(pki, tmp_path):
    refused = STATE["STATE_HTTP_DYNREG_FAIL_RESP"]
    value, _, connects, _, _ = live(pki, tmp_path, requests=Requests(framed('{"code":6288,"message":"%s"}')))
    assert value["results"] == [False] and value["handed_out"] == [] and connects == [] and value["secret"] == ""
    assert value["states"] == [[refused, '{"code":6288,"message":"%s"}'],
                               [refused, f"dynamic registration failed, ret = {refused}"]]


def test_second_life_registers_again_unless_somebody_keeps_the_secret(pki, tmp_path):
    value, requests, _, _, _ = live(pki, tmp_path, lives=2)
    assert len(requests.forms) == 2 and len(value["handed_out"]) == 2
    assert not (tmp_path / "kv.bin").exists(), "nothing is stored unasked"


def test_secret_kept_by_the_library(pki, tmp_path):
    value, requests, connects, _, _ = live(pki, tmp_path, lives=3, keep=1)
    assert value["results"] == [True] * 3 and len(requests.forms) == 1
    assert value["handed_out"] == [[SECRET, SECRET, 0]], "once in its life"
    assert [connect.password for connect in connects] == [password(SECRET)] * 3


@pytest.mark.parametrize("product_key, device_name, requested", [(PK, DN, 0), ("other", DN, 1), (PK, "other", 1)])
def test_the_kept_secret_is_that_of_its_device(pki, tmp_path, product_key, device_name, requested):
    record = json.dumps({"productKey": product_key, "deviceName": device_name, "deviceSecret": "kept"})
    value, requests, connects, _, _ = live(pki, tmp_path, keep=1, record=record)
    assert value["results"] == [True] and len(requests.forms) == requested
    assert [connect.password for connect in connects] == [password(SECRET if requested else "kept")]


def test_kept_secret_forgotten(pki, tmp_path):
    _, requests, _, _, _ = live(pki, tmp_path, lives=2, keep=1, forget=True)
    assert len(requests.forms) == 2


@pytest.mark.parametrize("older", ["from 3.0.1", "from 3.0.1\0"])
def test_secret_kept_by_sdk_3_0_1(pki, tmp_path, older):
    value, requests, connects, _, _ = live(pki, tmp_path, keep=1, older=older)
    assert value["results"] == [True] and requests.forms == []
    assert [connect.password for connect in connects] == [password("from 3.0.1")]


@pytest.mark.parametrize("older", ["", "x" * 65, "a\nb"])
def test_unusable_kept_secret_is_not_used(pki, tmp_path, older):
    value, requests, _, _, _ = live(pki, tmp_path, keep=1, older=older or "\0")
    assert value["results"] == [True] and len(requests.forms) == 1


def test_construct_registers_over_mqtt(pki, tmp_path):
    value, _, connects, _, registrar = live(pki, tmp_path, registrar=answering(SECRET_ANSWER), mqtt=1)
    assert value["results"] == [True] and value["handed_out"] == [[SECRET, SECRET, 0]]
    assert [connect.password for connect in connects] == [password(SECRET)]
    assert [item.name for item in registrar.packets()] == ["CONNECT", "DISCONNECT"]


def test_construct_refused_over_mqtt(pki, tmp_path):
    def refuse(connection):
        connection.accept(bytes([0x20, 2, 0, 4]))
        connection.serve()
    code = STATE["STATE_MQTT_CONNACK_BAD_USERDATA"]
    value, _, connects, _, _ = live(pki, tmp_path, registrar=refuse, mqtt=1)
    assert value["results"] == [False] and value["handed_out"] == [] and connects == []
    assert [found for found, _ in value["states"]] == [code, code]
