"""Fixtures: the PKI, the local platform, mosquitto. Nothing waits a fixed time for a process."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from iotx_abi import BUILD, ROOT, load  # noqa: E402

PLATFORM = BUILD / "bin" / "iotx-platform"


@pytest.fixture(scope="session")
def library():
    """The library in the test process itself, for tests that need no connection."""
    return load()


@pytest.fixture(scope="session")
def vectors():
    return json.loads((ROOT / "tests" / "data" / "signing-vectors.json").read_text())


class Pki:
    """The folder that `iotx-platform pki` made."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def __truediv__(self, name):
        return self.folder / name

    def text(self, name):
        return (self.folder / name).read_text()

    def trust(self):
        """Device arguments: the platform's root."""
        return {"ca": self.text("root.crt")}

    def x509(self, name="device"):
        """Device arguments: the root, and the certificate and key of `name`."""
        return {"ca": self.text("root.crt"), "cert": self.text(f"{name}.crt"), "key": self.text(f"{name}.key")}

    def devices(self):
        """Triples of devices.json that have a secret: [product key, device name, secret]."""
        found = []
        for entry in self._entries():
            if entry.get("devicesecret"):
                found.append([entry["productkey"], entry["devicename"], entry["devicesecret"]])
        return found

    def names(self):
        """Product key and device name of every device."""
        return [[entry["productkey"], entry["devicename"]] for entry in self._entries()]

    def _entries(self):
        data = json.loads(self.text("devices.json"))
        rows = data["devices"] if isinstance(data, dict) else data
        return [{key.lower().replace("_", ""): value for key, value in row.items()} for row in rows]


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    subprocess.run([PLATFORM, "pki", "--out", folder], check=True, capture_output=True, timeout=60)
    return Pki(folder)


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} within {seconds} s")
        time.sleep(0.02)


class Platform:
    """A running local platform and its control connection."""

    def __init__(self, pki, folder, arguments):
        self.pki = pki
        self.log = folder / "events.jsonl"
        ready = folder / "ready.json"
        self._output = open(folder / "output.txt", "wb")
        listen = [] if "--listen" in arguments else ["--listen", "127.0.0.1:0"]
        command = [PLATFORM, "serve", "--pki", pki.folder, *listen, "--control", "127.0.0.1:0",
                   "--log", self.log, "--ready", ready, *arguments]
        self.process = subprocess.Popen(command, stdout=self._output, stderr=subprocess.STDOUT)

        def started():
            if self.process.poll() is not None:
                raise AssertionError("platform: " + (folder / "output.txt").read_text())
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                return json.loads(ready.read_text())
            return None
        state = wait_until(started, 20, "the platform is ready")
        self.port = state["port"]
        # By name: tcp, tls, ws, wss, psk, proxy, control; None for what does not listen.
        self.ports = {name.removesuffix("_port"): port for name, port in state.items() if name.endswith("_port")}
        self._control = socket.create_connection(("127.0.0.1", state["control_port"]), timeout=20)
        self._lines = self._control.makefile("r")

    def command(self, cmd, **more):
        """One control command and its answer."""
        self._control.sendall((json.dumps({"cmd": cmd, **more}) + "\n").encode())
        return json.loads(self._lines.readline())

    def publish(self, topic, payload, qos=0):
        return self.command("publish", topic=topic, payload=payload, qos=qos)

    def fault(self, spec):
        return self.command("fault", spec=spec)

    def log_text(self):
        return self.log.read_text() if self.log.exists() else ""

    def wait_log(self, *words, seconds=10):
        """Waits for a log line that holds all the words."""
        def found():
            return [line for line in self.log_text().splitlines() if all(word in line for word in words)]
        return wait_until(found, seconds, f"a platform log line with {words}")

    def stop(self):
        with contextlib.suppress(OSError):
            self._control.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._output.close()


@pytest.fixture
def start_platform(pki, tmp_path_factory):
    """A function that starts a platform with the given arguments; all are stopped after the test."""
    running = []

    def start(*arguments):
        running.append(Platform(pki, tmp_path_factory.mktemp("platform"), arguments))
        return running[-1]
    yield start
    for platform in running:
        platform.stop()


class Mosquitto:
    """A mosquitto with a TLS listener for the device and a plain one for mosquitto_pub and _sub."""

    def __init__(self, pki, folder, credentials=None, options=(), websocket=False):
        program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        assert program, "mosquitto is not installed: make deps"
        self.log = folder / "mosquitto.log"
        for _ in range(5):
            self.port, self.plain_port, self.ws_port, self.wss_port = (free_port() for _ in range(4))
            lines = ["per_listener_settings false", "log_type all", f"log_dest file {self.log}",
                     "persistence false", *options, f"listener {self.plain_port} 127.0.0.1",
                     f"listener {self.port} 127.0.0.1", f"cafile {pki / 'root.crt'}",
                     f"certfile {pki / 'server.crt'}", f"keyfile {pki / 'server.key'}"]
            if websocket:
                # libwebsockets listens at every address.
                lines += [f"listener {self.ws_port}", "protocol websockets", f"listener {self.wss_port}",
                          "protocol websockets", f"certfile {pki / 'server.crt'}", f"keyfile {pki / 'server.key'}"]
            if os.geteuid() == 0:
                lines.append("user root")
            if credentials is None:
                lines.append("allow_anonymous true")
            else:
                passwords = folder / "passwords"
                passwords.touch(mode=0o600)
                subprocess.run(["mosquitto_passwd", "-b", passwords, *credentials], check=True, capture_output=True)
                lines += ["allow_anonymous false", f"password_file {passwords}"]
            config = folder / "mosquitto.conf"
            config.write_text("\n".join(lines) + "\n")
            self.process = subprocess.Popen([program, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if self._ready():
                return
        raise AssertionError("mosquitto does not start: " + self.log.read_text())

    def _ready(self):
        end = time.monotonic() + 10
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            time.sleep(0.02)
        return False

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="session")
def port_library(tmp_path_factory):
    """The port under the tests' control (hal_port.c), to be preloaded."""
    from scenario import build_port
    return build_port(tmp_path_factory.mktemp("port"))


@pytest.fixture(scope="session")
def contract_ports(tmp_path_factory):
    """Ports that wait for every byte asked for: of TCP, and of TLS as well."""
    folder = tmp_path_factory.mktemp("contract")
    built = {}
    for name, flags in (("tcp", []), ("tls", ["-DOWN_TLS"])):
        built[name] = folder / f"{name}.so"
        source = Path(__file__).resolve().parent / "contract_port.c"
        subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", *flags, "-o", built[name], source],
                       check=True)
    return built


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture
def start_mosquitto(pki, tmp_path_factory):
    running = []

    def start(credentials=None, **more):
        running.append(Mosquitto(pki, tmp_path_factory.mktemp("mosquitto"), credentials, **more))
        return running[-1]
    yield start
    for broker in running:
        broker.stop()
