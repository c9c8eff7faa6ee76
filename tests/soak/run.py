#!/usr/bin/env python3
"""Soak test: devices under mixed traffic against the local platform and mosquitto, disturbed at random.

    run.py [--minutes 30] [--seed 1] [--build build] [--json FILE]

Ends with a table and exit status 1 if a QoS 1 message was lost in either direction, a payload was
spoiled, or heap, file descriptors or threads of a device have grown.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "tests" / "python")]

from disturber import Disturber  # noqa: E402

# Buffers keep the size that their largest moment gave them, so one sample differs from the next by tens
# of kilobytes: medians of many are compared. A short run has few, and stops at coarse errors only;
# growth per reconnect is measured to the byte by reconnects.py.
HEAP_TOLERANCE = 16 * 1024
HEAP_TOLERANCE_SHORT = 256 * 1024


# The C library keeps freed blocks in caches that count as used: without them, used is used.
EXACT_HEAP = {**os.environ, "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0:glibc.malloc.arena_max=1"}


class Lane:
    """One device, the way to its server, and the one who sends and looks at the other end."""

    name = ""

    def __init__(self, options, program, folder, pki, triple):
        self.random = random.Random(f"{options.seed} {self.name}")
        self.options, self.program, self.folder, self.pki, self.triple = options, program, folder, pki, triple
        self.arrived1, self.again1, self.arrived0, self.spoiled = set(), 0, set(), 0
        self.sent1 = self.sent0 = 0
        self.samples, self.result, self.faults, self.notes = [], {}, {}, []
        self.ready = threading.Event()
        self.ended = False
        self.traffic_over = threading.Event()

    def topic(self, name):
        return f"/{self.triple[0]}/{self.triple[1]}/user/{name}"

    # -- the device -------------------------------------------------------------------------

    def start_device(self, port):
        quiet = 4000 if self.options.seconds < 120 else 15000
        command = [self.program, str(port), *self.triple, self.pki / "root.crt", str(self.options.seed), str(quiet)]
        self.device = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                       env=EXACT_HEAP)
        self.reader = threading.Thread(target=self._read_device, daemon=True)
        self.reader.start()
        if not self.ready.wait(30):
            self.device.kill()
            raise SystemExit(f"{self.name}: the device does not connect: {self.device.stderr.read()}")

    def _read_device(self):
        for line in self.device.stdout:
            kind, _, rest = line.strip().partition(" ")
            if kind == "sample":
                self.samples.append([int(word) for word in rest.split()])
            elif kind == "result":
                name, value = rest.split()
                self.result[name] = int(value)
            elif rest == "ready":
                self.ready.set()
            else:
                self.notes.append([round(time.monotonic() - self.options.started, 3), rest])
        self.ended = True

    # -- the other end ----------------------------------------------------------------------

    def saw(self, text, size=None):
        """A payload of the device, or its beginning if `size` tells the whole length."""
        words = text.split(" ", 3)
        try:
            qos, number, length = int(words[0]), int(words[1]), int(words[2])
            fill = words[3]
        except (ValueError, IndexError):
            self.spoiled += 1
            return
        if length != (len(text) if size is None else size) or fill.strip(chr(ord("a") + number % 26)):
            self.spoiled += 1
        elif qos == 0:
            self.arrived0.add(number)
        elif number in self.arrived1:
            self.again1 += 1
        else:
            self.arrived1.add(number)

    def payload(self, qos, number):
        size = self.random.choice((1, 64, 64, 200, 1000, 2900, 20000))
        while len(head := f"{qos} {number} {size} ") > size:
            size = len(head)
        return head + chr(ord("a") + number % 26) * (size - len(head))

    def send_down(self):
        """Traffic to the device until it is over."""
        while not self.traffic_over.wait(self.random.uniform(0.005, 0.03)):
            if self.send(1, self.payload(1, self.sent1)):
                self.sent1 += 1
            if self.random.random() < 0.3 and self.send(0, self.payload(0, self.sent0)):
                self.sent0 += 1

    # -- faults -----------------------------------------------------------------------------

    def disturb(self, end):
        while not self.traffic_over.is_set():
            pause = self.random.uniform(0.5, 2.0) if self.options.seconds < 120 else self.random.uniform(1, 12)
            if time.monotonic() + pause > end or self.traffic_over.wait(pause):
                return
            name, action = self.random.choice(self.choices())
            with contextlib.suppress(OSError):
                action()
            self.faults[name] = self.faults.get(name, 0) + 1

    def on_the_way(self):
        way, uniform = self.way, self.random.uniform
        choices = [
            ("closed", way.close), ("reset", way.reset), ("drip", lambda: way.drip(uniform(0.2, 1.5))),
            ("stall", lambda: way.stall(uniform(0.2, 3))), ("refused", lambda: way.refuse(uniform(0.1, 2))),
            ("router dies", lambda: way.lose(uniform(0.1, 3))),
        ]
        if self.options.seconds >= 600:
            # Beyond the request time-out, and beyond three pings.
            choices += [("long stall", lambda: way.stall(uniform(4, 8)))]
            if self.random.random() < 0.02:
                choices += [("silent death", lambda: way.lose(150))] * 4
        return choices

    # -- the whole --------------------------------------------------------------------------

    def run(self, end):
        """Starts everything; returns when the device has ended."""
        port = self.start_server()
        self.way = Disturber(port, self.random)
        self.device = None
        try:
            self._run(end)
        finally:
            self.way.stop()
            self.stop_server()
            if self.device is not None and self.device.poll() is None:
                self.device.kill()

    def _run(self, end):
        self.start_device(self.way.port)
        sender = threading.Thread(target=self.send_down, daemon=True)
        sender.start()
        self.disturb(end - 2)
        time.sleep(max(0.0, end - time.monotonic()))
        self.traffic_over.set()
        sender.join(10)
        self.flush()
        self.way.heal()
        self.heal()
        # A device that has died is told of in the verdict.
        with contextlib.suppress(BrokenPipeError):
            self.device.stdin.write(f"finish {self.sent1}\n")
            self.device.stdin.flush()
        try:
            self.device.wait(300)
        except subprocess.TimeoutExpired:
            self.device.kill()
            self.notes.append([0, "the device did not end"])
        self.reader.join(5)
        limit = time.monotonic() + 20
        while len(self.arrived1) < self.result.get("accepted1", 0) and time.monotonic() < limit:
            time.sleep(0.05)

    def heal(self):
        pass

    def flush(self):
        pass

    def verdict(self):
        """What is wrong, as sentences; empty if nothing is."""
        wrong, result = [], self.result
        if self.device.returncode != 0 or result.get("destroyed") != 0:
            wrong.append(f"the device ended with status {self.device.returncode}: {self.device.stderr.read()[-500:]}")
        lost_up = set(range(result.get("accepted1", 0))) - self.arrived1
        if lost_up:
            wrong.append(f"{len(lost_up)} QoS 1 messages of the device are lost, the first is {min(lost_up)}")
        if result.get("missing1", 1):
            wrong.append(f"{result.get('missing1')} QoS 1 messages to the device are lost")
        if result.get("acknowledged1", 0) < result.get("accepted1", 1):
            wrong.append("QoS 1 messages of the device were never acknowledged")
        if self.spoiled or result.get("spoiled"):
            wrong.append(f"spoiled payloads: {self.spoiled} up, {result.get('spoiled')} down")
        if not result.get("reconnects"):
            wrong.append("nothing was disturbed")
        early, late = self.halves()
        heap_tolerance = HEAP_TOLERANCE if len(self.samples) >= 30 else HEAP_TOLERANCE_SHORT
        for name, tolerance in (("heap", heap_tolerance), ("fds", 0), ("threads", 0)):
            if late[name] > early[name] + tolerance:
                wrong.append(f"{name} grew from {early[name]} to {late[name]}")
        return wrong

    def halves(self):
        """Medians of heap, descriptors, threads and memory in the first and in the last samples."""
        # The first sample is taken before the largest packets have shaped the buffers.
        samples = self.samples[1:] if len(self.samples) > 3 else self.samples
        third = max(1, len(samples) // 3)
        pick = {"heap": 1, "fds": 2, "threads": 3, "rss": 4}

        def median(rows):
            return {name: statistics.median_low(row[at] for row in rows) for name, at in pick.items()}
        return median(samples[:third]), median(samples[-third:])


class PlatformLane(Lane):
    """Against the local platform, whose own faults come on top."""

    name = "platform"
    ONCE = ["no-puback:3", "delay-puback=700:2", "no-suback:1", "suback-80:1", "no-unsuback:1", "dup-publish:3",
            "close-after-connack:1", "eof:1", "reset-after-connack:1", "oversize=100000:1", "connack=3:1", "connack=5:1",
            "no-connack:1", "garbage-connack:1", "truncate-connack:1", "drop-in-tls:1", "drop-after-accept:1",
            "no-pingresp:1", "close-after=50:1", "byte-by-byte:200", "malformed=connack:1", "malformed=publish:1",
            "malformed=puback:1", "malformed=suback:1", "malformed=length:1"]

    def start_server(self):
        from conftest import Pki, Platform
        self.platform = Platform(Pki(self.pki), self.folder, ["--tls", "--client-cert", "none", "--quiet"])
        self._log_at = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()
        return self.platform.port

    def _watch(self):
        while not self.platform.log.exists():
            time.sleep(0.02)
        with open(self.platform.log, "rb") as log:
            rest = b""
            while self.platform.process.poll() is None:
                data = log.read(1 << 20)
                if not data:
                    time.sleep(0.02)
                    continue
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    if b'"publish"' in line and b'/user/up' in line:
                        event = json.loads(line)
                        self.saw(event["payload"], event["bytes"])

    def command(self, cmd, **more):
        with self._lock:
            return self.platform.command(cmd, **more)

    def send(self, qos, payload):
        return self.command("publish", topic=self.topic("down"), payload=payload, qos=qos).get("delivered") == 1

    def choices(self):
        device = "/".join(self.triple[:2])
        spec = self.random.choice(self.ONCE)
        name = spec.split(":")[0].split("=")[0] if not spec.startswith("malformed") else "malformed"
        own = [(name, lambda: self.command("fault", spec=spec))] * 5
        own += [("kick", lambda: self.command("kick", device=device)), ("drop", lambda: self.command("drop", device=device)),
                ("drop, reset", lambda: self.command("drop", device=device, rst=True))]
        return own + self.on_the_way()

    def heal(self):
        self.command("clear")

    def stop_server(self):
        self.platform.stop()


class MosquittoLane(Lane):
    """Against mosquitto, with mosquitto_pub and mosquitto_sub at the other end."""

    name = "mosquitto"

    def start_server(self):
        from conftest import Mosquitto
        self.broker = Mosquitto(self.pki, self.folder, options=("max_queued_messages 0", "max_inflight_messages 100"))
        plain = ["-h", "127.0.0.1", "-p", str(self.broker.plain_port)]
        self.observer = subprocess.Popen(
            ["mosquitto_sub", *plain, "-i", "observer", "-q", "1", "-t", self.topic("up0"), "-t", self.topic("up1"), "-F", "%p"],
            stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._watch, daemon=True).start()
        end = time.monotonic() + 10
        while "SUBACK to observer" not in self.broker.log.read_text():
            if time.monotonic() > end:
                raise SystemExit("mosquitto: the observer does not connect")
            time.sleep(0.02)
        self.senders = [
            subprocess.Popen(["mosquitto_pub", *plain, "-i", f"sender{qos}", "-q", str(qos), "-t", self.topic("down"), "-l"],
                             stdin=subprocess.PIPE, text=True) for qos in (0, 1)]
        return self.broker.port

    def _watch(self):
        for line in self.observer.stdout:
            self.saw(line.rstrip("\n"))

    def send(self, qos, payload):
        self.senders[qos].stdin.write(payload + "\n")
        self.senders[qos].stdin.flush()
        return True

    def choices(self):
        return self.on_the_way()

    def flush(self):
        for sender in self.senders:
            sender.stdin.close()
            sender.wait(30)

    def stop_server(self):
        self.observer.terminate()
        self.observer.wait(5)
        self.broker.stop()


def table(lanes, seconds):
    """The figures of all lanes, one column each."""
    def text(value):
        return f"{value:,}".replace(",", " ") if isinstance(value, int) else str(value)

    rows = []
    for label, value in (
        ("QoS 1 up: accepted", lambda lane: lane.result.get("accepted1")),
        ("QoS 1 up: arrived", lambda lane: len(lane.arrived1)),
        ("QoS 1 up: lost", lambda lane: len(set(range(lane.result.get("accepted1", 0))) - lane.arrived1)),
        ("QoS 1 up: arrived again", lambda lane: lane.again1),
        ("QoS 1 down: sent", lambda lane: lane.sent1),
        ("QoS 1 down: arrived", lambda lane: lane.result.get("arrived1")),
        ("QoS 1 down: lost", lambda lane: lane.result.get("missing1")),
        ("QoS 1 down: arrived again", lambda lane: lane.result.get("again1")),
        ("QoS 0 up: sent / arrived", lambda lane: f"{text(lane.result.get('accepted0'))} / {text(len(lane.arrived0))}"),
        ("QoS 0 down: sent / arrived", lambda lane: f"{text(lane.sent0)} / {text(lane.result.get('arrived0'))}"),
        ("spoiled payloads", lambda lane: lane.spoiled + (lane.result.get("spoiled") or 0)),
        ("subscribed / refused", lambda lane: f"{lane.result.get('granted')} / {lane.result.get('refused')}"),
        ("faults", lambda lane: sum(lane.faults.values())),
        ("kinds of faults", lambda lane: len(lane.faults)),
        ("connections / reconnects", lambda lane: f"{lane.way.connections} / {lane.result.get('reconnects')}"),
        ("publish: longest, ms", lambda lane: lane.result.get("largest_pause_ms")),
        ("heap, bytes: early / late", lambda lane: " / ".join(text(half["heap"]) for half in lane.halves())),
        ("descriptors: early / late", lambda lane: " / ".join(text(half["fds"]) for half in lane.halves())),
        ("threads: early / late", lambda lane: " / ".join(text(half["threads"]) for half in lane.halves())),
        ("resident, KiB: early / late", lambda lane: " / ".join(text(half["rss"]) for half in lane.halves())),
        ("quiet moments sampled", lambda lane: len(lane.samples)),
    ):
        rows.append([label, *(text(value(lane)) for lane in lanes)])
    head = [f"{seconds} s", *(lane.name for lane in lanes)]
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(word.ljust(width) for word, width in zip(line, widths)) + " |" for line in lines)


def compile_program(build, folder, name):
    """Compiles a program of this folder against the static library."""
    program = folder / name
    native = (build / "lib" / "native-libs.txt").read_text().split()
    subprocess.run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-g", f"-I{ROOT / 'include'}", "-o", program,
                    HERE / f"{name}.c", build / "lib" / "libiotx.a", *native], check=True)
    return program


def soak(seconds, seed, build, folder):
    """Runs all lanes; returns them when they are over."""
    options = argparse.Namespace(seconds=seconds, seed=seed, started=time.monotonic())
    program = compile_program(build, folder, "device")
    pki = folder / "pki"
    subprocess.run([build / "bin" / "iotx-platform", "pki", "--out", pki], check=True, capture_output=True)
    from conftest import Pki
    triple = Pki(pki).devices()[0]
    lanes = []
    for kind in (PlatformLane, MosquittoLane):
        own = folder / kind.name
        own.mkdir()
        lanes.append(kind(options, program, own, pki, triple))
    end = time.monotonic() + seconds
    threads = [threading.Thread(target=lane.run, args=(end,)) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return lanes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--json", type=Path, help="all figures, samples and notes")
    options = parser.parse_args()
    seconds = options.minutes * 60
    folder = Path(tempfile.mkdtemp(prefix="iotx-soak-"))
    try:
        lanes = soak(seconds, options.seed, options.build.resolve(), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"seed {options.seed}")
    print(table(lanes, int(seconds)))
    if options.json:
        options.json.write_text(json.dumps({
            lane.name: {"result": lane.result, "samples": lane.samples, "faults": lane.faults, "notes": lane.notes}
            for lane in lanes}, indent=1))
    wrong = [f"{lane.name}: {sentence}" for lane in lanes for sentence in lane.verdict()]
    for sentence in wrong:
        print(f"FAILED {sentence}")
    print("soak: failed" if wrong else "soak: passed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
