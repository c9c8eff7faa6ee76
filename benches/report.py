"""The table and the chart of docs/benchmarks.md, from the figures of run.py."""
import platform

import size

# figure, case (mode, size, listener), metric, compared with, "min" or "max" of iotx / peer, target.
# `cpu`: where the broker is the ceiling, the same target counts for processor time per message.
TARGETS = [
    ("QoS 0 publish/s", ("pub0", 64, "plain"), "rate", "libmosquitto", "min", 1.2),
    ("QoS 0 publish/s", ("pub0", 1024, "plain"), "rate", "libmosquitto", "min", 1.7),
    ("QoS 0 publish/s", ("pub0", 8192, "plain"), "rate", "libmosquitto", "min", 2.0),
    ("QoS 0 publish/s", ("pub0", 64, "plain"), "rate", "raw", "min", 0.7),
    ("QoS 0 publish/s", ("pub0", 1024, "plain"), "rate", "raw", "min", 0.7),
    ("QoS 0 publish/s", ("pub0", 8192, "plain"), "rate", "raw", "min", 0.7),
    ("QoS 0 publish/s", ("pub0", 64, "tls"), "rate", "libmosquitto", "min", 1.0),
    ("QoS 0 publish/s", ("pub0", 1024, "tls"), "rate", "libmosquitto", "min", 1.0),
    ("QoS 0 publish/s", ("pub0", 8192, "tls"), "rate", "libmosquitto", None, None),
    ("QoS 1 publish/s", ("pub1", 64, "plain"), "rate", "libmosquitto", "min", 1.2),
    ("QoS 1 publish/s", ("pub1", 1024, "plain"), "rate", "libmosquitto", "min", 1.2),
    ("QoS 1 publish/s", ("pub1", 64, "tls"), "rate", "libmosquitto", "min", 1.1),
    ("QoS 1 publish/s", ("pub1", 1024, "tls"), "rate", "libmosquitto", "min", 1.1),
    ("received/s, flood", ("flood", 64, "plain"), "rate", "libmosquitto", "min", 1.3),
    ("received/s, flood", ("flood", 64, "tls"), "rate", "libmosquitto", "min", 1.1),
    ("round trip p50, µs", ("rtt", 64, "plain"), "p50_us", "libmosquitto", "max", 0.55),
    ("round trip p50, µs", ("rtt", 64, "tls"), "p50_us", "libmosquitto", "max", 0.8),
    ("round trip p99, µs", ("rtt", 64, "plain"), "p99_us", "libmosquitto", "max", 1.0),
    ("round trip p99, µs", ("rtt", 64, "tls"), "p99_us", "libmosquitto", "max", 1.0),
    ("connect, µs", ("connect", 0, "plain"), "p50_us", "libmosquitto", "max", 0.6),
    ("connect TLS, mutual, RSA server, µs", ("connect", 0, "rsa"), "p50_us", "raw", "max", 1.1),
    ("connect TLS, mutual, ECDSA server, µs", ("connect", 0, "ecdsa"), "p50_us", "raw", "max", 1.1),
    ("connect TLS, mutual, RSA server, CPU µs", ("connect", 0, "rsa"), "cpu_us", "raw", "max", 1.1),
    ("connect TLS, mutual, ECDSA server, CPU µs", ("connect", 0, "ecdsa"), "cpu_us", "raw", "max", 1.1),
    ("CPU s per 100 k QoS 0", ("pub0", 64, "plain"), "cpu", "libmosquitto", "max", 0.6),
    ("CPU s per 100 k QoS 0", ("pub0", 64, "tls"), "cpu", "libmosquitto", "max", 1.0),
    ("CPU s per 100 k QoS 0", ("pub0", 1024, "tls"), "cpu", "libmosquitto", None, None),
    ("CPU s per 100 k received", ("flood", 64, "plain"), "cpu", "libmosquitto", None, None),
    ("CPU s per 100 k received", ("flood", 64, "tls"), "cpu", "libmosquitto", None, None),
]
# figure, case, metric, absolute limit of iotx
LIMITS = [
    ("idle CPU, ms/s", ("idle", 3000, "plain"), "cpu_ms_per_s", 0.05),
    ("idle CPU, ms/s", ("idle", 3000, "tls"), "cpu_ms_per_s", 0.05),
    ("peak RSS of an idle client, MB", ("idle", 3000, "plain"), "rss_mb", 3.0),
    ("peak RSS of an idle client, MB", ("idle", 3000, "tls"), "rss_mb", 4.0),
    ("heap per client, 1000 in one process, KB", ("many", 0, "plain"), "heap_kb", 8),
    ("heap per client, 1000 in one process, KB", ("many", 0, "tls"), "heap_kb", 66),
    ("threads with 1000 clients", ("many", 0, "plain"), "threads", 1),
]
# A broker this busy is the ceiling of every client.
BROKER_BUSY = 0.8
SECURITY = {"plain": "plain", "tls": "TLS", "rsa": "TLS", "ecdsa": "TLS"}


