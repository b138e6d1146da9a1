"""Frames of rows and what is kept of a rejected one. Merging has tests of its own."""

import json
import math
from datetime import UTC, datetime

import pytest

from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.rows import Rejected, frame_of


@pytest.mark.parametrize("spec", DATASETS.values(), ids=DATASETS.keys())
def test_no_rows_are_a_frame_of_the_same_shape(spec: DatasetSpec) -> None:
    assert dict(frame_of(spec, []).schema) == spec.polars_schema()


def test_times_may_be_milliseconds() -> None:
    frame = frame_of(
        MARKET, [{"coin_id": "bitcoin", "timestamp": 1_500, "ingested_at": datetime(1970, 1, 1, tzinfo=UTC)}]
    )
    assert frame["timestamp"].to_list() == [datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)]
    assert frame["ingested_at"].dt.epoch("ms").to_list() == [0]
    assert frame["price"].to_list() == [None]


def test_a_rejected_row_keeps_what_upstream_sent() -> None:
    raw = {"id": "bitcoin", "current_price": math.inf, "name": "₿\ud800"}
    rejected = Rejected.of(MARKET, subject="bitcoin", reason="no", raw=raw)
    assert rejected.dataset == "market"
    assert json.loads(rejected.raw) == raw
    assert rejected.raw.isascii()
