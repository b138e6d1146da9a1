"""`datahub history`: a whole life of it against a fake archive and the embedded Hub, and what it refuses."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from datahub_assets.cli import main
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.history import Month
from datahub_assets.ops.supervise import home_lock
from datahub_assets.stores.fill import requests
from datahub_assets.stores.fill.requests import FillState
from datahub_assets.stores.hub import layout
from datahub_assets.stores.hub.client import Hub
from localhub.testing import HubServer
from tests.fakes import Clock, FakeArchive, FakeBinance
from tests.stores.world import on_hub

MONTHS = (Month(2024, 12), Month(2025, 1))
"""On both sides of the day from which on the archive counts microseconds."""


_ACCOUNTS = count(1)


@dataclass(frozen=True, slots=True)
class Past:
    """A home with a Hub and upstreams, and the command."""

    home: Path
    hub: Hub
    binance: FakeBinance
    archive: FakeArchive
    env: dict[str, str]

    def datahub(self, *arguments: str, **env: str) -> Result:
        result = CliRunner().invoke(main, ["history", *arguments], env={**self.env, **env})
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def zips(self) -> list[str]:
        """The monthly files that were asked for since the last look."""
        asked = [one.path for one in self.archive.requests if "/monthly/" in one.path and one.path.endswith(".zip")]
        self.archive.forget_requests()
        return asked


@pytest.fixture(scope="module")
def upstreams() -> Iterator[tuple[FakeBinance, FakeArchive]]:
    with FakeBinance(clock=Clock()) as binance, FakeArchive(binance) as archive:
        yield binance, archive


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with HubServer(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture
def past(tmp_path: Path, server: HubServer, upstreams: tuple[FakeBinance, FakeArchive]) -> Iterator[Past]:
    binance, archive = upstreams
    token = server.add_user(f"past-{next(_ACCOUNTS)}")
    env = {
        "HF_TOKEN": token,
        "HF_ENDPOINT": server.url,
        "BINANCE_BASE_URLS": binance.url,
        "BINANCE_ARCHIVE_URL": archive.url,
        "BINANCE_ARCHIVE_LIST_URL": archive.list_url,
        "DATAHUB_HOME": str(tmp_path / "home"),
        "DATAHUB_SYMBOLS": "BTCUSDT,ETHUSDT",
        "DATAHUB_INTERVALS": "1h",
        "DATAHUB_PUBLISH_INTERVAL_S": "1",
        "DATAHUB_COMMITS_PER_HOUR": "100000",
    }
    archive.forget_requests()
    yield Past(tmp_path / "home", Hub(server.url, token), binance, archive, env)
    archive.mend()
    server.faults.clear()


def test_months_are_filled_once_told_and_verified(past: Past) -> None:
    filled = past.datahub("fill", "--from", "2024-12", "--to", "2025-01")
    assert filled.exit_code == 0, filled.output
    rows = on_hub(OHLC, past.hub)
    hours = sum((month.end_ms - month.start_ms) // 3_600_000 for month in MONTHS)
    assert rows.height == 2 * hours
    upstream = past.binance.reference("BTCUSDT", "1h", limit=24 * 31 * 40)
    wanted = {
        line[0]: float(str(line[4])) for line in upstream if MONTHS[0].start_ms <= int(str(line[0])) < MONTHS[1].end_ms
    }
    btc = rows.filter(pl.col("symbol") == "BTCUSDT")
    assert len(wanted) == hours
    assert dict(zip(btc["timestamp"].dt.epoch("ms"), btc["close"], strict=True)) == wanted
    assert len(past.zips()) == 4

    again = past.datahub("fill", "--from", "2024-12", "--to", "2025-01")
    assert (again.exit_code, past.zips()) == (0, [])
    assert "0 rows fetched" in again.output
    assert "1h 2025: 2 of 2 months of series are done, 1,488 rows" in past.datahub("status").output
    assert past.datahub("verify", "--sample", "1").exit_code == 0


def test_rows_that_are_gone_or_other_ones_are_found(past: Past) -> None:
    past.datahub("fill", "--from", "2024-12", "--to", "2024-12")
    path, head = "data/1h/2024-12.parquet", past.hub.head(OHLC)
    good = layout.read(OHLC, past.hub.read(OHLC, path, revision=head), name=path)
    bent = good.with_columns(close=pl.when(pl.col("symbol") == "ETHUSDT").then(pl.col("open")).otherwise("close"))
    for rows, told in ((good.head(-1), "743 rows are published, 744 came"), (bent, "published otherwise")):
        past.hub.commit(
            OHLC, writes={path: layout.write(OHLC, rows)}, deletes=[], message="bend", parent=past.hub.head(OHLC)
        )
        verified = past.datahub("verify", "--sample", "9")
        assert verified.exit_code == 1
        assert told in verified.output


def test_rows_the_source_does_not_have_are_found(past: Past) -> None:
    past.datahub("fill", "--from", "2024-12", "--to", "2024-12")
    path, head = "data/1h/2024-12.parquet", past.hub.head(OHLC)
    good = layout.read(OHLC, past.hub.read(OHLC, path, revision=head), name=path)
    odd = good.tail(1).with_columns(pl.col("timestamp") - pl.duration(minutes=30))
    more = layout.write(OHLC, pl.concat([good, odd]).sort(OHLC.file_order))
    past.hub.commit(OHLC, writes={path: more}, deletes=[], message="bend", parent=head)
    verified = past.datahub("verify", "--sample", "0")
    assert verified.exit_code == 1
    assert (
        "ETHUSDT 1h 2024-12: 1 published rows are none of the source (the first of 2024-12-31T22:30" in verified.output
    )


def test_a_row_the_source_cannot_decide_on_is_no_fault(past: Past) -> None:
    past.datahub("fill", "--from", "2024-12", "--to", "2024-12")
    noon_ms = MONTHS[0].start_ms + 12 * 3_600_000
    past.archive.spoil("BTCUSDT-1h-2024-12.zip", "hole", start_ms=noon_ms, end_ms=noon_ms + 3_600_000)
    past.archive.remove("BTCUSDT-1h-2024-12-01.zip")
    past.archive.forget_pair("BTCUSDT")
    verified = past.datahub("verify", "--sample", "9", DATAHUB_SYMBOLS="ETHUSDT")
    assert verified.exit_code == 0, verified.output


def test_a_bad_file_is_told_and_what_can_be_had_lands(past: Past) -> None:
    past.archive.spoil("BTCUSDT-1h-2024-12.zip", "checksum_missing")
    filled = past.datahub("fill", "--from", "2024-12", "--to", "2024-12")
    assert filled.exit_code == 0, filled.output
    assert "bad_checksum" in filled.output
    assert "bad_checksum" in past.datahub("status").output
    assert on_hub(OHLC, past.hub).height == 2 * 744


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--from", "2024-12", "--to", "2024-11"], "--from 2024-12 is after --to 2024-11"),
        (["--from", "2024-13"], "'2024-13' is no month"),
        (["--from", "2024-12", "--to", f"{datetime.now(UTC):%Y-%m}"], "is not over yet"),
        (["--from", "2024-12", "--symbols", "NOPAIR"], "NOPAIR"),
        (["--from", "2024-12", "--intervals", "7m"], "no interval '7m'"),
        (["--from", "2024-12", "--dataset", "market"], "no dataset 'market' has a history"),
    ],
)
def test_what_cannot_be_meant_is_refused(past: Past, arguments: list[str], told: str) -> None:
    refused = past.datahub("fill", *arguments)
    assert refused.exit_code == 2
    assert told in refused.output
    assert past.zips() == []


def test_a_source_that_is_out_of_order_fails_and_the_next_fill_goes_on(past: Past) -> None:
    past.archive.stop()
    try:
        assert past.datahub("fill", "--from", "2024-12", "--to", "2024-12").exit_code == 1
    finally:
        past.archive.start()
    assert past.datahub("fill", "--from", "2024-12", "--to", "2024-12").exit_code == 0


def test_a_running_hub_is_asked_and_waited_for(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    past.home.mkdir()
    answers = iter([None, (False, ()), (True, ("bad_checksum http://archive/x.zip",))])

    def state(home: Path, name: str) -> FillState | None:
        ((known, wish),) = requests.waiting(home, "ohlc")
        assert known == name
        answer = next(answers)
        return None if answer is None else FillState(wish, 1, 1, 2, 744, is_over=answer[0], lines=answer[1])

    monkeypatch.setattr(requests, "state", state)
    with home_lock.held(past.home):
        filled = past.datahub("fill", "--from", "2024-12", "--to", "2025-01")
    assert filled.exit_code == 0
    assert "bad_checksum http://archive/x.zip" in filled.output
    assert (past.zips(), list(requests.waiting(past.home, "ohlc"))) == ([], [])
