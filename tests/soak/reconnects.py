#!/usr/bin/env python3
"""Loses a session and comes back many times; heap, descriptors and threads must stay as they are.

    reconnects.py [--count 1000] [--build build]
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "tests" / "python")]

from run import EXACT_HEAP, compile_program  # noqa: E402
from scripted import Closed, ScriptedServer, publish  # noqa: E402

# Sessions of TLS differ by a few bytes; a leak of anything per reconnect is far above this.
BYTES_PER_RECONNECT = 1


def half_handshake(stream):
    """The beginning of a record, then the end."""
    stream.recv(4096)
    stream.sendall(bytes.fromhex("16 03 03 00 4a 02 00 00 46 03 03") + b"x" * 20)


class Failures(dict):
    """Attempts by number that fail before there is TLS: closed at once, or in the handshake."""

    def __contains__(self, number):
        return number > 1 and number % 7 in (3, 5)

    def __getitem__(self, number):
        return half_handshake if number % 7 == 3 else lambda _stream: None


def script(connection):
    """Each session sends messages and ends in another way; each fifth CONNECT is refused."""
    number = connection.number
    if number % 5 == 4:
        connection.accept(b"\x20\x02\x00\x03")
        return
    connection.accept()
    connection.send(publish("/a/b", "x" * 500, qos=1, packet_id=number) + publish("/b", "y"))
    while True:
        found = connection.read()
        if found.name == "PUBLISH" and found.topic == "/go":
            ending = number % 4
            if ending == 0:
                connection.reset()
            elif ending == 1:
                connection.send(b"\xff\xff\xff\xff")
            elif ending == 2:
                connection.send(publish("/a/b", "half")[:7])
            raise Closed
        # In every other session the acknowledgement gets lost.
        if not (found.name == "PUBLISH" and found.topic == "/q" and not found.dup and number % 2):
            connection.answer(found)


def measure(count, build, pki, folder):
    """Rows of [reconnects, heap bytes, descriptors, threads], and what the program said at the end."""
    program = compile_program(build, folder, "reconnects")
    with ScriptedServer(pki, script, plain=Failures()) as server:
        done = subprocess.run([program, str(server.port), pki / "root.crt", str(count)], capture_output=True, text=True, timeout=600,
                              env=EXACT_HEAP)
    if done.returncode != 0:
        raise AssertionError(f"reconnects ended with {done.returncode}: {done.stderr[-2000:]}")
    lines = done.stdout.splitlines()
    rows = [[int(word) for word in line.split()[1:]] for line in lines if line.startswith("at ")]
    return rows, lines[-1].split()


def verdict(rows, end):
    """Sentences about what has grown or got lost."""
    wrong = []
    early, late = rows[1], rows[-1]
    allowed = BYTES_PER_RECONNECT * (late[0] - early[0]) + 256
    # The best of the last three: a session ticket or a buffer may be larger in one of them.
    heap = min(row[1] for row in rows[-3:])
    if heap > min(row[1] for row in rows[1:4]) + allowed:
        wrong.append(f"heap grew from {early[1]} to {heap} bytes in {late[0] - early[0]} reconnects")
    if late[2] != early[2]:
        wrong.append(f"descriptors went from {early[2]} to {late[2]}")
    if late[3] != early[3]:
        wrong.append(f"threads went from {early[3]} to {late[3]}")
    accepted, acknowledged, messages = (int(end[at]) for at in (1, 3, 5))
    if acknowledged < accepted - 1:
        wrong.append(f"{accepted - acknowledged} QoS 1 messages were never acknowledged")
    if messages < 2 * late[0]:
        wrong.append(f"only {messages} messages in {late[0]} sessions")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    options = parser.parse_args()
    build = options.build.resolve()
    with tempfile.TemporaryDirectory(prefix="iotx-reconnects-") as name:
        folder = Path(name)
        subprocess.run([build / "bin" / "iotx-platform", "pki", "--out", folder / "pki"], check=True, capture_output=True)
        rows, end = measure(options.count, build, folder / "pki", folder)
    print("| reconnects | heap, bytes | descriptors | threads |\n| --- | --- | --- | --- |")
    for row in rows:
        print("| " + " | ".join(str(value) for value in row) + " |")
    print(" ".join(end))
    wrong = verdict(rows, end)
    for sentence in wrong:
        print(f"FAILED {sentence}")
    print("reconnects: failed" if wrong else "reconnects: passed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
