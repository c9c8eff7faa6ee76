"""The client API in Python: structures read from include/iotx.h, and a client that keeps what it saw.

Used inside isolated scenarios, like device.py. Several clients may live in one process.
"""

import contextlib
import ctypes as c
import re
import socket
import threading
import time

from iotx_abi import ROOT, STATE
from ports import listen
from scripted import Closed, Connection

HEADER = re.sub(r"/\*.*?\*/", "", (ROOT / "include" / "iotx.h").read_text(), flags=re.DOTALL)

MessageFn = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_void_p)
EventFn = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_void_p)
LogFn = c.CFUNCTYPE(None, c.c_void_p, c.c_int, c.c_char_p)
KeyPasswordFn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_size_t)
SignFn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int, c.c_void_p, c.c_size_t, c.c_void_p, c.c_size_t, c.POINTER(c.c_size_t))
SessionKeyFn = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p)

_TYPES = {
    "char": c.c_char, "size_t": c.c_size_t, "uint32_t": c.c_uint32, "uint64_t": c.c_uint64, "int": c.c_int,
    "iotx_client_event_type_t": c.c_int, "iotx_client_message_fn": MessageFn, "iotx_client_event_fn": EventFn,
    "iotx_tls_key_password_fn": KeyPasswordFn, "iotx_tls_sign_fn": SignFn,
}


def structure(name):
    """A structure of the header by its name."""
    body = re.search(r"typedef struct \{([^}]*)\} " + name + ";", HEADER)[1]
    fields = []
    for member in filter(None, (line.strip() for line in body.split(";"))):
        kind, star, label, count = re.fullmatch(r"((?:const )?\w+) (\*?)(\w+)(?:\[(\d+)\])?", member).groups()
        if count:
            fields.append((label, _TYPES[kind] * int(count)))
        elif star:
            fields.append((label, c.c_char_p if kind == "const char" and name.endswith("options_t") else c.c_void_p))
        else:
            fields.append((label, _TYPES[kind]))
    return type(name, (c.Structure,), {"_fields_": fields})


Data = structure("iotx_client_data_t")
_TYPES["iotx_client_data_t"] = Data
Options = structure("iotx_client_options_t")
Message = structure("iotx_client_message_t")
Event = structure("iotx_client_event_t")
Stats = structure("iotx_client_stats_t")
EVENTS = {int(value): name for name, value in re.findall(r"IOTX_CLIENT_EVENT_(\w+) = (\d+)", HEADER)}


def set_data(data, value):
    """A file for a dict with "file", bytes for everything else."""
    if isinstance(value, dict):
        keep = c.create_string_buffer(value["file"].encode())
        data.file = c.addressof(keep)
        return keep
    content = value.encode() if isinstance(value, str) else value
    keep = c.create_string_buffer(content, len(content))
    data.data, data.size = c.addressof(keep), len(content)
    return keep


class Refused(Exception):
    """iotx_client_create refused the options."""

    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


