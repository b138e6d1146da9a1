"""What is told of a dataset is what its spec says, whichever dataset it is."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from api.datasets.service import dataset_infos
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from tests.api.installed import INCIDENTS, RECEIPTS, incidents, receipts
from tests.api.snapshots import SnapshotMaker
from tests.api.workers import candles, prices


@pytest.fixture
def maker(tmp_path: Path) -> Iterator[SnapshotMaker]:
    maker = SnapshotMaker(tmp_path)
    yield maker
    maker.close()


def test_everything_a_spec_says_is_told(maker: SnapshotMaker) -> None:
    snapshots = [
        maker.snapshot(INCIDENTS, incidents(5)),
        maker.snapshot(RECEIPTS, receipts("north", 4), receipts("south", 2)),
    ]
    found = msgspec.to_builtins(dataset_infos(snapshots, endpoint="http://hub"))
    told, by_number = found["incidents"], found["receipts"]
    assert (told["key"], told["time"], told["series"], told["final"]) == (["incident_id"], "timestamp", None, None)
    assert (by_number["key"], by_number["time"], by_number["series"], by_number["final"]) == (
        *(["register", "number"], "stamped_at"),
        *("register", "settled"),
    )
    assert (told["provider"], told["source"], told["url"]) == (
        *("statuspage", "https://status.example.org"),
        "http://hub/datasets/local/field-incidents",
    )
    assert told["licence"] == {
        "id": "cc-by-4.0",
        "name": "cc-by-4.0",
        "url": "https://creativecommons.org/licenses/by/4.0/",
    }
    columns = {column["name"]: column for column in (*told["columns"], *by_number["columns"])}
    assert columns["services"]["example"] == ["wallet", "api"]
    assert columns["services"]["type"].startswith("list")
    assert (columns["amount"]["unit"], columns["amount"]["example"]) == ("EUR", 12.5)
    assert told["filters"][0] == {
        "parameter": "severity",
        "column": "severity",
        "description": "how bad",
        "example": ["major"],
        "many": True,
        "required": False,
        "default": None,
    }
    assert [(one["series"], one["rows"]) for one in told["coverage"]] == [(None, 5)]
    assert [(one["series"], one["rows"]) for one in by_number["coverage"]] == [(2, 6)]


@pytest.mark.parametrize("name", ["market", "ohlc"])
def test_our_own_say_as_much(maker: SnapshotMaker, name: str) -> None:
    made = {
        "market": lambda: maker.snapshot(MARKET, prices()),
        "ohlc": lambda: maker.snapshot(OHLC, candles(), group="1h"),
    }
    (info,) = dataset_infos([made[name]()], endpoint="http://hub").values()
    assert all(column.example is not None for column in info.columns)
    assert {one.parameter for one in info.filters} >= {"symbols" if name == "market" else "symbol"}
    assert info.group == (None if name == "market" else "interval")
