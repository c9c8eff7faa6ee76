"""Clients of the client API in event loops: nothing blocks, everything has an end."""

import select
import socket
import threading
import time

import pytest

from client import Client, MessageFn, PlainServer
from conftest import wait_until
from iotx_abi import STATE
from isolation import run_isolated
from scripted import publish


def event_loop(library, port, ca=None, url=None):
    scheme = {"url": f"mqtts://localhost:{port}", "ca": ca} if ca else {"url": f"mqtt://127.0.0.1:{port}"}
    if url is not None:
        scheme["url"] = url
    client = Client(library, client_id="a", nonblocking=1, **scheme)
    slowest = 0.0
    before = [client.call("fd"), client.call("next_timeout_ms"), client.call("wants_write")]
    client.call("start")
    descriptors = set()

    def run(condition, seconds=10):
        nonlocal slowest
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            fd, wait = client.call("fd"), client.call("next_timeout_ms")
            assert wait >= 0
            if fd < 0:
                time.sleep(min(wait, 50) / 1000)
            else:
                descriptors.add(fd)
                select.select([fd], [fd] if client.call("wants_write") else [], [], wait / 1000)
            started = time.perf_counter()
            assert client.call("process") == 0
            if client.saw("CONNECTED"):
                slowest = max(slowest, time.perf_counter() - started)
        return condition()
    connected = run(lambda: client.saw("CONNECTED"))
    client.subscribe("t", 1, by="own")
    run(lambda: client.saw("SUBSCRIBED"))
    ids = [client.publish("t", f"{number:05}" + "x" * 500, 1) for number in range(100)]
    arrived = run(lambda: len(client.messages) >= 100 and all(client.saw("PUBLISHED", number) for number in ids))
    # A busy machine may have left a part for the next call.
    run(lambda: client.call("next_timeout_ms") > 0, 2)
    idle = [client.call("next_timeout_ms") > 20_000, client.call("wants_write")]
    return {"before": before, "connected": connected, "arrived": arrived, "idle": idle, "descriptors": len(descriptors),
            "order": [m["payload"][:5] for m in client.messages], "slowest": slowest, "destroyed": client.destroy()}


@pytest.mark.parametrize("tls", [False, True])
def test_event_loop(pki, start_mosquitto, tls):
    server = start_mosquitto()
    options = {"port": server.port, "ca": pki.text("root.crt")} if tls else {"port": server.plain_port}
    value = run_isolated(event_loop, **options).value
    assert value["before"] == [-1, -1, 0]
    assert value["connected"] and value["arrived"] and value["descriptors"] == 1
    assert value["order"] == [f"{number:05}" for number in range(100)]
    assert value["idle"] == [True, 0]
    assert value["slowest"] < 0.5


def unread(library, port, tls_ca=None):
    """A server that stops reading: nothing blocks, the queue has an end, and all arrives later."""
    url = {"url": f"mqtts://localhost:{port}", "ca": tls_ca} if tls_ca else {"url": f"mqtt://127.0.0.1:{port}"}
    client = Client(library, client_id="a", nonblocking=1, queue_size=100_000, request_timeout_ms=20_000, **url)
    assert client.connect() == 0
    sent, slowest = 0, 0.0
    while True:
        started = time.perf_counter()
        code = client.publish("t", b"x" * 10_000)
        slowest = max(slowest, time.perf_counter() - started)
        if code != 0 or sent > 5000:
            break
        sent += 1
    full = [code, client.call("wants_write"), client.stats()["queued_bytes"]]
    started = time.perf_counter()
    client.call("process")
    process = time.perf_counter() - started
    client.publish("go", b"")  # refused as well
    print("FULL", flush=True)
    emptied = client.until(lambda: client.call("wants_write") == 0, 20)
    after = client.publish("end", b"")
    client.until(lambda: client.saw("DISCONNECTED"), 10)
    return {"sent": sent, "full": full, "slowest": slowest, "process": process, "emptied": emptied, "after": after}


def test_a_server_that_does_not_read(pki):
    release = threading.Event()

    def script(connection):
        connection.accept()
        release.wait(20)
        while connection.expect("PUBLISH").topic != "end":
            pass
    with PlainServer(script) as server:
        timer = threading.Timer(4, release.set)
        timer.start()
        value = run_isolated(unread, port=server.port).value
        timer.cancel()
        received = server.packets("PUBLISH")
    assert value["full"][0] == STATE["STATE_MQTT_TX_BUFFER_TOO_SHORT"] and value["full"][1] == 1
    assert 100_000 <= value["full"][2] < 120_000, "bounded"
    assert value["slowest"] < 0.5 and value["process"] < 0.5
    assert value["emptied"] and value["after"] == 0
    assert len(received) == value["sent"] + 1


