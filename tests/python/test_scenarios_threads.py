"""Threads and callbacks, seen from outside: any call from any thread and from inside any handler."""

import ctypes as c
import statistics
import struct
import threading
import time

import pytest

from device import Device
from iotx_abi import INVALID, MQTT, STATE, EventHandler
from isolation import run_isolated
from scenario import TRIPLE, broker, each, leave
from scripted import ScriptedServer, publish

OFFLINE = STATE["STATE_MQTT_IN_OFFLINE_STATUS"]
FULL = STATE["STATE_MQTT_QOS1_REPUB_EXCEED_MAX"]
CLOSE = STATE["STATE_SYS_DEPEND_NWK_CLOSE"]


def run(pki, scenario, script, **parameters):
    with ScriptedServer(pki, script) as server:
        value = run_isolated(scenario, credentials={**pki.trust(), "triple": TRIPLE}, port=server.port, **parameters).value
        server.drained()
        assert server.errors == []
        return value, server


def connected(library, credentials, port, **parameters):
    device = Device(library, **credentials)
    device.construct(host="localhost", port=port, **parameters)
    assert device.handle, device.states
    return device


class Background:
    """Threads that repeat an action until they are told to stop; an exception in one is kept."""

    def __init__(self):
        self.over, self.errors, self.threads = threading.Event(), [], []

    def repeat(self, action, *arguments):
        def loop():
            try:
                while not self.over.is_set():
                    action(*arguments)
            except Exception as error:
                self.errors.append(repr(error))
        self.once(loop)

    def once(self, action):
        self.threads.append(threading.Thread(target=action, daemon=True))
        self.threads[-1].start()

    def stop(self):
        """Ends all; True if they ended in time."""
        self.over.set()
        end = time.monotonic() + 10
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)


# -- many threads -------------------------------------------------------------------------------

THREADS, EACH = 8, 60


def eight_threads(library, credentials, port, yielders):
    device = connected(library, credentials, port)
    background, results = Background(), [[] for _ in range(THREADS)]
    for _ in range(yielders):
        background.repeat(device.step, 20)

    def work(number):
        handler = c.cast(device.message_handler(f"t{number}"), c.c_void_p)
        for turn in range(EACH):
            payload = f"{number} {turn}".encode()
            for _ in range(2000):
                result = device.publish(f"/up/{number}", payload, turn % 2)
                if result != FULL:
                    break
                time.sleep(0.005)
            results[number].append(result)
            topic = f"/down/{number}/{turn % 3}".encode()
            results[number].append(library.IOT_MQTT_Subscribe(device.handle, topic, 1, handler, None))
            if turn % 3 == 2:
                results[number].append(library.IOT_MQTT_Unsubscribe(device.handle, topic))
            results[number].append(library.IOT_MQTT_CheckStateNormal(device.handle))
    workers = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(40)
    wanted = THREADS * EACH // 2 + 1
    end = time.monotonic() + 15
    while device.event_names().count("PUBLISH_SUCCESS") < wanted and time.monotonic() < end:
        time.sleep(0.01)
    alive = [worker.is_alive() for worker in workers]
    ended = background.stop()
    return {"results": results, "alive": alive, "ended": ended, "errors": background.errors, "destroyed": device.destroy(),
            "acknowledged": [number for name, number in device.events if name == "PUBLISH_SUCCESS"],
            "delivered": len(device.messages)}


def answer_and_send(connection, found):
    """Each SUBSCRIBE is answered and followed by a message for it."""
    connection.answer(found)
    connection.send(publish(found.filter, "m", qos=1, packet_id=found.id))


@pytest.mark.parametrize("yielders", [1, 3])
def test_eight_threads_publish_and_subscribe_while_others_yield(pki, yielders):
    value, server = run(pki, eight_threads, broker(SUBSCRIBE=answer_and_send), yielders=yielders)
    assert not any(value["alive"]) and value["ended"] and value["errors"] == [] and value["destroyed"] == 0
    assert all(result >= 0 for results in value["results"] for result in results)
    for number in range(THREADS):
        arrived = [found.payload.decode() for found in server.packets("PUBLISH") if found.topic == f"/up/{number}"]
        assert arrived == [f"{number} {turn}" for turn in range(EACH)], "each thread's own order, nothing twice"
    ids = [found.id for found in server.packets() if found.name in ("SUBSCRIBE", "UNSUBSCRIBE") or found.name == "PUBLISH" and found.qos]
    assert len(ids) == len(set(ids)), "each packet has an id of its own"
    assert sorted(value["acknowledged"]) == sorted(found.id for found in server.packets("PUBLISH") if found.qos)
    assert value["delivered"] == len(server.packets("PUBACK")) == THREADS * EACH
    assert len(server.connections) == 1


