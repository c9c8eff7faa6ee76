"""A server whose every byte is written down in the test.

It speaks TLS with Python's own ssl module, reads the packets of the device into a list, and plays
what a script function says. No MQTT rules live here, so it can misbehave in any way.
"""

import contextlib
import socket
import ssl
import struct
import threading
import time

from ports import listen

CONNACK_OK = bytes.fromhex("20 02 00 00")

NAMES = {1: "CONNECT", 3: "PUBLISH", 4: "PUBACK", 8: "SUBSCRIBE", 10: "UNSUBSCRIBE", 12: "PINGREQ", 14: "DISCONNECT"}


def text(value):
    """An MQTT string: two bytes of length, then the bytes."""
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">H", len(data)) + data


def packet(first, body):
    """Fixed header with the remaining length, then the body."""
    length, header = len(body), bytes([first])
    while True:
        digit, length = length % 128, length // 128
        header += bytes([digit | (0x80 if length else 0)])
        if not length:
            return header + body


def publish(topic, payload, qos=0, packet_id=1, retain=0, dup=0):
    """A PUBLISH packet."""
    data = payload if isinstance(payload, bytes) else payload.encode()
    identifier = struct.pack(">H", packet_id) if qos else b""
    return packet(0x30 | dup << 3 | qos << 1 | retain, text(topic) + identifier + data)


class Packet:
    """One packet of the device."""

    def __init__(self, first, body, raw):
        self.first, self.body, self.raw = first, body, raw
        self.name = NAMES.get(first >> 4, f"type {first >> 4}")
        self.dup, self.qos, self.retain = bool(first & 8), first >> 1 & 3, first & 1
        if self.name == "CONNECT":
            self.flags = body[7]
            self.keep_alive = struct.unpack(">H", body[8:10])[0]
            fields, rest = [], body[10:]
            while rest:
                size = struct.unpack(">H", rest[:2])[0]
                fields.append(rest[2:2 + size].decode())
                rest = rest[2 + size:]
            self.client_id, self.username, self.password = (fields + ["", "", ""])[:3]
        elif self.name == "PUBLISH":
            size = struct.unpack(">H", body[:2])[0]
            self.topic = body[2:2 + size].decode()
            rest = body[2 + size:]
            self.id = struct.unpack(">H", rest[:2])[0] if self.qos else None
            self.payload = rest[2:] if self.qos else rest
        elif self.name in ("PUBACK", "SUBSCRIBE", "UNSUBSCRIBE"):
            self.id = struct.unpack(">H", body[:2])[0]
        if self.name == "SUBSCRIBE":
            size = struct.unpack(">H", body[2:4])[0]
            self.filter = body[4:4 + size].decode()


class Closed(Exception):
    """The device closed the connection."""


class Connection:
    """One accepted connection, as the script sees it."""

    def __init__(self, stream, number):
        self.stream, self.number = stream, number
        self.packets = []
        self.closed = threading.Event()

    def send(self, data):
        self.stream.sendall(data)

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.stream.recv(size - len(data))
            if not part:
                raise Closed
            data += part
        return data

    def read(self):
        """The next packet of the device."""
        raw = self._exactly(1)
        length = shift = 0
        while True:
            digit = self._exactly(1)
            raw += digit
            length |= (digit[0] & 0x7F) << shift
            shift += 7
            if not digit[0] & 0x80:
                break
        body = self._exactly(length)
        found = Packet(raw[0], body, raw + body)
        self.packets.append(found)
        return found

    def expect(self, name):
        """Reads packets until one of that name came."""
        while True:
            found = self.read()
            if found.name == name:
                return found

    def accept(self, connack=CONNACK_OK):
        """Waits for CONNECT and answers it."""
        connect = self.expect("CONNECT")
        self.send(connack)
        return connect

    def serve(self, puback=True):
        """Answers like a plain broker until the device leaves."""
        with contextlib.suppress(Closed, OSError):
            while True:
                self.answer(self.read(), puback)

    def answer(self, found, puback=True):
        """The normal answer to one packet."""
        if found.name == "PUBLISH" and found.qos and puback:
            self.send(b"\x40\x02" + struct.pack(">H", found.id))
        elif found.name == "SUBSCRIBE":
            self.send(b"\x90\x03" + struct.pack(">H", found.id) + b"\x00")
        elif found.name == "UNSUBSCRIBE":
            self.send(b"\xb0\x02" + struct.pack(">H", found.id))
        elif found.name == "PINGREQ":
            self.send(b"\xd0\x00")

    def close(self):
        with contextlib.suppress(OSError):
            self.stream.shutdown(socket.SHUT_RDWR)
        self.stream.close()

    def reset(self):
        """Ends the connection with a TCP reset."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.close()
        raise Closed


class Records:
    """TLS whose records leave in the portions that the script wants, or with other bytes between them.

    Has the methods of a socket that a Connection needs.
    """

    def __init__(self, stream, context, portion=None):
        self.stream = stream
        #: Gives the sizes of the next portions, for ever; None sends everything in one piece.
        self.portion = portion
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._advance(self._tls.do_handshake)

    def _advance(self, operation, *arguments):
        while True:
            try:
                result = operation(*arguments)
                self._send_encrypted()
                return result
            except ssl.SSLWantReadError:
                self._send_encrypted()
                data = self.stream.recv(65536)
                if not data:
                    raise Closed from None
                self._incoming.write(data)

    def _send_encrypted(self):
        data = self._outgoing.read()
        if self.portion is None:
            self.stream.sendall(data)
            return
        while data:
            size = next(self.portion)
            self.stream.sendall(data[:size])
            data = data[size:]
            # Time for the device to read this portion alone.
            time.sleep(0.0003)

    def recv(self, size):
        try:
            return self._advance(self._tls.read, size)
        except ssl.SSLEOFError:
            return b""

    def sendall(self, data):
        view = memoryview(data)
        while view:
            view = view[self._advance(self._tls.write, view):]

    def encrypt(self, data):
        """The bytes that would carry `data`, not sent."""
        self._tls.write(data)
        return self._outgoing.read()

    def close_tls(self):
        """Sends close_notify."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self.stream.sendall(self._outgoing.read())

    def raw(self, data):
        """Bytes beside TLS."""
        self.stream.sendall(data)

    def setsockopt(self, *arguments):
        self.stream.setsockopt(*arguments)

    def shutdown(self, how):
        self.stream.shutdown(how)

    def close(self):
        self.stream.close()


