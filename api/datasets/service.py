"""Describes a dataset at a commit: files, columns, coverage."""

from collections.abc import Sequence

from api.datasets.schemas import ColumnInfo, DatasetInfo, FileInfo, FilterInfo, GroupCoverage, LicenceInfo
from api.engine.snapshot import Snapshot, dataset_url
from datahub_assets.datasets.filters import Filter
from datahub_assets.domain.columns import Column
from datahub_assets.domain.times import iso_short


def dataset_infos(snapshots: Sequence[Snapshot], *, endpoint: str) -> dict[str, DatasetInfo]:
    """Datasets at their commits, by name."""
    return {snapshot.spec.name: dataset_info(snapshot, endpoint=endpoint) for snapshot in snapshots}


def dataset_info(snapshot: Snapshot, *, endpoint: str) -> DatasetInfo:
    """A dataset at a commit: files, columns, coverage."""
    spec = snapshot.spec
    return DatasetInfo(
        name=spec.name,
        title=spec.title,
        summary=spec.summary,
        provider=spec.provider,
        source=spec.source_url,
        licence=LicenceInfo(spec.licence.id, spec.licence.name, spec.licence.url),
        repo=snapshot.repo_id,
        url=dataset_url(snapshot.repo_id, endpoint=endpoint),
        revision=snapshot.sha,
        updated_at=iso_short(snapshot.commit.at_ms),
        rows=snapshot.rows,
        size=snapshot.size,
        key=list(spec.key),
        time=spec.time,
        series=spec.series,
        group=spec.group,
        final=spec.final,
        columns=[_column(column) for column in spec.columns],
        filters=[_filter(one) for one in spec.filters],
        coverage=[_coverage(snapshot, group) for group in sorted(snapshot.groups, key=str)],
        files=[FileInfo(file.path, file.size, file.content_id) for file in snapshot.files],
    )


def _column(column: Column) -> ColumnInfo:
    example = list(column.example) if isinstance(column.example, tuple) else column.example
    return ColumnInfo(column.name, str(column.kind.arrow), column.doc, column.unit, example)


def _filter(one: Filter) -> FilterInfo:
    return FilterInfo(
        parameter=one.parameter,
        column=one.column,
        description=one.doc,
        example=list(one.example),
        many=one.many,
        required=one.required,
        default=one.default,
    )


def _coverage(snapshot: Snapshot, group: str | None) -> GroupCoverage:
    files = [file for file in snapshot.groups[group] if file.rows]
    return GroupCoverage(
        group=group,
        series=None if snapshot.spec.series is None else len(snapshot.series[group]),
        rows=sum(file.rows for file in files),
        oldest=iso_short(min((file.min_ms for file in files), default=None)),
        newest=iso_short(max((file.max_ms for file in files), default=None)),
    )
