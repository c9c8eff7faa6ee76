"""QoS 1 messages that survive a restart: the process is killed at every call of the medium.

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
import threading
import time
from pathlib import Path

import pytest

from client import Client
from device import Device
from isolation import HERE, run_isolated
from iotx_abi import INVALID, LIBRARY, ROOT, STATE
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


# -- kill -9 ----------------------------------------------------------------------------------


def run_and_die(library, folder, port, ca, medium, run, operation, number, when):
    """Publishes six messages; dies before or after call `number` of `operation`."""
    seen = []

    def maybe(called, _slot):
        if called == operation:
            seen.append(called)
            if len(seen) == number:
                die()
    # Room for what all the lives before this one may have left.
    store = MEDIA[medium](folder, max_count=64, **{when: maybe})
    device = Publisher(library, folder, port, ca, medium=store)
    results = [device.up(f"run {run} message {number}") for number in range(6)]
    if operation == "load":
        die()
    done = device.all_acknowledged()
    return device.report(results=results, done=done, destroyed=device.destroy())


@pytest.mark.parametrize("medium", ["directory", "kv"])
def test_kill_at_every_call_of_the_medium(pki, tmp_path, medium):
    """One history of many lives on one medium: each dies at another call, the last one lives."""
    deaths = [(operation, number, when) for operation in ("save", "remove")
              for number in range(1, 7) for when in ("before", "after")]
    deaths += [("load", number, when) for number in (1, 4, 8) for when in ("before", "after")]
    if medium == "kv":
        deaths = deaths[::3]
    with ScriptedServer(pki, broker) as server:
        parameters = {"folder": str(tmp_path), "port": server.port, "ca": pki.text("root.crt"), "medium": medium}
        for run, (operation, number, when) in enumerate(deaths):
            value = run_to_death(run_and_die, run=run, operation=operation, number=number, when=when, **parameters)
            assert value is None, f"run {run} was to die {when} {operation} {number}"
        last = run_to_death(run_and_die, run=len(deaths), operation="", number=0, when="before", **parameters)
        assert last["done"] and last["stats"]["count"] == 0 and last["stats"]["broken"] == 0
        assert server.errors == []
        packets = uplinks(server)
        arrived = set(payloads(packets))
        missing = [entry for entry in accepted(tmp_path) if entry[1] not in arrived]
        assert missing == []
        assert len(accepted(tmp_path)) > 3 * len(deaths)
        seen = {}
        duplicates = 0
        for found in packets:
            if found.payload in seen:
                assert found.dup and found.id == seen[found.payload], f"{found.payload} came again without DUP or with another id"
                duplicates += 1
            seen[found.payload] = found.id
        assert duplicates > 0
        for connection in server.connections:
            sent = [found for found in connection.packets if found.name == "PUBLISH" and found.topic == TOPIC]
            flags = [found.dup for found in sent]
            assert flags == sorted(flags, reverse=True), "what is stored comes before what is new"
            order = [tuple(int(word) for word in text.split()[1::2]) for text in payloads(sent)]
            assert order == sorted(order), "in the order of publishing"


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


@pytest.mark.parametrize("clean_session", [0, 1])
def test_kill_before_any_acknowledgement(pki, tmp_path, clean_session):
    with turning(pki) as (server, speak):
        parameters = {"folder": str(tmp_path), "port": server.port, "ca": pki.text("root.crt"),
                      "clean_session": clean_session}
        assert run_to_death(publish_and_die, count=5, **parameters) is None
        first = accepted(tmp_path)
        assert len(first) == 5
        old = speak()
        value = run_to_death(publish_and_finish, **parameters)
        assert server.errors == []
        assert value["done"]
        counters = value["stats"]
        assert [counters[name] for name in ("restored", "saved", "acknowledged", "count")] == [5, 2, 7, 0]
        sent = [(found.dup, found.id, found.payload.decode()) for found in uplinks(server)[old:]]
        assert sent[:5] == [(True, packet, text) for packet, text in first]
        assert [(dup, text) for dup, _, text in sent[5:]] == [(False, "new 0"), (False, "new 1")]
        assert server.connections[-1].packets[1].dup, "also before the library's own report"
        # Event 9 comes for messages of the earlier run too.
        told = [packet for name, packet in value["events"] if name == "PUBLISH_SUCCESS"]
        assert set(packet for packet, _ in first) <= set(told)
        assert sorted(os.listdir(tmp_path)) == ["accepted.txt", "job.json", "result.json"]


def torn_write(library, folder, port, ca, share):
    """Dies with a part of the record written: a medium without rename."""
    medium = Medium(folder)

    def save(_context, slot, record, size):
        with open(medium.path(slot), "wb") as place:
            if slot == 2:
                place.write(c.string_at(record, int(size * share)))
                place.flush()
                die()
            place.write(c.string_at(record, size))
        return 0
    medium.save = save
    device = Publisher(library, folder, port, ca, medium=medium)
    for number in range(4):
        device.up(f"old {number}")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_kill_in_the_middle_of_a_write(pki, tmp_path, share):
    with turning(pki) as (server, speak):
        parameters = {"folder": str(tmp_path), "port": server.port, "ca": pki.text("root.crt")}
        assert run_to_death(torn_write, share=share, **parameters) is None
        assert [text for _, text in accepted(tmp_path)] == ["old 0", "old 1"]
        old = speak()
        value = run_to_death(publish_and_finish, **parameters)
        assert server.errors == []
        assert value["done"] and value["stats"]["broken"] == (1 if share else 0)
        assert payloads(uplinks(server)[old:]) == ["old 0", "old 1", "new 0", "new 1"]


def receive_and_die(library, folder, port, ca, topic, count, deadly):
    device = Device(library, ca=ca, triple=TRIPLE)
    log = os.open(Path(folder) / "handled.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def handle(message):
        if message["payload"] == deadly:
            die()
        os.write(log, (message["payload"] + "\n").encode())
    # A message may come before SUBACK; a resumed session has some without any SUBSCRIBE.
    device.construct(host="localhost", port=port, client_id="store-test")
    if device.handle is None:
        return device.report()
    device.subscribe(topic, qos=1, also=handle, wait=False)
    handled = Path(folder) / "handled.txt"
    done = device.until(lambda: len(set(handled.read_text().split())) == count, 15)
    return device.report(done=done, destroyed=device.destroy())


def test_kill_in_the_handler_loses_no_incoming_message(pki, tmp_path, start_mosquitto):
    """What no handler has finished is not acknowledged, so the broker sends it again."""
    server = start_mosquitto()
    topic = "/pk/dn/user/get"
    parameters = {"folder": str(tmp_path), "port": server.port, "ca": pki.text("root.crt"), "topic": topic, "count": 5}
    plain = ["-h", "127.0.0.1", "-p", str(server.plain_port)]
    # The session exists before the messages do.
    subprocess.run(["mosquitto_sub", *plain, "-i", "store-test", "-c", "-q", "1", "-t", topic, "-E"], check=True, timeout=20)
    for number in range(5):
        subprocess.run(["mosquitto_pub", *plain, "-q", "1", "-t", topic, "-m", f"down{number}"], check=True, timeout=20)
    for deadly in ("down0", "down2", "down4"):
        assert run_to_death(receive_and_die, deadly=deadly, **parameters) is None
        assert deadly not in (tmp_path / "handled.txt").read_text()
    value = run_to_death(receive_and_die, deadly="", **parameters)
    assert value["done"], value
    assert set((tmp_path / "handled.txt").read_text().split()) == {f"down{number}" for number in range(5)}


def handler_dies(library, folder, port, ca):
    device = Device(library, ca=ca, triple=TRIPLE)
    device.construct(host="localhost", port=port)
    device.subscribe("/in", qos=1, also=lambda _: die())
    device.publish("/start", "go")
    device.until(lambda: False, 10)


def test_kill_in_the_handler_leaves_the_message_unacknowledged(pki, tmp_path):
    def script(connection):
        connection.accept()
        while True:
            found = connection.read()
            connection.answer(found)
            if found.name == "PUBLISH" and found.topic == "/start":
                connection.send(publish("/in", "x", qos=1, packet_id=77))
    with ScriptedServer(pki, script) as server:
        parameters = {"folder": str(tmp_path), "port": server.port, "ca": pki.text("root.crt")}
        assert run_to_death(handler_dies, **parameters) is None
        assert server.wait(lambda s: s.connections[0].closed.is_set())
        assert server.errors == []
        assert server.packets("PUBACK") == []


def test_mosquitto_gets_every_accepted_message(pki, tmp_path, start_mosquitto):
    server = start_mosquitto()
    parameters = {"folder": str(tmp_path), "port": server.port, "ca": pki.text("root.crt"), "medium": "kv"}
    plain = ["-h", "127.0.0.1", "-p", str(server.plain_port)]
    # A session that collects, made before and emptied after.
    collector = ["mosquitto_sub", *plain, "-i", "collector", "-c", "-q", "1", "-t", TOPIC]
    subprocess.run([*collector, "-E"], check=True, timeout=20)
    deaths = [("save", 3, "after"), ("remove", 1, "before"), ("remove", 3, "after"), ("save", 6, "before")]
    for run, (operation, number, when) in enumerate(deaths):
        assert run_to_death(run_and_die, run=run, operation=operation, number=number, when=when, **parameters) is None
    last = run_to_death(run_and_die, run=len(deaths), operation="", number=0, when="before", **parameters)
    assert last["done"]
    want = {text for _, text in accepted(tmp_path)}
    reader = subprocess.Popen(collector, stdout=subprocess.PIPE, text=True)
    killer = threading.Timer(20, reader.kill)
    killer.start()
    got = set()
    while not want <= got:
        line = reader.stdout.readline()
        assert line, f"missing: {want - got}"
        got.add(line.rstrip("\n"))
    killer.cancel()
    reader.kill()
    reader.wait()


# -- what lies on the medium ------------------------------------------------------------------


def test_broken_records_are_reported_skipped_and_cleared(pki, tmp_path):
    with turning(pki) as (server, speak):
        parameters = {"folder": str(tmp_path), "port": server.port, "ca": pki.text("root.crt")}
        assert run_to_death(publish_and_die, count=7, **parameters) is None
        places = [tmp_path / f"place{number}" for number in range(7)]
        record = places[0].read_bytes()
        changed = bytearray(places[1].read_bytes())
        changed[-12] ^= 1
        places[1].write_bytes(changed)
        places[2].write_bytes(places[2].read_bytes()[:-1])
        places[3].write_bytes(os.urandom(90))
        places[4].write_bytes(b"\xff" * 200)
        later = bytearray(places[5].read_bytes())
        later[4] = 2
        places[5].write_bytes(later)
        places[6].write_bytes(b"x" * 5000)
        # A place may give more than the record has.
        places[0].write_bytes(record + b"\xff" * 100)
        old = speak()
        value = run_to_death(publish_and_finish, **parameters)
        assert value["done"] and value["stats"]["restored"] == 1 and value["stats"]["broken"] == 5
        code = STATE["STATE_SYS_DEPEND_KV_GET"]
        assert [text for number, text in value["states"] if number == code] == [
            "store: place 1 skipped: wrong checksum", "store: place 2 skipped: truncated",
            "store: place 3 skipped: no record", "store: place 5 skipped: unknown version",
            "store: place 6 skipped: over the size limit"]
        assert payloads(uplinks(server)[old:]) == ["old 0", "new 0", "new 1"]
        # Cleared, but for what a later version may read.
        left = [place.name for place in tmp_path.glob("place*")]
        assert sorted(left) in (["place4", "place5"], ["place5"])


def unreadable(library, folder, port, ca):
    medium = Medium(folder)
    medium.answers["load", 1] = -5
    device = Publisher(library, folder, port, ca, medium=medium)
    return device.report(done=device.all_acknowledged(), destroyed=device.destroy())


def test_an_unreadable_place_is_reported_and_left_alone(pki, tmp_path):
    with turning(pki) as (server, speak):
        parameters = {"folder": str(tmp_path), "port": server.port, "ca": pki.text("root.crt")}
        assert run_to_death(publish_and_die, count=3, **parameters) is None
        speak()
        value = run_to_death(unreadable, **parameters)
        assert value["done"] and value["stats"]["restored"] == 2 and value["stats"]["failed"] == 1
        assert [STATE["STATE_SYS_DEPEND_KV_GET"], "store: place 1 cannot be read"] in value["states"]
        assert ["remove", 1] not in value["calls"] and (tmp_path / "place1").exists()
        # Readable again: sent at last.
        value = run_to_death(publish_and_finish, count=0, **parameters)
        assert value["done"] and payloads(uplinks(server))[-1] == "old 1"


# -- bounds and failures ----------------------------------------------------------------------


def fill(library, folder, port, ca, bounds, sizes):
    device = Publisher(library, folder, port, ca, medium=Medium(folder, **bounds), clean_session=0)
    results = [device.up(f"{number}".ljust(size, ".")) for number, size in enumerate(sizes)]
    return device.report(results=results, destroyed=device.destroy())


RECORD = 30 + len(TOPIC)  # of an empty payload


@pytest.mark.parametrize("bounds, sizes, wanted", [
    ({"max_count": 3}, [10] * 5, [3, 2]),
    ({"max_bytes": 2 * RECORD + 30}, [10, 20, 1, 1], [2, 2]),
    ({"max_record": RECORD + 10}, [10, 11, 10], None),
])
def test_a_full_store_refuses_new_messages(pki, tmp_path, bounds, sizes, wanted):
    with turning(pki) as (server, speak):
        parameters = {"folder": str(tmp_path), "port": server.port, "ca": pki.text("root.crt")}
        value = run_isolated(fill, bounds=bounds, sizes=sizes, **parameters).value
        results, counters = value["results"], value["stats"]
        if wanted is None:
            too_large = STATE["STATE_MQTT_SERIALIZE_PUB_ERROR"]
            assert [result if result < 0 else 1 for result in results] == [1, too_large, 1]
            assert counters["refused"] == 1
            return
        stored, refused = wanted
        assert all(result > 0 for result in results[:stored]) and results[stored:] == [FULL] * refused
        assert (counters["count"], counters["refused"], counters["dropped"]) == (stored, refused, 0)
        # Destroy keeps what is stored.
        speak()
        value = run_to_death(publish_and_finish, **parameters)
        assert value["stats"]["restored"] == stored and value["done"]


def test_drop_oldest_tells_and_counts(pki, tmp_path):
    with turning(pki) as (server, speak):
        parameters = {"folder": str(tmp_path), "port": server.port, "ca": pki.text("root.crt")}
        bounds = {"max_count": 3, "drop_oldest": 1}
        value = run_isolated(fill, bounds=bounds, sizes=[10] * 5, **parameters).value
        assert all(result > 0 for result in value["results"])
        counters = value["stats"]
        assert (counters["count"], counters["dropped"], counters["refused"]) == (3, 2, 0)
        told = [text for code, text in value["states"] if code == FULL]
        assert told == [f"store is full: message {packet} dropped" for packet in value["results"][:2]]
        old = speak()
        value = run_to_death(publish_and_finish, **parameters)
        again = [found.payload[:1] for found in uplinks(server)[old:] if found.dup]
        assert again == [b"2", b"3", b"4"]


def test_drop_oldest_makes_room_in_bytes(pki, tmp_path):
    with turning(pki) as (server, speak):
        bounds = {"max_bytes": 3 * RECORD + 30, "drop_oldest": 1}
        value = run_isolated(fill, bounds=bounds, sizes=[10, 10, 10, 2 * RECORD], folder=str(tmp_path),
                             port=server.port, ca=pki.text("root.crt")).value
        assert all(result > 0 for result in value["results"])
        assert (value["stats"]["count"], value["stats"]["dropped"]) == (1, 3)


def failing(library, folder, port, ca, operation, slots):
    medium = Medium(folder)
    for slot in slots:
        medium.answers[operation, slot] = -1
    device = Publisher(library, folder, port, ca, medium=medium)
    results = [device.up(f"message {number}") for number in range(4)]
    done = device.all_acknowledged()
    return device.report(results=results, done=done, destroyed=device.destroy())


def test_a_message_that_cannot_be_saved_is_refused_and_not_sent(pki, tmp_path):
    with ScriptedServer(pki, broker) as server:
        value = run_isolated(failing, folder=str(tmp_path), port=server.port, ca=pki.text("root.crt"),
                             operation="save", slots=[1]).value
        code = STATE["STATE_SYS_DEPEND_KV_SET"]
        assert [result if result < 0 else 1 for result in value["results"]] == [1, code, 1, 1]
        assert [code, "store: place 1 cannot be written"] in value["states"]
        assert value["done"] and payloads(uplinks(server)) == ["message 0", "message 2", "message 3"]
        assert value["stats"]["failed"] == 1
        # What the failed call may have left is removed.
        assert ["remove", 1] in value["calls"]


def test_a_record_that_cannot_be_removed_is_sent_once_more_after_a_restart(pki, tmp_path):
    with ScriptedServer(pki, broker) as server:
        parameters = {"folder": str(tmp_path), "port": server.port, "ca": pki.text("root.crt")}
        value = run_isolated(failing, operation="remove", slots=[2], **parameters).value
        assert value["done"] and value["stats"]["failed"] == 1
        assert [STATE["STATE_SYS_DEPEND_KV_DELETE"], "store: place 2 cannot be emptied"] in value["states"]
        value = run_to_death(publish_and_finish, count=0, **parameters)
        assert value["done"] and value["stats"]["restored"] == 1
        assert [(found.dup, found.payload) for found in uplinks(server)[4:]] == [(True, b"message 2")]


# -- threads and re-entrancy ------------------------------------------------------------------


def overtaken(library, folder, port, ca):
    """The first publisher's save takes until the second has published."""
    medium = Medium(folder)
    saving, published = threading.Event(), threading.Event()

    def before(operation, slot):
        if operation == "save" and slot == 0:
            saving.set()
            assert published.wait(20)
    medium.before = before
    device = Publisher(library, folder, port, ca, medium=medium)
    results = {}
    first = threading.Thread(target=lambda: results.update(a=device.up("a")))
    first.start()
    assert saving.wait(20)
    results["b"] = device.up("b")  # returns although `a` is still being saved
    device.step(100)
    sent_early = stats(library)["acknowledged"]
    published.set()
    first.join()
    device.until(lambda: False, 0.3)
    return device.report(results=results, sent_early=sent_early, destroyed=device.destroy())


