"""A device whose QoS 1 messages survive a restart, and the media they are kept on.

A run of the device is a process of its own. `accepted.txt` in its folder has one line per publish that
returned a packet id, written before anything else happens, so it is true whenever the process dies.
"""

import contextlib
import ctypes as c
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from device import Device
from isolation import HERE
from iotx_abi import STATE
from scripted import ScriptedServer, publish

TRIPLE = ("pk", "dn", "secret")
TOPIC = "/pk/dn/user/up"
FULL = STATE["STATE_MQTT_QOS1_REPUB_EXCEED_MAX"]

Save = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_uint32, c.POINTER(c.c_uint8), c.c_uint32)
Load = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_uint32, c.POINTER(c.c_uint8), c.c_uint32)
Remove = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_uint32)


class Store(c.Structure):
    """iotx_store_t"""

    _fields_ = [("struct_size", c.c_size_t)] + [(name, c.c_uint32) for name in ("max_count", "max_bytes", "max_record", "drop_oldest")]
    _fields_ += [("context", c.c_void_p), ("save", Save), ("load", Load), ("remove", Remove)]


class Stats(c.Structure):
    """iotx_store_stats_t"""

    _fields_ = [("struct_size", c.c_size_t)] + [(name, c.c_uint32) for name in ("count", "bytes")]
    _fields_ += [(name, c.c_uint64) for name in ("saved", "acknowledged", "restored", "dropped", "refused", "broken", "failed")]


def declare(library):
    library.iotx_mqtt_set_store.argtypes = [c.c_void_p]
    library.iotx_store_kv.argtypes = [c.c_void_p, c.c_char_p]
    library.iotx_mqtt_store_stats.argtypes = [c.c_void_p, c.c_void_p]
    library.iotx_kv_set_path.argtypes = [c.c_char_p]


def stats(library, handle=None):
    """The counters as a dict, or the error code."""
    found = Stats(struct_size=c.sizeof(Stats))
    result = library.iotx_mqtt_store_stats(handle, c.byref(found))
    return {name: getattr(found, name) for name, _ in Stats._fields_[1:]} if result == 0 else result


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Medium:
    """A file per place, replaced by rename. `before(operation, slot)` and `after` may end the process."""

    def __init__(self, folder, before=None, after=None, **bounds):
        self.folder = Path(folder)
        self.before = before or (lambda *_: None)
        self.after = after or (lambda *_: None)
        self.bounds = {"max_count": 8, **bounds}
        self.calls = []
        self.answers = {}  # (operation, slot) -> what to return instead of doing it
        self.structure = None

    def path(self, slot):
        return self.folder / f"place{slot}"

    def _call(self, operation, slot, action):
        self.calls.append([operation, slot])
        if (operation, slot) in self.answers:
            return self.answers[operation, slot]
        self.before(operation, slot)
        result = action()
        self.after(operation, slot)
        return result

    def save(self, _context, slot, record, size):
        def write():
            new = self.folder / f"new{slot}"
            new.write_bytes(c.string_at(record, size))
            new.rename(self.path(slot))
            return 0
        return self._call("save", slot, write)

    def load(self, _context, slot, buffer, size):
        def read():
            data = self.path(slot).read_bytes() if self.path(slot).exists() else b""
            c.memmove(buffer, data, min(len(data), size))
            return len(data)
        return self._call("load", slot, read)

    def remove(self, _context, slot):
        def unlink():
            self.path(slot).unlink(missing_ok=True)
            return 0
        return self._call("remove", slot, unlink)

    def give(self, library):
        """iotx_mqtt_set_store"""
        self.structure = Store(struct_size=c.sizeof(Store), save=Save(self.save), load=Load(self.load),
                               remove=Remove(self.remove), **self.bounds)
        return library.iotx_mqtt_set_store(c.byref(self.structure))


