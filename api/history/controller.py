"""What changed and what is missing: revisions, differences, coverage."""

from functools import partial
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from api.caching.conditional import json_of, listing_of
from api.caching.revisions import snapshot_at
from api.engine.engine import Engine
from api.history.narrowing import Narrowing
from api.history.narrowing_parameters import asking_for
from api.history.revisions import revisions_of
from api.history.schemas import Coverage, Diff, Revisions
from api.history.service import coverage_of, diff_of, names_series
from api.http.errors import InvalidParameter
from api.http.openapi import CONDITIONAL, QUERIED, problems
from api.http.parameters import LIMIT_BOUNDS, DatasetName, FromAsOf, ToAsOf, choose_revision, example
from api.http.reading import RevisionChoice, check_range, revision_or_time
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.domain.hub_files import FULL_SHA

_PAGE_LIMITS = {"minimum": 1, "maximum": 1000}
_OF_COVERAGE: Final = next((spec.name for spec in DATASETS.values() if spec.gaps is not None), next(iter(DATASETS)))
"""The dataset whose coverage is told unless another is named: one that knows what is missing, if there is one."""
_NARROWING: Final = asking_for(tuple(DATASETS.values()), is_offered=names_series)


class HistoryController(Controller):
    """How the datasets came to be what they are."""

    path = "/api/hub"
    tags = ["Datasets"]
    security = [{"bearer": []}]

    @get("/revisions", summary="Commits of a dataset", responses={**CONDITIONAL, **QUERIED})
    async def revisions(
        self,
        request: Request[Any, Any, Any],
        *,
        engine: NamedDependency[Engine],
        dataset: DatasetName,
        limit: Annotated[int, QueryParameter(schema_extra=_PAGE_LIMITS, description="most commits of an answer")] = 100,
        before: Annotated[str | None, QueryParameter(description="only commits older than this one")] = None,
    ) -> Response[Revisions]:
        """Newest first, with branches and tags, from the local index."""
        check_range("limit", limit, _PAGE_LIMITS)
        found = revisions_of(engine, engine.dataset(dataset), limit=limit, before=before)
        return listing_of(request, found)

    @get("/diff", summary="What changed between two commits", responses={**CONDITIONAL, **QUERIED, **problems(413)})
    async def diff(
        self,
        request: Request[Any, Any, Any],
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
    ) -> Response[Diff]:
        """Rows added, changed (before and after) and removed; each end is a commit, or the last one before a time.

        `X-Revision` is the commit at `to`, `X-Compared-To` the one at `from`; the answer itself names both.
        """
        check_range("limit", limit, LIMIT_BOUNDS)
        if earlier is None and earlier_as_of is None:
            raise InvalidParameter.of("from", "", valid="a branch, tag or commit, or from_as_of with a time")
        choices = (
            revision_or_time(earlier, earlier_as_of, names=("from", "from_as_of")),
            revision_or_time(later, later_as_of, names=("to", "to_as_of")),
        )
        one, two = [await snapshot_at(engine, dataset, choice) for choice in choices]
        immutable = all(FULL_SHA.fullmatch(choice.revision or "") for choice in choices)
        compute = partial(diff_of, one, two, limit=limit)
        return await json_of(request, (two,), compute, compared_to=one, immutable=immutable)

    @get(
        "/coverage",
        summary="What there is of each series, and what is missing",
        dependencies={
            "choice": Provide(choose_revision, sync_to_thread=False),
            "narrowing": Provide(_NARROWING, sync_to_thread=False),
        },
        responses={**CONDITIONAL, **QUERIED},
    )
    async def coverage(
        self,
        request: Request[Any, Any, Any],
        *,
        engine: NamedDependency[Engine],
        choice: NamedDependency[RevisionChoice],
        narrowing: NamedDependency[Narrowing],
        dataset: DatasetName = _OF_COVERAGE,
    ) -> Response[Coverage]:
        """Rows, first and last time per series, and the gap ledger: since when, why, healed or not."""
        snapshot = await snapshot_at(engine, dataset, choice)
        compute = partial(coverage_of, snapshot, narrowing=narrowing)
        return await json_of(request, (snapshot,), compute, immutable=choice.is_immutable)
