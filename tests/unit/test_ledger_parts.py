"""A ledger in parts: which files are its own, and what the ledger of sources tells as done."""

import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.ledgers import gaps_of, published_ledgers_of, source_line, sources_of
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.history import Month, SourceLine, Verdict
from datahub_assets.domain.rows import frame_of
from datahub_assets.stores.history.told_sources import ToldSources, ledger_of, part_of

MONTH = Month(2024, 11)


@pytest.mark.parametrize(
    ("path", "is_ours"),
    [
        ("sources/1h/2024.parquet", True),
        ("sources/2024.parquet", False),
        ("sources/1h/2024/11.parquet", False),
        ("old/sources/1h/2024.parquet", False),
        ("sources/1h/2024.csv", False),
    ],
)
def test_the_parts_of_a_ledger_are_told_by_their_paths(path: str, is_ours: bool) -> None:
    assert ledger_of(OHLC).holds(path) == is_ours


def test_a_ledger_of_one_file_is_its_only_part() -> None:
    gaps = gaps_of(OHLC)
    assert gaps is not None
    assert (gaps.holds(gaps.path), gaps.holds("gaps/other.parquet")) == (True, False)


def test_a_part_holds_a_year_of_a_group() -> None:
    path = part_of(OHLC, group="1m", month=MONTH)
    assert path == "sources/1m/2024.parquet"
    assert ledger_of(OHLC).holds(path)


def test_only_a_dataset_with_history_has_sources() -> None:
    assert sources_of(MARKET) is None
    assert [ledger.name for ledger in published_ledgers_of(OHLC)] == ["gaps", "corrections", "sources"]


def told(*lines: tuple[str, int, bool]) -> ToldSources:
    """Lines of these pairs, read at these times, done or not."""
    rows = [
        source_line(OHLC, SourceLine((pair, "1h"), MONTH, f"http://a/{at}", None, 1, at, Verdict.COMPLETE), done=done)
        for pair, at, done in lines
    ]
    return ToldSources(OHLC, frame_of(ledger_of(OHLC), rows))


def test_the_newest_reading_says_whether_a_series_is_done() -> None:
    lines = told(("A", 1, True), ("A", 2, False), ("B", 2, True), ("B", 1, False), ("C", 5, False))
    assert lines.done(MONTH) == {("B", "1h")}
    assert lines.done(MONTH, since_ms=5) == {("B", "1h"), ("C", "1h")}
    assert lines.done(MONTH.next) == set()
