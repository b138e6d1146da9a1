"""What `datahub doctor` asks of the archive: its listing, the newest file of a series, and that file's CHECKSUM."""

import pytest

from datahub_assets.datasets.candles.history import look
from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.domain.errors import SourceError
from datahub_assets.ops.commands import datasets
from datahub_assets.settings import Settings
from tests.datasets.candles.conftest import Market

NEWEST = "BTCUSDT-1d-2025-10.zip"


def settings(market: Market, **changes: str) -> Settings:
    archive = market.archive
    urls = {"BINANCE_ARCHIVE_URL": archive.url, "BINANCE_ARCHIVE_LIST_URL": archive.list_url}
    return Settings.from_env({"DATAHUB_DATASETS": "ohlc", **urls, **changes})


def test_the_newest_file_is_read_with_its_checksum(market: Market) -> None:
    told = look(settings(market).of(CandleSettings))
    assert NEWEST in told
    asked = [one.path.rpartition("/")[2] for one in market.archive.requests]
    assert sorted(asked) == [NEWEST, f"{NEWEST}.CHECKSUM", "bucket"]


@pytest.mark.parametrize("kind", ["checksum_missing", "checksum_mismatch"])
def test_a_file_that_is_not_what_its_checksum_says_is_told(market: Market, kind: str) -> None:
    market.archive.spoil(NEWEST, kind)
    with pytest.raises(SourceError, match="CHECKSUM"):
        look(settings(market).of(CandleSettings))


def test_a_listing_that_is_elsewhere_is_told(market: Market) -> None:
    with pytest.raises(SourceError, match="listing"):
        look(settings(market, BINANCE_ARCHIVE_LIST_URL=f"{market.archive.url}/data").of(CandleSettings))


def test_files_that_are_elsewhere_are_told(market: Market) -> None:
    with pytest.raises(SourceError, match=r"/elsewhere/data/spot/monthly/.*no_file"):
        look(settings(market, BINANCE_ARCHIVE_URL=f"{market.archive.url}/elsewhere").of(CandleSettings))


def test_doctor_asks_where_history_is_filled_by_itself(market: Market) -> None:
    assert [probe.name for probe in datasets.probes(settings(market))] == ["binance"]
    filled = settings(market, DATAHUB_HISTORY_FROM="2017-08")
    _, probe = datasets.probes(filled)
    assert probe.name == "history of ohlc"
    assert NEWEST in probe.look(filled)
