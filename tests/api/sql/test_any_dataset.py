"""Any dataset is a table, and ledgers are one table over all of them, in today's form."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from api.encoders import FORMATS
from api.engine.snapshot import Snapshot
from api.sql.sandbox.errors import SqlUnavailable
from api.sql.sandbox.snapshot import SqlSnapshot
from api.sql.snapshot_tables import SqlTables
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.ledgers import corrections_of
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.rows import frame_of
from tests.api.installed import INCIDENTS, RECEIPTS, incidents, receipts
from tests.api.snapshots import SnapshotMaker
from tests.api.sql.conftest import Sandbox
from tests.api.workers import NOW_MS, candles, prices

EARLIER = pl.DataFrame(
    {
        "symbol": ["BTCUSDT"],
        "interval": ["1h"],
        "timestamp": [NOW_MS],
        "old_close": [1.5],
        "new_close": [2.5],
        "old_volume": [3.0],
        "new_volume": [3.0],
        "corrected_at": [NOW_MS],
    }
).with_columns(pl.col("timestamp", "corrected_at").cast(pl.Datetime("ms", "UTC")))
"""A candle corrected, as it was written when the ledger had columns for each value."""


@pytest.fixture
def maker(tmp_path: Path) -> Iterator[SnapshotMaker]:
    maker = SnapshotMaker(tmp_path)
    yield maker
    maker.close()


def tables_of(snapshots: list[Snapshot]) -> SqlSnapshot:
    return asyncio.run(SqlTables().of(snapshots))


def corrected(dataset: str, old: str) -> pl.DataFrame:
    ledger = corrections_of(RECEIPTS)
    assert ledger is not None
    key = '{"register":"north","number":100000}'
    line = (dataset, key, "amount", old, "2.0", NOW_MS)
    return frame_of(ledger, [dict(zip(ledger.column_names, line, strict=True))])


@pytest.fixture
def snapshots(maker: SnapshotMaker) -> list[Snapshot]:
    return [
        maker.snapshot(MARKET, prices()),
        maker.snapshot(OHLC, candles(count=3), group="1h", ledgers={"corrections": EARLIER}),
        maker.snapshot(INCIDENTS, incidents(4), incidents(2)),
        maker.snapshot(RECEIPTS, receipts("north", 3), ledgers={"corrections": corrected("receipts", "1.0")}),
    ]


@pytest.fixture
def tables(snapshots: list[Snapshot]) -> SqlSnapshot:
    return tables_of(snapshots)


def test_each_dataset_and_each_kind_of_ledger_is_a_table(sandbox: Sandbox, tables: SqlSnapshot) -> None:
    found = sandbox.rows("SHOW TABLES", snapshot=tables)
    assert [row["name"] for row in found] == [
        *("corrections", "gaps", "incidents", "market", "ohlc", "receipts", "sources")
    ]
    counts = sandbox.rows(
        "SELECT (SELECT count(*) FROM incidents) AS i, (FROM receipts SELECT count(*)) AS r", snapshot=tables
    )
    assert counts == [{"i": 6, "r": 3}]


def test_a_ledger_holds_the_lines_of_all_datasets_in_todays_form(sandbox: Sandbox, tables: SqlSnapshot) -> None:
    found = sandbox.rows('SELECT dataset, key, "column", old, new FROM corrections ORDER BY ALL', snapshot=tables)
    assert found == [
        {
            "dataset": "ohlc",
            "key": '{"symbol":"BTCUSDT","interval":"1h","timestamp":"2026-11-22T12:00:00.000Z"}',
            "column": "close",
            "old": "1.5",
            "new": "2.5",
        },
        {
            "dataset": "receipts",
            "key": '{"register":"north","number":100000}',
            "column": "amount",
            "old": "1.0",
            "new": "2.0",
        },
    ]


def test_a_ledger_is_turned_once_and_again_when_that_is_gone(snapshots: list[Snapshot]) -> None:
    def turned() -> Path:
        return next(path for path in tables_of(snapshots).tables["corrections"].files if "-" in path.name)

    first = turned()
    written = first.stat()
    assert turned().stat().st_mtime_ns == written.st_mtime_ns
    first.unlink()
    assert turned() == first
    assert pl.read_parquet(first).height == 1


def test_a_ledger_of_no_known_form_harms_no_statement(maker: SnapshotMaker, sandbox: Sandbox) -> None:
    odd = pl.DataFrame({"dataset": ["ohlc"], "nothing": [1]})
    tables = tables_of([maker.snapshot(OHLC, candles(count=3), group="1h", ledgers={"gaps": odd})])
    found = sandbox.rows("SELECT (SELECT count(*) FROM ohlc) AS n, dataset, missing FROM gaps", snapshot=tables)
    assert found == [{"n": 6, "dataset": "ohlc", "missing": None}]


def test_a_file_that_is_gone_is_told_as_such(snapshots: list[Snapshot]) -> None:
    (lines,) = snapshots[1].tables["corrections"]
    lines.unlink()
    with pytest.raises(SqlUnavailable, match="cannot be read"):
        tables_of(snapshots)


@pytest.mark.parametrize("mapped", [True, False])
def test_lists_come_out_as_lists(sandbox: Sandbox, snapshots: list[Snapshot], *, mapped: bool) -> None:
    if mapped:
        for file in snapshots[2].data:
            file.open()
    tables = tables_of(snapshots)
    sql = "SELECT services, len(services) AS n FROM incidents WHERE list_contains(services, 'wallet') ORDER BY ALL"
    result = sandbox.run(sql, snapshot=tables)
    assert result.table.to_pylist() == [{"services": ["wallet", "api"], "n": 2}] * 3
    frame = pl.DataFrame(result.table)
    written = {name: b"".join(form.encode(frame)) for name, form in FORMATS.items()}
    assert written["ndjson"].splitlines()[0] == b'{"services":["wallet","api"],"n":2}'
    assert written["columns"] == b'{"services":[["wallet","api"],["wallet","api"],["wallet","api"]],"n":[2,2,2]}'
    flat = sandbox.run(sql, snapshot=tables, flat=True)
    lines = b"".join(FORMATS["csv"].encode(pl.DataFrame(flat.table))).splitlines()
    assert lines == [b"services,n", *3 * [b"wallet|api,2"]], "as in the CSV of rows"


def test_rows_of_a_file_that_is_not_sorted_come_as_they_do_once_it_is_mapped(
    maker: SnapshotMaker, sandbox: Sandbox
) -> None:
    snapshot = maker.snapshot(OHLC, candles(("B", "A"), count=50), candles(("C",), count=50), group="1h")
    before = sandbox.run("FROM ohlc", snapshot=tables_of([snapshot]))
    for file in snapshot.data:
        file.open()
    after = sandbox.run("FROM ohlc", snapshot=tables_of([snapshot]))
    assert before.stream == after.stream
    assert before.table["symbol"].to_pylist() == ["A"] * 50 + ["B"] * 50 + ["C"] * 50


def test_a_column_is_found_by_what_its_lists_hold(sandbox: Sandbox, tables: SqlSnapshot) -> None:
    sql = "SELECT unnest(services) AS service, count(*) AS n FROM incidents GROUP BY 1 ORDER BY 1"
    assert sandbox.rows(sql, snapshot=tables) == [{"service": "api", "n": 6}, {"service": "wallet", "n": 3}]
