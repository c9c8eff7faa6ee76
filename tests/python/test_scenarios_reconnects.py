"""Growth: a hundred reconnects counted to the byte, and the soak test for a short while."""

import sys

import pytest

from iotx_abi import BUILD, ROOT

sys.path.insert(0, str(ROOT / "tests" / "soak"))

import reconnects  # noqa: E402
import run as soak  # noqa: E402


def test_a_hundred_reconnects_leave_nothing_behind(pki, tmp_path):
    rows, end = reconnects.measure(100, BUILD, pki.folder, tmp_path)
    assert reconnects.verdict(rows, end) == [], rows


def test_the_verdict_finds_growth():
    """The measurement has the power to fail: one lost block or descriptor per reconnect is told."""
    flat = [[10 * n, 80_000, 5, 1] for n in range(1, 11)]
    end = "accepted 100 acknowledged 100 messages 200".split()
    assert reconnects.verdict(flat, end) == []
    for column, each in ((1, 16), (2, 1), (3, 1)):
        grown = [[value + each * row[0] * (at == column) for at, value in enumerate(row)] for row in flat]
        assert len(reconnects.verdict(grown, end)) == 1, column
    assert reconnects.verdict(flat, "accepted 100 acknowledged 90 messages 200".split())


@pytest.mark.parametrize("seed", [11])
def test_a_short_soak(tmp_path, seed):
    lanes = soak.soak(15, seed, BUILD, tmp_path)
    wrong = [f"{lane.name}: {sentence}" for lane in lanes for sentence in lane.verdict()]
    assert wrong == [], soak.table(lanes, 15)
    for lane in lanes:
        assert lane.result["accepted1"] > 50 and lane.sent1 > 50 and sum(lane.faults.values()) >= 3, soak.table(lanes, 15)
