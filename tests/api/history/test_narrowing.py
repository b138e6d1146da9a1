"""The parameters that narrow down what is asked of any dataset, as handlers take them and as they are checked."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, get
from litestar.di import NamedDependency, Provide
from litestar.testing import TestClient

from api.history.narrowing import Narrowing, check_narrowing
from api.history.narrowing_parameters import asking_for
from api.history.service import names_series
from api.http.errors import ApiError
from api.http.problems import problem_response
from api.http.reading import known_parameters_only
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.filters import Filter
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from tests.api.installed import INCIDENTS, RECEIPTS, incidents, receipts
from tests.api.snapshots import SnapshotMaker
from tests.api.workers import candles, prices

ALL = (MARKET, OHLC, INCIDENTS, RECEIPTS)


def asked(specs: tuple[DatasetSpec, ...], **options: Any) -> Litestar:
    """An application that says what it was asked."""

    @get("/", dependencies={"narrowing": Provide(asking_for(specs, **options), sync_to_thread=False)})
    async def handler(narrowing: NamedDependency[Narrowing]) -> list[tuple[str, list[str]]]:
        return [(name, list(values)) for name, values in narrowing.given]

    return Litestar(
        [handler],
        guards=[known_parameters_only],
        dependencies={"register": Provide(lambda: "something else", sync_to_thread=False)},
        exception_handlers={Exception: problem_response},
    )


def parameters(app: Litestar) -> dict[str, Any]:
    schema = app.openapi_schema.to_schema()
    return {one["name"]: one for one in schema["paths"]["/"]["get"]["parameters"]}


def test_there_is_a_parameter_for_each_filter() -> None:
    found = parameters(asked(ALL))
    assert list(found) == [
        *("symbol", "symbols", "coin_ids", "interval", "closed_only"),
        *("severity", "service", "register", "number", "settled_only"),
    ]
    assert not any(one["required"] for one in found.values())
    assert found["severity"]["description"] == "of `incidents`: how bad"
    for said in ("of `market`: tickers", "or CoinGecko ids", "of `ohlc`: pairs", "of `receipts`: which register"):
        assert said in found["symbol"]["description"]


def test_coverage_offers_what_names_series() -> None:
    found = parameters(asked(ALL, is_offered=names_series))
    assert list(found) == ["symbol", "symbols", "coin_ids", "interval", "register"]
    assert list(parameters(asked((INCIDENTS, OHLC), is_offered=names_series))) == ["symbol", "interval"]


@pytest.mark.parametrize(
    ("query", "given"),
    [
        ("", []),
        ("symbol=a,b&symbol=c&severity=major", [["symbol", ["a", "b", "c"]], ["severity", ["major"]]]),
        ("symbol=,&register=", []),
        ("settled_only=true&closed_only=false", [["settled_only", ["true"]]]),
        ("interval=1h,4h", [["interval", ["1h,4h"]]]),
        ("register=north&number=1,2", [["register", ["north"]], ["number", ["1", "2"]]]),
    ],
)
def test_values_are_read_as_their_filters_say(query: str, given: list[Any]) -> None:
    with TestClient(asked(ALL)) as client:
        assert client.get(f"/?{query}").json() == given


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("regster=north", "unknown_parameter"),
        ("by_register=north", "unknown_parameter"),
        ("interval=1h&interval=4h", "repeated_parameter"),
        ("settled_only=perhaps", "invalid_parameter"),
    ],
)
def test_what_cannot_be_read_is_refused(query: str, code: str) -> None:
    with TestClient(asked(ALL)) as client:
        answer = client.get(f"/?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.fixture
def maker(tmp_path: Path) -> Iterator[SnapshotMaker]:
    maker = SnapshotMaker(tmp_path)
    yield maker
    maker.close()


@pytest.mark.parametrize(
    ("datasets", "given", "code"),
    [
        ("market,ohlc,incidents,receipts", {"symbol": "btcusdt"}, None),
        ("market,ohlc,incidents,receipts", {"symbol": "bitcoin"}, None),
        ("market,ohlc,incidents,receipts", {"symbol": "NORTH"}, None),
        ("market,ohlc,incidents,receipts", {"symbol": "nobody"}, "unknown_symbol"),
        ("receipts", {"symbol": "nobody"}, "unknown_register"),
        ("ohlc,receipts", {"symbol": "bitcoin"}, "unknown_symbol"),
        ("market,ohlc", {"interval": "1h"}, None),
        ("market,ohlc", {"interval": "9h"}, "unknown_interval"),
        ("market", {"interval": "1h"}, "unknown_interval"),
        ("incidents", {"severity": "unheard-of"}, None),
        ("market", {"severity": "major"}, "invalid_parameter"),
        ("receipts", {"number": "100001"}, None),
        ("receipts", {"number": "²"}, "invalid_parameter"),
        ("receipts", {"number": "9" * 19}, "invalid_parameter"),
        ("receipts", {"number": "-1"}, None),
        ("receipts", {"settled_only": "true"}, None),
        ("ohlc", {"settled_only": "true"}, "invalid_parameter"),
    ],
)
def test_values_are_looked_for_in_the_datasets_meant(
    maker: SnapshotMaker, monkeypatch: pytest.MonkeyPatch, datasets: str, given: dict[str, str], code: str | None
) -> None:
    monkeypatch.setattr("api.history.narrowing.DATASETS", {spec.name: spec for spec in ALL})
    made = {
        "market": lambda: maker.snapshot(MARKET, prices()),
        "ohlc": lambda: maker.snapshot(OHLC, candles(count=3), group="1h"),
        "incidents": lambda: maker.snapshot(INCIDENTS, incidents(3)),
        "receipts": lambda: maker.snapshot(RECEIPTS, receipts("north", 3)),
    }
    snapshots = [made[name]() for name in datasets.split(",")]
    narrowing = Narrowing(tuple((name, (value,)) for name, value in given.items()))
    found = None
    try:
        check_narrowing(snapshots, narrowing, where="all of this")
    except ApiError as error:
        found = error.code
    assert found == code


def test_a_parameter_of_two_kinds_is_read_as_words() -> None:
    flag = Filter(parameter="severity", column="settled", doc="as a flag")
    with TestClient(asked((INCIDENTS, replace(RECEIPTS, filters=(flag,))))) as client:
        assert client.get("/?severity=major,true").json() == [["severity", ["major", "true"]]]
