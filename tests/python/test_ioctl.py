"""Every IOT_Ioctl option: data type, effect and return code."""

import ctypes as c

import pytest

from iotx_abi import IOCTL, STATE, ConnInfo, MetaInfo, SignMqtt, ioctl_get, ioctl_set
from isolation import run_isolated

STRINGS = [("PRODUCT_KEY", 20), ("PRODUCT_SECRET", 64), ("DEVICE_NAME", 32), ("DEVICE_SECRET", 64), ("MODULE", 64)]


def call(library, option, data):
    return library.IOT_Ioctl(IOCTL["IOTX_IOCTL_" + option], data)


@pytest.mark.parametrize("name, limit", STRINGS)
def test_string_round_trip_up_to_the_limit(library, name, limit):
    for value in ("x", "y" * limit):
        assert ioctl_set(library, "SET_" + name, value) == 0
        assert ioctl_get(library, "GET_" + name, limit + 1) == value


@pytest.mark.parametrize("name, limit", STRINGS)
def test_too_long_is_refused_and_the_old_value_stays(library, name, limit):
    assert ioctl_set(library, "SET_" + name, "old") == 0
    for length in (limit + 1, limit + 2, 1000, 100_000):
        assert ioctl_set(library, "SET_" + name, "n" * length) == -1
    assert ioctl_get(library, "GET_" + name, limit + 1) == "old"


@pytest.mark.parametrize("name, limit", STRINGS)
def test_empty_clears(library, name, limit):
    assert ioctl_set(library, "SET_" + name, "something") == 0
    assert ioctl_set(library, "SET_" + name, "") == 0
    assert ioctl_get(library, "GET_" + name, limit + 1) == ""


@pytest.mark.parametrize("name, limit", STRINGS)
def test_get_writes_no_further_than_the_documented_size(library, name, limit):
    assert ioctl_set(library, "SET_" + name, "z" * limit) == 0
    buffer = c.create_string_buffer(b"\xaa" * (limit + 20), limit + 20)
    assert call(library, "GET_" + name, buffer) == 0
    assert buffer.raw == b"z" * limit + b"\0" + b"\xaa" * 19


@pytest.mark.parametrize("option", sorted(IOCTL))
def test_null_data(library, option):
    assert library.IOT_Ioctl(IOCTL[option], None) == -1


@pytest.mark.parametrize("number", [-1, -2, -(2**31), 30, 31, 1000, 2**31 - 1])
def test_unknown_option(library, number):
    assert library.IOT_Ioctl(number, c.create_string_buffer(256)) == -1


@pytest.mark.parametrize("value", range(6))
def test_region(library, value):
    assert call(library, "SET_REGION", c.byref(c.c_int(value))) == 0
    found = c.c_int(99)
    assert call(library, "GET_REGION", c.byref(found)) == 0
    assert found.value == value


@pytest.mark.parametrize("value", [6, 7, -1, 1000])
def test_region_out_of_range_is_refused(library, value):
    assert call(library, "SET_REGION", c.byref(c.c_int(2))) == 0
    assert call(library, "SET_REGION", c.byref(c.c_int(value))) == -1
    found = c.c_int(99)
    assert call(library, "GET_REGION", c.byref(found)) == 0
    assert found.value == 2


def domains(library):
    def region():
        found = c.c_int(99)
        assert call(library, "GET_REGION", c.byref(found)) == 0
        return found.value

    def host():
        meta, out = MetaInfo(product_key=b"pk", device_name=b"dn"), SignMqtt()
        result = library.IOT_Sign_MQTT(5, c.addressof(meta), c.byref(out))
        return [result, out.hostname.decode()]

    call(library, "SET_REGION", c.byref(c.c_int(1)))
    steps = [[ioctl_set(library, "SET_MQTT_DOMAIN", "d" * 254), region(), host()]]
    steps.append([ioctl_set(library, "SET_HTTP_DOMAIN", "d" * 254), region()])
    steps.append([ioctl_set(library, "SET_MQTT_DOMAIN", "mqtt.example.com"), region(), host()])
    steps.append([ioctl_set(library, "SET_MQTT_DOMAIN", "d" * 300), region(), host()])
    steps.append([ioctl_set(library, "SET_MQTT_DOMAIN", "d" * 253), region()])
    steps.append([ioctl_set(library, "SET_HTTP_DOMAIN", "http.example.com")])
    return steps


def test_domains_change_nothing_on_failure():
    missing = STATE["STATE_USER_INPUT_MQTT_DOMAIN"]
    assert run_isolated(domains).value == [
        [-1, 1, [missing, ""]],
        [-1, 1],
        [0, 5, [0, "mqtt.example.com"]],
        [-1, 5, [0, "mqtt.example.com"]],
        [0, 5],
        [0],
    ]


# What an MQTT-only library answers: success without effect for some, -1 for what is not built in.
@pytest.mark.parametrize("option, result", [
    ("RECV_PROP_REPLY", 0), ("RECV_EVENT_REPLY", 0), ("SEND_PROP_SET_REPLY", 0), ("GET_SUBDEV_LOGIN", 0),
    ("SET_SUBDEV_SIGN", -1), ("SET_OTA_DEV_ID", -1), ("FOTA_TIMEOUT_MS", -1), ("SET_CUSTOMIZE_INFO", -1),
    ("SET_AWSS_ENABLE_INTERVAL", -1), ("SET_AWSS_CHANNEL_SCAN_INTERVAL", -1), ("SET_PROXY_REGISTER", -1),
    ("QUERY_DEVID", -1), ("SUB_USER_TOPIC", -1),
])
def test_options_of_parts_that_are_not_built_in(library, option, result):
    assert call(library, option, c.create_string_buffer(c.sizeof(MetaInfo))) == result


def test_mqtt_port_is_stored(library):
    assert call(library, "SET_MQTT_PORT", c.byref(c.c_uint16(1883))) == 0
    assert call(library, "SET_MQTT_PORT", c.byref(c.c_uint16(0))) == 0


@pytest.mark.parametrize("arguments, result", [
    ((b"pk", b"dn", b"ds"), 0), ((b"", b"", b""), 0), ((b"p" * 20, b"d" * 32, b"s" * 64), 0),
    ((None, b"dn", b"ds"), -2), ((b"pk", None, b"ds"), -2), ((b"pk", b"dn", None), -2),
    ((b"p" * 21, b"dn", b"ds"), -2), ((b"pk", b"d" * 33, b"ds"), -2), ((b"pk", b"dn", b"s" * 65), -2),
])
def test_setup_conn_info(library, arguments, result):
    info = c.c_void_p()
    assert library.IOT_SetupConnInfo(*arguments, c.addressof(info)) == result
    assert library.IOT_SetupConnInfo(*arguments, None) == result
    if result == 0:
        found = ConnInfo.from_address(info.value)
        assert found.port == 0
        for name in ("host_name", "client_id", "username", "password", "pub_key"):
            pointer = c.c_char_p.from_address(info.value + getattr(ConnInfo, name).offset)
            assert not pointer.value, name
