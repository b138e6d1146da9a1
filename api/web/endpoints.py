"""What this application answers to a GET, read off its routes: paths, parameters, and whether the answer is a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition

from api.http.reading import query_parameters

_AREAS: Final = ("/api/", "/binance/", "/coingecko/")
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path: its parameters (of each, whether it is a list), and whether its JSON is a list of objects."""

    path: str
    parameters: Mapping[str, bool]
    is_table: bool

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
        route.path: Endpoint(route.path, query_parameters(handler), is_table=_is_table(handler))
        for route in app.routes
        if isinstance(route, HTTPRoute) and route.path.startswith(_AREAS)
        for handler in route.route_handlers
        if "GET" in handler.http_methods and handler.resolve_include_in_schema()
    }


def _is_table(handler: HTTPRouteHandler) -> bool:
    """Whether a success is documented as a list of objects: by its own specification, or by what is returned."""
    spec = (handler.responses or {}).get(_OK)
    if spec is not None:
        answer = FieldDefinition.from_annotation(spec.data_container)
    else:
        answer = next(iter(handler.parsed_return_field.inner_types), handler.parsed_return_field)
    return answer.is_non_string_sequence and not any(field.is_non_string_sequence for field in answer.inner_types)