class KvMedium(Medium):
    """The library's own store over HAL_Kv_*, with the same hooks around it."""

    def give(self, library):
        assert library.iotx_kv_set_path(str(self.folder / "kv.bin").encode()) == 0
        self.inner = Store(struct_size=c.sizeof(Store))
        assert library.iotx_store_kv(c.byref(self.inner), None) == 0
        return super().give(library)

    def save(self, _context, slot, record, size):
        return self._call("save", slot, lambda: self.inner.save(self.inner.context, slot, record, size))

    def load(self, _context, slot, buffer, size):
        return self._call("load", slot, lambda: self.inner.load(self.inner.context, slot, buffer, size))

    def remove(self, _context, slot):
        return self._call("remove", slot, lambda: self.inner.remove(self.inner.context, slot))


MEDIA = {"directory": Medium, "kv": KvMedium}


class Publisher(Device):
    """A device with a store that writes down what was accepted."""

    def __init__(self, library, folder, port, ca, medium=None, **parameters):
        super().__init__(library, ca=ca, triple=TRIPLE)
        declare(library)
        self.medium = medium or Medium(folder)
        self.accepted = os.open(Path(folder) / "accepted.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        assert self.medium.give(library) == 0
        self.construct(host="localhost", port=port, **parameters)
        assert self.handle, self.states

    def up(self, payload):
        """Publishes with QoS 1."""
        result = self.publish(TOPIC, payload, qos=1)
        if result > 0:
            os.write(self.accepted, f"{result} {payload}\n".encode())
        return result

    def all_acknowledged(self, seconds=20):
        return self.until(lambda: stats(self.library)["count"] == 0, seconds)

    def destroy(self):
        self.counters = stats(self.library, self.handle)
        return super().destroy()

    def report(self, **more):
        return super().report(stats=self.counters, calls=self.medium.calls, **more)


def run_to_death(scenario, **parameters):
    """Runs a scenario that may kill its process; its result, None when it was killed."""
    folder = Path(parameters["folder"])
    job, result = folder / "job.json", folder / "result.json"
    result.unlink(missing_ok=True)
    job.write_text(json.dumps({"module": scenario.__module__, "function": scenario.__name__,
                               "parameters": parameters, "result": str(result)}))
    done = subprocess.run([sys.executable, str(HERE / "isolation.py"), str(job)], cwd=folder, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode == -signal.SIGKILL:
        return None
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")
    return json.loads(result.read_text())


def accepted(folder):
    """[(packet id, payload)] of all runs."""
    lines = (Path(folder) / "accepted.txt").read_text().splitlines()
    return [(int(line.split(" ", 1)[0]), line.split(" ", 1)[1]) for line in lines]


def uplinks(server):
    """The application's PUBLISH packets, in order of connection."""
    return [found for found in server.packets("PUBLISH") if found.topic == TOPIC]


def payloads(packets):
    return [found.payload.decode() for found in packets]


def broker(connection):
    connection.accept()
    connection.serve()


def silent_broker(connection):
    """Acknowledges nothing but the version report."""
    connection.accept()
    while True:
        found = connection.read()
        connection.answer(found, puback=found.name == "PUBLISH" and found.topic.startswith("/ota/"))


class Turning:
    """Acknowledges nothing until `silent` is taken back."""

    def __init__(self):
        self.silent = True

    def __call__(self, connection):
        (silent_broker if self.silent else broker)(connection)


@contextlib.contextmanager
def turning(pki):
    """A server that is silent, and a function that ends that and returns how many packets came till then."""
    script = Turning()
    with ScriptedServer(pki, script) as server:
        def speak():
            # What the dead process sent has been read when its connection is at its end.
            assert server.wait(lambda s: all(connection.closed.is_set() for connection in s.connections))
            script.silent = False
            return len(uplinks(server))
        yield server, speak


def publish_and_die(library, folder, port, ca, count, clean_session=0, drop_oldest=0):
    device = Publisher(library, folder, port, ca, medium=Medium(folder, drop_oldest=drop_oldest),
                       clean_session=clean_session)
    for number in range(count):
        device.up(f"old {number}")
    device.step(200)
    die()


def publish_and_finish(library, folder, port, ca, count=2, clean_session=0, max_count=8, medium="directory"):
    device = Publisher(library, folder, port, ca, medium=MEDIA[medium](folder, max_count=max_count),
                       clean_session=clean_session)
    results = [device.up(f"new {number}") for number in range(count)]
    done = device.all_acknowledged()
    return device.report(results=results, done=done, destroyed=device.destroy())