def test_two_publishers_keep_their_order(pki, tmp_path):
    with turning(pki) as (server, speak):
        parameters = {"folder": str(tmp_path), "port": server.port, "ca": pki.text("root.crt")}
        value = run_isolated(overtaken, **parameters).value
        assert value["results"]["a"] + 1 == value["results"]["b"] and value["sent_early"] == 0
        assert [(found.dup, found.payload) for found in uplinks(server)] == [(False, b"a"), (False, b"b")]
        speak()
        value = run_to_death(publish_and_finish, count=0, **parameters)
        assert value["done"]
        assert [(found.dup, found.payload) for found in uplinks(server)[2:]] == [(True, b"a"), (True, b"b")]


def crowd(library, folder, port, ca, threads, count):
    device = Publisher(library, folder, port, ca, medium=Medium(folder, max_count=16))
    results = [[] for _ in range(threads)]

    def work(number):
        for index in range(count):
            while True:
                result = device.publish(TOPIC, f"{number} {index}", qos=1)
                if result != FULL:
                    break
                time.sleep(0.001)
            results[number].append(result)
    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        device.step(10)
    done = device.all_acknowledged()
    return device.report(results=results, done=done, destroyed=device.destroy())


def test_many_publishers_and_a_reader(pki, tmp_path):
    with ScriptedServer(pki, broker) as server:
        value = run_isolated(crowd, folder=str(tmp_path), port=server.port, ca=pki.text("root.crt"), threads=4, count=40).value
        assert value["done"] and all(result > 0 for row in value["results"] for result in row)
        counters = value["stats"]
        assert (counters["saved"], counters["acknowledged"], counters["failed"]) == (160, 160, 0)
        sent = payloads(uplinks(server))
        assert len(sent) == len(set(sent)) == 160
        for number in range(4):
            assert [text for text in sent if text.startswith(f"{number} ")] == [f"{number} {index}" for index in range(40)]
        identifiers = [found.id for found in uplinks(server)]
        assert identifiers == sorted(identifiers)