def value(figures, case, metric, peer):
    """One figure, or None when the peer has none."""
    of_peer = figures.get(case, {}).get(peer)
    if of_peer is None:
        return None
    if metric == "cpu":
        return of_peer["cpu_us"] / 10
    if metric == "rss_mb":
        return of_peer["rss_kb"] / 1000
    if metric == "heap_kb":
        return of_peer["heap_bytes"] / 1000
    return of_peer.get(metric)


def show(number):
    if number is None:
        return "–"
    if number >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"


def console_line(case, of_case):
    mode, size_, listener, _ = case
    metric = "p50_us" if mode in ("connect", "resume", "rtt") else "cpu_ms_per_s" if mode == "idle" else "heap_bytes" if mode == "many" else "rate"
    parts = [f"{peer} {show(f[metric])} ({show(f['cpu_us'])} µs)" for peer, f in of_case.items()]
    return f"{mode} {size_} {listener} [{metric} (CPU each)]: " + ", ".join(parts)


def judge(figures, case, metric, peer, sense, target):
    """The ratio to `peer`, and the verdict in words."""
    ours, theirs = value(figures, case, metric, "iotx"), value(figures, case, metric, peer)
    if ours is None or not theirs:
        return None, "–"
    ratio = ours / theirs
    if sense is None:
        return ratio, "stated"
    if ratio >= target if sense == "min" else ratio <= target:
        return ratio, "pass"
    if metric == "rate":
        of_case = figures[case]
        busy = min(of_case["iotx"]["broker_share"], of_case[peer]["broker_share"])
        cpu = value(figures, case, "cpu", "iotx") / value(figures, case, "cpu", peer)
        if busy >= BROKER_BUSY:
            verdict = "pass" if cpu <= 1 / target else "**fail**"
            return ratio, f"{verdict}: broker {100 * busy:.0f} % busy, CPU ratio {cpu:.2f}"
    return ratio, "**fail**"


def table(figures, peers):
    lines = ["| figure | payload | security | " + " | ".join(peers) + " | ratio | to | target | |",
             "|---|---|---|" + "---|" * len(peers) + "---|---|---|---|"]
    chart = []
    for label, case, metric, peer, sense, target in TARGETS:
        ratio, verdict = judge(figures, case, metric, peer, sense, target)
        cells = [show(value(figures, case, metric, p)) for p in peers]
        sign = {"min": "≥", "max": "≤", None: ""}[sense]
        goal = f"{sign} {target}" if sense else "–"
        payload = f"{case[1]} B" if case[1] else "–"
        shown = "–" if ratio is None else f"{ratio:.2f}"
        lines.append(f"| {label} | {payload} | {SECURITY[case[2]]} | {' | '.join(cells)} | {shown} | {peer} | "
                     f"{goal} | {verdict} |")
        if ratio is not None and peer == "libmosquitto":
            chart.append((f"{label} {payload} {SECURITY[case[2]]}".replace("–", ""), ratio, sense, target))
    for listener, name in (("rsa", "RSA"), ("ecdsa", "ECDSA")):
        resumed = value(figures, ("resume", 0, listener), "p50_us", "iotx")
        full = value(figures, ("connect", 0, listener), "p50_us", "iotx")
        if resumed and full:
            cells = [show(resumed if p == "iotx" else None) for p in peers]
            lines.append(f"| connect TLS resumed, {name} server, µs | – | TLS | {' | '.join(cells)} | "
                         f"{resumed / full:.2f} | full | ≤ 0.33 | {'pass' if resumed / full <= 0.33 else '**fail**'} |")
    for label, case, metric, limit in LIMITS:
        cells = [show(value(figures, case, metric, p)) for p in peers]
        ours = value(figures, case, metric, "iotx")
        verdict = "–" if ours is None else "pass" if ours <= limit else "**fail**"
        lines.append(f"| {label} | – | {SECURITY[case[2]]} | {' | '.join(cells)} | – | – | ≤ {limit} | {verdict} |")
    return lines, chart


