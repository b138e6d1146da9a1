"""What a person sees about a materialization: counts, times, links, a few rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg
import polars as pl

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.rows import Rejected
from datahub_assets.domain.times import iso

_PREVIEW_ROWS = 8
_PREVIEW_COLUMNS = 10
_REASONS = 5


def of_rows(spec: DatasetSpec, frame: pl.DataFrame, *, now_ms: int) -> dict[str, Any]:
    """Row count, time of the newest row, how long ago that was, and a preview of the newest rows."""
    newest = frame.select(spec.time_ms().max()).item()
    facts: dict[str, Any] = {"dagster/row_count": frame.height}
    if newest is not None:
        facts["newest_timestamp"] = iso(newest)
        facts["lag_s"] = round((now_ms - newest) / 1000, 1)
        facts["preview"] = preview(frame.sort(spec.time, descending=True), columns=spec.column_names)
    return facts


def preview(frame: pl.DataFrame, *, columns: Sequence[str]) -> dg.MarkdownMetadataValue:
    """The first rows and columns as a Markdown table."""
    shown = list(columns)[:_PREVIEW_COLUMNS]
    lines = [f"| {' | '.join(shown)} |", f"|{'---|' * len(shown)}"]
    lines += [
        f"| {' | '.join(_cell(value) for value in row)} |" for row in frame.select(shown).head(_PREVIEW_ROWS).rows()
    ]
    return dg.MetadataValue.md("\n".join(lines))


def of_rejected(rejected: Sequence[Rejected]) -> Mapping[str, Any]:
    """The first rejected rows with their reasons."""
    if not rejected:
        return {}
    lines = [
        "| row of | reason |",
        "|---|---|",
        *(f"| {_cell(r.subject)} | {_cell(r.reason)} |" for r in rejected[:_REASONS]),
    ]
    return {"rejected_rows": dg.MetadataValue.md("\n".join(lines))}


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return str(value).replace("|", "\\|").replace("\n", " ")
