"""Faults as tables: what the server does wrong, what the device does, what must be seen.

A `Case` names a fault. Its server is a script of scripted.py, put together with `broker` and `first`;
its device runs a list of steps in a process of its own, with the port of hal_port.c in front of the
library, so that waits of the HAL's clock take no time.
"""

import ctypes as c
import errno
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from device import Device
from iotx_abi import INFORMATION, STATE
from isolation import run_isolated
from scripted import CONNACK_OK, Closed, ScriptedServer

TRIPLE = ("pk", "dn", "secret")
CUE = "/cue"


# -- the server ---------------------------------------------------------------------------------


def broker(connack=CONNACK_OK, behind=b"", cue=None, **answers):
    """One connection of a broker that follows the standard except for what is given.

    `behind` follows CONNACK in the same piece. `cue` happens when the device publishes to /cue: bytes
    to send or a function of the connection. `PUBLISH=`, `SUBSCRIBE=`, ... replace the answer to that
    packet: a function of connection and packet; None leaves it out; False from the function asks for
    the normal answer.
    """
    def script(connection):
        connection.expect("CONNECT")
        if connack:
            connection.send(connack + behind)
        while True:
            found = connection.read()
            if found.name == "PUBLISH" and found.topic == CUE:
                if callable(cue):
                    cue(connection)
                elif cue:
                    connection.send(cue)
            elif found.name not in answers or (answers[found.name] and answers[found.name](connection, found) is False):
                connection.answer(found)
    return script


def each(*scripts):
    """The first connection runs the first script, and so on; the last one serves all further ones."""
    return lambda connection: scripts[min(connection.number, len(scripts)) - 1](connection)


def leave(*_):
    """Ends the connection with an end of TCP, without close_notify."""
    raise Closed


def reset(connection, *_):
    """Ends the connection with a TCP reset."""
    connection.reset()


def then(*actions):
    """Bytes to send and functions of the connection, one after the other."""
    def do(connection, *_):
        for action in actions:
            if callable(action):
                action(connection)
            else:
                connection.send(action)
    return do


def pause(seconds):
    """Waits on the server's side."""
    return lambda *_: time.sleep(seconds)


# -- the device ---------------------------------------------------------------------------------


