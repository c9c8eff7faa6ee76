"""Ports of the servers that tests write themselves: each is used once per run.

A client of an earlier test may still be calling the port of its server when that port is free
again. The system hands out freed ports to whoever asks next, in this process or another.
"""
import itertools
import os
import socket

# Below the system's own range (32768 and up), a share for each of up to eight processes.
_FIRST, _SHARE = 10_000, 2_500
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw") or 0) % 8
_next = itertools.cycle(range(_FIRST + _worker * _SHARE, _FIRST + (_worker + 1) * _SHARE))


def listen(address="127.0.0.1", **options):
    """A listening socket on a port that no earlier test had."""
    options.setdefault("family", socket.AF_INET6 if ":" in address else socket.AF_INET)
    for port in itertools.islice(_next, _SHARE):
        try:
            return socket.create_server((address, port), **options)
        except OSError:
            continue
    raise OSError("no port is free")
