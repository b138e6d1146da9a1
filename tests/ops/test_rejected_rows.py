"""`datahub quarantine`: what an operator sees of rows that failed their checks."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from datahub_assets.cli import main
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.rows import Rejected
from datahub_assets.stores.cache import database
from datahub_assets.stores.cache.cache import Cache
from tests.stores.world import START_MS, at, market

NOON_MS = at("2025-11-24T12:00")


def look(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["quarantine", *arguments], env={"DATAHUB_HOME": str(home)})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Three bad prices of one coin, of two kinds, and a bad candle."""
    coin = [{"id": "coin-9", "price": price} for price in (-1, -2, None)]
    below = [Rejected.of(MARKET, subject="coin-9", reason="price below 0", raw=raw) for raw in coin[:2]]
    with Cache.open(tmp_path / "cache.sqlite3") as cache:
        cache.quarantine(below[:1], now_ms=NOON_MS)
        cache.quarantine([Rejected.of(OHLC, subject="AUSDT 1h", reason="high < low", raw=[1])], now_ms=NOON_MS + 1000)
        cache.quarantine(below, now_ms=NOON_MS + 2000)
        cache.quarantine(
            [Rejected.of(MARKET, subject="coin-9", reason="no\x1b[2J price", raw=coin[2])], now_ms=NOON_MS + 500
        )
    return tmp_path


def test_a_line_for_each_subject_and_reason_the_newest_first(home: Path) -> None:
    result = look(home)
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "last seen                 first seen                lines  dataset  row of    reason",
        "2025-11-24T12:00:02.000Z  2025-11-24T12:00:00.000Z  2      market   coin-9    price below 0",
        "2025-11-24T12:00:01.000Z  2025-11-24T12:00:01.000Z  1      ohlc     AUSDT 1h  high < low",
        "2025-11-24T12:00:00.500Z  2025-11-24T12:00:00.500Z  1      market   coin-9    no\\x1b[2J price",
    ]


def test_of_one_dataset_with_what_upstream_sent(home: Path) -> None:
    lines = look(home, "--dataset", "ohlc", "--raw").output.splitlines()
    assert len(lines) == 6
    assert "coin-9" not in "".join(lines)
    assert lines[2:] == ["", "2025-11-24T12:00:01.000Z  ohlc  AUSDT 1h", "  high < low", "  [1]"]
    unknown = look(home, "--dataset", "weather")
    assert (unknown.exit_code, unknown.output) == (
        1,
        "datahub: no dataset 'weather'; there are market, ohlc, listings, news, blocks, network\n",
    )


def test_machines_get_one_document(home: Path) -> None:
    found = json.loads(look(home, "--json").output)
    assert list(found) == ["groups"]
    assert found["groups"][0] == {
        "dataset": "market",
        "subject": "coin-9",
        "reason": "price below 0",
        "lines": 2,
        "first_seen": "2025-11-24T12:00:00.000Z",
        "last_seen": "2025-11-24T12:00:02.000Z",
    }
    newest = json.loads(look(home, "--json", "--raw").output)["newest"]
    assert [json.loads(line["raw"]) for line in newest] == [
        {"id": "coin-9", "price": -2},
        {"id": "coin-9", "price": -1},
        [1],
        {"id": "coin-9", "price": None},
    ]
    assert set(newest[0]) == {"dataset", "subject", "reason", "raw", "first_seen", "last_seen"}


def test_an_empty_quarantine_says_so(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    fresh = tmp_path_factory.mktemp("fresh")
    Cache.open(fresh / "cache.sqlite3").close()
    assert (
        look(fresh).output
        == "the quarantine is empty: it holds no row of market, ohlc, listings, news, blocks, network\n"
    )
    assert json.loads(look(fresh, "--json", "--raw").output) == {"groups": [], "newest": []}


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_without_a_cache_it_says_so_and_makes_none(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = look(tmp_path, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no cache yet" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_cache_is_an_error_with_its_way_out(tmp_path: Path) -> None:
    (tmp_path / "cache.sqlite3").write_bytes(b"not a database" * 1000)
    result = look(tmp_path)
    assert result.exit_code == 1
    assert "datahub cache rebuild" in result.stderr


def test_it_waits_for_no_run_that_is_writing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    with Cache.open(home / "cache.sqlite3") as cache, cache.database.transaction():
        cache.upsert(MARKET, market(START_MS))
        cache.quarantine([Rejected.of(MARKET, subject="coin-8", reason="late", raw={})], now_ms=NOON_MS + 9000)
        result = look(home)
    assert result.exit_code == 0
    assert "coin-9" in result.output
    assert "coin-8" not in result.output
