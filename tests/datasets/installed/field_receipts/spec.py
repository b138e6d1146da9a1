"""What the dataset of receipts is: a growing number names a row, files hold ranges of it, and rows become final."""

from datahub_assets.datasets.filters import Filter, Unknown
from datahub_assets.datasets.spec import CorrectionRule, DatasetSpec, Licence
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.tables import ByRange
from datahub_assets.domain.times import DAY_MS
from field_receipts.settings import ReceiptSettings

SPEC = DatasetSpec(
    name="receipts",
    title="Receipts",
    summary="Receipts by their number, as two registers tell them.",
    answer="The newest receipts, oldest of them first.",
    repo_name="field-receipts",
    provider="register",
    source_url="https://register.example.org",
    licence=Licence("cc0-1.0", "cc0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    source_asset="register_receipts",
    cache_table="cached_receipts",
    hub_asset="field_receipts",
    columns=(
        Column("register", ColumnKind.TEXT, "which register", example="north"),
        Column("number", ColumnKind.COUNT, "the receipt's number, growing by one", example=100_001, at_least=0),
        Column("stamped_at", ColumnKind.TIME, "when it was stamped, UTC", example="2025-11-25T10:30:00Z"),
        Column("amount", ColumnKind.NUMBER, "what was paid", unit="EUR", example=12.5),
        Column("settled", ColumnKind.FLAG, "whether it is final", example=True),
        Column("provider", ColumnKind.TEXT, "where the row came from", example="register"),
        Column("ingested_at", ColumnKind.TIME, "when it was fetched, UTC", example="2025-11-25T10:31:00Z"),
    ),
    key=("register", "number"),
    time="stamped_at",
    series="register",
    final="settled",
    partitioning=ByRange("number", 1000),
    filters=(
        Filter(
            parameter="register",
            column="register",
            doc="which register",
            example=("north",),
            names_row=True,
            unknown=Unknown("unknown_register", "register"),
        ),
        Filter(parameter="number", column="number", doc="numbers of receipts", example=("100001",)),
        Filter(parameter="settled_only", column="settled", doc="leave out receipts that are not final"),
    ),
    default_limit=200,
    corrections=CorrectionRule(noticed="Whatever the register changes in a receipt it tells again is noticed."),
    retention_ms=30 * DAY_MS,
    settings=ReceiptSettings,
)
