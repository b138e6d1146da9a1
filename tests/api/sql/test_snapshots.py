"""A statement sees the files of its own snapshot, whatever these lack and whatever was asked before."""

from typing import Any

import pyarrow as pa
import pytest

from api.sql.sandbox.errors import SqlInvalid, SqlUnavailable
from api.sql.sandbox.snapshot import SqlSnapshot, SqlTable
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from tests.api.sql.conftest import CANDLES, SYMBOLS, Sandbox, candles, write_arrow


def test_snapshots_are_told_apart_and_files_shared(sandbox: Sandbox, tmp_path: Any) -> None:
    """Many revisions one after the other: each statement sees its own, also those a worker has forgotten meanwhile."""
    first = write_arrow(tmp_path / "first.arrow", candles("1h"))
    snapshots = []
    for number in range(8):
        more = tuple(write_arrow(tmp_path / f"{number}-{extra}.arrow", candles("4h")) for extra in range(number))
        snapshots.append(SqlSnapshot(f"ohlc@{number}", {"ohlc": SqlTable(OHLC.arrow_schema(), (first, *more))}))
    for number in (0, 1, 2, 3, 4, 5, 6, 7, 0, 7, 1):
        rows = sandbox.rows("SELECT count(*) AS n FROM ohlc", snapshot=snapshots[number])
        assert rows == [{"n": (number + 1) * len(SYMBOLS) * CANDLES}]


def test_columns_a_file_lacks_are_null_and_others_are_not_seen(sandbox: Sandbox, tmp_path: Any) -> None:
    older = candles("1h").drop_columns(["taker_buy_volume"]).append_column("gone", pa.array([1] * 300))
    path = write_arrow(tmp_path / "older.arrow", older)
    snapshot = SqlSnapshot("older", {"ohlc": SqlTable(OHLC.arrow_schema(), (path,))})
    rows = sandbox.rows("SELECT DISTINCT taker_buy_volume AS t FROM ohlc", snapshot=snapshot)
    assert rows == [{"t": None}]
    with pytest.raises(SqlInvalid, match='"gone" not found'):
        sandbox.run("SELECT gone FROM ohlc", snapshot=snapshot)


def test_many_files_can_be_handed_over_at_once(sandbox: Sandbox, tmp_path: Any) -> None:
    market = pa.table({"coin_id": ["bitcoin"], "timestamp": pa.array([1], pa.timestamp("us", "UTC"))})
    paths = tuple(write_arrow(tmp_path / f"{number}.arrow", market) for number in range(700))
    snapshot = SqlSnapshot("many", {"market": SqlTable(MARKET.arrow_schema(), paths)})
    assert sandbox.rows("SELECT count(*) AS n FROM market", snapshot=snapshot) == [{"n": 700}]


def test_a_missing_or_broken_file_is_nobodys_fault_but_ours(sandbox: Sandbox, tmp_path: Any) -> None:
    broken = tmp_path / "broken.arrow"
    broken.write_bytes(b"this is not Arrow" * 100)
    for path in (tmp_path / "missing.arrow", broken):
        snapshot = SqlSnapshot(path.name, {"ohlc": SqlTable(OHLC.arrow_schema(), (path,))})
        with pytest.raises(SqlUnavailable) as caught:
            sandbox.run("SELECT count(*) FROM ohlc", snapshot=snapshot)
        assert str(tmp_path) not in str(caught.value)
    assert sandbox.rows("SELECT 1 AS x") == [{"x": 1}]
