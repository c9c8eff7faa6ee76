"""Registration at the local platform, and the connection that follows; registration through a proxy."""

import ctypes as c

import pytest

from client import Client
from device import Device
from iotx_abi import IOCTL, STATE, ioctl_get, ioctl_set
from isolation import run_isolated
from scripted import ScriptedServer
from test_registration import Requests, answer_body, framed, register as register_sdk
from test_registration_mqtt import MQTT, PK, SECRET, WITHOUT, register
from upgrade import Proxy

NAME, PRODUCT_SECRET, DEVICE_SECRET = "example1", "AbCdEfGhIjKlMnOp", "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X"


def at_platform(pki, platform, **given):
    more = {"device_name": NAME, "product_secret": PRODUCT_SECRET, **given}
    return run_isolated(register, ca_file=str(pki / "root.crt"), url=f"mqtts://localhost:{platform.port}", **more).value


def test_register(pki, start_platform):
    platform = start_platform()
    value = at_platform(pki, platform, method=MQTT)
    assert (value["code"], value["device_secret"]) == (0, DEVICE_SECRET), value["text"]
    platform.wait_log('"registration"', '"register"')


@pytest.mark.parametrize("given, code", [
    ({"product_secret": "wrong"}, "STATE_MQTT_CONNACK_BAD_USERDATA"),
    ({"device_name": "never-created"}, "STATE_MQTT_CONNACK_BAD_USERDATA"),
])
def test_register_refused(pki, start_platform, given, code):
    value = at_platform(pki, start_platform(), method=MQTT, **given)
    assert (value["code"], value["device_secret"]) == (STATE[code], "")
    assert value["text"].startswith("CONNACK 4")


def construct(library, ca, port):
    device = Device(library, ca=ca, triple=(PK, NAME, ""))
    assert ioctl_set(library, "SET_PRODUCT_SECRET", PRODUCT_SECRET) == 0
    assert ioctl_set(library, "SET_MQTT_DOMAIN", "localhost") == 0
    assert library.IOT_Ioctl(IOCTL["IOTX_IOCTL_SET_MQTT_PORT"], c.byref(c.c_uint16(port))) == 0
    assert library.IOT_Ioctl(IOCTL["IOTX_IOCTL_SET_DYNAMIC_REGISTER"], c.byref(c.c_int(1))) == 0
    assert library.iotx_dynreg_use_mqtt(1) == 0
    device.construct()
    topic = f"/{PK}/{NAME}/user/get"
    device.subscribe(topic, qos=1)
    device.publish(topic, "hello", qos=1)
    heard = device.until(lambda: device.messages)
    device.destroy()
    return [heard, ioctl_get(library, "GET_DEVICE_SECRET"), device.messages[0]["payload"]]


def test_construct_registers_and_talks(pki, start_platform):
    platform = start_platform()
    value = run_isolated(construct, ca=pki.text("root.crt"), port=platform.port).value
    assert value == [True, DEVICE_SECRET, "hello"]


def without(library, ca, ca_file, url, client_ids):
    """Physical devices of one name: each registers, then signs in with its token."""
    found = []
    for client_id in client_ids:
        granted = register(library, ca_file=ca_file, url=url, method=WITHOUT, device_name="shared",
                           product_secret=PRODUCT_SECRET, client_id=client_id)
        client = Client(library, url=url, ca=ca, client_id=f"{granted['client_id']}|securemode=-2,authType=connwl|",
                        username=f"shared&{PK}", password=granted["device_token"])
        topic = f"/{PK}/shared/user/get"
        code = client.connect()
        heard = False
        if code == 0:
            client.subscribe(topic, 1)
            assert client.until(lambda: any(row[0] == "SUBSCRIBED" for row in client.events))
            client.publish(topic, "hello", 1)
            heard = client.until(lambda: client.messages)
        client.destroy()
        found.append([granted["code"], granted["client_id"], bool(granted["device_token"]), code, heard])
    return found


def test_without_pre_registration(pki, start_platform):
    platform = start_platform()
    value = run_isolated(without, ca=pki.text("root.crt"), ca_file=str(pki / "root.crt"),
                         url=f"mqtts://localhost:{platform.port}", client_ids=["mac-1", "mac-2"]).value
    assert value == [[0, "mac-1", True, 0, True], [0, "mac-2", True, 0, True]]


class ProxyOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("url", c.c_char_p), ("username", c.c_char_p), ("password", c.c_char_p)]


def through_proxy(library, proxy, **more):
    options = ProxyOptions(struct_size=c.sizeof(ProxyOptions), url=proxy.encode())
    assert library.iotx_mqtt_set_proxy(c.byref(options)) == 0
    return register_sdk(library, **more)


def test_registration_goes_through_the_proxy(pki):
    with ScriptedServer(pki, Requests(framed(answer_body()))) as server, Proxy() as proxy:
        value = run_isolated(through_proxy, proxy=f"http://127.0.0.1:{proxy.port}", ca=pki.text("root.crt"),
                             domain=f"localhost:{server.port}").value
        assert value["results"][0][:2] == [0, SECRET]
        assert [line for line, _ in proxy.requests] == [f"CONNECT localhost:{server.port} HTTP/1.1"]