class Client:
    """One client. Members of the options by keyword; data members as bytes, str or {"file": path}."""

    def __init__(self, library, **options):
        self.library = library
        self.events = []       # [name, packet id, code, text]
        self.messages = []     # dicts
        self.hooks = []        # called with ("event" or "message", the thing) inside the callback
        self._keep = []
        self.handle = c.c_void_p()
        block = Options()
        assert library.iotx_client_options_init(c.byref(block), c.c_size_t(c.sizeof(block))) == 0
        self.fill(block, options)
        code = library.iotx_client_create(c.byref(block), c.byref(self.handle))
        # The options are copied: what they pointed to may change.
        c.memset(c.byref(block), 0x5A, c.sizeof(block))
        if code != 0:
            assert self.handle.value is None
            raise Refused(code, self.error_of(library, None)[1])
        assert self.handle.value is not None

    def fill(self, block, options):
        block.on_event = self.keep(EventFn(self._on_event))
        block.on_message = self.keep(MessageFn(lambda _context, _client, message: self._on_message("default", message)))
        for name, value in options.items():
            if isinstance(getattr(block, name), Data):
                self._keep.append(set_data(getattr(block, name), value))
            elif isinstance(value, str):
                setattr(block, name, value.encode())
            else:
                setattr(block, name, value)

    def keep(self, callback):
        self._keep.append(callback)
        return callback

    def _on_event(self, _context, client, event):
        assert client == self.handle.value
        event = Event.from_address(event)
        assert event.struct_size == c.sizeof(Event)
        row = [EVENTS[event.type], event.packet_id, event.code, c.string_at(event.text).decode(), event.session_present]
        self.events.append(row[:4])
        for hook in list(self.hooks):
            hook("event", row)

    def _on_message(self, by, message):
        message = Message.from_address(message)
        assert message.struct_size == c.sizeof(Message)
        row = {
            "topic": c.string_at(message.topic, message.topic_len).decode(),
            "payload": c.string_at(message.payload, message.payload_len).decode("latin-1"),
            "terminated": c.string_at(message.payload + message.payload_len, 1) == b"\0",
            "qos": message.qos, "retain": message.retain, "duplicate": message.duplicate, "by": by,
        }
        self.messages.append(row)
        for hook in list(self.hooks):
            hook("message", row)

    def call(self, name, *arguments):
        return getattr(self.library, "iotx_client_" + name)(self.handle, *arguments)

    def connect(self, timeout_ms=10_000):
        return self.call("connect", c.c_uint32(timeout_ms))

    def poll(self, timeout_ms):
        return self.call("poll", c.c_uint32(timeout_ms))

    def publish(self, topic, payload, qos=0, retain=0):
        data = payload.encode() if isinstance(payload, str) else payload
        return self.call("publish", topic.encode(), data, c.c_size_t(len(data)), qos, retain)

    def subscribe(self, filter, qos=0, by=None):
        handler = MessageFn()
        if by is not None:
            handler = self.keep(MessageFn(lambda _context, _client, message: self._on_message(by, message)))
        return self.call("subscribe", filter.encode(), qos, handler, None)

    def unsubscribe(self, filter):
        return self.call("unsubscribe", filter.encode())

    def until(self, condition, seconds=10):
        """Polls until the condition holds; whether it did."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            assert self.poll(50) == 0
        return True

    def saw(self, name, packet_id=None):
        return any(row[0] == name and packet_id in (None, row[1]) for row in self.events)

    def stats(self):
        block = Stats(struct_size=c.sizeof(Stats))
        assert self.call("stats", c.byref(block)) == 0
        return {name: getattr(block, name) for name, _ in Stats._fields_}

    @staticmethod
    def error_of(library, handle, size=256):
        code, text = c.c_int(12345), c.create_string_buffer(b"\x7f" * size, size)
        assert library.iotx_client_last_error(handle, c.byref(code), text, c.c_size_t(size)) == 0
        return [code.value, text.value.decode()]

    def error(self):
        return self.error_of(self.library, self.handle)

    def destroy(self):
        return self.library.iotx_client_destroy(self.handle)


INVALID, RANGE, NULL = (STATE["STATE_USER_INPUT_" + name] for name in ("INVALID", "OUT_RANGE", "NULL_POINTER"))


class PlainServer:
    """As scripted.ScriptedServer, over plain TCP: each connection runs `script(connection)` in a thread."""

    def __init__(self, script, address="127.0.0.1"):
        self.script = script
        self.connections = []
        self.errors = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = listen(address, family=family)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(stream, len(self.connections) + 1)
            self.connections.append(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        try:
            self.script(connection)
        except (Closed, OSError):
            pass
        except Exception as error:  # a mistake in a script must fail its test
            self.errors.append(repr(error))
        finally:
            connection.close()

    def packets(self, name):
        return [item for connection in self.connections for item in connection.packets if item.name == name]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            connection.close()
        assert kind is not None or self.errors == []


def broker(connection):
    """Accepts and answers like a plain broker."""
    connection.accept()
    connection.serve()


# Options that do for a client which is not to connect, and the names of a device.
PLAIN = {"url": "mqtt://127.0.0.1", "client_id": "a"}
TLS = {"url": "mqtts://127.0.0.1", "client_id": "a"}
NAMES = {"product_key": "a1MZxOdcBnO", "device_name": "example1", "device_secret": "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X"}


def refusals(library, cases):
    """Scenario: code and text of the refusal of each case, [0, ""] for options that are taken."""
    found = []
    for options in cases:
        decoded = {key: bytes(value) if isinstance(value, list) else value for key, value in options.items()}
        if "store" in decoded:
            zeros = c.create_string_buffer(256)
            decoded["store"] = c.addressof(zeros)
        try:
            Client(library, **decoded)
            found.append([0, ""])
        except Refused as refused:
            found.append([refused.code, refused.text])
    return found


def connect_code(library, timeout_ms=5000, **options):
    """Scenario: what iotx_client_connect comes to with these options."""
    client = Client(library, **options)
    started = time.monotonic()
    code = client.connect(timeout_ms)
    seconds = time.monotonic() - started
    return {"code": code, "seconds": seconds, "error": client.error(), "events": client.events,
            "timeout": client.call("next_timeout_ms"), "stats": client.stats()}