def latency(library, credentials, port):
    """How long calls take while another thread sits in a Yield with nothing to read."""
    device = connected(library, credentials, port, request_timeout_ms=10_000)
    device.step(200)
    background, took = Background(), []
    background.once(lambda: device.step(2500))
    time.sleep(0.2)
    handler = c.cast(device.message_handler(), c.c_void_p)
    for number in range(60):
        start = time.monotonic()
        device.publish("/q", b"x", number % 2)
        library.IOT_MQTT_Subscribe(device.handle, b"/t", 0, handler, None)
        library.IOT_MQTT_CheckStateNormal(device.handle)
        took.append(time.monotonic() - start)
        time.sleep(0.01)
    ended = background.stop()
    device.destroy()
    return [took, ended]


def test_a_waiting_reader_never_blocks_a_writer(pki):
    # The server says nothing, so the reader sleeps in the network all the time.
    (took, ended), _ = run(pki, latency, broker(PUBLISH=None, SUBSCRIBE=None))
    assert ended
    assert statistics.median(took) < 0.02, took
    assert max(took) < 0.5, took


def stuck_writer(library, credentials, port):
    device = connected(library, credentials, port, request_timeout_ms=4000)
    device.subscribe("/t")
    device.publish("/cue", b"now")
    background, result = Background(), []

    def write():
        while not result or result[-1][0] == 0:
            start = time.monotonic()
            result.append([device.publish("/q", b"x" * 3000), time.monotonic() - start])
            if result[-1][1] > 0.5:
                break
    background.once(write)
    end, gaps, last, count = time.monotonic() + 3, [], time.monotonic(), 0
    while time.monotonic() < end:
        device.step(20)
        if len(device.messages) > count:
            gaps.append(time.monotonic() - last)
            last, count = time.monotonic(), len(device.messages)
    background.stop()
    longest = max(took for _, took in result)
    return {"gaps": gaps, "messages": count, "longest": longest, "last": result[-1][0], "destroyed": device.destroy()}


def sends_but_never_reads(connection):
    for number in range(45):
        connection.send(publish("/t", str(number)))
        time.sleep(0.1)


def test_a_writer_that_cannot_send_does_not_stop_what_comes_in(pki):
    value, _ = run(pki, stuck_writer, each(broker(cue=sends_but_never_reads)))
    assert value["longest"] > 1, "the writer must have been stuck for the test to mean anything"
    assert value["messages"] >= 10, value
    assert max(value["gaps"]) < 1.5, value
    assert value["destroyed"] == 0


# -- handlers and other threads -----------------------------------------------------------------


def removal(library, credentials, port, how):
    """Three handlers of one message; the first one removes the second."""
    device = connected(library, credentials, port)

    def remove(_message):
        if how == "in the handler":
            assert library.IOT_MQTT_Unsubscribe(device.handle, b"/t/+") > 0
        else:
            other = threading.Thread(target=lambda: library.IOT_MQTT_Unsubscribe(device.handle, b"/t/+"))
            start = time.monotonic()
            other.start()
            other.join(10)
            assert time.monotonic() - start < 2, "Unsubscribe waits for a handler"
    device.subscribe("/t/a", name="first", also=remove)
    device.subscribe("/t/+", name="second")
    device.subscribe("/t/#", name="third")
    device.publish("/cue", b"now")
    device.until(lambda: len(device.messages) >= 4, 5)
    device.destroy()
    return [message["by"] for message in device.messages]


@pytest.mark.parametrize("how", ["in the handler", "in another thread while the handler runs"])
def test_a_handler_removed_while_its_message_is_delivered_is_not_called(pki, how):
    value, _ = run(pki, removal, broker(cue=publish("/t/a", "1") * 2), how=how)
    assert value == ["first", "third"] * 2


