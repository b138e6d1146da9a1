"""The card of any dataset: its front matter, its columns with units, where its rows lie, its terms."""

from dataclasses import replace
from typing import Any

import pytest
import yaml

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.ledgers import ledgers_of
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.stores.hub import card
from datahub_assets.stores.hub.card import Summary
from tests.datasets.foreign import INCIDENTS, RECEIPTS

SUMMARY = Summary(window_start=1_763_985_600_000, rows=1234, first=1_763_985_600_000, newest=1_763_985_660_000)
FILES = {
    "market": ["data/2025-11-24.parquet", "data/live/1200.parquet"],
    "ohlc": ["data/1h/open.parquet", "data/1h/2025-11.parquet", "data/1d/2025.parquet"],
    "incidents": ["data/live/1200.parquet"],
    "receipts": ["data/open.parquet", "data/today.parquet", "data/000000100000-000000100999.parquet"],
}


def rendered(spec: DatasetSpec, **changes: Any) -> str:
    spec = replace(spec, **changes)
    content = card.render(
        spec, repo_id=f"me/{spec.repo_name}", summary=SUMMARY, paths=FILES[spec.name], ledgers=ledgers_of(spec)
    )
    assert card.read_summary(content) == SUMMARY
    return content.decode()


def front(spec: DatasetSpec) -> dict[str, Any]:
    return dict(yaml.safe_load(rendered(spec).split("---\n")[1]))


@pytest.mark.parametrize(
    ("spec", "licence"),
    [
        (
            MARKET,
            {
                "license": "other",
                "license_name": "coingecko-api-terms",
                "license_link": "https://www.coingecko.com/en/api_terms",
            },
        ),
        (INCIDENTS, {"license": "cc-by-4.0"}),
        (RECEIPTS, {"license": "cc0-1.0"}),
    ],
    ids=lambda value: value.name if isinstance(value, DatasetSpec) else "",
)
def test_the_licence_is_one_of_the_hubs_or_named_with_its_text(spec: DatasetSpec, licence: dict[str, str]) -> None:
    assert {name: value for name, value in front(spec).items() if name.startswith("license")} == licence
    assert f"under its terms: [{spec.licence.name}]({spec.licence.url})" in rendered(spec)


@pytest.mark.parametrize(
    ("spec", "tags"),
    [
        (MARKET, ["cryptocurrency", "finance", "time-series", "coingecko"]),
        (RECEIPTS, ["time-series", "register"]),
    ],
    ids=lambda value: value.name if isinstance(value, DatasetSpec) else "",
)
def test_tags_are_those_of_the_spec(spec: DatasetSpec, tags: list[str]) -> None:
    assert front(spec)["tags"] == tags


@pytest.mark.parametrize(
    ("spec", "configs"),
    [
        (MARKET, {"default": ["data/*.parquet", "data/*/*.parquet"]}),
        (
            OHLC,
            {
                "default": ["data/1d/*.parquet", "data/1d/*/*.parquet", "data/1h/*.parquet", "data/1h/*/*.parquet"],
                "1d": ["data/1d/*.parquet", "data/1d/*/*.parquet"],
                "1h": ["data/1h/*.parquet", "data/1h/*/*.parquet"],
                "gaps": ["gaps/gaps.parquet"],
                "corrections": ["corrections/corrections.parquet"],
            },
        ),
        (INCIDENTS, {"default": ["data/*.parquet", "data/*/*.parquet"]}),
        (
            RECEIPTS,
            {"default": ["data/*.parquet", "data/*/*.parquet"], "corrections": ["corrections/corrections.parquet"]},
        ),
    ],
    ids=lambda value: value.name if isinstance(value, DatasetSpec) else "",
)
def test_configs_name_every_file_of_rows_and_ledgers(spec: DatasetSpec, configs: dict[str, list[str]]) -> None:
    found = front(spec)["configs"]
    assert {one["config_name"]: one["data_files"][0]["path"] for one in found} == configs
    assert [one["config_name"] for one in found if one.get("default")] == ["default"]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            MARKET,
            [
                "The newest rows come to `data/live/`, one small file per publish; once the hour is over",
                "they rest in `data/hours/`, and once the day is over in the file of their day.",
            ],
        ),
        (
            OHLC,
            [
                "`data/{interval}/open.parquet` holds rows still forming (`closed` is false).",
                "The newest rows of 1m, 3m, 5m, 15m, 30m come to `data/{interval}/live/`, one small file per publish;",
                "The rows of 1h, 2h, 4h, 6h, 8h, 12h, 1d of the current UTC day are in `data/{interval}/today.parquet`",
                "once the day is over they rest in `data/{interval}/days/`, and once the month is over in the file of",
            ],
        ),
        (
            RECEIPTS,
            [
                "`data/open.parquet` holds rows still forming (`settled` is false).",
                "once the day is over in the file of their range of `number`, 1,000 to a file.",
            ],
        ),
        (INCIDENTS, ["The rows of the current UTC day are in `data/today.parquet`;", "in the file of their month."]),
    ],
    ids=["market", "ohlc", "receipts", "incidents"],
)
def test_where_rows_lie_is_told_by_the_spec(spec: DatasetSpec, told: list[str]) -> None:
    text = " ".join(rendered(spec).split())
    assert [words for words in told if words not in text] == []


@pytest.mark.parametrize("spec", [MARKET, OHLC, INCIDENTS, RECEIPTS], ids=lambda spec: str(spec.name))
def test_every_column_stands_there_with_type_unit_and_meaning(spec: DatasetSpec) -> None:
    text = rendered(spec)
    for column in spec.columns:
        assert f"| `{column.name}` | {column.kind.arrow} | {column.unit or ''} | {column.doc} |" in text
    assert f"| key | {', '.join(f'`{name}`' for name in spec.key)} |" in text


def test_a_card_speaks_of_its_own_rows() -> None:
    assert "Candles that should exist between the first and the last one of a series" in rendered(OHLC)
    for spec in (INCIDENTS, RECEIPTS):
        text = rendered(spec).lower()
        assert not [word for word in ("candle", "coin", "price", "closed", "exchange", "symbol") if word in text]


def test_how_far_back_rows_reach_is_told_where_upstream_has_a_history() -> None:
    assert "binance has rows since 2017-08-17T04:00:00Z. At first the newest 1,000 candles" in rendered(OHLC)
    assert " has rows since " not in rendered(MARKET)
