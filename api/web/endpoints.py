"""What this application answers to a GET, read off its routes: paths, parameters, and whether the answer is a table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final
from urllib.parse import quote, unquote

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition

from api.http.reading import query_parameters

_AREAS: Final = ("/api/", "/binance/", "/coingecko/")
_OK: Final = 200
_PARAMETER: Final = re.compile(r"{(\w+):str}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path: its parameters (of each, whether it is a list), and whether its JSON is a list of objects.

    Attributes:
        path: as the route has it; as it is called, once `endpoint_at` found it.
        in_path: the values of the route's parameters in the path, by name.
    """

    path: str
    parameters: Mapping[str, bool]
    is_table: bool
    route: str
    in_path: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_formats(self) -> bool:
        """Whether its rows come in all formats."""
        return "format" in self.parameters

    @property
    def takes_revision(self) -> bool:
        """Whether it can be asked of a commit."""
        return "revision" in self.parameters

    @property
    def is_difference(self) -> bool:
        """Whether it is asked between two commits."""
        return "from_as_of" in self.parameters


def endpoints_of(app: Litestar) -> dict[str, Endpoint]:
    """The documented endpoints of data that answer GET, by path."""
    return {
        route.path: Endpoint(route.path, query_parameters(handler), is_table=_is_table(handler), route=route.path)
        for route in app.routes
        if isinstance(route, HTTPRoute) and route.path.startswith(_AREAS)
        for handler in route.route_handlers
        if "GET" in handler.http_methods and handler.resolve_include_in_schema()
    }


def endpoint_at(path: str, endpoints: Mapping[str, Endpoint]) -> Endpoint | None:
    """The endpoint that answers to a path as it is called; one without parameters in its path comes first."""
    exact = endpoints.get(path)
    if exact is not None:
        return exact if "{" not in path else None
    for endpoint in endpoints.values():
        found = re.fullmatch(_PARAMETER.sub(r"(?P<\1>[^/]+)", endpoint.route), path)
        if found is not None and "{" in endpoint.route:
            in_path = {name: unquote(value) for name, value in found.groupdict().items()}
            called = _PARAMETER.sub(partial(_quoted, in_path), endpoint.route)
            return replace(endpoint, path=called, in_path=in_path)
    return None


def _quoted(values: Mapping[str, str], parameter: re.Match[str]) -> str:
    return quote(values[parameter[1]], safe="")


def _is_table(handler: HTTPRouteHandler) -> bool:
    """Whether a success is documented as a list of objects: by its own specification, or by what is returned."""
    spec = (handler.responses or {}).get(_OK)
    if spec is not None:
        answer = FieldDefinition.from_annotation(spec.data_container)
    else:
        answer = next(iter(handler.parsed_return_field.inner_types), handler.parsed_return_field)
    return answer.is_non_string_sequence and not any(field.is_non_string_sequence for field in answer.inner_types)
