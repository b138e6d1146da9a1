"""What changed and what is missing: revisions, differences, coverage."""

from typing import Any, Final

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from api.access.url_tokens import SECURITY
from api.caching.conditional import listing_of
from api.caching.descriptions import DESCRIBE
from api.caching.snapshot_queries import SnapshotsQuery, describe_snapshots
from api.engine.engine import Engine
from api.history.narrowing_parameters import asking_for
from api.history.queries import ask_coverage, ask_diff, ask_revisions
from api.history.revisions import CommitsQuery, revisions_of
from api.history.schemas import Coverage, Diff, Revisions
from api.history.service import names_series
from api.http.openapi import CONDITIONAL, QUERIED, problems
from api.http.parameters import choose_revision
from datahub_assets.datasets.registry import DATASETS

_NARROWING: Final = asking_for(tuple(DATASETS.values()), is_offered=names_series)


class HistoryController(Controller):
    """How the datasets came to be what they are."""

    path = "/api/hub"
    tags = ["Datasets"]
    security = SECURITY

    @get(
        "/revisions",
        summary="Commits of a dataset",
        dependencies={"asked": Provide(ask_revisions, sync_to_thread=False)},
        responses={**CONDITIONAL, **QUERIED},
    )
    async def revisions(
        self,
        request: Request[Any, Any, Any],
        engine: NamedDependency[Engine],
        asked: NamedDependency[CommitsQuery],
    ) -> Response[Revisions]:
        """Newest first, with branches and tags, from the local index."""
        return listing_of(request, revisions_of(engine, asked))

    @get(
        "/diff",
        summary="What changed between two commits",
        dependencies={"asked": Provide(ask_diff)},
        responses={**CONDITIONAL, **QUERIED, **problems(413)},
        opt={DESCRIBE: describe_snapshots},
    )
    async def diff(
        self, request: Request[Any, Any, Any], asked: NamedDependency[SkipValidation[SnapshotsQuery]]
    ) -> Response[Diff]:
        """Rows added, changed (before and after) and removed; each end is a commit, or the last one before a time.

        `X-Revision` is the commit at `to`, `X-Compared-To` the one at `from`; the answer itself names both.
        """
        return await asked.answer(request)

    @get(
        "/coverage",
        summary="What there is of each series, and what is missing",
        dependencies={
            "choice": Provide(choose_revision, sync_to_thread=False),
            "narrowing": Provide(_NARROWING, sync_to_thread=False),
            "asked": Provide(ask_coverage),
        },
        responses={**CONDITIONAL, **QUERIED},
        opt={DESCRIBE: describe_snapshots},
    )
    async def coverage(
        self, request: Request[Any, Any, Any], asked: NamedDependency[SkipValidation[SnapshotsQuery]]
    ) -> Response[Coverage]:
        """Rows, first and last time per series, and the gap ledger: since when, why, healed or not."""
        return await asked.answer(request)