def slow_handler(library, credentials, port):
    """Other calls while a handler sleeps; then Destroy from another thread while it sleeps again."""
    device = connected(library, credentials, port)
    inside, release, log = threading.Event(), threading.Event(), []

    def wait(_message):
        inside.set()
        release.wait(5)
        log.append(["handler ends", time.monotonic()])
    device.subscribe("/slow", also=wait)
    device.publish("/cue", b"now")
    background = Background()
    background.repeat(lambda: log.append(["yield", library.IOT_MQTT_Yield(device.handle, 50)]))
    assert inside.wait(5)
    took = []
    handler = c.cast(device.message_handler(), c.c_void_p)
    for call in (lambda: device.publish("/q", b"x", 1), lambda: library.IOT_MQTT_Subscribe(device.handle, b"/x", 0, handler, None),
                 lambda: library.IOT_MQTT_Unsubscribe(device.handle, b"/x"), lambda: library.IOT_MQTT_CheckStateNormal(device.handle)):
        start = time.monotonic()
        took.append([call(), time.monotonic() - start])
    inside.clear()
    release.set()
    device.publish("/cue", b"now")
    release.clear()
    if not inside.wait(5):
        return {"error": "the second message does not come"}
    handle = c.c_void_p(device.handle)
    threading.Timer(0.3, release.set).start()
    destroyed = library.IOT_MQTT_Destroy(c.byref(handle))
    at = time.monotonic()
    count = len(device.messages)
    time.sleep(0.3)
    ended = background.stop()
    ends = [moment for what, moment in log if what == "handler ends"]
    return {"took": took, "destroyed": destroyed, "waited": at >= max(ends) if ends else False, "later": len(device.messages) - count,
            "ended": ended, "after": library.IOT_MQTT_Yield(handle, 1), "ends": len(ends)}


def test_a_handler_that_sleeps_blocks_nobody_and_destroy_waits_for_it(pki):
    value, _ = run(pki, slow_handler, broker(cue=publish("/slow", "1")))
    assert "error" not in value, value
    assert all(result > 0 and seconds < 1 for result, seconds in value["took"]), value["took"]
    assert value["destroyed"] == 0 and value["waited"] and value["ends"] >= 2, value
    assert value["later"] == 0 and value["ended"] and value["after"] == INVALID, value


def destroyed_under_load(library, credentials, port):
    device = connected(library, credentials, port)
    device.subscribe("/t")
    background, results, handle = Background(), set(), device.handle
    for qos in (0, 1, 0, 1):
        background.repeat(lambda qos: results.add(min(device_publish(library, handle, qos), 1)), qos)
    background.repeat(lambda: results.add(library.IOT_MQTT_Yield(handle, 500)))
    background.repeat(lambda: results.add(library.IOT_MQTT_CheckStateNormal(handle)))
    device.publish("/cue", b"now")
    time.sleep(0.4)
    start = time.monotonic()
    destroyed = device.destroy()
    seconds = time.monotonic() - start
    time.sleep(0.1)
    results.clear()
    time.sleep(0.1)
    ended = background.stop()
    # The process still can have a client.
    device.construct(host="localhost", port=port)
    again = device.handle is not None
    second = device.destroy() if again else None
    return {"destroyed": destroyed, "seconds": seconds, "ended": ended, "errors": background.errors, "results": sorted(results),
            "again": again, "second": second}


def device_publish(library, handle, qos):
    return library.IOT_MQTT_Publish_Simple(handle, b"/q", qos, b"x", 1)


def test_destroy_while_seven_threads_are_in_the_library(pki):
    flood = lambda connection: connection.send(b"".join(publish("/t", str(number)) for number in range(200)))  # noqa: E731
    value, server = run(pki, destroyed_under_load, broker(cue=flood))
    assert value["destroyed"] == 0 and value["seconds"] < 5
    assert value["ended"] and value["errors"] == []
    assert value["results"] == [INVALID], "a stale handle is refused"
    assert value["again"] and value["second"] == 0


# -- every call in every callback ---------------------------------------------------------------