def stuck(library, port):
    """An event loop whose server takes nothing: when does it notice, woken by the advertised times alone."""
    client = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id="a", nonblocking=1, request_timeout_ms=500)
    assert client.connect() == 0
    written = -1
    while written != client.stats()["bytes_out"]:
        # The system goes on taking data for a while.
        written = client.stats()["bytes_out"]
        while client.publish("t", b"x" * 10_000) == 0:
            pass
        time.sleep(0.1)
        client.call("process")
    started, waits = time.monotonic(), []
    while not client.saw("DISCONNECTED") and time.monotonic() < started + 10:
        wait, fd = client.call("next_timeout_ms"), client.call("fd")
        waits.append(wait)
        select.select([fd], [fd] if client.call("wants_write") else [], [], wait / 1000) if fd >= 0 else time.sleep(wait / 1000)
        assert client.call("process") == 0
    return {"seconds": time.monotonic() - started, "waits": waits, "events": client.events}


def test_a_stuck_server_is_given_up_by_an_event_loop():
    release = threading.Event()

    def script(connection):
        connection.accept()
        release.wait(20)
    with PlainServer(script) as server:
        server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        value = run_isolated(stuck, port=server.port).value
        release.set()
    assert 0.2 < value["seconds"] < 3 and len(value["waits"]) < 20, value
    lost = next(row for row in value["events"] if row[0] == "DISCONNECTED")
    assert "takes no data" in lost[3]


def held(library, port):
    """A QoS 1 message that comes before its handler, in an event loop."""
    client = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id="a", on_message=MessageFn())
    assert client.connect() == 0
    client.publish("go", b"")
    end = time.monotonic() + 5
    while client.stats()["messages_in"] == 0 and time.monotonic() < end:
        assert client.poll(50) == 0
    before = [client.call("next_timeout_ms") > 1000, len(client.messages)]
    client.subscribe("t", 1, by="own")
    soon = client.call("next_timeout_ms")
    client.call("process")
    return {"before": before, "soon": soon, "messages": client.messages}


def test_a_message_waits_for_its_handler():
    def script(connection):
        connection.accept()
        connection.expect("PUBLISH")
        connection.send(publish("t", "early", qos=1))
        connection.serve()
    with PlainServer(script) as server:
        value = run_isolated(held, port=server.port).value
        connection = server.connections[0]
        wait_until(lambda: [item.name for item in connection.packets].count("PUBACK") == 1, 5, "acknowledged once")
    assert value["before"] == [True, 0] and value["soon"] == 0
    assert [message["payload"] for message in value["messages"]] == ["early"]


def trickle(library, port):
    client = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id="a", nonblocking=1, queue_size=60_000,
                    request_timeout_ms=500)
    assert client.connect() == 0
    end, full = time.monotonic() + 3, 0
    while time.monotonic() < end:
        while client.publish("t", b"x" * 2000) == 0:
            pass
        full += 1
        client.poll(5)
    return {"events": [row[0] for row in client.events], "full": full, "queued": client.stats()["queued_bytes"]}


def test_a_server_that_reads_slowly_is_alive():
    """The queue is never empty for six request time-outs, yet something is taken all the time."""
    def script(connection):
        connection.accept()
        while connection.stream.recv(1000):
            time.sleep(0.01)
    with PlainServer(script) as server:
        server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        value = run_isolated(trickle, port=server.port).value
    assert value["events"] == ["CONNECTED"] and value["full"] > 10 and value["queued"] > 0


def prompt(library, port):
    """How long connect and poll take beyond what they wait for."""
    client = Client(library, url=f"mqtt://127.0.0.1:{port}", client_id="a")
    seconds = []

    def timed(call):
        started = time.monotonic()
        assert call() == 0
        seconds.append(time.monotonic() - started)
    timed(client.connect)
    timed(client.connect)
    client.subscribe("t", by="own")
    while not client.saw("SUBSCRIBED"):
        timed(lambda: client.poll(5000))
    client.publish("t", "x")
    while not client.messages:
        timed(lambda: client.poll(5000))
    assert client.call("disconnect") == 0 and client.call("start") == 0
    while not client.saw("RECONNECTED"):
        timed(lambda: client.poll(5000))
    return seconds


def test_connect_and_poll_return_when_something_has_happened(start_mosquitto):
    seconds = run_isolated(prompt, port=start_mosquitto().plain_port).value
    # The client sleeps in slices of 200 ms and more.
    assert max(seconds) < 0.15, seconds
