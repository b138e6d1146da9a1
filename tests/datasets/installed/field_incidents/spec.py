"""What the dataset of incidents is: a text names a row, many rows have one time, and they form no series."""

from datahub_assets.datasets.filters import Filter, Spelling
from datahub_assets.datasets.spec import DatasetSpec, Licence, NewestRows
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.tables import ByTime, Period
from datahub_assets.domain.times import DAY_MS
from field_incidents.settings import IncidentSettings

SPEC = DatasetSpec(
    name="incidents",
    title="Incidents",
    summary="Incidents of services, as their status page tells them.",
    answer="The newest incidents first; with `start` or `end` those of that time.",
    repo_name="field-incidents",
    provider="statuspage",
    source_url="https://status.example.org",
    licence=Licence("cc-by-4.0", "cc-by-4.0", "https://creativecommons.org/licenses/by/4.0/"),
    source_asset="incident_reports",
    cache_table="cached_incidents",
    hub_asset="field_incidents",
    columns=(
        Column("incident_id", ColumnKind.TEXT, "the status page's id", example="inc-000001"),
        Column("timestamp", ColumnKind.TIME, "when it was noticed, UTC", example="2025-11-25T10:30:00Z"),
        Column("headline", ColumnKind.TEXT, "what happened", example="Delayed withdrawals"),
        Column("severity", ColumnKind.TEXT, "`minor` or `major`", example="minor"),
        Column("services", ColumnKind.TEXTS, "services that were hit", example=("wallet", "api")),
        Column("affected", ColumnKind.COUNT, "how many accounts were hit", example=12, at_least=0),
        Column("provider", ColumnKind.TEXT, "where the row came from", example="statuspage"),
        Column("ingested_at", ColumnKind.TIME, "when it was fetched, UTC", example="2025-11-25T10:31:00Z"),
    ),
    key=("incident_id",),
    partitioning=ByTime(Period.MONTH),
    filters=(
        Filter(parameter="severity", column="severity", doc="how bad", example=("major",), spelling=Spelling.LOWER),
        Filter(parameter="service", column="services", doc="one of the services hit", example=("wallet",)),
    ),
    newest=NewestRows(newest_first=True),
    retention_ms=30 * DAY_MS,
    settings=IncidentSettings,
)
