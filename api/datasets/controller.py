"""Dataset information over HTTP."""

from functools import partial
from typing import Annotated, Any

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter, SkipValidation

from api.access.url_tokens import SECURITY
from api.caching.descriptions import DESCRIBE
from api.caching.revisions import Pinned, snapshot_at, snapshots_at
from api.caching.snapshot_queries import SnapshotsQuery, describe_snapshots
from api.datasets.schemas import DatasetInfo
from api.datasets.service import dataset_infos
from api.engine.engine import Engine
from api.http.openapi import CONDITIONAL, QUERIED
from api.http.parameters import DATASET_NAMES, choose_revision
from api.http.reading import RevisionChoice
from datahub_assets.settings import Settings


async def ask_info(
    *,
    engine: NamedDependency[Engine],
    settings: NamedDependency[Settings],
    choice: NamedDependency[RevisionChoice],
    dataset: Annotated[str | None, QueryParameter(description=f"only this dataset: one of {DATASET_NAMES}")] = None,
) -> SnapshotsQuery:
    """The datasets a caller means, at their commits. Raises as `snapshot_at` and `snapshots_at`."""
    if dataset is not None:
        pinned = [Pinned(await snapshot_at(engine, dataset, choice), immutable=choice.is_immutable)]
    else:
        pinned = await snapshots_at(engine, choice)
    snapshots = [one.snapshot for one in pinned]
    compute = partial(dataset_infos, snapshots, endpoint=settings.hub_endpoint)
    is_whole = dataset is not None or len(pinned) == len(engine.specs)  # else there is more to tell later
    return SnapshotsQuery(snapshots, compute, immutable=is_whole and all(one.immutable for one in pinned))


class DatasetsController(Controller):
    """What the datasets are and were."""

    path = "/api/hub"
    tags = ["Datasets"]
    security = SECURITY
    dependencies = {"choice": Provide(choose_revision, sync_to_thread=False), "asked": Provide(ask_info)}

    @get(
        "/dataset-info",
        summary="Everything about the datasets",
        responses={**CONDITIONAL, **QUERIED},
        opt={DESCRIBE: describe_snapshots},
    )
    async def dataset_info(
        self, request: Request[Any, Any, Any], asked: NamedDependency[SkipValidation[SnapshotsQuery]]
    ) -> Response[dict[str, DatasetInfo]]:
        """Per dataset: repo, revision, files and sizes, rows, coverage, columns, filters, source and licence."""
        return await asked.answer(request)
