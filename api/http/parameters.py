"""Query parameters several endpoints share: their types and descriptions, and how lists and bounds are read."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from inspect import Parameter as Argument
from inspect import Signature
from typing import Annotated, Any, Final, TypeVar

from litestar.openapi.spec import Example
from litestar.params import QueryParameter

from api.http.errors import InvalidParameter
from datahub_assets.datasets.answer_checks import MOST_ROWS
from datahub_assets.datasets.registry import DATASETS

T = TypeVar("T")
MAX_LIMIT: Final = MOST_ROWS
_MOST_LEVELS: Final = 32
COUNTS: Final = range(-(1 << 63), 1 << 63)
"""The numbers a column of counts holds."""
_WHOLE: Final = re.compile(r"-?[0-9]{1,19}")
LIMIT_BOUNDS: Final = {"minimum": 1, "maximum": MAX_LIMIT}
_TIME: Final = "ISO 8601, or epoch milliseconds"
_FORMATS: Final = "`json` (default), `columns`, `ndjson`, `csv`, `parquet` or `arrow`; beats `Accept`"
_NUMBERS: Final = (
    "`string` writes numbers with decimals as text, so that none is lost; Parquet and Arrow hold them whole anyway"
)
WordList = list[str] | None


def example(value: Any) -> list[Example]:
    """A value the documentation fills in, one that runs."""
    return [Example(summary=str(value), value=value)]


Revision = Annotated[
    str | None,
    QueryParameter(description="branch, tag or 40-hex commit of the dataset; the answer never changes for a commit"),
]
AsOf = Annotated[str | None, QueryParameter(description=f"serve the last commit made at this time or before; {_TIME}")]
FromAsOf = Annotated[
    str | None,
    QueryParameter(name="from_as_of", description=f"compare from the last commit made at this time or before; {_TIME}"),
]
ToAsOf = Annotated[
    str | None,
    QueryParameter(name="to_as_of", description=f"compare to the last commit made at this time or before; {_TIME}"),
]
Start = Annotated[str | None, QueryParameter(description=f"first time, inclusive; {_TIME}")]
End = Annotated[str | None, QueryParameter(description=f"last time, exclusive; {_TIME}")]
PageCursor = Annotated[
    str | None, QueryParameter(description="where to go on: taken from the `Link` header of the page before")
]
FormatName = Annotated[str | None, QueryParameter(description=_FORMATS)]
Numbers = Annotated[str | None, QueryParameter(description=_NUMBERS)]
DATASET_NAMES: Final = ", ".join(f"`{name}`" for name in DATASETS)
"""The names of all datasets, as descriptions list them."""
DatasetName = Annotated[
    str, QueryParameter(description=f"one of {DATASET_NAMES}", examples=example(next(iter(DATASETS))))
]


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
    arguments = {name: f"by_{name}" if name in prefixed else name for name in kinds}

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