def broker_table(figures):
    lines = ["| figure | payload | security | broker µs/message, iotx | broker busy, iotx | CPU µs/message, iotx | "
             "raw |", "|---|---|---|---|---|---|---|"]
    for case, of_case in figures.items():
        if case[0] in ("pub0", "pub1", "flood") and "iotx" in of_case:
            ours = of_case["iotx"]
            raw = of_case.get("raw", {}).get("cpu_us")
            lines.append(f"| {case[0]} | {case[1]} B | {SECURITY[case[2]]} | {ours['broker_us']:.1f} | "
                         f"{100 * ours['broker_share']:.0f} % | {ours['cpu_us']:.2f} | {show(raw)} |")
    return lines


def svg(rows):
    """A bar per ratio to libmosquitto, with its target as a mark."""
    scale, left, row = 110, 330, 24
    height = row * len(rows) + 44
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{height}" '
             f'font-family="sans-serif" font-size="12">',
             '<text x="10" y="18">iotx as a ratio to libmosquitto (red line: 1.0; mark: target). '
             'Blue: more is better. Green: less is better.</text>']
    for index, (label, ratio, sense, target) in enumerate(rows):
        y = 30 + row * index
        width = min(ratio * scale, 440)
        colour = "#2b6ca8" if "/s" in label else "#2b7a4b"
        parts.append(f'<text x="10" y="{y + 14}">{label}</text>')
        parts.append(f'<rect x="{left}" y="{y + 3}" width="{width:.0f}" height="14" fill="{colour}"/>')
        parts.append(f'<text x="{left + width + 6:.0f}" y="{y + 14}">{ratio:.2f}</text>')
        if sense:
            x = left + min(target * scale, 440)
            parts.append(f'<line x1="{x:.0f}" y1="{y}" x2="{x:.0f}" y2="{y + 20}" stroke="#000" stroke-width="2"/>')
    parts.append(f'<line x1="{left + scale}" y1="26" x2="{left + scale}" y2="{height - 10}" stroke="#c33"/>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def write(figures, circumstances, root):
    """The text of benchmarks.md and the chart."""
    peers = circumstances["peers"]
    rows, chart = table(figures, peers)
    scale = "" if circumstances["scale"] == 1 else f", message counts scaled by {circumstances['scale']}"
    lines = ["# Benchmarks", "",
             f"Made by `make bench`: medians of {circumstances['rounds']} interleaved runs against a local mosquitto "
             f"({platform.machine()}, {circumstances['cores']} cores{scale}). Absolute figures belong to the machine; "
             "ratios travel.", "", "![ratios](benchmarks.svg)", ""]
    lines += rows
    lines += ["", "`raw` is the physical limit: a blocking socket, or a session of the distribution's Mbed TLS on one, "
              "that moves the same bytes with one write per message.", "",
              "## Who is the ceiling", "",
              "Processor time of the broker during the runs of iotx, beside that of the client. A broker that is busy "
              "all the time limits every client to the same rate; the table then compares processor time per message.",
              ""]
    lines += broker_table(figures)
    lines += ["", *size.section(root)]
    notes = root / "benches" / "notes.md"
    if notes.exists():
        lines += ["", notes.read_text().rstrip()]
    return "\n".join(lines) + "\n", svg(chart)
