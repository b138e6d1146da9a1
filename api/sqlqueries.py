"""What callers may ask of SQL in a URL, checked and brought into one form. What the statement says is not looked at.

Its siblings for rows are in `queries`.
"""

from typing import Annotated, Any, Final

import msgspec
from litestar.params import QueryParameter

from api.errors import InvalidParameter
from api.parameters import AsOf, FormatName, Numbers, check_depth
from api.queries import choose_revision
from api.statements import Statement

_REVISION: Final = (
    "commits to read: `market@<sha>,ohlc@<sha>` as `X-Revision` names them, or a branch, tag or commit; the newest of "
    "each dataset otherwise"
)


def ask_sql(
    *,
    q: Annotated[str, QueryParameter(description="the statement: a SELECT, or EXPLAIN of one")],
    params: Annotated[
        str | None, QueryParameter(description='values to bind, as JSON: `["BTCUSDT"]` or `{"symbol": "BTCUSDT"}`')
    ] = None,
    revision: Annotated[str | None, QueryParameter(description=_REVISION)] = None,
    as_of: AsOf = None,
    format: FormatName = None,  # noqa: A002 - the parameter's public name
    numbers: Numbers = None,
) -> Statement:
    """The statement of a GET.

    Raises:
        InvalidParameter: said by name.
    """
    return Statement(q, _values(params), choose_revision(revision, as_of), format, numbers)


def _values(text: str | None) -> list[Any] | dict[str, Any]:
    if text is None:
        return []
    try:
        values: list[Any] | dict[str, Any] = msgspec.json.decode(text, type=list[Any] | dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeError, RecursionError):
        raise InvalidParameter.of("params", text, valid="a JSON list or object of values") from None
    check_depth("params", values)
    return values