def calls_back(library, folder, port, ca):
    medium = Medium(folder)
    seen = []
    device = None

    def before(operation, slot):
        if operation == "save" and slot == 0:
            seen.append(["nested", device.up("nested")])
            seen.append(["state", library.IOT_MQTT_CheckStateNormal(device.handle)])
            seen.append(["count", stats(library, device.handle)["count"]])
            start = time.monotonic()
            seen.append(["yield", library.IOT_MQTT_Yield(device.handle, 5000), time.monotonic() - start < 2])
        if operation == "remove":
            seen.append(["from remove", device.up("again")] if len(seen) < 6 else ["more"])
    medium.before = before
    device = Publisher(library, folder, port, ca, medium=medium)
    outer = device.up("outer")
    done = device.all_acknowledged()
    return device.report(outer=outer, seen=seen, done=done, destroyed=device.destroy())


def test_the_medium_may_call_back_into_the_client(pki, tmp_path):
    with ScriptedServer(pki, broker) as server:
        value = run_isolated(calls_back, folder=str(tmp_path), port=server.port, ca=pki.text("root.crt")).value
        outer = value["outer"]
        assert value["seen"][:4] == [["nested", outer + 1], ["state", 1], ["count", 2], ["yield", 0, True]]
        assert value["done"] and payloads(uplinks(server))[:2] == ["outer", "nested"]
        assert payloads(uplinks(server))[2:] == ["again", "again"]


