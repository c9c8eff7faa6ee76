"""What stands between a client and its broker: the server's side of WebSocket, and an HTTP proxy. Both scripted,
so that they can misbehave in any way.
"""

import base64
import contextlib
import hashlib
import socket
import struct
import threading

from ports import listen
from scripted import Closed

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def read_head(stream):
    """Request or status line, and the fields by lower-case name, of an HTTP head."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        if not byte:
            raise Closed
        head += byte
        assert len(head) <= 16_384
    first, *lines = head.decode().split("\r\n")[:-2]
    fields = {}
    for line in lines:
        name, value = line.split(":", 1)
        assert name.lower() not in fields, line
        fields[name.lower()] = value.strip()
    return first, fields


def accept_key(key):
    """What answers a key (RFC 6455 §4.2.2)."""
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def answer(fields, **changes):
    """The answer to a handshake. `changes` replace fields (underscores for dashes); None drops one; `status`."""
    status = changes.pop("status", "101 Switching Protocols")
    lines = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept_key(fields["sec-websocket-key"]),
             "Sec-WebSocket-Protocol": "mqtt"}
    lines.update({name.replace("_", "-"): value for name, value in changes.items()})
    return "\r\n".join([f"HTTP/1.1 {status}", *(f"{n}: {v}" for n, v in lines.items() if v is not None), "", ""]).encode()


def frame(payload, first=0x82, length=None):
    """A frame of the server. `length` is written in place of the true one, in the form its size asks for."""
    length = len(payload) if length is None else length
    if length < 126:
        head = bytes([first, length])
    elif length < 65_536:
        head = bytes([first, 126]) + struct.pack(">H", length)
    else:
        head = bytes([first, 127]) + struct.pack(">Q", length)
    return head + payload


class WebSocket:
    """The payload of binary frames as a stream; has the methods of a socket that a Connection needs."""

    def __init__(self, stream, cut=None):
        """`cut` makes frames of the bytes to be sent; one frame without it."""
        self.stream, self.cut = stream, cut or frame
        self.rest = b""
        self.control = []      # [opcode, payload] of control frames
        self.masks = []

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.stream.recv(size - len(data))
            if not part:
                raise Closed
            data += part
        return data

    def _frame(self):
        first, second = self._exactly(2)
        assert first & 0x70 == 0 and second & 0x80, "reserved bits, or not masked"
        assert first in (0x82, 0x88, 0x89, 0x8A), hex(first)
        length = second & 0x7F
        if length == 126:
            length, = struct.unpack(">H", self._exactly(2))
            assert length > 125
        elif length == 127:
            length, = struct.unpack(">Q", self._exactly(8))
            assert length > 65_535
        mask = self._exactly(4)
        self.masks.append(mask)
        payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self._exactly(length)))
        if first == 0x82:
            return payload
        self.control.append([first & 15, payload])
        return b""

    def recv(self, size):
        while not self.rest:
            self.rest = self._frame()
            if self.control and self.control[-1][0] == 8:
                return b""
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def sendall(self, data):
        self.stream.sendall(self.cut(data))

    def shutdown(self, how):
        self.stream.shutdown(how)

    def close(self):
        self.stream.close()


def upgrade(connection, cut=None, **changes):
    """Answers the handshake of a scripted connection, which speaks through frames from then on. The request."""
    first, fields = read_head(connection.stream)
    connection.send(answer(fields, **changes))
    connection.stream = WebSocket(connection.stream, cut)
    return first, fields


class Slow:
    """A stream that sends byte by byte."""

    def __init__(self, stream):
        self.stream = stream

    def sendall(self, data):
        for index in range(len(data)):
            self.stream.sendall(data[index:index + 1])

    def __getattr__(self, name):
        return getattr(self.stream, name)


class Proxy:
    """An HTTP proxy. `refusal(stream, line, fields)` may answer in its own way: it returns True then."""

    def __init__(self, refusal=None, address="127.0.0.1"):
        self.refusal = refusal
        self.requests = []     # [line, fields]
        self._listener = listen(address)
        self.port = self._listener.getsockname()[1]
        self._open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(stream)
            threading.Thread(target=self._run, args=(stream,), daemon=True).start()

    def _run(self, stream):
        with contextlib.suppress(OSError, Closed):
            line, fields = read_head(stream)
            self.requests.append([line, fields])
            if self.refusal is not None and self.refusal(stream, line, fields):
                stream.close()
                return
            host, port = line.split()[1].rsplit(":", 1)
            server = socket.create_connection((host.strip("[]"), int(port)))
            self._open.append(server)
            stream.sendall(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
            threading.Thread(target=self._relay, args=(server, stream), daemon=True).start()
            self._relay(stream, server)

    @staticmethod
    def _relay(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for stream in self._open:
            stream.close()
