"""Ledger files of an earlier form on the Hub: all goes on, and the next commit writes today's form."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl
import pyarrow.parquet as pq
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.errors import HubContentInvalid
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS, iso_to_ms, utc_datetime
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub import layout
from datahub_assets.stores.recovery import inherited_gaps
from datahub_assets.stores.recovery.rebuild import rebuild
from tests.stores.world import CORRECTIONS, GAPS, START_MS, Site, candles, in_cache, ledger_on_hub

NOW_H = START_MS - START_MS % HOUR_MS
_TIME = pl.Datetime("ms", "UTC")


def hour(ago: int) -> int:
    return NOW_H - ago * HOUR_MS


def hourly(now_ms: int, *, skip: tuple[int, ...] = ()) -> pl.DataFrame:
    return candles(now_ms, pairs=1, back=6, intervals=["1h"], skip=skip)


def earlier_gaps(lines: pl.DataFrame) -> bytes:
    """The same lines as version 0.1 wrote them."""
    series = [json.loads(text) for text in lines["series"]]
    told = lines.rename({"missing": "candles"}).drop("dataset", "series")
    return parquet(
        told.select(
            pl.Series("symbol", [one["symbol"] for one in series]),
            pl.Series("interval", [one["interval"] for one in series]),
            pl.all(),
        )
    )


def earlier_corrections(lines: pl.DataFrame) -> bytes:
    """The same lines, all of one value, as version 0.1 wrote them: beside it values that did not change."""
    rows = []
    for line in lines.iter_rows(named=True):
        key = json.loads(line["key"])
        opened = datetime.fromtimestamp(iso_to_ms(key["timestamp"]) / 1000, UTC)
        rows.append(
            {
                **key,
                "timestamp": opened,
                "corrected_at": line["corrected_at"],
                "previously_at": opened,
                **{f"{when}_close_time": opened for when in ("old", "new")},
                **{f"{when}_volume": 7.0 for when in ("old", "new")},
                f"old_{line['column']}": float(line["old"]),
                f"new_{line['column']}": float(line["new"]),
            }
        )
    times = [name for name in rows[0] if name.endswith(("_at", "timestamp", "_time"))]
    return parquet(pl.DataFrame(rows).with_columns(pl.col(times).cast(_TIME)))


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(frame.to_arrow(), buffer)
    return buffer.getvalue()


def columns_on_hub(site: Site, path: str) -> list[str]:
    content = site.hub.read(OHLC, path, revision=site.hub.head(OHLC))
    return list(pq.read_schema(io.BytesIO(content)).names)


@pytest.fixture
def before(site: Site) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A repo whose head has both ledgers in the earlier form, as if nobody had committed since; their lines."""
    site.tick(OHLC, hourly(START_MS, skip=(hour(3), hour(4))), now_ms=START_MS)
    fixed = hourly(START_MS).filter(pl.col("timestamp").dt.epoch("ms") == hour(2))
    later = START_MS + MINUTE_MS
    fixed = fixed.with_columns(close=pl.col("close") + 1.25, ingested_at=pl.lit(utc_datetime(later)))
    site.tick(OHLC, fixed, now_ms=later)
    lines = ledger_on_hub(OHLC, GAPS, site.hub), ledger_on_hub(OHLC, CORRECTIONS, site.hub)
    assert [ledger.height for ledger in lines] == [1, 1]
    writes = {GAPS.path: earlier_gaps(lines[0]), CORRECTIONS.path: earlier_corrections(lines[1])}
    head = site.hub.head(OHLC)
    site.hub.commit(OHLC, writes=writes, deletes=[], message="as version 0.1 wrote it", parent=head)
    return lines


def test_the_next_commit_writes_todays_form_and_loses_no_line(
    new_site: Callable[[str], Site], before: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    later = START_MS + 2 * MINUTE_MS
    site = new_site("another")
    site.tick(OHLC, hourly(later, skip=(hour(3), hour(4))), now_ms=later)
    gaps, corrections = ledger_on_hub(OHLC, GAPS, site.hub), ledger_on_hub(OHLC, CORRECTIONS, site.hub)
    assert columns_on_hub(site, GAPS.path) == list(GAPS.column_names)
    assert columns_on_hub(site, CORRECTIONS.path) == list(CORRECTIONS.column_names)
    assert gaps.select(GAPS.key).equals(before[0].select(GAPS.key))
    assert set(before[1].rows()) <= set(corrections.rows())


def test_an_earlier_form_alone_is_a_reason_to_commit(site: Site, before: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    later = START_MS + 2 * MINUTE_MS
    with Cache.open(site.cache_path) as cache:
        cache.start_over(OHLC, now_ms=later)
    published = site.publish(OHLC, now_ms=later)
    assert (published.rows, published.rewritten) == (0, 2)
    assert columns_on_hub(site, GAPS.path) == list(GAPS.column_names)
    assert ledger_on_hub(OHLC, GAPS, site.hub).equals(before[0])
    assert ledger_on_hub(OHLC, CORRECTIONS, site.hub).equals(before[1])
    assert site.publish(OHLC, now_ms=later + MINUTE_MS).commit is None


def test_a_cache_made_anew_knows_all_lines(site: Site, before: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    site.cache_path.unlink()
    rebuild(site.cache_path, (OHLC,), hub=site.hub, landing=site.home / "landing", now_ms=START_MS + 2 * MINUTE_MS)
    assert in_cache(GAPS, site.cache_path).equals(before[0])
    assert in_cache(CORRECTIONS, site.cache_path).equals(before[1])


def test_gaps_that_another_installation_left_are_closed(
    new_site: Callable[[str], Site], before: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    site, later = new_site("another"), START_MS + 2 * MINUTE_MS
    site.tick(OHLC, hourly(later), now_ms=later)
    with Cache.open(site.cache_path) as cache:
        assert inherited_gaps.close(OHLC, cache=cache, hub=site.hub, now_ms=later) == 1
    site.publish(OHLC, now_ms=later + MINUTE_MS)
    assert ledger_on_hub(OHLC, GAPS, site.hub)["healed_at"].null_count() == 0


def test_a_file_of_no_form_that_is_known_is_named() -> None:
    content = parquet(pl.DataFrame({"something": [1]}))
    with pytest.raises(HubContentInvalid, match=r"gaps\.parquet at 1234"):
        layout.read(GAPS, content, name="gaps.parquet at 1234")
