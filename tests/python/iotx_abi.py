"""The shared library through ctypes, declared from abi_structs.json.

Nothing here knows a layout or a prototype by heart: structures, enumerators and functions come from
the data file, so a library that differs from it is found by the tests.
"""

import ctypes as c
import json
import os
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = Path(os.environ.get("IOTX_BUILD", ROOT / "build"))
LIBRARY = BUILD / "lib" / "libiotx.so.0"
ABI = json.loads((HERE / "abi_structs.json").read_text())

STATE = ABI["state_codes"]
EVENT = {name: entry["value"] for name, entry in ABI["events"].items()}
IOCTL = ABI["ioctl"]
MQTT = {**ABI["enums"]["iotx_mqtt_event_type_t"], **ABI["enums"]["iotx_mqtt_qos_t"]}
INVALID = STATE["STATE_USER_INPUT_INVALID"]

CLOUD_HOST = "x509.itls.cn-shanghai.aliyuncs.com"

# State codes that report what is being done, not that something failed.
INFORMATION = {
    STATE["STATE_SUCCESS"],
    STATE["STATE_MQTT_CONN_USER_INFO"],
    STATE["STATE_MQTT_SUB_INFO"],
    STATE["STATE_MQTT_PUB_INFO"],
}

_SCALARS = {
    "void": None,
    "int": c.c_int,
    "int8_t": c.c_int8,
    "int32_t": c.c_int32,
    "uint8_t": c.c_uint8,
    "uint16_t": c.c_uint16,
    "uint32_t": c.c_uint32,
    "uint64_t": c.c_uint64,
    "uintptr_t": c.c_size_t,
    "unsigned short": c.c_ushort,
    "const char *": c.c_char_p,
}


def exported_names():
    """Names and kinds of cmake/exports.txt: {name: is_data}."""
    names = {}
    for line in (ROOT / "cmake" / "exports.txt").read_text().splitlines():
        words = line.split()
        if words and not line.startswith("#"):
            names[words[0]] = "data" in words[2:]
    return names


def ctype(text):
    """The ctypes type of a C type as the data file spells it."""
    text = re.sub(r"^const (?=(int|u?int\d+_t)$)", "", text.strip())
    if text in _SCALARS:
        return _SCALARS[text]
    array = re.fullmatch(r"(.+?)\[(\d+)\]", text)
    if array:
        element = c.c_char if array[1].strip() == "char" else ctype(array[1])
        return element * int(array[2])
    if text in STRUCTS:
        return STRUCTS[text]
    if text in ABI["enums"] or text.endswith("_event_type_t") or text.endswith("priority_t"):
        return c.c_int
    # Everything else is a pointer: to data, to a structure, to a function.
    return c.c_void_p


STRUCTS = {}
for _name in sorted(ABI["structs"], key=lambda n: n == "iotx_mqtt_param_t"):
    _fields = [(f["name"], ctype(f["type"])) for f in ABI["structs"][_name]["fields"]]
    STRUCTS[_name] = type(_name, (c.Structure,), {"_fields_": _fields})

MetaInfo = STRUCTS["iotx_dev_meta_info_t"]
SignMqtt = STRUCTS["iotx_sign_mqtt_t"]
MqttParam = STRUCTS["iotx_mqtt_param_t"]
TopicInfo = STRUCTS["iotx_mqtt_topic_info_t"]
EventMessage = STRUCTS["iotx_mqtt_event_msg_t"]
ConnInfo = STRUCTS["iotx_conn_info_t"]

EventHandler = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.POINTER(EventMessage))
StateHandler = c.CFUNCTYPE(c.c_int, c.c_int, c.c_char_p)
IdentityHandler = c.CFUNCTYPE(c.c_int, c.c_char_p)
PlainHandler = c.CFUNCTYPE(c.c_int)
MonitorHandler = c.CFUNCTYPE(None, c.c_int)


def load():
    """Loads the library and gives every function its prototype."""
    library = c.CDLL(str(LIBRARY))
    for name, function in ABI["functions"].items():
        if "va_list" in function["params"]:
            continue
        try:
            symbol = getattr(library, name)
        except AttributeError:
            continue  # test_abi.py compares the export list
        symbol.restype = ctype(function["returns"])
        # A variadic function takes its fixed arguments through argtypes, the rest as they come.
        symbol.argtypes = [ctype(parameter) for parameter in function["params"]]
    return library


_kept = []


def set_data(library, name, text):
    """Writes a `const char *` data symbol, as an application does by assignment."""
    value = text if text is None else text.encode() if isinstance(text, str) else text
    _kept.append(value)
    c.c_char_p.in_dll(library, name).value = value


def ioctl_set(library, option, text):
    """IOT_Ioctl with a string argument."""
    buffer = c.create_string_buffer(text if isinstance(text, bytes) else text.encode())
    return library.IOT_Ioctl(IOCTL["IOTX_IOCTL_" + option], buffer)


def ioctl_get(library, option, size=66, fill=b"\xaa"):
    """IOT_Ioctl that reads a string, into a dirty buffer: a missing terminator would show."""
    buffer = c.create_string_buffer(fill * size, size + 1)
    result = library.IOT_Ioctl(IOCTL["IOTX_IOCTL_" + option], buffer)
    assert result == 0, f"{option}: {result}"
    return buffer.value.decode("utf-8", "replace")
