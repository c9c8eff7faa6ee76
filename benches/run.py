#!/usr/bin/env python3
"""Compares iotx with other MQTT clients on a local mosquitto, in one interleaved run.

Needs a built tree and the peers (make bench does both); writes docs/benchmarks.md and
docs/benchmarks.svg. Absolute figures depend on the machine, ratios much less.
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import report

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build" / "bin"
# In the order of the table. A peer that is not built is left out.
PEERS = ["iotx", "libmosquitto", "paho", "rumqttc", "coremqtt", "raw"]
PROGRAMS = {peer: BIN / f"bench_{peer.removeprefix('lib')}" for peer in PEERS}

# mode, payload bytes (idle: milliseconds), listener, count
CASES = [
    ("connect", 0, "plain", 300),
    ("connect", 0, "rsa", 30),
    ("connect", 0, "ecdsa", 30),
    ("resume", 0, "rsa", 100),
    ("resume", 0, "ecdsa", 100),
    ("pub0", 64, "plain", 200_000),
    ("pub0", 1024, "plain", 150_000),
    ("pub0", 8192, "plain", 60_000),
    ("pub0", 64, "tls", 150_000),
    ("pub0", 1024, "tls", 100_000),
    ("pub0", 8192, "tls", 30_000),
    ("pub1", 64, "plain", 50_000),
    ("pub1", 1024, "plain", 30_000),
    ("pub1", 64, "tls", 40_000),
    ("pub1", 1024, "tls", 30_000),
    ("flood", 64, "plain", 100_000),
    ("flood", 64, "tls", 80_000),
    ("rtt", 64, "plain", 10_000),
    ("rtt", 64, "tls", 10_000),
    ("idle", 3000, "plain", 1),
    ("idle", 3000, "tls", 1),
    ("many", 0, "plain", 1000),
    ("many", 0, "tls", 1000),
]
# Which peers do not do a mode: resuming and many clients take more code than a comparison needs.
ONLY = {"resume": ("iotx",), "many": ("iotx", "libmosquitto")}
MISSING = {
    "coremqtt": lambda mode, listener: listener != "plain",
    "raw": lambda mode, listener: mode == "pub1",
}
# Pauses of its own make this one so slow that the full count would take minutes.
# libmosquitto waits with select, which ends at 1024 descriptors; it takes three per client.
SHARE = {("paho", "connect"): 0.1, ("paho", "pub1"): 0.02, ("libmosquitto", "many"): 0.3}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Broker:
    """mosquitto with a plain listener, a TLS one, and two that want a client certificate."""

    def __init__(self, folder):
        self.folder = folder
        self.make_certificates()
        self.ports = {name: free_port() for name in ("plain", "tls", "rsa", "ecdsa")}
        # Without set_tcp_nodelay the broker holds CONNACK back behind its TLS 1.3 session tickets
        # until the client's delayed acknowledgement, 40 ms, which would be all one measures.
        lines = ["allow_anonymous true", "max_queued_messages 0", "max_inflight_messages 0",
                 "set_tcp_nodelay true", "log_type error", f"listener {self.ports['plain']} 127.0.0.1"]
        for name in ("tls", "rsa", "ecdsa"):
            key = "ecdsa" if name == "ecdsa" else "rsa"
            lines += [f"listener {self.ports[name]} 127.0.0.1", f"cafile {folder}/ca.crt",
                      f"certfile {folder}/{key}.crt", f"keyfile {folder}/{key}.key",
                      f"require_certificate {'false' if name == 'tls' else 'true'}"]
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self.process = subprocess.Popen([binary, "-c", folder / "mosquitto.conf"], stderr=subprocess.DEVNULL)
        for port in self.ports.values():
            deadline = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise

    def openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.folder, check=True, capture_output=True)

    def make_certificates(self):
        folder = self.folder
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt",
                     "-subj", "/CN=Bench Root", "-days", "2")
        (folder / "server.ext").write_text("subjectAltName=DNS:localhost\n")
        (folder / "device.ext").write_text("extendedKeyUsage=clientAuth\n")
        for name, subject, extension in (("rsa", "/CN=localhost", "server.ext"),
                                         ("ecdsa", "/CN=localhost", "server.ext"),
                                         ("device", "/CN=device", "device.ext")):
            kind = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1") if name == "ecdsa" else ("rsa:2048",)
            self.openssl("req", "-newkey", *kind, "-nodes", "-keyout", f"{name}.key", "-out",
                         f"{name}.csr", "-subj", subject)
            self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                         "-CAcreateserial", "-out", f"{name}.crt", "-days", "2", "-extfile", extension)
        for key in folder.glob("*.key"):
            key.chmod(0o644)
        folder.chmod(0o755)

    def cpu(self):
        """Processor seconds of the broker so far."""
        return int(pathlib.Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9

    def stop(self):
        self.process.terminate()
        self.process.wait()


def start(broker, peer, mode, size, listener, count):
    plain = listener == "plain"
    # The plain figures are about the protocol: an address keeps the resolver out of them. TLS needs
    # a name to verify.
    args = [str(PROGRAMS[peer]), mode, "127.0.0.1" if plain else "localhost",
            str(broker.ports[listener]), "-" if plain else f"{broker.folder}/ca.crt", str(size), str(count)]
    if listener in ("rsa", "ecdsa"):
        args += [f"{broker.folder}/device.crt", f"{broker.folder}/device.key"]
    return subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process, peer, mode):
    try:
        out, err = process.communicate(timeout=180)
    except subprocess.TimeoutExpired:
        process.kill()
        raise RuntimeError(f"{peer} {mode}: no end after 180 s") from None
    if process.returncode != 0:
        raise RuntimeError(f"{peer} {mode}: {err}")
    return json.loads(out.strip().splitlines()[-1])


def measure(broker, peer, mode, size, listener, count):
    before = broker.cpu()
    process = start(broker, peer, mode, size, listener, count)
    if mode == "flood":
        # A line of the log may come first.
        if not any(line.strip() == "READY" for line in iter(process.stdout.readline, "")):
            raise RuntimeError(f"{peer}: {process.communicate()[1]}")
        # Always over plain TCP and by the cheapest sender, so that it is faster than any receiver.
        subprocess.run([str(PROGRAMS["raw"]), "pub0", "127.0.0.1", str(broker.ports["plain"]), "-",
                        str(size), str(count)], check=True, capture_output=True)
    result = finish(process, peer, mode)
    result["broker"] = broker.cpu() - before
    return result


def peers_for(peers, mode, listener):
    return [p for p in peers
            if p in ONLY.get(mode, peers) and not MISSING.get(p, lambda *_: False)(mode, listener)]


def run_case(broker, peers, case, rounds, scale):
    mode, size, listener, count = case
    results = {}
    # The heap is not a matter of chance.
    for _ in range(1 if mode == "many" else rounds):
        if mode == "idle":
            # Side by side: none of them does anything.
            running = {p: start(broker, p, *case) for p in peers_for(peers, mode, listener)}
            for peer, process in running.items():
                results.setdefault(peer, []).append(finish(process, peer, mode))
            continue
        for peer in peers_for(peers, mode, listener):
            share = SHARE.get((peer, mode), 1)
            result = measure(broker, peer, mode, size, listener, max(int(count * scale * share), 10))
            results.setdefault(peer, []).append(result)
    return {peer: summary(mode, of_peer) for peer, of_peer in results.items()}


def summary(mode, results):
    """Medians of one peer in one case."""
    def median(value):
        return statistics.median(value(r) for r in results)

    figures = {
        "rate": median(lambda r: r["count"] / r["seconds"]),
        "cpu_us": median(lambda r: 1e6 * r["cpu"] / r["count"]),
        "cpu_ms_per_s": median(lambda r: 1e3 * r["cpu"] / r["seconds"]),
        "rss_kb": median(lambda r: r["rss_kb"]),
    }
    if mode != "idle":
        figures["broker_us"] = median(lambda r: 1e6 * r["broker"] / r["count"])
        figures["broker_share"] = median(lambda r: r["broker"] / r["seconds"])
    for name in ("heap_bytes", "threads"):
        if name in results[0]:
            figures[name] = median(lambda r, name=name: r[name])
    if "p50_us" in results[0]:
        figures["p50_us"] = median(lambda r: r["p50_us"])
        figures["p99_us"] = median(lambda r: r["p99_us"])
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved runs per figure")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the message counts")
    parser.add_argument("--only", default="", help="cases to run, for example pub0-64-tls,rtt")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs", help="where the table and chart go")
    options = parser.parse_args()
    peers = [p for p in PEERS if PROGRAMS[p].exists()]
    for needed in ("iotx", "libmosquitto", "raw"):
        if needed not in peers:
            sys.exit(f"{PROGRAMS[needed]} is missing: make bench builds it")
    wanted = [w for w in options.only.split(",") if w]
    # Three descriptors per client of libmosquitto in "many", one in the broker.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192) if hard > 0 else 8192, hard))
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        broker = Broker(pathlib.Path(name))
        try:
            for case in CASES:
                key = f"{case[0]}-{case[1]}-{case[2]}"
                if wanted and not any(key.startswith(w) for w in wanted):
                    continue
                figures[case[:3]] = run_case(broker, peers, case, options.rounds, options.scale)
                print(report.console_line(case, figures[case[:3]]), flush=True)
        finally:
            broker.stop()
    if wanted:
        return 0
    circumstances = {"rounds": options.rounds, "scale": options.scale, "cores": len(os.sched_getaffinity(0)),
                     "peers": peers}
    options.out.mkdir(parents=True, exist_ok=True)
    text, chart = report.write(figures, circumstances, ROOT)
    (options.out / "benchmarks.md").write_text(text)
    (options.out / "benchmarks.svg").write_text(chart)
    return 0


if __name__ == "__main__":
    sys.exit(main())
