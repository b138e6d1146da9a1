"""The quarantine: what an operator finds in it, and that it stays small."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.rows import Rejected
from datahub_assets.domain.times import DAY_MS, HOUR_MS
from datahub_assets.stores.cache import quarantine
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.outcomes import Pruned
from datahub_assets.stores.cache.quarantine import Dropped, Group
from tests.stores.world import START_MS


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache.open(tmp_path / "cache.sqlite3") as opened:
        yield opened


def bad(number: int, *, spec: DatasetSpec = MARKET, reason: str = "price is null") -> Rejected:
    return Rejected.of(spec, subject=f"coin-{number % 2}", reason=reason, raw={"number": number})


def numbers(cache: Cache, spec: DatasetSpec = MARKET) -> list[str]:
    return [line["raw"] for line in cache.quarantined(spec).latest(limit=100)]


def test_lines_are_grouped_by_subject_and_reason_the_newest_first(cache: Cache) -> None:
    cache.quarantine([bad(0), bad(1), bad(2), bad(0, spec=OHLC)], now_ms=1)
    cache.quarantine([bad(0), bad(4)], now_ms=2)
    cache.quarantine([bad(1, reason="no name")], now_ms=3)
    assert cache.quarantined(MARKET).groups() == [
        Group("market", "coin-1", "no name", lines=1, first_seen=3, last_seen=3),
        Group("market", "coin-0", "price is null", lines=3, first_seen=1, last_seen=2),
        Group("market", "coin-1", "price is null", lines=1, first_seen=1, last_seen=1),
    ]


def test_of_too_many_lines_those_seen_longest_ago_go(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MOST_LINES", 3)
    cache.quarantine([bad(number) for number in range(5)], now_ms=START_MS)
    cache.quarantine([bad(0)], now_ms=START_MS + 1)  # the first of them came again
    cache.quarantine([bad(9, spec=OHLC)], now_ms=0)
    assert cache.prune(MARKET, now_ms=START_MS + 2) == Pruned(lines=Dropped(surplus=2))
    assert numbers(cache) == ['{"number": 0}', '{"number": 4}', '{"number": 3}']
    assert cache.quarantined(OHLC).count() == 1, "each dataset has its own bound"
    assert cache.prune(MARKET, now_ms=START_MS + 2 + HOUR_MS) == Pruned()


def test_what_was_not_seen_for_long_goes_and_is_counted(cache: Cache) -> None:
    cache.quarantine([bad(0), bad(1)], now_ms=START_MS)
    cache.quarantine([bad(1)], now_ms=START_MS + DAY_MS)
    assert cache.prune(MARKET, now_ms=START_MS + quarantine.RETENTION_MS + 1).lines == Dropped(old=1)
    assert numbers(cache) == ['{"number": 1}']


def test_a_hundred_thousand_lines_are_kept(cache: Cache) -> None:
    surplus = 50_000
    cache.quarantine((bad(number) for number in range(quarantine.MOST_LINES + surplus)), now_ms=START_MS)
    assert cache.prune(MARKET, now_ms=START_MS).lines == Dropped(surplus=surplus)
    assert cache.quarantined(MARKET).count() == quarantine.MOST_LINES == 100_000
    assert numbers(cache)[0] == f'{{"number": {quarantine.MOST_LINES + surplus - 1}}}'