def destroys(library, folder, port, ca, operation):
    medium = Medium(folder)
    device = None
    seen = []

    def before(called, slot):
        if called == operation and not seen:
            start = time.monotonic()
            seen.append(device.destroy())
            seen.append(time.monotonic() - start < 4)
    medium.before = before
    device = Publisher(library, folder, port, ca, medium=medium)
    result = device.up("message")
    for _ in range(50):
        if seen:
            break
        library.IOT_MQTT_Yield(None, 100)
    first = {"seen": seen, "result": result, "after": library.IOT_MQTT_CheckStateNormal(None)}
    # Another client in the same process takes over where this one stopped.
    again = Publisher(library, folder, port, ca, medium=Medium(folder))
    return again.report(first=first, done=again.all_acknowledged(), destroyed=again.destroy())


@pytest.mark.parametrize("operation", ["save", "remove"])
def test_destroy_inside_the_medium(pki, tmp_path, operation):
    with ScriptedServer(pki, broker) as server:
        value = run_isolated(destroys, folder=str(tmp_path), port=server.port, ca=pki.text("root.crt"), operation=operation).value
        first = value["first"]
        assert first["seen"] == [0, True] and first["after"] == INVALID and first["result"] > 0
        assert value["done"] and set(payloads(uplinks(server))) == {"message"}
        assert value["stats"]["restored"] == (1 if operation == "save" else 0)


