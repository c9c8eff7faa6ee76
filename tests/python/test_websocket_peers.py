"""MQTT over WebSocket against implementations that nobody here wrote: libwebsockets in mosquitto, the Python package
websockets in front of mosquitto, tungstenite in the local platform.
"""

import asyncio
import contextlib
import ssl
import threading

import pytest
from websockets.asyncio.server import serve

from isolation import run_isolated
from ports import listen
from test_client_loop import event_loop
from test_websocket import NAMES, attempt, check_session, sdk_session, whole_session


# mosquitto 2.0 reads 4 KiB of a WebSocket in 100 ms.
@pytest.mark.parametrize("size", [10, 10_000])
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_mosquitto(pki, start_mosquitto, scheme, size):
    broker = start_mosquitto(websocket=True)
    port = broker.ws_port if scheme == "ws" else broker.wss_port
    more = {} if scheme == "ws" else {"ca": pki.text("root.crt")}
    more["size"] = size
    check_session(run_isolated(whole_session, url=f"{scheme}://localhost:{port}", **more).value, size)


def test_mosquitto_in_an_event_loop(pki, start_mosquitto):
    broker = start_mosquitto(websocket=True)
    url = f"wss://localhost:{broker.wss_port}"
    value = run_isolated(event_loop, port=0, ca=pki.text("root.crt"), url=url).value
    assert value["connected"] and value["arrived"]
    assert value["order"] == [f"{number:05}" for number in range(100)]


@contextlib.contextmanager
def bridge(broker_port, context=None, seen=None, address="127.0.0.1", cut=None):
    """A WebSocket server of the package websockets, on a thread, that passes everything on to a broker."""
    listener = listen(address)
    port = listener.getsockname()[1]
    started, loop = threading.Event(), asyncio.new_event_loop()
    stop = loop.create_future()

    async def handle(socket):
        if seen is not None:
            seen.append([socket.request.path, socket.subprotocol])
        reader, writer = await asyncio.open_connection("127.0.0.1", broker_port)

        async def down():
            while data := await reader.read(65_536):
                # An iterator is sent as one fragmented message.
                await socket.send(data if cut is None else [data[i:i + cut] for i in range(0, len(data), cut)])
                await (await socket.ping(b"still there"))
        task = asyncio.ensure_future(down())
        try:
            async for message in socket:
                assert isinstance(message, bytes)
                writer.write(message)
        finally:
            task.cancel()
            writer.close()

    async def main():
        async with serve(handle, sock=listener, ssl=context, subprotocols=["mqtt"], compression="deflate"):
            started.set()
            await stop
    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set_result, None)
        thread.join(10)


@pytest.mark.parametrize("cut", [None, 3])
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_python_websockets(pki, start_mosquitto, scheme, cut):
    broker = start_mosquitto()
    size = 2000 if cut else 300_000
    context, more = None, {"size": size, "read_buffer_size": 400_000, "write_buffer_size": 400_000}
    if scheme == "wss":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki / "server.crt", pki / "server.key")
        more["ca"] = pki.text("root.crt")
    seen = []
    with bridge(broker.plain_port, context, seen, cut=cut) as port:
        check_session(run_isolated(whole_session, url=f"{scheme}://localhost:{port}/own/path", **more).value, size)
    assert seen == [["/own/path", "mqtt"]]


LISTEN = ["--listen-ws", "127.0.0.1:0", "--listen-wss", "127.0.0.1:0"]


def of_device():
    return dict(zip(("product_key", "device_name", "device_secret"), NAMES))


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_platform(pki, start_platform, scheme):
    platform = start_platform(*LISTEN)
    host = f"{scheme}://localhost:{platform.ports[scheme]}"
    value = run_isolated(sdk_session, host=host, ca=pki.text("root.crt")).value
    assert value["ok"] and value["arrived"] and value["destroyed"] == 0, value["states"]
    value = run_isolated(attempt, url=host, ca=pki.text("root.crt") if scheme == "wss" else None, **of_device()).value
    assert value["code"] == 0, value


# fault of the platform and what the client says of it
HANDSHAKES = [("ws-accept", "wrong Sec-WebSocket-Accept"), ("ws-no-protocol", "sub-protocol mqtt"), ("ws-redirect", "(redirect)"),
              ("ws-status=403", "status 403 (forbidden)"), ("ws-headers=10000", "longer than 8 KiB")]


def test_handshakes_of_the_platform(start_platform):
    platform = start_platform(*LISTEN)
    for fault, text in HANDSHAKES:
        platform.command("clear")
        assert platform.fault(fault)["ok"]
        value = run_isolated(attempt, url=f"ws://localhost:{platform.ports['ws']}", timeout_ms=300, **of_device()).value
        assert value["error"][1].startswith("websocket: ") and text in value["error"][1], (fault, value)


FRAMES = [("ws-text", "text frame"), ("ws-masked", "masked frame"), ("ws-rsv", "reserved bit"), ("ws-oversize", "larger than any")]


def test_frames_of_the_platform(start_platform):
    platform = start_platform(*LISTEN)
    url = f"ws://localhost:{platform.ports['ws']}"
    for fault, text in FRAMES:
        platform.command("clear")
        assert platform.fault(fault)["ok"]
        # The first frame carries CONNACK.
        value = run_isolated(attempt, url=url, timeout_ms=300, **of_device()).value
        assert value["error"][1].startswith("connack: websocket: ") and text in value["error"][1], (fault, value)
    # Both are fine.
    platform.command("clear")
    assert platform.fault("ws-ping")["ok"] and platform.fault("ws-fragment=1")["ok"]
    value = run_isolated(sdk_session, host=url).value
    assert value["ok"] and value["arrived"], value["states"]
    platform.wait_log('"frame":"pong"')