class Player:
    """Runs the steps of a case. A step is [name, argument, ...]; its result goes into the report."""

    def __init__(self, library, credentials, port, parameters):
        self.library, self.port, self.given = library, port, parameters
        self.device = Device(library, **credentials)
        self.control = c.CDLL(None)
        self.control.HAL_UptimeMs.restype = self.control.test_slept.restype = c.c_uint64

    def now(self):
        return self.control.HAL_UptimeMs()

    def construct(self, **more):
        self.device.construct(**{"host": "localhost", "port": self.port, **self.given, **more})
        return self.device.handle is not None

    def subscribe(self, topic, qos=0):
        return self.device.subscribe(topic, qos, name=topic)

    def subscribe_only(self, topic, qos=0):
        """Without waiting for SUBACK."""
        return self.device.subscribe(topic, qos, name=topic, wait=False)

    def sync(self, topic, ms, qos=0):
        handler = c.cast(self.device.message_handler(topic), c.c_void_p)
        return self.library.IOT_MQTT_Subscribe_Sync(self.device.handle, topic.encode(), qos, handler, None, ms)

    def unsubscribe(self, topic):
        return self.library.IOT_MQTT_Unsubscribe(self.device.handle, topic.encode())

    def publish(self, topic, payload="x", qos=0, size=None):
        return self.device.publish(topic, payload if size is None else payload * size, qos)

    def publish_many(self, topic, count, qos=0, size=1):
        """Publishes until one fails or all are out; [how many went out, the last result, longest call in s]."""
        longest = 0.0
        for number in range(count):
            start = time.monotonic()
            result = self.device.publish(topic, b"x" * size, qos)
            longest = max(longest, time.monotonic() - start)
            if result < 0:
                return [number, result, longest]
        return [count, result, longest]

    def cue(self):
        return self.device.publish(CUE, b"now")

    def run(self, ms):
        """Yields that long, in portions."""
        for _ in range(max(1, ms // 20)):
            self.device.step(20)

    def one_yield(self, ms):
        return self.device.step(ms)

    def event(self, name, count=1, seconds=10):
        """Yields until the event was seen that often."""
        return self.device.until(lambda: self.device.event_names().count(name) >= count, seconds)

    def messages(self, count, seconds=10):
        return self.device.until(lambda: len(self.device.messages) >= count, seconds)

    def state(self, name, count=1, seconds=10):
        return self.device.until(lambda: [code for code, _ in self.device.states].count(STATE[name]) >= count, seconds)

    def stalled(self, seconds):
        """Yields 50 ms at a time and publishes between: [longest Yield, longest publish, results of publish]."""
        yields, publishes, results, end = [], [], set(), time.monotonic() + seconds
        while time.monotonic() < end:
            yields.append(self.device.step(50))
            start = time.monotonic()
            results.add(self.device.publish("/q", b"x", 1))
            publishes.append(time.monotonic() - start)
        return [max(yields), max(publishes), sorted(results)]

    def skip(self, ms):
        self.control.test_skip(c.c_int64(ms))

    def clock(self, now, bits=64):
        self.control.test_clock(c.c_uint64(now), bits)

    def random(self, mode):
        self.control.test_random({"any": 0, "smallest": 1, "largest": 2}[mode])

    def resolver(self, error=0, times=0, delay_ms=0, addresses=""):
        self.control.test_resolver(error, times, delay_ms, addresses.encode())

    def connect(self, name, times=-1):
        """What the next connects fail with, as a name of errno."""
        self.control.test_connect(getattr(errno, name) if name else 0, times)

    def away(self, ms):
        """Yields until that much time has passed on the HAL's clock."""
        end = self.now() + ms
        while self.now() < end:
            self.device.step(1000)

    def questions(self):
        return self.control.test_questions()

    def descriptors(self, spare):
        """Leaves that many descriptors; None lifts the limit."""
        import os
        import resource
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        soft = hard if spare is None else len(os.listdir("/proc/self/fd")) - 1 + spare
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def normal(self):
        return self.library.IOT_MQTT_CheckStateNormal(self.device.handle)

    def use_ids(self, count):
        """Uses up packet ids by publishing with QoS 2, which is refused."""
        for _ in range(count):
            result = self.device.publish("/none", b"", 2)
        return result

    def destroy(self):
        return self.device.destroy()


def play(library, credentials, port, steps, parameters):
    """The scenario: runs the steps and destroys what is left."""
    player = Player(library, credentials, port, parameters)
    if not any(name == "construct" for name, *_ in steps):
        steps = [["construct"], *steps]
    took = []
    for name, *arguments in steps:
        keywords = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        start, start_hal = time.monotonic(), player.now()
        result = getattr(player, name)(*arguments, **keywords)
        took.append({"step": name, "result": result, "seconds": time.monotonic() - start, "ms": player.now() - start_hal})
        if name == "construct" and not result and steps[-1][0] != "construct":
            break
    destroyed = player.destroy() if player.device.handle else None
    return player.device.report(steps=took, destroyed=destroyed)


# -- the table ----------------------------------------------------------------------------------


@dataclass
class Case:
    """One fault and everything that must be seen of it."""

    script: object
    steps: list = field(default_factory=list)
    #: Whether the first Construct succeeds.
    connects: bool = True
    #: DISCONNECT, RECONNECT, BUFFER_OVERFLOW and refusals, in order.
    events: list = field(default_factory=list)
    #: Names of the state codes that tell of failures, in order; the same one again counts once.
    states: list = field(default_factory=list)
    #: [handler, payload] of the messages, in order.
    messages: list = field(default_factory=list)
    #: Longest real time of the whole, seconds.
    seconds: float = 15
    #: Longest time of Construct on the HAL's clock, milliseconds.
    construct_ms: float = 30_000
    #: Anything else: called with the Outcome below.
    check: object = None
    parameters: dict = field(default_factory=dict)
    server: dict = field(default_factory=dict)
    credentials: dict = field(default_factory=dict)


class Seen:
    """What a case has brought about."""

    def __init__(self, value, output, server, seconds):
        self.value, self.output, self.server, self.seconds = value, output, server, seconds

    def result(self, step, number=0):
        """The result of the step of that name."""
        return [found["result"] for found in self.value["steps"] if found["step"] == step][number]

    def took(self, step, number=0):
        """The real seconds of the step."""
        return [found["seconds"] for found in self.value["steps"] if found["step"] == step][number]

    def hal_ms(self, step, number=0):
        return [found["ms"] for found in self.value["steps"] if found["step"] == step][number]

    def sent(self, name, connection=None):
        """Packets of the device, of all connections or of one."""
        source = self.server.packets() if connection is None else self.server.connections[connection - 1].packets
        return [packet for packet in source if packet.name == name]

    def texts(self):
        """The sentences of failures."""
        return [text for code, text in self.value["states"] if code not in INFORMATION]


_QUIET = {"SUBCRIBE_SUCCESS", "UNSUBCRIBE_SUCCESS", "PUBLISH_SUCCESS", "PUBLISH_RECEIVED"}
_NAMES = {value: name.removeprefix("STATE_") for name, value in STATE.items()}


def collapsed(items):
    """Without immediate repetitions."""
    return [item for at, item in enumerate(items) if at == 0 or items[at - 1] != item]


def run_case(pki, port_library, case):
    """Runs a case and checks it; returns what was seen."""
    credentials = {**pki.trust(), "triple": TRIPLE, **case.credentials}
    start = time.monotonic()
    with ScriptedServer(pki, case.script, **case.server) as server:
        outcome = run_isolated(play, credentials=credentials, port=server.port, steps=case.steps, parameters=case.parameters,
                               environment={"LD_PRELOAD": str(port_library)}, timeout=60)
        seen = Seen(outcome.value, outcome.output, server, time.monotonic() - start)
        server.drained()
        check_case(case, seen)
    return seen


def check_case(case, seen):
    value = seen.value
    failures = collapsed([_NAMES.get(code, str(code)) for code, _ in value["states"] if code not in INFORMATION])
    told = f"\nstates: {value['states']}\nevents: {value['events']}\nsteps: {value['steps']}"
    assert seen.result("construct") is case.connects, told
    assert [name for name in value_events(value) if name not in _QUIET] == case.events, told
    assert failures == case.states, told
    assert [[message["by"], message["payload"]] for message in value["messages"]] == case.messages, told
    assert value["destroyed"] in (0, None), told
    assert seen.hal_ms("construct") <= case.construct_ms, told
    assert seen.seconds <= case.seconds, told
    if case.check is not None:
        case.check(seen)


def value_events(value):
    return [name for name, _ in value["events"]]


def build_port(folder):
    """Compiles the port of the tests."""
    library = Path(folder) / "hal_port.so"
    source = Path(__file__).resolve().parent / "hal_port.c"
    subprocess.run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", "-o", library, source, "-ldl",
                    "-lpthread"], check=True)
    return library
