#!/usr/bin/env python3
"""Compares iotx with libmosquitto and rumqttc on a local mosquitto, in one interleaved run.

Needs a built tree (make build) and writes docs/benchmarks.md. Only ratios are meaningful: the
figures depend on the machine, their relation much less.
"""
import argparse
import json
import pathlib
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build" / "bin"
PEERS = {
    "iotx": BIN / "bench_iotx",
    "libmosquitto": BIN / "bench_mosquitto",
    "rumqttc": BIN / "bench_rumqttc",
}
# mode, payload bytes, messages plain, messages TLS
CASES = [
    ("connect", 0, 200, 50),
    ("pub0", 64, 200_000, 100_000),
    ("pub0", 1024, 100_000, 50_000),
    ("pub1", 64, 40_000, 30_000),
    ("pub1", 1024, 30_000, 20_000),
    ("flood", 64, 100_000, 80_000),
    ("rtt", 64, 3_000, 3_000),
]
NAMES = {
    "connect": "connects per second",
    "pub0": "QoS 0 publish per second",
    "pub1": "QoS 1 publish per second, until all acknowledged",
    "flood": "received per second under flood",
    "rtt": "round trips per second",
}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_broker(folder):
    """A mosquitto with one plain and one TLS listener; certificates made by openssl."""
    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, cwd=folder, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=Bench Root", "-days", "2")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr",
            "-subj", "/CN=localhost")
    (folder / "ext").write_text("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-CAcreateserial", "-out", "server.crt", "-days", "2", "-extfile", "ext")
    for name in ("server.key", "ca.key"):
        (folder / name).chmod(0o644)
    folder.chmod(0o755)
    plain, tls = free_port(), free_port()
    (folder / "mosquitto.conf").write_text(
        f"allow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\nlog_type error\n"
        f"listener {plain} 127.0.0.1\nlistener {tls} 127.0.0.1\n"
        f"cafile {folder}/ca.crt\ncertfile {folder}/server.crt\nkeyfile {folder}/server.key\n")
    binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    broker = subprocess.Popen([binary, "-c", folder / "mosquitto.conf"], stderr=subprocess.DEVNULL)
    for port in (plain, tls):
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
    return broker, plain, tls


def run(peer, mode, port, ca, size, count):
    args = [str(PEERS[peer]), mode, "localhost", str(port), ca, str(size), str(count)]
    process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if mode == "flood":
        # A line of the log may come first.
        if not any(line.strip() == "READY" for line in iter(process.stdout.readline, "")):
            raise RuntimeError(f"{peer}: {process.communicate()[1]}")
        # Always over plain TCP, so that the sender is faster than any receiver.
        subprocess.run([str(PEERS["libmosquitto"]), "pub0", "localhost", str(run.plain), "-",
                        str(size), str(count)], check=True, capture_output=True)
    out, err = process.communicate(timeout=180)
    if process.returncode != 0:
        raise RuntimeError(f"{peer} {mode}: {err}")
    return json.loads(out.strip().splitlines()[-1])


def svg(rows):
    """A bar chart of the ratios to libmosquitto."""
    height = 26 * len(rows) + 40
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height}" '
             f'font-family="sans-serif" font-size="12">',
             '<text x="10" y="18">iotx as a ratio to libmosquitto (line: 1.0)</text>']
    scale = 120
    for index, (label, ratio) in enumerate(rows):
        y = 30 + 26 * index
        parts.append(f'<text x="10" y="{y + 15}">{label}</text>')
        parts.append(f'<rect x="290" y="{y + 3}" width="{min(ratio * scale, 420):.0f}" height="16" '
                     f'fill="#2b7a78"/>')
        parts.append(f'<text x="{min(ratio * scale, 420) + 295:.0f}" y="{y + 15}">{ratio:.2f}</text>')
    parts.append(f'<line x1="{290 + scale}" y1="28" x2="{290 + scale}" y2="{height - 8}" '
                 f'stroke="#c33"/>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved runs per figure")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the message counts")
    options = parser.parse_args()
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        broker, run.plain, tls = start_broker(folder)
        try:
            for security, port, ca in (("plain", run.plain, "-"), ("TLS", tls, f"{folder}/ca.crt")):
                for mode, size, plain_count, tls_count in CASES:
                    count = int((plain_count if security == "plain" else tls_count) * options.scale)
                    for _ in range(options.rounds):
                        for peer in PEERS:
                            result = run(peer, mode, port, ca, size, max(count, 10))
                            figures.setdefault((mode, size, security), {}).setdefault(peer, []).append(result)
                    medians = {peer: statistics.median(r["per_second"] for r in results)
                               for peer, results in figures[(mode, size, security)].items()}
                    print(mode, size, security, {k: round(v) for k, v in medians.items()},
                          f"ratio {medians['iotx'] / medians['libmosquitto']:.2f}", flush=True)
        finally:
            broker.terminate()
            broker.wait()
    lines = ["# Benchmarks", "",
             f"Medians of {options.rounds} interleaved runs against a local mosquitto "
             f"({platform.machine()}, {len(__import__('os').sched_getaffinity(0))} cores). "
             "Made by `make bench`; only ratios travel between machines.", "",
             "![ratios](benchmarks.svg)", "",
             "| figure | payload | security | iotx | libmosquitto | rumqttc | iotx / libmosquitto | iotx / rumqttc |",
             "|---|---|---|---|---|---|---|---|"]
    chart = []
    for (mode, size, security), peers in figures.items():
        median = {p: statistics.median(r["per_second"] for r in results) for p, results in peers.items()}
        ratio = median["iotx"] / median["libmosquitto"]
        lines.append(f"| {NAMES[mode]} | {size} B | {security} | {median['iotx']:,.0f} | "
                     f"{median['libmosquitto']:,.0f} | {median['rumqttc']:,.0f} | {ratio:.2f} | "
                     f"{median['iotx'] / median['rumqttc']:.2f} |")
        chart.append((f"{mode} {size} B {security}", ratio))
    lines += ["", "Connects over TLS: the two peers spend about 42 of their 44 ms idle, not computing, which looks like a "
              "delayed acknowledgement on loopback. That ratio says nothing about the speed of TLS."]
    lines += ["", "Peak resident memory of the flood receiver, kB:", "",
              "| security | iotx | libmosquitto | rumqttc |", "|---|---|---|---|"]
    for security in ("plain", "TLS"):
        peers = figures[("flood", 64, security)]
        rss = {p: statistics.median(r["rss_kb"] for r in results) for p, results in peers.items()}
        lines.append(f"| {security} | {rss['iotx']:.0f} | {rss['libmosquitto']:.0f} | {rss['rumqttc']:.0f} |")
    example = BIN / "mqtt_example"
    if example.exists():
        stripped = pathlib.Path(tempfile.mkdtemp()) / "mqtt_example"
        subprocess.run(["strip", "-o", str(stripped), str(example)], check=True)
        lines += ["", f"Size of the stripped, statically linked X.509 example: "
                      f"{stripped.stat().st_size // 1024} KiB."]
    (ROOT / "docs" / "benchmarks.md").write_text("\n".join(lines) + "\n")
    (ROOT / "docs" / "benchmarks.svg").write_text(svg(chart))
    return 0


if __name__ == "__main__":
    sys.exit(main())
