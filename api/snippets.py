"""Turns a query into a permalink to the very answer, pinned to its commits, and into code that reads it.

No token is ever in them: code takes it from the environment. Which commits are meant is found out by the caller.
"""

import inspect
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec

from api.errors import InvalidParameter, UnknownParameter
from api.queries import ask_candles, ask_market
from api.sqlqueries import ask_sql
from datahub_assets.domain.datasets import MARKET, OHLC

TOKEN_VARIABLE: Final = "DATAHUB_TOKEN"  # noqa: S105 - a variable's name
_MOST_PATH: Final = 8_000
_PINNED: Final = ("revision", "as_of")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One that answers rows: the dataset it reads (None: several), its parameters, and those it cannot do without."""

    path: str
    dataset: str | None
    parameters: frozenset[str]
    needed: tuple[str, ...]

    @classmethod
    def of(cls, path: str, dataset: str | None, ask: Callable[..., object], *needed: str) -> "Endpoint":
        """An endpoint whose parameters `ask` takes."""
        return cls(path, dataset, frozenset(inspect.signature(ask).parameters), needed)


_ENDPOINTS: Final = {
    endpoint.path: endpoint
    for endpoint in (
        Endpoint.of("/api/hub/market", MARKET.name, ask_market),
        Endpoint.of("/api/hub/ohlc", OHLC.name, ask_candles, "symbol"),
        Endpoint.of("/api/hub/sql", None, ask_sql, "q"),
    )
}
PATHS: Final = tuple(_ENDPOINTS)


class Snippets(msgspec.Struct, frozen=True):
    """A query as a permalink and as code; `code` is by language: curl, python, polars, duckdb, javascript."""

    permalink: str
    revision: str
    code: dict[str, str]


@dataclass(frozen=True, slots=True)
class Query:
    """A query of an endpoint: the parameters as given, a parameter given twice twice."""

    endpoint: Endpoint
    params: tuple[tuple[str, str], ...]

    def value(self, name: str) -> str | None:
        """The value of a parameter; the last, if it was given several times."""
        return dict(self.params).get(name)

    def pinned(self, revision: str) -> "Query":
        """The same query of those commits. A cursor is of a commit already."""
        kept = [(name, value) for name, value in self.params if name not in _PINNED]
        pin = [] if self.value("cursor") is not None else [("revision", revision)]
        return Query(self.endpoint, (*kept, *pin))

    def written(self, form: str) -> "Query":
        """The same query, answered in that format."""
        kept = [(name, value) for name, value in self.params if name != "format"]
        return Query(self.endpoint, (*kept, ("format", form)))

    def url(self, base: str) -> str:
        """Where it is answered."""
        return f"{base}{self.endpoint.path}?{urlencode(self.params, quote_via=quote, safe=',:@*/')}"


def query_of(path: str, further: Sequence[tuple[str, str]]) -> Query:
    """A query as people have it: a path, or a whole URL, with its parameters there or beside it.

    Raises:
        InvalidParameter, UnknownParameter: said by name; values of unknown parameters are not repeated.
    """
    if len(path) > _MOST_PATH:
        raise InvalidParameter.of("path", path, valid=f"at most {_MOST_PATH} characters")
    try:
        split = urlsplit(path)
    except ValueError:
        raise InvalidParameter.of("path", path.partition("?")[0], valid=PATHS) from None
    endpoint = _ENDPOINTS.get(split.path.rstrip("/"))
    if endpoint is None:
        raise InvalidParameter.of("path", split.path, valid=PATHS)
    params = (*parse_qsl(split.query, keep_blank_values=True), *further)
    unknown = {name for name, _ in params} - endpoint.parameters
    if unknown:
        raise UnknownParameter.of(unknown, valid=endpoint.parameters)
    for name in endpoint.needed:
        if not dict(params).get(name):
            raise InvalidParameter.of(name, "", valid=f"{endpoint.path} needs it")
    return Query(endpoint, params)


def snippets_of(query: Query, *, base: str, revision: str) -> Snippets:
    """The query of those commits, at the server that is reached at `base`."""
    pinned = query.pinned(revision)
    code = {
        "curl": _curl(pinned.url(base)),
        "python": _PYTHON.format(**_of_python(pinned.written("json"), base)),
        "polars": _POLARS.format(**_of_python(pinned.written("parquet"), base)),
        "duckdb": _DUCKDB.format(**_of_python(pinned.written("parquet"), base)),
        "javascript": _JAVASCRIPT.format(url=_quoted(pinned.written("json").url(base)), token=TOKEN_VARIABLE),
    }
    return Snippets(permalink=pinned.url(base), revision=revision, code=code)


def _curl(url: str) -> str:
    return (
        "curl --fail-with-body --silent --show-error --compressed \\\n"
        f'  --header "Authorization: Bearer ${TOKEN_VARIABLE}" \\\n'
        f"  {shlex.quote(url)}\n"
    )


def _of_python(query: Query, base: str) -> Mapping[str, Any]:
    pairs = ",\n".join(f"    ({_quoted(name)}, {_quoted(value)})" for name, value in query.params)
    return {"url": _quoted(base + query.endpoint.path), "params": f"[\n{pairs},\n]", "token": TOKEN_VARIABLE}


def _quoted(text: str) -> str:
    """A string literal of Python and of JavaScript alike."""
    return json.dumps(text, ensure_ascii=False)


_ASKED: Final = """\
answer = httpx.get(
    {url},
    params=params,
    headers={{"Authorization": f"Bearer {{os.environ['{token}']}}"}},
    timeout=60,
)
answer.raise_for_status()
"""
_PYTHON: Final = f"""\
import os

import httpx

params = {{params}}
{_ASKED}print(answer.json())
"""
_POLARS: Final = f"""\
import io
import os

import httpx
import polars as pl

params = {{params}}
{_ASKED}frame = pl.read_parquet(io.BytesIO(answer.content))
print(frame)
"""
_DUCKDB: Final = f"""\
import os
import tempfile

import duckdb
import httpx

params = {{params}}
{_ASKED}with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
    file.write(answer.content)
    file.flush()
    rows = duckdb.read_parquet(file.name)
    print(duckdb.sql("SELECT * FROM rows"))
"""  # noqa: S608 - code for callers, and nothing of theirs is in it
_JAVASCRIPT: Final = """\
const answer = await fetch({url}, {{
  headers: {{ Authorization: `Bearer ${{process.env.{token}}}` }},
}});
if (!answer.ok) throw new Error(await answer.text());
console.log(JSON.stringify(await answer.json()));
"""
