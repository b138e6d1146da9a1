"""What is told of changes and does not fit is noticed: each wrong change, applied, is a problem."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from tests.api.workers import candles
from tests.consistency.parsing import Row
from tests.consistency.replaying import Replica
from tests.faults.hubview import Commit

Change = dict[str, Any]


def commit(sha: str, rows: pl.DataFrame) -> Commit:
    return Commit(sha=sha * 40, frames={"data/1h/today.parquet": rows}, ledgers={}, window_start=0, sizes={})


ALL = candles(("BTCUSDT",), count=6)
BEFORE = commit("a", ALL[:4])
AFTER = commit("b", pl.concat([ALL[1:3], ALL[3:4].with_columns(close=pl.col("close") + 1), ALL[4:]]))


def told(rows: pl.DataFrame) -> list[Row]:
    """The rows as JSON has them."""
    return rows.with_columns(pl.selectors.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")).to_dicts()


def change() -> Change:
    """What happened from the one commit to the other."""
    return {
        "from": {"revision": BEFORE.sha},
        "to": {"revision": AFTER.sha},
        "counts": {"added": 2, "changed": 1, "removed": 1},
        "truncated": False,
        "added": told(ALL[4:]),
        "changed": [{"before": told(ALL[3:4])[0], "after": told(AFTER.frames["data/1h/today.parquet"][2:3])[0]}],
        "removed": told(ALL[:1]),
    }


def problems(*changes: Change) -> list[str]:
    replica = Replica.of(OHLC, BEFORE)
    for one in changes:
        replica.apply(one)
    return replica.end(AFTER)


def test_what_happened_fits() -> None:
    assert problems(change()) == []


def _without(kind: str) -> Callable[[Change], None]:
    def wrong(change: Change) -> None:
        change["counts"][kind] -= 1
        change[kind].pop()

    return wrong


def _again(kind: str) -> Callable[[Change], None]:
    def wrong(change: Change) -> None:
        change["counts"][kind] += 1
        change[kind] += change[kind][-1:]

    return wrong


def _moved(change: Change) -> None:
    """A row that only lies in another file."""
    row = told(ALL[1:2])[0]
    change["counts"]["changed"] += 1
    change["changed"].append({"before": row, "after": row})


def _value(change: Change) -> None:
    change["changed"][0]["after"]["close"] += 1


def _value_before(change: Change) -> None:
    change["changed"][0]["before"]["close"] += 1


def _count(change: Change) -> None:
    change["counts"]["added"] += 1


def _truncated(change: Change) -> None:
    change["truncated"] = True


def _begin(change: Change) -> None:
    change["from"]["revision"] = "c" * 40


def _end(change: Change) -> None:
    change["to"]["revision"] = "c" * 40


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (_without("added"), "at bbbbbbbb"),
        (_without("changed"), "at bbbbbbbb"),
        (_without("removed"), "at bbbbbbbb"),
        (_again("added"), "is added, and was there"),
        (_again("changed"), "told twice with the same content"),
        (_again("removed"), "was not there like that"),
        (_moved, "is changed to what it was"),
        (_value, "at bbbbbbbb"),
        (_value_before, "is changed: [close]"),
        (_count, "and counts of"),
        (_truncated, "rows are left out"),
        (_begin, "the rows are those of aaaaaaaa"),
        (_end, "told of cccccccc last"),
    ],
)
def test_a_wrong_change_is_named(wrong: Callable[[Change], None], said: str) -> None:
    one = change()
    wrong(one)
    assert [problem for problem in problems(one) if said in problem], problems(one)


def test_a_change_that_is_missing_or_told_twice_is_named() -> None:
    assert len(problems()) == 2
    assert [problem for problem in problems(change(), change()) if "the rows are those of bbbbbbbb" in problem]
