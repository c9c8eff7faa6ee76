"""Reconnecting to a server that stalls: Yield lasts its time, callers learn at once, Destroy is quick."""

import contextlib
import socket
import threading
import time

import pytest

from device import Device
from iotx_abi import STATE
from isolation import run_isolated
from scripted import ScriptedServer

OFFLINE = STATE["STATE_MQTT_IN_OFFLINE_STATUS"]


class StallingServer(ScriptedServer):
    """Serves one connection and ends it; every later one stalls in `stage`: tcp, tls or connack."""

    def __init__(self, pki, stage):
        self.stage = stage
        self.stalled = []
        self.let_go = threading.Event()
        super().__init__(pki, self.play)

    def play(self, connection):
        if connection.number > 1:
            self.stalled.append(connection)
            connection.expect("CONNECT")
            self.let_go.wait()
            return
        connection.accept()
        connection.expect("PUBLISH")
        if self.stage == "tcp":
            self.stop_accepting()

    def _run(self, stream, number):
        if self.connections and self.stage == "tls":
            self.stalled.append(stream)
            self.let_go.wait()
            stream.close()
            return
        super()._run(stream, number)

    def stop_accepting(self):
        """From now on connections hang: the queue of the port is full and nobody takes from it."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(0)
        while len(self.stalled) < 20:
            queued = socket.socket()
            queued.settimeout(0.2)
            self.stalled.append(queued)
            if queued.connect_ex(("127.0.0.1", self.port)) != 0:
                return
        raise AssertionError("the queue never fills")

    def __exit__(self, *arguments):
        self.let_go.set()
        super().__exit__(*arguments)


def stalled(library, ca, port, seconds):
    device = Device(library, ca=ca, triple=("pk", "dn", "secret"))
    device.construct(host="localhost", port=port, request_timeout_ms=1000)
    device.publish("/q", b"x")
    device.until(lambda: "DISCONNECT" in device.event_names(), 5)
    before = len(device.states)
    over, slowest, codes = [], 0, set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        over.append(device.step(20) - 0.02)
        start = time.monotonic()
        codes.add(device.publish("/q", b"x"))
        codes.add(device.subscribe("/t", wait=False))
        slowest = max(slowest, time.monotonic() - start)
    told = device.states[before:]
    start = time.monotonic()
    device.destroy()
    return device.report(over=sorted(over), slowest=slowest, codes=sorted(codes), told=told,
                         destroy=time.monotonic() - start)


@pytest.mark.parametrize("stage", ["tcp", "tls", "connack"])
def test_a_stalling_server_holds_nobody(pki, stage):
    with StallingServer(pki, stage) as server:
        value = run_isolated(stalled, ca=pki.text("root.crt"), port=server.port, seconds=3).value
        assert server.stalled, "the attempt was made"
    assert value["codes"] == [OFFLINE]
    assert value["slowest"] < 0.3, "callers learn at once"
    # The machine may take its time once; the library may not.
    assert value["over"][-2] < 0.1 and value["over"][-1] < 1
    assert value["over"][0] >= -0.001, "and Yield lasts its time"
    assert value["destroy"] < 1.5
    silent = [text for code, text in value["told"] if code == STATE["STATE_SYS_DEPEND_NWK_TIMEOUT"]]
    if stage == "connack":
        assert silent and all(text.startswith("connack: ") for text in silent)
    else:
        assert silent == [], "its bound is 10 s"