class ScriptedServer:
    """Listens on a free port; each connection runs `script(connection)` in a thread of its own."""

    def __init__(self, pki, script, *, certificate="server", address="127.0.0.1", records=None, adjust=None, plain=None,
                 hole=None, certificates=None):
        """`records` is called for each accepted socket and gives the sizes of TCP portions, see Records;
        `adjust` may change the TLS context; `plain` has functions by number of the accepted socket that
        get it in place of TLS; at the address `hole` connects are never answered, on the same port;
        `certificates` has other certificates by number of the accepted socket."""
        self.script = script
        self._plain = {} if plain is None else plain
        self.accepted = 0
        self.connections = []
        self.errors = []
        self._context = server_context(pki, certificate)
        self._contexts = {number: server_context(pki, name) for number, name in (certificates or {}).items()}
        self._records = records
        if adjust is not None:
            adjust(self._context)
        self._listener = listen(address)
        self.port = self._listener.getsockname()[1]
        self._hole = [] if hole is None else black_hole(hole, self.port)
        self._stopping = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self._stopping:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._run, args=(stream, self.accepted), daemon=True).start()

    def _run(self, stream, number):
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if number in self._plain:
            with contextlib.suppress(OSError):
                self._plain[number](stream)
            stream.close()
            return
        context = self._contexts.get(number, self._context)
        try:
            if self._records is None:
                stream = context.wrap_socket(stream, server_side=True)
            else:
                stream = Records(stream, context, self._records())
        except (ssl.SSLError, OSError, Closed) as error:
            self.errors.append(str(error))
            return
        connection = Connection(stream, len(self.connections) + 1)
        self.connections.append(connection)
        try:
            self.script(connection)
        except (Closed, OSError):
            pass
        except Exception as error:  # a mistake in a script must fail its test
            self.errors.append(repr(error))
        finally:
            connection.close()
            connection.closed.set()

    def packets(self, name=None):
        """All packets of all connections, in order of arrival per connection."""
        found = [item for connection in self.connections for item in connection.packets]
        return [item for item in found if name is None or item.name == name]

    def wait(self, condition, seconds=10):
        """Waits for something that the server threads bring about."""
        end = time.monotonic() + seconds
        while not condition(self):
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def drained(self, seconds=2):
        """Waits until the last connection's script has read what the device wrote last, and has ended."""
        return self.wait(lambda _: not self.connections or self.connections[-1].closed.is_set(), seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopping = True
        # A blocked accept keeps a closed listener alive; shutdown wakes it.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.connections:
            connection.close()
        for socket_of_hole in self._hole:
            socket_of_hole.close()


def server_context(pki, certificate):
    """TLS of a server with that certificate, which lets devices show theirs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / f"{certificate}.crt", pki / f"{certificate}.key")
    context.load_verify_locations(pki / "device-ca.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def black_hole(address, port):
    """Sockets that make connects to that address wait: its queue of connections is full."""
    hole = [socket.create_server((address, port), backlog=0)]
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            filler.connect((address, port))
        hole.append(filler)
    return hole