PLACES = ["DISCONNECT", "RECONNECT", "SUBCRIBE_SUCCESS", "SUBCRIBE_NACK", "UNSUBCRIBE_SUCCESS", "PUBLISH_SUCCESS", "BUFFER_OVERFLOW",
          "default message", "state", "connected"]


def inside(library, credentials, port, place, destroy):
    """Calls everything from inside one kind of callback."""
    device = Device(library, **credentials)
    found = {}

    def act():
        if found or device.handle is None and place != "connected":
            return
        handle = device.handle
        found["here"] = True
        if destroy:
            pointer = c.c_void_p(handle)
            found["destroy"] = library.IOT_MQTT_Destroy(c.byref(pointer) if handle else None)
            return
        handler = c.cast(device.message_handler(), c.c_void_p)
        start = time.monotonic()
        found["publish"] = device_publish(library, handle, 1)
        found["subscribe"] = library.IOT_MQTT_Subscribe(handle, b"/inside", 0, handler, None)
        found["sync"] = library.IOT_MQTT_Subscribe_Sync(handle, b"/inside/sync", 0, handler, None, 3000)
        found["unsubscribe"] = library.IOT_MQTT_Unsubscribe(handle, b"/inside")
        found["yield"] = library.IOT_MQTT_Yield(handle, 1500)
        found["normal"] = library.IOT_MQTT_CheckStateNormal(handle)
        found["construct"] = library.IOT_MQTT_Construct(None) == handle
        found["seconds"] = time.monotonic() - start

    @EventHandler
    def on_event(context, client, message):
        device._on_event(context, client, message)
        if message[0].event_type == MQTT.get(f"IOTX_MQTT_EVENT_{place}") or \
                place == "default message" and message[0].event_type == MQTT["IOTX_MQTT_EVENT_PUBLISH_RECEIVED"]:
            act()
    device.default_handler = device.keep(on_event)
    if place == "state":
        original = device._on_state

        def on_state(code, text):
            if code == CLOSE:
                act()
            return original(code, text)
        from iotx_abi import StateHandler
        device._register("ITE_STATE_EVERYTHING", StateHandler(on_state))
    if place == "connected":
        from iotx_abi import PlainHandler
        device._register("ITE_MQTT_CONNECT_SUCC", PlainHandler(lambda: act() or 0))
    device.construct(host="localhost", port=port, read_buf_size=600)
    handle = device.handle
    if handle and library.IOT_MQTT_CheckStateNormal(handle) == 1:
        device.subscribe("/t", wait=False)
        device.subscribe("/refused", wait=False)
        library.IOT_MQTT_Unsubscribe(handle, b"/t")
        device.publish("/q", b"x", 1)
        device.publish("/cue", b"now")
    end = time.monotonic() + 15
    while not found and time.monotonic() < end:
        library.IOT_MQTT_Yield(handle, 20)
    after = [library.IOT_MQTT_Yield(handle, 50), library.IOT_MQTT_CheckStateNormal(handle)]
    if not destroy:
        while library.IOT_MQTT_CheckStateNormal(handle) != 1 and time.monotonic() < end:
            library.IOT_MQTT_Yield(handle, 20)
        device.handle = handle
        found["destroyed at the end"] = device.destroy()
    return {"found": found, "after": after}


def refusing(connection, found):
    if found.filter != "/refused":
        return False
    connection.send(b"\x90\x03" + struct.pack(">H", found.id) + b"\x80")


def everything(connection):
    """A message for nobody, one that is too large, then the end."""
    connection.send(publish("/nobody", "m") + publish("/nobody", "x" * 2000))
    time.sleep(0.4)
    leave()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("destroy", [False, True], ids=["all calls", "Destroy"])
def test_calls_from_inside_a_callback(pki, place, destroy):
    script = each(broker(cue=everything, SUBSCRIBE=refusing), broker())
    value, _ = run(pki, inside, script, place=place, destroy=destroy)
    found = value["found"]
    assert found.get("here"), "the callback was never called"
    if destroy:
        assert found["destroy"] == 0, found
        assert value["after"] == [INVALID, INVALID], value
        return
    offline = place in ("DISCONNECT", "state")
    for name in ("publish", "subscribe", "sync", "unsubscribe"):
        assert found[name] == OFFLINE if offline else found[name] > 0, found
    # The signal of the first connect is no handler: there Yield works, as it does behind Construct.
    low, high = (1.4, 5) if place == "connected" else (0, 1)
    assert found["yield"] == 0 and low < found["seconds"] < high, found
    assert found["normal"] == (0 if offline else 1), found
    assert found["construct"] or place == "connected", found
    assert value["after"][0] == 0 and found["destroyed at the end"] == 0, value


