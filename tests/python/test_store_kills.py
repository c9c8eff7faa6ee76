"""QoS 1 messages that survive a restart: the process is killed at every call of the medium."""

import ctypes as c
import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from device import Device
from scripted import ScriptedServer, publish
from store_device import (
    accepted, broker, die, MEDIA, Medium, payloads, publish_and_die, publish_and_finish,
    Publisher, run_to_death, stats, TOPIC, TRIPLE, turning, uplinks)


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
