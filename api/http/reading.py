"""Query parameters as callers send them: which there may be, and how times, lists, numbers and revisions are read.

What they are called and what the documentation says of them stands in `parameters`, and with the endpoints.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from inspect import Parameter as Argument
from inspect import Signature
from typing import Any, Final, TypeVar

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.params import HeaderParameter, PathParameter

from api.http.errors import InvalidParameter, RepeatedParameter, UnknownParameter
from datahub_assets.domain.files.hub_files import FULL_SHA
from datahub_assets.domain.times import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    YEAR_1_MS,
    YEAR_9999_MS,
    iso_to_ms,
)
from datahub_system.clock import now_ms

T = TypeVar("T")
ANYTHING: Final = "any_parameters"
"""In a handler's `opt`: it answers the same whatever the parameters are."""
_RESERVED: Final = frozenset(
    {"self", "request", "state", "headers", "scope", "socket", "cookies", "query", "body", "data", "return"}
)
_ELSEWHERE: Final = (HeaderParameter, PathParameter)
_PREFIX: Final = "by_"
COUNTS: Final = range(-(1 << 63), 1 << 63)
"""The numbers a column of counts holds."""
_WHOLE: Final = re.compile(r"-?[0-9]{1,19}")
MOST_PARAMETERS: Final = 512
"""Of one request."""
_MOST_LEVELS: Final = 32
_MOST_REVISION: Final = 1000
"""What the Hub does not know is remembered by its name."""
_FULL_NAME: Final = re.compile(rf"(?:[a-z_]+@)?{FULL_SHA.pattern}")
_VALID_TIME: Final = (
    "ISO 8601 such as 2025-11-25T10:30:00Z (UTC when it names no offset), epoch milliseconds, or `now`, `-90m`, `-1h`, "
    "`-7d`, `-2w`"
)
_AGO_MS: Final = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
_AGO: Final = re.compile(rf"-([0-9]{{1,9}})([{''.join(_AGO_MS)}])")
_NOW: Final = "now"
_EPOCH_MS: Final = re.compile(r"-?\d{1,15}")
_EPOCH_S: Final = re.compile(r"\d{9,10}")
"""1973 to 2286 in seconds; as milliseconds it would be a day of early 1970, long before any data."""
_DATE: Final = re.compile(r"(?:19|20|21)\d{6}")
_SPACED_OFFSET: Final = re.compile(r"(T\d\d:\d\d\S*) (\d\d:?\d\d)$")


