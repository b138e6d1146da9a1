"""When data counts as old, its dataset's spec says: by the newest row, or the commit where rows are old by nature."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from api.engine.dataset import Freshness
from api.engine.engine import Engine
from api.engine.hub.reader import HubCommit
from api.engine.snapshot import Snapshot
from api.health.service import DatasetHealth, hub_health
from api.health.status import status_of
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.times import utc_datetime
from datahub_assets.settings import Settings
from tests.api.installed import INCIDENTS, incidents
from tests.api.snapshots import SnapshotMaker
from tests.api.workers import candles, prices

MINUTE_S = 60


@pytest.fixture
def maker(tmp_path: Path) -> Iterator[SnapshotMaker]:
    maker = SnapshotMaker(tmp_path)
    yield maker
    maker.close()


def engine_of(*snapshots: Snapshot) -> Engine:
    """Serves these, and heard of the Hub just now."""
    datasets = {
        one.spec.name: SimpleNamespace(
            is_ready=True, current=one, freshness=Freshness(seen_at_s=time.time()), repo_id=one.repo_id
        )
        for one in snapshots
    }
    specs = {one.spec.name: one.spec for one in snapshots}
    return cast("Engine", SimpleNamespace(datasets=datasets, specs=specs, binding_error=None))


def settings(home: Path) -> Settings:
    return Settings.from_env({"DATAHUB_HOME": str(home), "HF_ENDPOINT": "http://127.0.0.1:9"})


def health_of(
    maker: SnapshotMaker, spec: DatasetSpec, rows: pl.DataFrame, home: Path, **ages_s: float
) -> DatasetHealth:
    """Of rows stamped so long ago, committed so long ago."""
    now_ms = round(time.time() * 1000)
    stamped = rows.with_columns(pl.lit(utc_datetime(now_ms - round(ages_s["row"] * 1000))).alias(spec.time))
    snapshot = maker.snapshot(spec, stamped, group=rows[spec.group][0] if spec.group else None)
    committed = HubCommit("a" * 40, now_ms - round(ages_s["commit"] * 1000), "")
    return hub_health(engine_of(replace(snapshot, commit=committed)), settings(home)).datasets[spec.name]


PATIENT = replace(INCIDENTS, stale_warn_ms=3_600_000, stale_fail_ms=7_200_000)
CASES: list[tuple[DatasetSpec, Any, dict[str, float], bool]] = [
    (MARKET, prices(), {"row": 4.5 * MINUTE_S, "commit": 0}, False),
    (MARKET, prices(), {"row": 5.5 * MINUTE_S, "commit": 0}, True),
    (OHLC, candles(("BTCUSDT",), count=1), {"row": 50 * MINUTE_S, "commit": 4.5 * MINUTE_S}, False),
    (OHLC, candles(("BTCUSDT",), count=1), {"row": 0, "commit": 5.5 * MINUTE_S}, True),
    (PATIENT, incidents(1), {"row": 50 * MINUTE_S, "commit": 50 * MINUTE_S}, False),
    (PATIENT, incidents(1), {"row": 70 * MINUTE_S, "commit": 0}, True),
]


@pytest.mark.parametrize(("spec", "rows", "ages_s", "old"), CASES)
def test_data_is_old_when_its_spec_says_so(
    maker: SnapshotMaker, tmp_path: Path, spec: DatasetSpec, rows: Any, ages_s: dict[str, float], *, old: bool
) -> None:
    found = health_of(maker, spec, rows, tmp_path, **ages_s)
    assert (found.status, len(found.reasons)) == (("degraded", 1) if old else ("ok", 0)), found.reasons


def test_the_status_has_every_dataset_and_the_two_clients_know_besides(maker: SnapshotMaker, tmp_path: Path) -> None:
    engine = engine_of(maker.snapshot(MARKET, prices()), maker.snapshot(INCIDENTS, incidents(3)))
    found = status_of(engine, settings(tmp_path))
    assert {name: one.records for name, one in found.datasets.items()} == {"market": 4, "incidents": 3}
    assert found.market_dataset == found.datasets["market"]
    assert (found.ohlc_dataset.available, found.ohlc_dataset.records) == (False, 0)
    assert found.datasets["incidents"].url == "http://127.0.0.1:9/datasets/local/field-incidents"
