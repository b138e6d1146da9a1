"""SQL over the datasets."""

from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body
from litestar.response import Stream

from api.access.url_tokens import SECURITY
from api.caching.descriptions import DESCRIBE
from api.http.errors import InvalidParameter, RequestTooLarge
from api.http.form import AskedForm
from api.http.openapi import QUERIED, RowsOperation, problems
from api.http.parameters import ask_form, choose_revision
from api.sql.queries import ONE_ANSWER, PARAMS_BOUNDS, TABLES, Values, ask_sql, check_values, describe_sql
from api.sql.service import SqlAnswers, Statement
from datahub_assets.datasets.registry import DATASETS

_MOST_BYTES: Final = 256 * 1024
"""Of a body: the longest statement and the most values fit."""
_PARAMS: Final = f"the values: a list for `?` and `$1`, an object for `$name`; {PARAMS_BOUNDS}"
_DESCRIPTION: Final = f"""\
Run one SELECT over {TABLES}.

`SHOW TABLES` and `DESCRIBE {next(iter(DATASETS))}` say what there is. Only those tables can be read, only DuckDB's
computing functions can be called, and time, memory, rows and bytes are limited.

{ONE_ANSWER}
"""
_RESPONSES = {
    200: ResponseSpec(list[dict[str, Any]], description="the rows", generate_examples=False),
    **QUERIED,
    **problems(406, 408, 413),
}


class SqlRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A statement, the values bound to it (`?` and `$1` from a list, `$name` from an object), and the commits."""

    sql: str
    params: Annotated[Values, msgspec.Meta(description=_PARAMS)] = msgspec.field(default_factory=list)
    revision: str | None = None
    as_of: str | None = None


class _Unread(msgspec.Struct, forbid_unknown_fields=True):
    """As `SqlRequest`, with values that are only known to be JSON: no objects are made of them."""

    sql: str
    params: msgspec.Raw = msgspec.Raw(b"[]")
    revision: str | None = None
    as_of: str | None = None


async def _readable(request: Request[Any, Any, Any]) -> None:
    """Refuse a body that is large, has more values than may be bound, or that no JSON decoder reads to its end.

    Litestar knows only bodies that it can say the place of.
    """
    body = await request.body()
    if len(body) > _MOST_BYTES:
        raise RequestTooLarge(f"the body has {len(body):,} bytes; {_MOST_BYTES:,} are allowed")
    try:
        check_values(bytes(msgspec.json.decode(body, type=_Unread).params))
    except (UnicodeError, RecursionError):
        raise InvalidParameter("the body is not JSON in UTF-8 of a sensible depth") from None
    except msgspec.DecodeError:
        return  # Litestar says where


class SqlController(Controller):
    """One read-only statement in DuckDB's dialect over the datasets and their ledgers."""

    path = "/api/hub/sql"
    tags = ["SQL"]
    dependencies = {"form": Provide(ask_form, sync_to_thread=False)}
    security = SECURITY

    @get(
        summary="Run SQL",
        description=f"As POST; with a strong ETag, and 304 while the commits it reads have not changed. {ONE_ANSWER}",
        dependencies={"asked": Provide(ask_sql, sync_to_thread=False)},
        opt={DESCRIBE: describe_sql},
        responses=_RESPONSES,
        operation_class=RowsOperation,
    )
    async def query(
        self,
        request: Request[Any, Any, Any],
        statements: NamedDependency[SqlAnswers],
        asked: NamedDependency[Statement],
    ) -> Response[bytes] | Stream:
        """The rows of a statement, or 304."""
        return await statements.answer(request, asked)

    @post(
        status_code=200,
        before_request=_readable,
        summary="Run SQL",
        description=_DESCRIPTION,
        responses=_RESPONSES,
        operation_class=RowsOperation,
    )
    async def statement(
        self,
        request: Request[Any, Any, Any],
        statements: NamedDependency[SqlAnswers],
        data: Annotated[SqlRequest, Body(description="the statement and its values")],
        form: NamedDependency[AskedForm],
    ) -> Response[bytes] | Stream:
        """The rows of a statement."""
        choice = choose_revision(data.revision, data.as_of)
        return await statements.answer(request, Statement(data.sql, data.params, choice, form))
