"""Coverage and differences follow a dataset's spec, whatever that says."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import polars as pl
import pytest

from api.engine.snapshot import Snapshot
from api.history.differences import difference
from api.history.narrowing import Narrowing
from api.history.schemas import Diff
from api.history.service import coverage_of, diff_of
from api.http.errors import ApiError
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.ledgers import gaps_of
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.times import utc_datetime
from tests.api.installed import INCIDENTS, RECEIPTS, incidents, receipts
from tests.api.snapshots import SnapshotMaker
from tests.api.workers import HOUR_MS, NOW_MS, candles, prices

EARLIER_GAPS = pl.DataFrame(
    {
        "symbol": ["BTCUSDT", "ETHUSDT"],
        "interval": ["1h", "1h"],
        "first_time": [NOW_MS - 3 * HOUR_MS] * 2,
        "last_time": [NOW_MS - 2 * HOUR_MS] * 2,
        "candles": [2, 2],
        "cause": ["not_fetched"] * 2,
        "first_seen": [NOW_MS] * 2,
        "asked_at": [None, NOW_MS],
        "asks": [0, 1],
        "healed_at": [None, NOW_MS],
        "updated_at": [NOW_MS] * 2,
    }
).with_columns(
    pl.col("first_time", "last_time", "first_seen", "asked_at", "healed_at", "updated_at").cast(
        pl.Datetime("ms", "UTC")
    )
)
"""Lines as they were written when the ledger had columns for the pair and the interval."""


@pytest.fixture
def maker(tmp_path: Path) -> Iterator[SnapshotMaker]:
    maker = SnapshotMaker(tmp_path)
    yield maker
    maker.close()


def by(**given: str) -> Narrowing:
    return Narrowing(tuple((name, (value,)) for name, value in given.items()))


def series(snapshot: Snapshot, **given: str) -> list[str | None]:
    return [one.series for one in coverage_of(snapshot, narrowing=by(**given)).series]  # type: ignore[attr-defined]


def refusal(snapshot: Snapshot, **given: str) -> tuple[str, str]:
    with pytest.raises(ApiError) as caught:
        coverage_of(snapshot, narrowing=by(**given))
    return caught.value.code, str(caught.value)


def test_rows_without_series_are_one_entry(maker: SnapshotMaker) -> None:
    found = coverage_of(maker.snapshot(INCIDENTS, incidents(7), incidents(3)), narrowing=Narrowing())
    (one,) = found.series
    assert (found.dataset, found.missing, one.series, one.rows) == ("incidents", 0, None, 10)  # type: ignore[attr-defined]
    assert (one.expected, one.forming, one.gaps) == (None, 0, [])  # type: ignore[attr-defined]
    assert one.oldest == one.newest == "2026-11-22T12:00:00Z"  # type: ignore[attr-defined]
    assert not hasattr(one, "interval")


def test_series_go_by_their_own_filter_and_by_symbol(maker: SnapshotMaker) -> None:
    snapshot = maker.snapshot(RECEIPTS, receipts("north", 5), receipts("south", 3))
    assert series(snapshot) == ["north", "south"]
    assert series(snapshot, register="south") == series(snapshot, symbol="SOUTH") == ["south"]
    assert [one.forming for one in coverage_of(snapshot, narrowing=Narrowing()).series] == [1, 1]  # type: ignore[attr-defined]
    for parameter in ("register", "symbol"):
        code, said = refusal(snapshot, **{parameter: "nroth"})
        assert code == "unknown_register"
        assert "near or valid: north" in said


def test_a_ticker_is_looked_up_among_the_newest_rows(maker: SnapshotMaker) -> None:
    snapshot = maker.snapshot(MARKET, prices())
    assert series(snapshot, symbol="btc") == ["batcat", "bitcoin"]
    assert series(snapshot, symbol="ethereum") == series(snapshot, coin_ids="ethereum") == ["ethereum"]
    assert refusal(snapshot, symbol="BTX")[0] == "unknown_symbol"


def test_what_only_other_datasets_have_is_refused_in_their_words(maker: SnapshotMaker) -> None:
    snapshot = maker.snapshot(INCIDENTS, incidents(3))
    code, said = refusal(snapshot, interval="1h")
    assert (code, "no intervals" in said) == ("unknown_interval", True)
    assert refusal(snapshot, symbol="BTCUSDT")[0] == "unknown_symbol"
    code, said = refusal(snapshot, closed_only="true")
    assert code == "invalid_parameter"
    assert "ohlc only" in said


@pytest.mark.parametrize("form", ["columns for pair and interval", "without numbers", "today's"])
def test_gaps_are_read_in_any_form(maker: SnapshotMaker, form: str) -> None:
    ledger = gaps_of(OHLC)
    assert ledger is not None
    assert ledger.upgrade is not None
    numbers = ("first_number", "last_number")
    lines = EARLIER_GAPS if form.startswith("columns") else ledger.today(EARLIER_GAPS)
    lines = lines.drop(numbers) if form == "without numbers" else lines
    if form == "today's":
        lines = pl.concat([lines, lines.with_columns(pl.lit("other").alias("dataset"))])
    snapshot = maker.snapshot(OHLC, candles(count=5), group="1h", ledgers={"gaps": lines})
    found = coverage_of(snapshot, narrowing=Narrowing())
    one, two = found.series
    assert (one.series, one.interval, one.rows, one.expected) == ("BTCUSDT", "1h", 5, 7)  # type: ignore[attr-defined]
    assert (two.series, two.interval, two.rows, two.expected) == ("ETHUSDT", "1h", 5, 5)  # type: ignore[attr-defined]
    assert found.missing == 2
    (gap,) = one.gaps  # type: ignore[attr-defined]
    assert (gap.first_time, gap.missing, gap.cause) == ("2026-11-22T09:00:00Z", 2, "not_fetched")
    assert [line.healed_at for line in two.gaps] == ["2026-11-22T12:00:00Z"]  # type: ignore[attr-defined]


def test_a_ledger_of_no_known_form_is_the_hubs_fault(maker: SnapshotMaker) -> None:
    odd = pl.DataFrame({"first_time": [1]})
    snapshot = maker.snapshot(OHLC, candles(count=5), group="1h", ledgers={"gaps": odd})
    with pytest.raises(Exception, match="the gaps of ohlc cannot be read") as caught:
        coverage_of(snapshot, narrowing=Narrowing())
    assert getattr(caught.value, "code", None) == "hub_content_invalid"


def test_a_difference_goes_by_any_key_and_sees_lists(maker: SnapshotMaker) -> None:
    """A row whose time changed is the same row still, and lists are compared by what they hold."""
    before = incidents(6)
    nothing, moved, hit, spared = (f"inc-{number:06d}" for number in (0, 1, 2, 4))
    name = pl.col("incident_id")
    after = before.with_columns(
        pl.when(name == moved)
        .then(pl.lit(utc_datetime(NOW_MS + HOUR_MS)))
        .otherwise(pl.lit(utc_datetime(NOW_MS)))
        .alias("timestamp"),
        pl.when(name == hit)
        .then(pl.lit(["api", "wallet"]))
        .when(name == spared)
        .then(None)
        .otherwise("services")
        .alias("services"),
    ).filter(name != nothing)
    added = incidents(7).tail(1)
    one = maker.snapshot(INCIDENTS, before)
    two = maker.snapshot(INCIDENTS, after, added, sha="b" * 40)
    found = difference(one, two)
    assert found.removed["incident_id"].to_list() == [nothing]
    assert found.added["incident_id"].to_list() == ["inc-000006"]
    assert found.after["incident_id"].to_list() == [moved, hit, spared]
    assert found.after["services"].to_list() == [["api"], ["api", "wallet"], None]
    assert found.before["services"].to_list() == [["api"]] * 3
    told = msgspec.json.decode(msgspec.json.encode(diff_of(one, two, limit=1)), type=Diff)
    assert (told.counts.added, told.counts.changed, told.counts.removed, told.truncated) == (1, 3, 1, True)
    assert told.changed[0].after["timestamp"] == "2026-11-22T13:00:00Z"


def test_numbers_are_keys_like_any_other(maker: SnapshotMaker) -> None:
    one = maker.snapshot(RECEIPTS, receipts("north", 5), receipts("south", 5))
    two = maker.snapshot(RECEIPTS, receipts("north", 6, amount=1.0), receipts("south", 5), sha="b" * 40)
    found = difference(one, two)
    assert found.added.select("register", "number").rows() == [("north", 100_005)]
    assert found.after["number"].to_list() == [100_000, 100_001, 100_002, 100_003, 100_004]
    assert found.before["settled"].to_list() == [True] * 4 + [False]