def destroyed_meanwhile(library, folder, port, ca):
    """Destroy waits for a save under way in another thread."""
    medium = Medium(folder)
    saving, go = threading.Event(), threading.Event()

    def before(operation, _slot):
        if operation == "save":
            saving.set()
            assert go.wait(20)
    medium.before = before
    device = Publisher(library, folder, port, ca, medium=medium)
    results = {}
    worker = threading.Thread(target=lambda: results.update(up=device.up("message")))
    worker.start()
    assert saving.wait(20)
    timer = threading.Timer(0.5, go.set)
    timer.start()
    destroyed = device.destroy()
    saved_first = (Path(folder) / "place0").exists()
    worker.join()
    return {"destroyed": destroyed, "saved_first": saved_first, "up": results["up"]}


def test_destroy_waits_for_a_save_in_another_thread(pki, tmp_path):
    with ScriptedServer(pki, broker) as server:
        value = run_isolated(destroyed_meanwhile, folder=str(tmp_path), port=server.port, ca=pki.text("root.crt")).value
        assert value["destroyed"] == 0 and value["saved_first"] and value["up"] > 0


# -- losses of the connection -----------------------------------------------------------------


def through_losses(library, folder, port, ca):
    device = Publisher(library, folder, port, ca, medium=Medium(folder, max_count=64))
    results = []
    end = time.monotonic() + 30
    while sum(result > 0 for result in results) < 12 and time.monotonic() < end:
        results.append(device.up(f"message {len(results)}"))
        device.step(20)
    done = device.all_acknowledged(30)
    return device.report(results=results, done=done, destroyed=device.destroy())


