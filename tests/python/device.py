"""A device program in Python: the SDK's calls, with everything it saw kept in lists.

Used inside isolated scenarios. Callbacks stay referenced for the life of the Device, as a C
program's functions would.
"""

import ctypes as c
import time

from iotx_abi import (
    IOCTL, MQTT, EventHandler, IdentityHandler, MqttParam, PlainHandler, StateHandler, TopicInfo,
    ioctl_get, ioctl_set, set_data,
)

_EVENT_NAMES = {value: name for name, value in MQTT.items() if name.startswith("IOTX_MQTT_EVENT_")}


class Device:
    """One device in this process."""

    def __init__(self, library, *, ca=None, cert=None, key=None, triple=("", "", "")):
        self.library = library
        self.handle = None
        self.events = []       # (name, id or None) of handle_event
        self.messages = []     # dicts, from handlers and from handle_event
        self.states = []       # [code, text]
        self.identities = []
        self.stored_when_identified = []
        self.connect_successes = 0
        self._callbacks = []
        if ca is not None:
            set_data(library, "iotx_ca_crt", ca)
        if cert is not None:
            set_data(library, "g_cli_crt", cert)
        if key is not None:
            set_data(library, "g_cli_key", key)
        for option, value in zip(("SET_PRODUCT_KEY", "SET_DEVICE_NAME", "SET_DEVICE_SECRET"), triple):
            assert ioctl_set(library, option, value) == 0
        library.IOT_SetLogLevel(4)
        self._register("ITE_STATE_EVERYTHING", StateHandler(self._on_state))
        self._register("ITE_IDENTITY_RESPONSE", IdentityHandler(self._on_identity))
        self._register("ITE_MQTT_CONNECT_SUCC", PlainHandler(self._on_connected))
        self.default_handler = self.keep(EventHandler(self._on_event))

    def keep(self, callback):
        """Keeps a callback alive and returns it."""
        self._callbacks.append(callback)
        return callback

    def _register(self, event, callback):
        function = getattr(self.library, "iotx_register_for_" + event)
        assert function(c.cast(self.keep(callback), c.c_void_p)) == 0

    def _on_state(self, code, text):
        self.states.append([code, text.decode("utf-8", "replace")])
        return 0

    def _on_identity(self, payload):
        self.identities.append(payload.decode("utf-8", "replace"))
        self.stored_when_identified.append(self.names())
        return 0

    def _on_connected(self):
        self.connect_successes += 1
        return 0

    def _on_event(self, _context, _client, message):
        name = _EVENT_NAMES.get(message[0].event_type, str(message[0].event_type))
        if name == "IOTX_MQTT_EVENT_PUBLISH_RECEIVED":
            self.messages.append({**read_message(message), "by": "default"})
        self.events.append([name.removeprefix("IOTX_MQTT_EVENT_"), message[0].msg if _has_id(name) else None])

    def names(self):
        """Product key and device name in the ioctl store."""
        return [ioctl_get(self.library, "GET_PRODUCT_KEY"), ioctl_get(self.library, "GET_DEVICE_NAME")]

    def parameters(self, **given):
        """A parameter block with handle_event set and the given members."""
        param = MqttParam()
        for name, value in given.items():
            setattr(param, name, value.encode() if isinstance(value, str) else value)
        param.handle_event.h_fp = c.cast(self.default_handler, c.c_void_p)
        self._callbacks.append(param)
        return param

    def construct(self, **given):
        """IOT_MQTT_Construct; the seconds it took. `self.handle` is None when it failed."""
        start = time.monotonic()
        self.handle = self.library.IOT_MQTT_Construct(c.addressof(self.parameters(**given)))
        return time.monotonic() - start

    def message_handler(self, name="handler", also=None):
        """A topic handler that keeps messages under `name` and then calls `also(message)`."""
        def receive(_context, _client, message):
            if message[0].event_type == MQTT["IOTX_MQTT_EVENT_PUBLISH_RECEIVED"]:
                received = {**read_message(message), "by": name}
                self.messages.append(received)
                if also is not None:
                    also(received)
        return self.keep(EventHandler(receive))

    def subscribe(self, topic, qos=0, name="handler", also=None, wait=True, handler=None):
        """Subscribes and, unless told otherwise, yields until the SUBACK was seen."""
        handler = handler or self.message_handler(name, also)
        packet = self.library.IOT_MQTT_Subscribe(self.handle, topic.encode(), qos, c.cast(handler, c.c_void_p), None)
        if wait and packet > 0 and qos != 3:
            assert self.until(lambda: ["SUBCRIBE_SUCCESS", packet] in self.events
                              or ["SUBCRIBE_NACK", packet] in self.events), "no SUBACK"
        return packet

    def publish(self, topic, payload, qos=0):
        """IOT_MQTT_Publish_Simple."""
        data = payload if isinstance(payload, bytes) else payload.encode()
        buffer = c.create_string_buffer(data, max(len(data), 1))
        return self.library.IOT_MQTT_Publish_Simple(self.handle, topic.encode(), qos, buffer, len(data))

    def publish_info(self, topic, payload, qos=0, retain=0, dup=0):
        """IOT_MQTT_Publish; (result, packet id written back)."""
        info = TopicInfo(qos=qos, retain=retain, dup=dup, payload=payload, payload_len=len(payload))
        result = self.library.IOT_MQTT_Publish(self.handle, topic.encode(), c.addressof(info))
        return result, info.packet_id

    def step(self, ms=50):
        """One Yield; the seconds it took."""
        start = time.monotonic()
        assert self.library.IOT_MQTT_Yield(self.handle, ms) == 0
        return time.monotonic() - start

    def until(self, condition, seconds=10):
        """Yields until the condition holds; False when the time is over."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            self.step(20)
        return True

    def event_names(self):
        return [name for name, _ in self.events]

    def destroy(self):
        """IOT_MQTT_Destroy of this handle."""
        handle = c.c_void_p(self.handle)
        result = self.library.IOT_MQTT_Destroy(c.byref(handle))
        self.handle = handle.value
        return result

    def report(self, **more):
        """What a scenario returns to its test."""
        return {
            "connected": self.handle is not None, "events": self.events, "messages": self.messages,
            "states": self.states, "identities": self.identities,
            "stored_when_identified": self.stored_when_identified,
            "connect_successes": self.connect_successes, "names": self.names(), **more,
        }


def _has_id(name):
    return name.endswith(("_SUCCESS", "_NACK", "_TIMEOUT"))


def read_message(message):
    """A received PUBLISH as a dict. `terminator` is the byte behind the payload."""
    info = TopicInfo.from_address(message[0].msg)
    address = c.cast(c.byref(info, TopicInfo.payload.offset), c.POINTER(c.c_void_p))[0]
    topic = c.cast(c.byref(info, TopicInfo.ptopic.offset), c.POINTER(c.c_void_p))[0]
    return {
        "topic": c.string_at(topic, info.topic_len).decode("utf-8", "replace"),
        "payload": c.string_at(address, info.payload_len).decode("latin-1") if address else "",
        "length": info.payload_len, "qos": info.qos, "retain": info.retain, "id": info.packet_id,
        "terminator": c.string_at(address + info.payload_len, 1)[0] if address else None,
    }


def region(library, value):
    """Sets the region."""
    return library.IOT_Ioctl(IOCTL["IOTX_IOCTL_SET_REGION"], c.byref(c.c_int(value)))
