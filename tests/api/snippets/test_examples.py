"""Every dataset has a query to begin with, made of what its filters give as examples."""

import httpx
import pytest

from api.caching.descriptions import Description
from api.web.endpoints import Endpoint
from api.web.snippets import example_query, query_of, snippets_of
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from tests.api.conftest import Client
from tests.api.installed import INCIDENTS, RECEIPTS


@pytest.mark.parametrize(
    ("spec", "query"),
    [
        (MARKET, "/api/hub/market?symbols=BTC,ETH&limit=24"),
        (OHLC, "/api/hub/ohlc?symbol=BTCUSDT&interval=1h&limit=24"),
        (INCIDENTS, "/api/hub/incidents?severity=major&limit=24"),
        (RECEIPTS, "/api/hub/receipts?register=north&limit=24"),
    ],
    ids=lambda value: value.name if isinstance(value, DatasetSpec) else "",
)
def test_an_example_is_made_of_the_filters(spec: DatasetSpec, query: str) -> None:
    assert example_query(spec) == query
    parameters = dict.fromkeys((*(one.parameter for one in spec.filters), "limit", "format", "revision"), False)
    endpoint = Endpoint(f"/api/hub/{spec.name}", parameters, is_table=True, route=f"/api/hub/{spec.name}")
    asked = query_of(query, (), endpoints={endpoint.path: endpoint})
    found = snippets_of(asked, Description("a" * 40), base="http://hub")
    assert set(found.code) == {"curl", "python", "javascript", "polars", "duckdb"}
    assert found.permalink == f"http://hub{query}&revision={'a' * 40}"


def test_without_a_question_there_is_an_example_of_each_dataset_that_runs(client: Client) -> None:
    found = client.get("/api/hub/snippets").json()
    assert found.keys() == DATASETS.keys()
    for name, snippets in found.items():
        answer = client.get(httpx.URL(snippets["permalink"]).raw_path.decode())
        assert answer.status_code == 200
        assert answer.json()
        assert answer.headers["x-revision"] == snippets["revision"]
        assert f"/api/hub/{name}" in snippets["code"]["curl"]
        assert "polars" in snippets["code"]