class Cutting:
    """The first two connections end after a few messages that are not acknowledged."""

    def __init__(self):
        self.count = 0

    def __call__(self, connection):
        self.count += 1
        if self.count > 2:
            broker(connection)
        connection.accept()
        for _ in range(3):
            connection.expect("PUBLISH")


def test_a_broken_connection_is_no_error_once_the_message_is_saved(pki, tmp_path):
    with ScriptedServer(pki, Cutting()) as server:
        value = run_isolated(through_losses, folder=str(tmp_path), port=server.port, ca=pki.text("root.crt")).value
        assert set(result for result in value["results"] if result < 0) <= {STATE["STATE_MQTT_IN_OFFLINE_STATUS"]}
        assert value["done"] and value["stats"]["count"] == 0
        arrived = uplinks(server)
        assert {text for _, text in accepted(tmp_path)} == set(payloads(arrived))
        seen = set()
        for found in arrived:
            assert found.dup == (found.payload in seen) or (found.dup and found.payload not in seen)
            seen.add(found.payload)


# -- the interface ----------------------------------------------------------------------------


def wrong_stores(library):
    declare(library)
    good = {"struct_size": c.sizeof(Store), "save": Save(lambda *_: 0), "load": Load(lambda *_: 0), "remove": Remove(lambda *_: 0)}
    table = [{"struct_size": 0}, {"struct_size": c.sizeof(Store) - 1}, {"struct_size": 4097}, {"max_count": 4097},
             {"max_record": 31}, {"max_record": 16 * 1024 * 1024 + 1}, {"max_bytes": 20}, {"drop_oldest": 2},
             {"save": Save()}, {"load": Load()}, {"remove": Remove()}]
    results = [library.iotx_mqtt_set_store(c.byref(Store(**{**good, **wrong}))) for wrong in table]
    larger = (c.c_uint8 * (c.sizeof(Store) + 16))()
    c.memmove(larger, c.byref(Store(**{**good, "struct_size": len(larger)})), c.sizeof(Store))
    kv = Store(struct_size=c.sizeof(Store))
    kept = [kv.struct_size, library.iotx_store_kv(c.byref(kv), b"my.store"), kv.max_count, kv.max_record, kv.max_bytes, kv.drop_oldest]
    # A name is copied: what the pointer leads to may change.
    name = c.create_string_buffer(b"copied")
    library.iotx_store_kv(c.byref(kv), name)
    name.value = b"other"
    copied = c.string_at(kv.context).decode()
    many = [library.iotx_store_kv(c.byref(kv), f"name{number}".encode()) for number in range(70)]
    again = library.iotx_store_kv(c.byref(kv), b"name0")
    return {
        "copied": copied, "many": many, "again": again,
        "wrong": results, "good": library.iotx_mqtt_set_store(c.byref(Store(**good))), "larger": library.iotx_mqtt_set_store(larger),
        "none": library.iotx_mqtt_set_store(None), "kv": kept, "size": c.sizeof(Store),
        "kv_wrong": [library.iotx_store_kv(None, None), library.iotx_store_kv(c.byref(Store()), None),
                     library.iotx_store_kv(c.byref(kv), b""), library.iotx_store_kv(c.byref(kv), b"n" * 65)],
        "stats": [library.iotx_mqtt_store_stats(None, c.byref(Stats(struct_size=c.sizeof(Stats)))),
                  library.iotx_mqtt_store_stats(c.c_void_p(0x123), None)],
    }


