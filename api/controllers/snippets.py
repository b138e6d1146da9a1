"""Queries as permalinks and as code."""

import re
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from api.controllers.responses import QUERIED
from api.engine.engine import Engine
from api.guards import each_parameter_once
from api.parameters import example
from api.queries import choose_revision
from api.revisions import commit_at, revision_name, snapshots_at
from api.snippets import PATHS, Query, Snippets, query_of, snippets_of
from datahub_assets.settings import Settings

_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,255}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
_EXAMPLE: Final = "/api/hub/ohlc?symbol=BTCUSDT&interval=1h&limit=24"


class SnippetsController(Controller):
    """Queries as permalinks and as code."""

    path = "/api/hub/snippets"
    tags = ["Rows"]  # noqa: RUF012 - Litestar reads it from the class
    security = [{"bearer": []}]  # noqa: RUF012
    guards = [each_parameter_once]  # noqa: RUF012

    @get(summary="A query as a permalink and as code", responses=QUERIED)
    async def snippets(
        self,
        request: Request[Any, Any, Any],
        *,
        engine: NamedDependency[Engine],
        settings: NamedDependency[Settings],
        path: Annotated[
            str,
            QueryParameter(description=f"the query: {', '.join(PATHS)} and its parameters", examples=example(_EXAMPLE)),
        ],
    ) -> Response[Snippets]:
        """For curl, Python (httpx), polars, DuckDB and JavaScript; the query's parameters may also stand beside `path`.

        The permalink names the commits there are now (or those of `revision` or `as_of`), so it gives the same answer
        as long as the Hub holds them. The code reads the token from the environment variable `DATAHUB_TOKEN`.
        """
        further = [(name, value) for name, value in request.query_params.multi_items() if name != "path"]
        query = query_of(path, further)
        revision = await _revision(engine, query)
        found = snippets_of(query, base=_base(request, settings), revision=revision)
        return Response(found, headers={"X-Revision": revision, "Cache-Control": "no-store"})


async def _revision(engine: Engine, query: Query) -> str:
    """The commits a query means now, as `X-Revision` writes them."""
    choice = choose_revision(query.value("revision"), query.value("as_of"))
    if query.endpoint.dataset is not None:
        return (await commit_at(engine.dataset(query.endpoint.dataset), choice)).sha
    return revision_name([pinned.snapshot for pinned in await snapshots_at(engine, choice)])


def _base(request: Request[Any, Any, Any], settings: Settings) -> str:
    """How the caller reaches this server."""
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        host = f"{settings.bind_host}:{settings.api_port}"
    return f"{request.url.scheme}://{host}"
