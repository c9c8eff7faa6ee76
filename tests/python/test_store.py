"""QoS 1 messages that survive a restart: bad records, full stores, many callers, wrong arguments."""

import ctypes as c
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from client import Client
from device import Device
from isolation import run_isolated
from iotx_abi import INVALID, LIBRARY, ROOT, STATE
from scripted import ScriptedServer, publish
from store_device import (
    accepted, broker, declare, die, FULL, Load, Medium, payloads, publish_and_die,
    publish_and_finish, Publisher, Remove, run_to_death, Save, stats,
    Stats, Store, TOPIC, TRIPLE, turning, uplinks)


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
