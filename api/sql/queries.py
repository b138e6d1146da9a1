"""What callers may ask of SQL in a URL, checked and brought into one form."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from api.caching.descriptions import Description
from api.caching.revisions import EACH_COMMIT, snapshots_at
from api.engine.engine import Engine
from api.http.errors import InvalidParameter
from api.http.form import AskedForm, choose_form
from api.http.parameters import AsOf, choose_revision
from api.http.reading import check_depth
from api.sql.service import Statement
from datahub_assets.datasets.ledgers import published_parts_of
from datahub_assets.datasets.registry import DATASETS

MOST_VALUES: Final = 1_000
"""To bind to one statement, those within lists and objects counted too."""
MOST_VALUE_BYTES: Final = 128 * 1024
PARAMS_BOUNDS: Final = f"at most {MOST_VALUES:,} values, nested ones too, in {MOST_VALUE_BYTES >> 10} KiB of JSON"
Values = list[Any] | dict[str, Any]
_NAMES: Final = dict.fromkeys(part.name for spec in DATASETS.values() for part in published_parts_of(spec))
TABLES: Final = ", ".join(f"`{name}`" for name in (*DATASETS, *(name for name in _NAMES if name not in DATASETS)))
"""The names of all tables, as descriptions list them: the datasets, then the ledgers."""
ONE_ANSWER: Final = (
    "At the same commits and in the same format a statement gives the same bytes each time. Where it cannot, as with "
    "`now()`, `random()` or a sample, the answer says `X-Repeatable: false`, has no ETag and is kept by nobody; "
    "`revision=` pins the rows it reads all the same."
)
"""What callers are told of answers that may be kept, and of those that may not."""

_REVISION: Final = (
    f"commits to read: `{EACH_COMMIT}` as `X-Revision` names them, or a branch, tag or commit; the newest of each "
    "dataset otherwise"
)


def ask_sql(
    *,
    form: NamedDependency[AskedForm],
    q: Annotated[str, QueryParameter(description="the statement: a SELECT, or EXPLAIN of one")],
    params: Annotated[
        str | None,
        QueryParameter(
            description='values to bind, as JSON: `["a"]` for `?` and `$1`, or `{"name": "a"}` for `$name`; '
            f"{PARAMS_BOUNDS}"
        ),
    ] = None,
    revision: Annotated[str | None, QueryParameter(description=_REVISION)] = None,
    as_of: AsOf = None,
) -> Statement:
    """The statement of a GET.

    Raises:
        InvalidParameter: said by name.
    """
    return Statement(q, _values(params), choose_revision(revision, as_of), form)


async def describe_sql(request: Request[Any, Any, Any], engine: Engine, asked: Statement) -> Description:
    """The commits of all datasets: which of them a statement reads, and whether it can run, is known once it ran.

    Raises:
        ApiError, HubError: said by name.
    """
    form = choose_form(request, asked.form)
    snapshots = [pinned.snapshot for pinned in await snapshots_at(engine, asked.choice)]
    # With its dataset's name even where there is one only: a lone sha would be looked for in each dataset.
    revision = ",".join(f"{snapshot.spec.name}@{snapshot.sha}" for snapshot in snapshots)
    return Description(revision, media_type=form.format.media_type)


def check_values(text: str | bytes) -> Values:
    """The values of a JSON list or object, few and small enough to be looked at without keeping others waiting.

    Raises:
        InvalidParameter: names the bound they are over.
        DecodeError, UnicodeError, RecursionError: no such JSON.
    """
    if len(text) > MOST_VALUE_BYTES:
        raise InvalidParameter.of("params", f"{len(text):,} bytes", valid=PARAMS_BOUNDS)
    values: Values = msgspec.json.decode(text, type=Values)
    check_depth("params", values)
    if (count := _count(values)) > MOST_VALUES:
        raise InvalidParameter.of("params", f"{count:,} values", valid=PARAMS_BOUNDS)
    return values


def _count(values: Values) -> int:
    """Values in a list or object and in those within it, which count too. Not for deep ones."""
    inside = values.values() if isinstance(values, Mapping) else values
    return len(values) + sum(_count(inner) for inner in inside if isinstance(inner, list | dict))


def _values(text: str | None) -> Values:
    if text is None:
        return []
    try:
        return check_values(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InvalidParameter.of("params", text, valid="a JSON list or object of values") from None