def test_wrong_arguments_are_refused():
    value = run_isolated(wrong_stores).value
    null, wrong = STATE["STATE_USER_INPUT_NULL_POINTER"], STATE["STATE_USER_INPUT_OUT_RANGE"]
    assert value["wrong"] == [wrong] * 8 + [null] * 3
    assert value["good"] == value["larger"] == value["none"] == 0
    # "my.store" and "copied" are two of the 64 names.
    assert value["copied"] == "copied" and value["again"] == 0
    assert value["many"] == [0] * 62 + [wrong] * 8
    assert value["kv"] == [value["size"], 0, 32, 4096, 32 * 4096, 0]
    assert value["kv_wrong"] == [null, wrong, wrong, wrong] and value["stats"] == [INVALID, null]


def off(library, folder, port, ca, how):
    declare(library)
    medium = Medium(folder)
    if how == "taken back":
        assert medium.give(library) == 0 and library.iotx_mqtt_set_store(None) == 0
    device = Device(library, ca=ca, triple=TRIPLE)
    device.construct(host="localhost", port=port)
    if how == "too late":
        assert medium.give(library) == 0
    result = device.publish(TOPIC, "x", qos=1)
    device.until(lambda: ["PUBLISH_SUCCESS", result] in device.events)
    counters = stats(library, device.handle)
    return {"result": result, "calls": medium.calls, "stats": counters, "destroyed": device.destroy()}


@pytest.mark.parametrize("how", ["never given", "taken back", "too late"])
def test_there_is_no_store_unless_given_before_construct(pki, tmp_path, how):
    with ScriptedServer(pki, broker) as server:
        value = run_isolated(off, folder=str(tmp_path), port=server.port, ca=pki.text("root.crt"), how=how).value
        assert value["result"] > 0 and value["calls"] == [] and value["stats"] == INVALID


def counted(library, folder, port, ca):
    device = Publisher(library, folder, port, ca)
    small = Stats(struct_size=c.sizeof(Stats) - 1)
    wrong = [library.iotx_mqtt_store_stats(device.handle, c.byref(small)), library.iotx_mqtt_store_stats(device.handle, None),
             library.iotx_mqtt_store_stats(device.handle + 16, c.byref(Stats(struct_size=c.sizeof(Stats))))]
    device.up("x" * 100)
    before = stats(library)
    device.all_acknowledged()
    return {"wrong": wrong, "before": before, "after": stats(library, device.handle), "qos0": device.publish(TOPIC, "y"),
            "calls": device.medium.calls, "destroyed": device.destroy()}


def test_counters(pki, tmp_path):
    with ScriptedServer(pki, broker) as server:
        value = run_isolated(counted, folder=str(tmp_path), port=server.port, ca=pki.text("root.crt")).value
        null, wrong = STATE["STATE_USER_INPUT_NULL_POINTER"], STATE["STATE_USER_INPUT_OUT_RANGE"]
        assert value["wrong"] == [wrong, null, INVALID]
        assert (value["before"]["count"], value["before"]["bytes"], value["before"]["saved"]) == (1, RECORD + 100, 1)
        assert (value["after"]["count"], value["after"]["bytes"], value["after"]["acknowledged"]) == (0, 0, 1)
        # Neither QoS 0 nor the library's own report is stored.
        assert value["calls"] == [["load", slot] for slot in range(8)] + [["save", 0], ["remove", 0]]


@pytest.mark.parametrize("number", [0, 1])
def test_the_examples_of_the_document_compile(tmp_path, number):
    blocks = (ROOT / "docs" / "qos1-store.md").read_text().split("```c\n")[1:]
    assert len(blocks) == 2
    source = tmp_path / "example.c"
    source.write_text(blocks[number].split("```")[0])
    for standard in ("c99", "c11"):
        subprocess.run(["cc", f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers", "-fsyntax-only",
                        "-I", ROOT / "include", source], check=True, timeout=60)


