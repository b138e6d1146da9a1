"""What callers may ask of history, checked: commits, differences and coverage."""

from functools import partial
from typing import Annotated, Final

from litestar.di import NamedDependency
from litestar.params import QueryParameter

from api.caching.revisions import snapshot_at
from api.caching.snapshot_queries import SnapshotsQuery
from api.engine.engine import Engine
from api.history.narrowing import Narrowing
from api.history.revisions import CommitsQuery, indexed
from api.history.service import check_coverage, coverage_of, diff_of
from api.http.errors import InvalidParameter
from api.http.parameters import LIMIT_BOUNDS, DatasetName, FromAsOf, ToAsOf, example
from api.http.reading import RevisionChoice, check_range, revision_or_time
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.domain.files.hub_files import FULL_SHA

_PAGE_LIMITS: Final = {"minimum": 1, "maximum": 1000}
_OF_COVERAGE: Final = next((spec.name for spec in DATASETS.values() if spec.gaps is not None), next(iter(DATASETS)))
"""The dataset whose coverage is told unless another is named: one that knows what is missing, if there is one."""


def ask_revisions(
    *,
    engine: NamedDependency[Engine],
    dataset: DatasetName,
    limit: Annotated[int, QueryParameter(schema_extra=_PAGE_LIMITS, description="most commits of an answer")] = 100,
    before: Annotated[str | None, QueryParameter(description="only commits older than this one")] = None,
) -> CommitsQuery:
    """The commits a caller means.

    Raises:
        InvalidParameter, UnknownDataset, RevisionUnknown, DatasetNotReady: said by name.
    """
    check_range("limit", limit, _PAGE_LIMITS)
    known = engine.dataset(dataset)
    return CommitsQuery(known, limit, None if before is None else indexed(engine, known, before))


async def ask_diff(
    *,
    engine: NamedDependency[Engine],
    dataset: DatasetName,
    earlier: Annotated[
        str | None,
        QueryParameter(name="from", description="branch, tag or commit to compare from", examples=example("main")),
    ] = None,
    later: Annotated[
        str | None,
        QueryParameter(name="to", description="branch, tag or commit to compare to; the newest commit by default"),
    ] = None,
    earlier_as_of: FromAsOf = None,
    later_as_of: ToAsOf = None,
    limit: Annotated[
        int,
        QueryParameter(schema_extra=LIMIT_BOUNDS, description="most rows of each kind; counts are always complete"),
    ] = 1000,
) -> SnapshotsQuery:
    """The two commits a caller means. Raises InvalidParameter, and as `snapshot_at`."""
    check_range("limit", limit, LIMIT_BOUNDS)
    if earlier is None and earlier_as_of is None:
        raise InvalidParameter.of("from", "", valid="a branch, tag or commit, or from_as_of with a time")
    choices = (
        revision_or_time(earlier, earlier_as_of, names=("from", "from_as_of")),
        revision_or_time(later, later_as_of, names=("to", "to_as_of")),
    )
    one, two = [await snapshot_at(engine, dataset, choice) for choice in choices]
    immutable = all(FULL_SHA.fullmatch(choice.revision or "") for choice in choices)
    return SnapshotsQuery((two,), partial(diff_of, one, two, limit=limit), compared_to=one, immutable=immutable)


async def ask_coverage(
    *,
    engine: NamedDependency[Engine],
    choice: NamedDependency[RevisionChoice],
    narrowing: NamedDependency[Narrowing],
    dataset: DatasetName = _OF_COVERAGE,
) -> SnapshotsQuery:
    """The commit a caller means, and what its coverage is narrowed down to. Raises as `snapshot_at`."""
    snapshot = await snapshot_at(engine, dataset, choice)
    return SnapshotsQuery(
        (snapshot,),
        partial(coverage_of, snapshot, narrowing=narrowing),
        check=partial(check_coverage, snapshot, narrowing=narrowing),
        immutable=choice.is_immutable,
    )
