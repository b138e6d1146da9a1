"""Checks a query as its endpoint does, without asking it.

Its parameters go through the guards, the declarations and the dependencies of the endpoint's handler, and the endpoint
says what the query is answered from. What is refused is said as the endpoint says it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import unquote

from litestar import Request, Response
from litestar._kwargs import KwargsModel
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import HTTPScope

from api.access.api_keys import take_key
from api.caching.descriptions import DESCRIBE, Describe, Description
from api.engine.engine import Engine
from api.http.context import RequestContext
from api.http.reading import each_parameter_once, known_parameters_only
from api.web.endpoints import Endpoint

_OF_PARAMETERS: Final = (known_parameters_only, each_parameter_once)
"""Guards that look at parameters; the others look at the caller, who has passed them."""


@dataclass(frozen=True, slots=True)
class QueryCheck:
    """A query as a request of its endpoint that is not sent: nobody's headers, the id of the request that asks."""

    request: Request[Any, Any, Any]
    handler: HTTPRouteHandler
    parameters: KwargsModel

    @classmethod
    def of(cls, asking: Request[Any, Any, Any], endpoint: Endpoint, query_string: str) -> "QueryCheck":
        """The query of a GET to that endpoint."""
        route = next(one for one in asking.app.routes if isinstance(one, HTTPRoute) and one.path == endpoint.route)
        handler, parameters = route.route_handler_map["GET"]
        asked = cast("dict[str, Any]", asking.scope)
        scope = asked | {
            "path": unquote(endpoint.path),
            "raw_path": endpoint.path.encode(),
            "query_string": query_string.encode(),
            "headers": [],
            "path_params": dict(endpoint.in_path),
            "route_handler": handler,
            "state": {},
        }
        context = RequestContext(cast("HTTPScope", scope))
        context.request_id = RequestContext.of(asking.scope).request_id
        return cls(Request(cast("HTTPScope", scope), receive=asking.receive), handler, parameters)

    async def describe(self, engine: Engine) -> Description:
        """What the query is answered from.

        Raises:
            DataHubError, HTTPException: the endpoint refuses it, see `refusal`.
        """
        take_key(self.request.scope, {})
        guards = self.handler.resolve_guards()
        for guard in _OF_PARAMETERS:
            if guard in guards:
                await guard(self.request, self.handler)
        given = await self._arguments()
        describe: Describe | None = self.handler.opt.get(DESCRIBE)
        return Description() if describe is None else await describe(self.request, engine, given["asked"])

    async def _arguments(self) -> dict[str, Any]:
        """The handler's arguments, as Litestar makes them."""
        values = await self.parameters.to_kwargs(self.request)
        async with await self.parameters.resolve_dependencies(self.request, values):
            return self.handler.signature_model.parse_values_from_connection_kwargs(self.request, values)

    def refusal(self, error: Exception) -> Response[Any]:
        """How the endpoint answers with an error."""
        answer: Callable[..., Response[Any]] = self.handler.resolve_exception_handlers()[Exception]
        return answer(self.request, error)