def with_medium_of_the_document(library, folder, port, ca, medium, count, die_then):
    """A device on the medium that the document shows."""
    device = Device(library, ca=ca, triple=TRIPLE)
    declare(library)
    assert c.CDLL(medium).use_file(str(Path(folder) / "places").encode()) == 0
    device.construct(host="localhost", port=port)
    results = [device.publish(TOPIC, f"message {number}", qos=1) for number in range(count)]
    if die_then:
        die()
    done = device.until(lambda: stats(library)["count"] == 0)
    return {"results": results, "done": done, "stats": stats(library), "destroyed": device.destroy()}


def test_the_medium_of_the_document_works(pki, tmp_path):
    source, medium = tmp_path / "example.c", tmp_path / "medium.so"
    source.write_text((ROOT / "docs" / "qos1-store.md").read_text().split("```c\n")[2].split("```")[0])
    subprocess.run(["cc", "-shared", "-fPIC", "-I", ROOT / "include", "-o", medium, source, LIBRARY], check=True, timeout=60)
    with turning(pki) as (server, speak):
        parameters = {"folder": str(tmp_path), "port": server.port, "ca": pki.text("root.crt"), "medium": str(medium)}
        assert run_to_death(with_medium_of_the_document, count=3, die_then=True, **parameters) is None
        speak()
        value = run_to_death(with_medium_of_the_document, count=1, die_then=False, **parameters)
        assert value["done"] and value["stats"]["restored"] == 3 and value["stats"]["acknowledged"] == 4
        value = run_to_death(with_medium_of_the_document, count=0, die_then=False, **parameters)
        assert [value["stats"][name] for name in ("restored", "broken", "failed")] == [0, 0, 0]


# -- clients of iotx_client_create --------------------------------------------------------------


def many_clients(library, folder, port, ca, medium, die_then):
    """Two clients with a store each, over the names of the key-value store, or in folders."""
    declare(library)
    library.iotx_client_store_stats.argtypes = [c.c_void_p, c.c_void_p]
    assert library.iotx_kv_set_path(str(Path(folder) / "kv.bin").encode()) == 0
    names, clients = [c.create_string_buffer(b"first"), c.create_string_buffer(b"second")], []
    for number, name in enumerate(names):
        store = Store(struct_size=c.sizeof(Store))
        if medium == "kv":
            assert library.iotx_store_kv(c.byref(store), name) == 0
        else:
            place = Path(folder) / name.value.decode()
            place.mkdir(exist_ok=True)
            # Kept alive by the client's list.
            clients.append(Medium(place))
            own = clients[-1]
            store = own.structure = Store(struct_size=c.sizeof(Store), max_count=8, save=Save(own.save), load=Load(own.load),
                                          remove=Remove(own.remove))
        client = Client(library, url=f"mqtts://localhost:{port}", client_id=f"client{number}", ca=ca,
                        store=c.addressof(store))
        names[number] = client
        assert client.connect() == 0, client.error()
    # Topics as the standard allows them, which the SDK's rules would refuse.
    results = [[client.publish(f"sensors/{number}/\u00e4 {index}", f"{index}", qos=1) for index in range(3)]
               for number, client in enumerate(names)]
    if die_then:
        die()

    def counters(client):
        found = Stats(struct_size=c.sizeof(Stats))
        assert library.iotx_client_store_stats(client.handle, c.byref(found)) == 0
        return [found.restored, found.acknowledged, found.count, found.broken]
    done = [client.until(lambda: counters(client)[2] == 0) for client in names]
    return {"results": results, "done": done, "counters": [counters(client) for client in names],
            "destroyed": [client.destroy() for client in names]}


@pytest.mark.parametrize("medium", ["kv", "directory"])
def test_each_client_has_its_own_store(pki, tmp_path, medium):
    with turning(pki) as (server, speak):
        parameters = {"folder": str(tmp_path), "port": server.port, "ca": pki.text("root.crt"), "medium": medium}

        def messages(start=0):
            return [found for found in server.packets("PUBLISH") if found.topic.startswith("sensors/")][start:]
        assert run_to_death(many_clients, die_then=True, **parameters) is None
        speak()
        old = len(messages())
        assert old == 6 and not any(found.dup for found in messages())
        value = run_to_death(many_clients, die_then=False, **parameters)
        assert value["done"] == [True, True] and value["counters"] == [[3, 6, 0, 0]] * 2
        again = {(found.topic, found.id) for found in messages(old) if found.dup}
        assert again == {(found.topic, found.id) for found in messages()[:old]}
        assert len(messages(old)) == 12
