"""A TCP proxy between a device and its server that can spoil the way between them.

It knows bytes only, so TLS records and MQTT packets are cut wherever it happens.
"""

import contextlib
import select
import socket
import struct
import threading
import time


class Disturber:
    """Forwards every connection to `target` until told otherwise."""

    def __init__(self, target_port, random):
        self._target_port, self._random = target_port, random
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs = set()
        self._refuse_until = 0.0
        self.connections = 0
        self._stopping = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self._stopping:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if time.monotonic() < self._refuse_until:
                near.close()
                continue
            threading.Thread(target=self._run, args=(near,), daemon=True).start()

    def _run(self, near):
        try:
            far = socket.create_connection(("127.0.0.1", self._target_port), 10)
        except OSError:
            near.close()
            return
        pair = _Pair(near, far, self._random)
        with self._lock:
            self._pairs.add(pair)
            self.connections += 1
        try:
            pair.forward()
        finally:
            with self._lock:
                self._pairs.discard(pair)

    def _each(self, action):
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            action(pair)
        return len(pairs)

    # -- what can go wrong ------------------------------------------------------------------

    def close(self):
        """End of TCP towards both sides."""
        return self._each(lambda pair: pair.end(reset=False))

    def reset(self):
        """TCP reset towards both sides."""
        return self._each(lambda pair: pair.end(reset=True))

    def stall(self, seconds):
        """Nothing is read or written for that long: buffers fill, time-outs come near."""
        return self._each(lambda pair: pair.hold(stall=seconds))

    def lose(self, seconds):
        """Everything is read and forgotten, as behind a dead router; then the connection is reset."""
        return self._each(lambda pair: pair.hold(lose=seconds))

    def drip(self, seconds):
        """Portions of one to seven bytes for that long."""
        return self._each(lambda pair: pair.hold(drip=seconds))

    def refuse(self, seconds):
        """Ends the connections, and closes new ones at once for that long."""
        self._refuse_until = time.monotonic() + seconds
        return self.close()

    def heal(self):
        """Nothing is disturbed any more; a connection that lost bytes is ended."""
        self._refuse_until = 0.0
        self._each(lambda pair: pair.heal())

    def stop(self):
        self._stopping = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.close()


class _Pair:
    def __init__(self, near, far, random):
        self._near, self._far, self._random = near, far, random
        self._stalled_until = self._lost_until = self._drips_until = 0.0
        self._lossy = False
        self._ended = threading.Event()
        for side in (near, far):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def hold(self, stall=0, lose=0, drip=0):
        now = time.monotonic()
        if stall:
            self._stalled_until = now + stall
        if drip:
            self._drips_until = now + drip
        if lose:
            self._lossy, self._lost_until = True, now + lose

    def heal(self):
        self._stalled_until = self._drips_until = 0.0
        if self._lossy:
            self.end(reset=True)

    def end(self, reset):
        self._ended.set()
        for side in (self._near, self._far):
            with contextlib.suppress(OSError):
                if reset:
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    side.shutdown(socket.SHUT_RDWR)

    def forward(self):
        """Both directions until one side ends; runs in a thread of its own."""
        back = threading.Thread(target=self._one_way, args=(self._far, self._near), daemon=True)
        back.start()
        self._one_way(self._near, self._far)
        back.join()
        self._near.close()
        self._far.close()

    def _one_way(self, source, sink):
        try:
            while not self._ended.is_set():
                now = time.monotonic()
                if now < self._stalled_until:
                    self._ended.wait(0.05)
                    continue
                if self._lossy and now >= self._lost_until:
                    self.end(reset=True)
                    return
                if not select.select([source], [], [], 0.1)[0]:
                    continue
                dripping = now < self._drips_until
                data = source.recv(self._random.randint(1, 7) if dripping else 65536)
                if not data:
                    break
                if self._lossy:
                    continue
                sink.sendall(data)
                if dripping:
                    self._ended.wait(0.001)
        except (OSError, ValueError):
            pass
        self.end(reset=False)