async def known_parameters_only(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse query parameters the handler does not take: a misspelt one would silently change the answer.

    Async though it waits for nothing: Litestar runs other guards in a thread.

    Raises:
        UnknownParameter: names them and lists those there are.        RepeatedParameter: as `each_parameter_once`.
    """
    if not connection.scope["query_string"] or connection.scope.get("method") == "OPTIONS" or ANYTHING in handler.opt:
        return
    known = query_parameters(handler)
    unknown = set(connection.query_params.keys()) - known.keys()
    if unknown:
        raise UnknownParameter.of(unknown, valid=known)
    await each_parameter_once(connection, handler)


async def each_parameter_once(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse a parameter of one value that has several: which of them is meant is anybody's guess. Lists may repeat.

    Raises:
        RepeatedParameter: names it.
    """
    if not connection.scope["query_string"]:
        return
    given = Counter(name for name, _ in connection.query_params.multi_items())
    if given.total() == len(given):
        return
    known = query_parameters(handler)
    for name, times in given.items():
        if times > 1 and not known.get(name, True):
            raise RepeatedParameter.of(name, connection.query_params.getall(name))


def query_parameters(handler: BaseRouteHandler) -> Mapping[str, bool]:
    """A handler's query parameters, those of its dependencies included, and of each whether it is a list."""
    known = _KNOWN.get(handler.fn)  # guards get a copy of the handler each time, with the same function
    if known is None:
        known = _KNOWN[handler.fn] = dict(_parameters(handler))
    return known


_KNOWN: Final[dict[Any, Mapping[str, bool]]] = {}


def _parameters(handler: BaseRouteHandler) -> Iterator[tuple[str, bool]]:
    dependencies = handler.resolve_dependencies()
    pending = [handler.parsed_fn_signature]
    while pending:
        for name, field in pending.pop().parameters.items():
            if name in dependencies:
                pending.append(dependencies[name].parsed_fn_signature)
            elif name not in _RESERVED and not isinstance(field.kwarg_definition, _ELSEWHERE):
                yield getattr(field.kwarg_definition, "name", None) or name, field.is_non_string_sequence


def provider(
    kinds: Mapping[str, tuple[Any, Any]],
    returns: type[T],
    make: Callable[[Mapping[str, Any]], T],
    *,
    prefixed: Collection[str],
) -> Callable[..., T]:
    """A function for Litestar that takes these parameters and makes something of their values, by public name.

    Args:
        kinds: type and default of each parameter, by public name.        returns: what is made.
        prefixed: those whose argument has a prefix, as callers' names may be words of Python or names of other
            dependencies; their types are annotated with a `QueryParameter` that has the public name.
    """
    arguments = {name: f"{_PREFIX}{name}" if name in prefixed else name for name in kinds}

    def provide(**given: Any) -> T:
        return make({name: given[argument] for name, argument in arguments.items()})

    provide.__annotations__ = {**{arguments[name]: kind for name, (kind, _) in kinds.items()}, "return": returns}
    provide.__signature__ = Signature(  # type: ignore[attr-defined]  # what inspect looks for
        [
            Argument(arguments[name], Argument.KEYWORD_ONLY, annotation=kind, default=default)
            for name, (kind, default) in kinds.items()
        ],
        return_annotation=returns,
    )
    return provide


def public_name(argument: str) -> str:
    """The parameter of an argument that a `provider` takes."""
    return argument.removeprefix(_PREFIX)


def check_range(name: str, value: int, bounds: Mapping[str, int]) -> None:
    """Refuse a number outside the bounds its schema names.

    Raises:
        InvalidParameter: names the number and the bounds.
    """
    if not bounds["minimum"] <= value <= bounds["maximum"]:
        raise InvalidParameter.of(name, value, valid=f"{bounds['minimum']} to {bounds['maximum']}")


def check_depth(name: str, value: Any) -> None:
    """Refuse lists and objects within one another beyond what any query needs: what walks them later recurses.

    Raises:
        InvalidParameter: names the parameter.
    """
    level = [value]
    for _ in range(_MOST_LEVELS):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise InvalidParameter.of(name, "…", valid=f"at most {_MOST_LEVELS} lists or objects within one another")


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def words(values: Iterable[str] | None) -> tuple[str, ...]:
    """`a,b` and `x=a&x=b` alike, without repeats and empty ones."""
    return tuple(dict.fromkeys(word.strip() for value in values or () for word in value.split(",") if word.strip()))


def is_count(word: str) -> bool:
    """Whether a text is a whole number that a column of counts can hold."""
    return _WHOLE.fullmatch(word) is not None and int(word) in COUNTS


def is_relative(value: str | None) -> bool:
    """Whether a time is told by how long ago it was, so that it is another one each time it is asked for."""
    return value is not None and (value == _NOW or _AGO.fullmatch(value) is not None)


def _before_now(value: str) -> int:
    """The epoch millisecond of a relative time, to the second: who asks often gets the same answer meanwhile."""
    now = now_ms() // SECOND_MS * SECOND_MS
    ago = _AGO.fullmatch(value)
    return now if ago is None else now - int(ago[1]) * _AGO_MS[ago[2]]


def parse_time(name: str, value: str | None) -> int | None:
    """Epoch milliseconds of a time parameter, None when it is not given.

    Raises:
        InvalidParameter: it is of no known form, or outside the years 1 to 9999, or looks like epoch seconds.
    """
    if value is None:
        return None
    if _EPOCH_S.fullmatch(value):
        raise InvalidParameter.of(
            name, value, valid=f"{_VALID_TIME}; this looks like seconds, which are {value}000 here"
        )
    if is_relative(value):
        at_ms = _before_now(value)
    elif _EPOCH_MS.fullmatch(value) and not _DATE.fullmatch(value):
        at_ms = int(value)
    else:
        try:
            # A + that was not percent-encoded arrives as a space.
            at_ms = iso_to_ms(_SPACED_OFFSET.sub(r"\1+\2", value))
        except ValueError:
            raise InvalidParameter.of(name, value, valid=_VALID_TIME) from None
    if not YEAR_1_MS <= at_ms <= YEAR_9999_MS:
        raise InvalidParameter.of(name, value, valid=_VALID_TIME)
    return at_ms


class RevisionChoice(msgspec.Struct, frozen=True, array_like=True):
    """Which commit: a revision, or a time; the current one when both are None."""

    revision: str | None = None
    as_of_ms: int | None = None

    @property
    def is_immutable(self) -> bool:
        """Whether a commit is named in full (`<sha>` or `ohlc@<sha>`), so that the choice never means another."""
        return self.revision is not None and _FULL_NAME.fullmatch(self.revision) is not None

    @property
    def is_current(self) -> bool:
        """Whether the newest commit is meant."""
        return self.revision in {None, "main"} and self.as_of_ms is None


def revision_or_time(revision: str | None, as_of: str | None, *, names: tuple[str, str]) -> RevisionChoice:
    """The commit that two parameters mean, of which one at most may be given; `names` are theirs.

    Raises:
        InvalidParameter: both are given, one is too long, or the time cannot be read.
    """
    if revision is not None and len(revision) > _MOST_REVISION:
        raise InvalidParameter.of(names[0], revision, valid=f"at most {_MOST_REVISION} characters")
    if revision is not None and as_of is not None:
        raise InvalidParameter.of(names[1], as_of, valid=f"either {names[0]} or {names[1]}, not both")
    return RevisionChoice(revision=revision, as_of_ms=parse_time(names[1], as_of))
