"""Queries as permalinks and as code."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIMediaType, OpenAPIResponse, Operation
from litestar.params import QueryParameter

from api.access.url_tokens import SECURITY
from api.caching.descriptions import Description
from api.engine.engine import Engine
from api.http.errors import InvalidParameter
from api.http.openapi import QUERIED
from api.http.reading import each_parameter_once
from api.web.endpoints import Endpoint, endpoints_of
from api.web.query_checks import QueryCheck
from api.web.snippets import Query, Snippets, example_query, query_of, snippets_of
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.domain.errors import DataHubError
from datahub_assets.settings import Settings
from datahub_system.net.addresses import at

_HOST: Final = re.compile(r"(?:[A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?")
_LAST_PORT: Final = 65_535
_OWN_PATH: Final = "/api/hub/snippets"
_ANSWERED: Final = {
    200: ResponseSpec(
        Snippets | dict[str, Snippets],  # type: ignore[arg-type]  # any type will do
        description="the snippets; of an example of each dataset, by name, where nothing is asked",
        generate_examples=False,
    ),
    **QUERIED,
}


@dataclass
class QueriedOperation(Operation):
    """An operation that repeats the refusals of others: drop-in endpoints have their own shapes for them."""

    def __post_init__(self) -> None:
        """Add what Litestar cannot derive: one schema per status and media type is all it knows."""
        refusal = OpenAPIResponse(description="a parameter of a drop-in query is not valid", content={})
        self.responses = {**(self.responses or {}), "422": refusal}
        for status, answer in self.responses.items():
            if status != "200" and isinstance(answer, OpenAPIResponse):
                answer.content = {**(answer.content or {}), "application/json": OpenAPIMediaType()}


class SnippetsController(Controller):
    """Queries as permalinks and as code."""

    path = _OWN_PATH
    tags = ["Rows"]
    security = SECURITY
    guards = [each_parameter_once]

    @get(summary="A query as a permalink and as code", responses=_ANSWERED, operation_class=QueriedOperation)
    async def snippets(
        self,
        request: Request[Any, Any, Any],
        *,
        engine: NamedDependency[Engine],
        settings: NamedDependency[Settings],
        path: Annotated[
            str | None,
            QueryParameter(
                description="the query: the path of any GET here that answers data, drop-ins too, and its parameters",
                examples=[Example(summary=spec.title, value=example_query(spec)) for spec in DATASETS.values()],
            ),
        ] = None,
    ) -> Response[Any]:
        """For curl, Python (httpx) and JavaScript; for tables also polars and DuckDB. Parameters may be beside `path`.

        The query is checked as its endpoint checks it, and refused in the same words: names and values of parameters,
        revisions, and whether the commit knows what filters name. It is not asked: what only its rows tell, and whether
        a statement of SQL runs, is found out by those who ask it. This counts as one request.

        The permalink names the commits it answers from now, where it takes a `revision`, so it gives the same answer as
        long as the Hub holds them. The code reads the token from the environment variable `DATAHUB_TOKEN`.

        Without any parameter there are snippets of an example of each dataset, by name.
        """
        further = [(name, value) for name, value in request.query_params.multi_items() if name != "path"]
        if path is None and not further:
            examples = _of_each(request, engine, base=_base(request, settings))
            return Response(examples, headers={"Cache-Control": "no-store"})
        if path is None:
            raise InvalidParameter.of("path", "", valid=f"the path of the query, besides {further[0][0]}")
        return await _of_query(request, query_of(path, further, endpoints=_endpoints(request)), engine, settings)


async def _of_query(request: Request[Any, Any, Any], query: Query, engine: Engine, settings: Settings) -> Response[Any]:
    check = QueryCheck.of(request, query.endpoint, query.query_string)
    try:
        description = await check.describe(engine)
    except (DataHubError, HTTPException) as error:
        return check.refusal(error)
    found = snippets_of(query, description, base=_base(request, settings))
    named = {} if description.revision is None else {"X-Revision": description.revision}
    return Response(found, headers={**named, "Cache-Control": "no-store"})


def _of_each(request: Request[Any, Any, Any], engine: Engine, *, base: str) -> dict[str, Snippets]:
    """Snippets of an example of each dataset, at the commit that is served now if there is one."""
    endpoints = _endpoints(request)
    found = {}
    for name, spec in engine.specs.items():
        dataset = engine.datasets.get(name)
        revision = dataset.current.sha if dataset is not None and dataset.is_ready else None
        query = query_of(example_query(spec), (), endpoints=endpoints)
        found[name] = snippets_of(query, Description(revision), base=base)
    return found


def _endpoints(request: Request[Any, Any, Any]) -> dict[str, Endpoint]:
    """All there are but this one, which would ask itself."""
    return {path: endpoint for path, endpoint in endpoints_of(request.app).items() if path != _OWN_PATH}


def _base(request: Request[Any, Any, Any], settings: Settings) -> str:
    """How the caller reaches this server."""
    if settings.public_url is not None:
        return settings.public_url
    named = request.headers.get("host", "")
    host = _HOST.fullmatch(named)
    if host is None or int(host[1] or 0) > _LAST_PORT:
        named = at(settings.bind_host, settings.api_port)
    return f"{request.scope['scheme']}://{named}"
