"""Landing files keep what one fetch brought, whole or not at all."""

import errno
import json
import os
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import CacheError, CacheFull, CacheUnusable
from datahub_assets.domain.rows import Checked, Rejected
from datahub_assets.domain.times import HOUR_MS
from datahub_assets.stores import landing
from tests.datasets.foreign import INCIDENTS, RECEIPTS
from tests.stores.foreign_world import incident, incidents, receipt, receipts
from tests.stores.world import START_MS, candles, market

REJECTED = Rejected.of(MARKET, subject="coin-9", reason="price is NaN", raw={"id": "coin-9", "price": float("nan")})


def test_what_lands_is_read_back_with_its_rejected_rows(tmp_path: Path) -> None:
    checked = Checked(candles(START_MS), (REJECTED, REJECTED))
    path = landing.land(tmp_path, OHLC, checked, now_ms=START_MS)
    assert landing.landed(tmp_path, OHLC) == [path]
    back = landing.read_landed(path, OHLC)
    assert back.frame.equals(checked.frame)
    assert back.frame.schema == pl.Schema(OHLC.polars_schema())
    assert back.rejected == checked.rejected


def test_a_fetch_of_nothing_but_rejected_rows_lands_too(tmp_path: Path) -> None:
    path = landing.land(tmp_path, MARKET, Checked(market(START_MS).clear(), (REJECTED,)), now_ms=START_MS)
    assert landing.read_landed(path, MARKET).rejected == (REJECTED,)


def test_a_file_of_before_rejected_rows_had_a_time_is_read(tmp_path: Path) -> None:
    path = landing.land(tmp_path, MARKET, Checked(market(START_MS), (REJECTED,)), now_ms=START_MS)
    table = pq.read_table(path)
    told = [{"dataset": "market", "subject": "coin-9", "reason": REJECTED.reason, "raw": REJECTED.raw}]
    pq.write_table(table.replace_schema_metadata({"datahub.rejected": json.dumps(told)}), path)
    assert landing.read_landed(path, MARKET).rejected == (REJECTED,)


@pytest.mark.parametrize(
    ("spec", "rows"),
    [
        (INCIDENTS, incidents(incident("a", START_MS, fetched_ms=START_MS, services=["api"]))),
        (RECEIPTS, receipts(receipt(1, START_MS, fetched_ms=START_MS))),
    ],
)
def test_rows_of_any_dataset_land(tmp_path: Path, spec: DatasetSpec, rows: pl.DataFrame) -> None:
    bad = Rejected.of(spec, subject="x", reason="y", raw=[1], at_ms=START_MS)
    path = landing.land(tmp_path, spec, Checked(rows, (bad,)), now_ms=START_MS)
    back = landing.read_landed(path, spec)
    assert back.frame.equals(rows)
    assert back.rejected == (bad,)


def test_files_sort_by_time_and_never_meet(tmp_path: Path) -> None:
    times = [START_MS + 60_000, START_MS, START_MS, START_MS - 1]
    for now_ms in times:
        landing.land(tmp_path, MARKET, Checked(market(now_ms), ()), now_ms=now_ms)
    found = [
        landing.read_landed(path, MARKET).frame["ingested_at"].dt.epoch("ms")[0]
        for path in landing.landed(tmp_path, MARKET)
    ]
    assert found == sorted(times)
    assert landing.landed(tmp_path, OHLC) == []


def test_a_half_written_file_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CacheFull, match="free some space"):
        landing.land(tmp_path, MARKET, Checked(market(START_MS), ()), now_ms=START_MS)
    assert list((tmp_path / "market").iterdir()) == []


def test_what_a_dead_writer_left_is_removed_after_a_while(tmp_path: Path) -> None:
    left = tmp_path / "market" / f"{START_MS:015d}-0011aabb.partial"
    left.parent.mkdir()
    left.write_bytes(b"half")
    landing.tidy(tmp_path, MARKET, now_ms=START_MS + 60_000)
    assert left.exists(), "it may still be written"
    landing.tidy(tmp_path, MARKET, now_ms=START_MS + 2 * HOUR_MS)
    assert not left.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "market").write_text("a file where the folder should be")
    with pytest.raises(CacheError, match="market"):
        landing.land(tmp_path, MARKET, Checked(market(START_MS), ()), now_ms=START_MS)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "other columns"])
def test_a_damaged_file_is_recognised(tmp_path: Path, damage: str) -> None:
    path = landing.land(tmp_path, MARKET, Checked(market(START_MS, coins=200), ()), now_ms=START_MS)
    whole = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "flipped":
        middle = len(whole) // 3
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :])
    else:
        market(START_MS).drop("coin_id").write_parquet(path)
    with pytest.raises(CacheUnusable, match=path.name):
        landing.read_landed(path, MARKET)