# -- while Construct has not returned -----------------------------------------------------------

IDENTITY = '{"productKey":"a1MZxOdcBnO","deviceName":"example1"}'


def inside_construct(library, credentials, port, action):
    """The identity comes while Construct waits for it; its handler has the handle that Construct will return."""
    device = Device(library, **credentials)
    found = {"handles": []}

    @EventHandler
    def on_event(context, client, message):
        device._on_event(context, client, message)
        if message[0].event_type != MQTT["IOTX_MQTT_EVENT_PUBLISH_RECEIVED"] or found["handles"]:
            return
        found["handles"].append(client)
        handler = c.cast(device.message_handler("inside"), c.c_void_p)
        if action == "destroy":
            handle = c.c_void_p(client)
            found["destroy"] = library.IOT_MQTT_Destroy(c.byref(handle))
        elif action == "construct":
            found["construct"] = library.IOT_MQTT_Construct(None)
        else:
            found["calls"] = [device_publish(library, client, 1), library.IOT_MQTT_Subscribe(client, b"/inside", 0, handler, None),
                              library.IOT_MQTT_Subscribe_Sync(client, b"/sync", 0, handler, None, 2000),
                              library.IOT_MQTT_CheckStateNormal(client)]
            found["handle 0"] = [device_publish(library, None, 1), library.IOT_MQTT_CheckStateNormal(None)]
    device.default_handler = device.keep(on_event)
    device.construct(host="localhost", port=port)
    found["constructed"], found["same"] = device.handle is not None, found["handles"] == [device.handle]
    if device.handle:
        device.until(lambda: any(message["by"] == "inside" for message in device.messages), 5)
        found["delivered"] = [message["by"] for message in device.messages if message["topic"] == "/inside"]
        found["at the end"] = device.destroy()
    # Whatever happened, the process can have a client.
    device.construct(host="localhost", port=port)
    found["again"] = device.handle is not None and device.destroy() == 0
    return found


@pytest.mark.parametrize("action", ["calls", "construct", "destroy"])
def test_calls_while_construct_has_not_returned(pki, action):
    identity = publish("/ext/auth/identity/response", IDENTITY, qos=1, packet_id=9)

    def script(connection):
        broker(behind=identity, SUBSCRIBE=answer_and_send)(connection)

    with ScriptedServer(pki, script) as server:
        found = run_isolated(inside_construct, credentials=pki.trust(), port=server.port, action=action).value
        server.drained()
    assert found["again"], found
    if action == "destroy":
        assert found["destroy"] == 0 and not found["constructed"], found
        return
    assert found["constructed"] and found["same"] and found["at the end"] == 0, found
    if action == "construct":
        assert found["construct"] is None, "no second client beside the one that is being made"
    else:
        assert min(found["calls"]) > 0 and found["calls"][-1] == 1, found
        assert found["handle 0"] == [INVALID, INVALID], "handle 0 works when Construct has returned"
        assert found["delivered"] == ["inside"], found


def constructs(library, credentials, port):
    """Six threads construct at once, twice over."""
    device, rounds = Device(library, **credentials), []
    param = device.parameters(host="localhost", port=port)
    for _ in range(2):
        barrier, handles = threading.Barrier(6), []

        def construct():
            barrier.wait()
            handles.append(library.IOT_MQTT_Construct(c.addressof(param)))
        threads = [threading.Thread(target=construct, daemon=True) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        rounds.append(handles)
        device.handle = next((handle for handle in handles if handle), None)
        device.step(50)
        assert device.destroy() == 0
    return rounds


def test_six_constructs_at_once_make_one_client(pki):
    rounds, server = run(pki, constructs, broker())
    for handles in rounds:
        assert len(handles) == 6 and len(set(handles) - {None}) == 1, rounds
    assert rounds[0] != rounds[1] and len(server.packets("CONNECT")) == 2
