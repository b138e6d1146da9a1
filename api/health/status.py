"""The hub in brief: its status, and where its datasets are."""

from api.engine.engine import Engine
from api.engine.snapshot import dataset_url
from api.health.schemas import DatasetStatus, Status
from api.health.service import hub_health
from datahub_assets.domain.times import iso_short
from datahub_assets.settings import Settings

_MESSAGES = {
    "ok": "all datasets are being served from the Hub",
    "degraded": "the datasets are being served, but not all is well",
    "unavailable": "no dataset could be read from the Hub yet",
}


def status_of(engine: Engine, settings: Settings) -> Status:
    """The hub in brief; `healthy`, `degraded` or `unavailable`."""
    health = hub_health(engine, settings)
    endpoint = settings.hub_endpoint
    message = "; ".join([_MESSAGES[health.status], *health.reasons])
    return Status(
        status="healthy" if health.status == "ok" else health.status,
        message=message,
        market_dataset=_brief(engine, "market", endpoint=endpoint),
        ohlc_dataset=_brief(engine, "ohlc", endpoint=endpoint),
        datasets={name: _brief(engine, name, endpoint=endpoint) for name in engine.specs},
    )


def _brief(engine: Engine, name: str, *, endpoint: str) -> DatasetStatus:
    dataset = engine.datasets.get(name)
    url = dataset_url(dataset.repo_id, endpoint=endpoint) if dataset is not None else None
    if dataset is None or not dataset.is_ready:
        return DatasetStatus(available=False, records=0, url=url, revision=None, newest_row=None)
    snapshot = dataset.current
    return DatasetStatus(
        available=True, records=snapshot.rows, url=url, revision=snapshot.sha, newest_row=iso_short(snapshot.newest_ms)
    )
