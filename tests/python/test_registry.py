"""Event registry, state events, monitor events, state texts and log switches."""

import ctypes as c

import pytest

from iotx_abi import ABI, EVENT, STATE, MonitorHandler, StateHandler
from isolation import run_isolated

STATE_SLOTS = range(EVENT["ITE_STATE_EVERYTHING"], EVENT["ITE_STATE_DEV_MODEL"] + 1)
HANDLER = c.CFUNCTYPE(c.c_int)


def register(library, event, callback):
    function = getattr(library, ABI["events"][event]["symbol"])
    function.argtypes = [c.c_void_p]
    return function(c.cast(callback, c.c_void_p) if callback is not None else None)


def every_slot(library):
    """Each symbol fills its own slot; NULL clears it. Slots are read back by number."""
    wrong = []
    for event, number in EVENT.items():
        callback = HANDLER(lambda: 0)
        address = c.cast(callback, c.c_void_p).value
        if register(library, event, callback) != 0:
            wrong.append([event, "result"])
        if number is not None:
            others = [n for n in range(33) if n != number and library.iotx_event_callback(n) == address]
            allowed = list(STATE_SLOTS)[1:] if event == "ITE_STATE_EVERYTHING" else []
            if library.iotx_event_callback(number) != address or others != allowed:
                wrong.append([event, number, others])
        register(library, event, None)
        if number is not None and library.iotx_event_callback(number) is not None:
            wrong.append([event, "not cleared"])
    outside = [library.iotx_event_callback(n) for n in (-1, 33, 34, 1000, -(2**31), 2**31 - 1)]
    return [wrong, outside]


def test_every_event_has_its_own_slot():
    assert len(EVENT) == 34
    wrong, outside = run_isolated(every_slot).value
    assert wrong == []
    assert outside == [None] * 6


def state_events(library):
    seen = []
    everything = StateHandler(lambda code, text: seen.append(["everything", code, text.decode()]) or 0)
    specific = StateHandler(lambda code, text: seen.append(["mqtt", code, text.decode()]) or 0)
    slot = EVENT["ITE_STATE_MQTT_COMM"]
    fire = library.iotx_state_event
    results = [fire(slot, -1, b"nobody listens")]
    register(library, "ITE_STATE_EVERYTHING", everything)
    results.append(fire(slot, -2, b"once"))
    register(library, "ITE_STATE_MQTT_COMM", specific)
    results.append(fire(slot, -3, b"%s is %d of %u", c.c_char_p(b"this"), c.c_int(-7), c.c_uint(8)))
    results.append(fire(slot, -4, b"%s", c.c_char_p(b"%s%n%d")))
    results.append(fire(slot, -5, b"%s", c.c_char_p(b"x" * 200)))
    results.append(fire(slot, -6, None))
    register(library, "ITE_STATE_EVERYTHING", None)
    results.append(fire(slot, -7, b"cleared"))
    results += [fire(number, -8, b"no such slot") for number in (-1, 33, 1000)]
    return [results, seen]


def test_state_events_order_format_and_length():
    results, seen = run_isolated(state_events).value
    assert results[0] == -1 and results[6:] == [-1, -1, -1, -1]
    assert all(result == 0 for result in results[1:6])
    assert seen == [
        ["everything", -2, "once"],
        ["mqtt", -3, "this is -7 of 8"], ["everything", -3, "this is -7 of 8"],
        ["mqtt", -4, "%s%n%d"], ["everything", -4, "%s%n%d"],
        ["mqtt", -5, "x" * 63], ["everything", -5, "x" * 63],
        ["mqtt", -6, ""], ["everything", -6, ""],
    ]


def monitor_events(library):
    seen = []
    callback = MonitorHandler(seen.append)
    first = library.iotx_event_post(0x2000)
    registered = library.iotx_event_regist_cb(c.cast(callback, c.c_void_p))
    posted = [library.iotx_event_post(number) for number in (0x1000, 0x2002, 0x3000)]
    library.iotx_event_regist_cb(None)
    return [first, registered, posted, library.iotx_event_post(1), seen]


def test_monitor_events():
    assert run_isolated(monitor_events).value == [-1, 0, [0, 0, 0], -1, [0x1000, 0x2002, 0x3000]]


@pytest.mark.parametrize("name", sorted(STATE))
def test_state_text(library, name):
    text = library.IOT_Extension_StateDesc(STATE[name])
    assert text is not None and len(text) > 3
    unknown = library.IOT_Extension_StateDesc(-0x7FFF)
    assert STATE[name] == 0 or name.endswith("_BASE") or text != unknown


@pytest.mark.parametrize("code", [1, -1, -255, -0x01FF, -0x03FF, -0x0A00, -0x7FFF, 2**31 - 1, -(2**31)])
def test_state_text_of_unknown_codes(library, code):
    assert library.IOT_Extension_StateDesc(code)


def log_switches(library):
    for level in (0, 1, 2, 3, 4, 5, 6, 7, -1, 2**31 - 1, -(2**31)):
        library.IOT_SetLogLevel(level)
    for level in (0, 5, 6, -1, 5, 5):
        library.IOT_DumpMemoryStats(level)
    return True


def test_log_switches_take_every_number_and_repeat():
    assert run_isolated(log_switches).value is True
