"""Turns a query into a permalink to the very answer, pinned to its commits, and into code that reads it.

No token is ever in them: code takes it from the environment. Which commits are meant is found out by the caller.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec

from api.access.url_tokens import PARAMETER
from api.caching.descriptions import Description
from api.http.errors import InvalidParameter
from api.http.reading import MOST_PARAMETERS
from api.web.endpoints import Endpoint, endpoint_at
from datahub_assets.datasets.spec import DatasetSpec

TOKEN_VARIABLE: Final = "DATAHUB_TOKEN"  # noqa: S105 - a variable's name
EVENTS: Final = "text/event-stream"
_MOST_PATH: Final = 8_000
_EXAMPLE_ROWS: Final = "24"
_PINNED: Final = ("revision", "as_of")
_ENDS: Final = ("from", "from_as_of", "to", "to_as_of")


class Snippets(msgspec.Struct, frozen=True):
    """A query as a permalink and as code by language: curl, python, javascript; of tables also polars and duckdb.

    `revision` is what the query answers from, as `X-Revision` has it; null where that is no commit.
    """

    permalink: str
    revision: str | None
    code: dict[str, str]


@dataclass(frozen=True, slots=True)
class Query:
    """A query of an endpoint: the parameters as given, a parameter given twice twice."""

    endpoint: Endpoint
    params: tuple[tuple[str, str], ...]

    def value(self, name: str) -> str | None:
        """The value of a parameter; the last, if it was given several times."""
        return dict(self.params).get(name)

    def known(self) -> "Query":
        """The same query without what its endpoint does not read; some ignore that, and it may be anything."""
        return Query(self.endpoint, tuple(pair for pair in self.params if pair[0] in self.endpoint.parameters))

    def pinned(self, description: Description) -> "Query":
        """The same query of those commits, where it can be asked of some. A cursor is of a commit already."""
        revision, compared_to = description.revision, description.compared_to
        if self.endpoint.is_difference and revision is not None and compared_to is not None:
            kept = [(name, value) for name, value in self.params if name not in _ENDS]
            return Query(self.endpoint, (*kept, ("from", compared_to), ("to", revision)))
        if revision is None or not self.endpoint.takes_revision:
            return self
        kept = [(name, value) for name, value in self.params if name not in _PINNED]
        pin = [] if self.value("cursor") is not None else [("revision", revision)]
        return Query(self.endpoint, (*kept, *pin))

    def written(self, form: str) -> "Query":
        """The same query, answered in that format; where there is one form only, the query itself."""
        if not self.endpoint.has_formats:
            return self
        kept = [(name, value) for name, value in self.params if name != "format"]
        return Query(self.endpoint, (*kept, ("format", form)))

    @property
    def query_string(self) -> str:
        """The parameters as a URL has them."""
        return _query_string(self.params)

    def url(self, base: str) -> str:
        """Where it is answered."""
        return f"{base}{self.endpoint.path}{'?' if self.params else ''}{self.query_string}"


def query_of(path: str, further: Sequence[tuple[str, str]], *, endpoints: Mapping[str, Endpoint]) -> Query:
    """A query as people have it: a path, or a whole URL, with its parameters there or beside it.

    Raises:
        InvalidParameter: there is no such endpoint, or there are too many parameters; they are not looked at.
    """
    if len(path) > _MOST_PATH:
        raise InvalidParameter.of("path", path, valid=f"at most {_MOST_PATH} characters")
    try:
        split = urlsplit(path)
    except ValueError:
        raise InvalidParameter.of("path", path.partition("?")[0], valid=tuple(endpoints)) from None
    endpoint = endpoint_at(split.path.rstrip("/"), endpoints)
    if endpoint is None:
        raise InvalidParameter.of("path", split.path, valid=tuple(endpoints))
    read = (*parse_qsl(split.query, keep_blank_values=True), *further)
    given = tuple(one for one in read if one[0] != PARAMETER)  # whose it is does not change the query
    if len(given) > MOST_PARAMETERS:
        raise InvalidParameter.of("path", f"{len(given):,} parameters", valid=f"at most {MOST_PARAMETERS}")
    return Query(endpoint, given)


def example_query(spec: DatasetSpec) -> str:
    """A query of a dataset that runs, of values its filters give as examples: what it wants to be told, or may be."""
    told = [one for one in spec.filters if one.example]
    wanted = [one for one in told if one.required or one.default is not None] or told[:1]
    given = [(one.parameter, ",".join(one.example)) for one in wanted]
    return f"/api/hub/{spec.name}?{_query_string([*given, ('limit', _EXAMPLE_ROWS)])}"


def snippets_of(query: Query, description: Description, *, base: str) -> Snippets:
    """The query of the commits it is answered from, at the server that is reached at `base`."""
    pinned = query.known().pinned(description)
    code = _events(pinned, base) if description.media_type == EVENTS else _answers(pinned, base)
    return Snippets(permalink=pinned.url(base), revision=description.revision, code=code)


def _query_string(params: Sequence[tuple[str, str]]) -> str:
    return urlencode(params, quote_via=quote, safe=",:@*/")


def _answers(query: Query, base: str) -> dict[str, str]:
    """Code for an answer that ends; tables are read as parquet where there is that, and else as JSON."""
    script = _JAVASCRIPT.format(url=_string_literal(query.written("json").url(base)), token=TOKEN_VARIABLE)
    code = {
        "curl": _curl(query.url(base), "--compressed"),
        "python": _PYTHON.format(**_of_python(query.written("json"), base)),
        "javascript": script,
    }
    if not query.endpoint.is_table:
        return code
    form, how = ("parquet", "") if query.endpoint.has_formats else ("json", ", infer_schema_length=None")
    given = {**_of_python(query.written(form), base), "form": form, "how": how}
    return code | {"polars": _POLARS.format(**given), "duckdb": _DUCKDB.format(**given)}


def _events(query: Query, base: str) -> dict[str, str]:
    """Code for a stream of events: it prints them line by line, until it is stopped."""
    return {
        "curl": _curl(query.url(base), "--no-buffer"),
        "python": _PYTHON_EVENTS.format(**_of_python(query, base)),
        "javascript": _JAVASCRIPT_EVENTS.format(url=_string_literal(query.url(base)), token=TOKEN_VARIABLE),
    }


def _curl(url: str, manner: str) -> str:
    return (
        f"curl --fail-with-body --silent --show-error {manner} \\\n"
        f'  --header "Authorization: Bearer ${TOKEN_VARIABLE}" \\\n'
        f"  {shlex.quote(url)}\n"
    )


def _of_python(query: Query, base: str) -> Mapping[str, Any]:
    pairs = ",\n".join(f"    ({_string_literal(name)}, {_string_literal(value)})" for name, value in query.params)
    params = f"[\n{pairs},\n]" if pairs else "[]"
    return {"url": _string_literal(base + query.endpoint.path), "params": params, "token": TOKEN_VARIABLE}


def _string_literal(text: str) -> str:
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
_PYTHON_EVENTS: Final = """\
import os

import httpx

params = {params}
with httpx.stream(
    "GET",
    {url},
    params=params,
    headers={{"Authorization": f"Bearer {{os.environ['{token}']}}"}},
    timeout=60,
) as answer:
    answer.raise_for_status()
    for line in answer.iter_lines():
        print(line, flush=True)
"""
_POLARS: Final = f"""\
import io
import os

import httpx
import polars as pl

params = {{params}}
{_ASKED}frame = pl.read_{{form}}(io.BytesIO(answer.content){{how}})
print(frame)
"""
_DUCKDB: Final = f"""\
import os
import tempfile

import duckdb
import httpx

params = {{params}}
{_ASKED}with tempfile.NamedTemporaryFile(suffix=".{{form}}") as file:
    file.write(answer.content)
    file.flush()
    rows = duckdb.read_{{form}}(file.name)
    print(duckdb.sql("SELECT * FROM rows"))
"""  # noqa: S608 - code for callers, and nothing of theirs is in it
_JAVASCRIPT_ASKED: Final = """\
const answer = await fetch({url}, {{
  headers: {{ Authorization: `Bearer ${{process.env.{token}}}` }},
}});
if (!answer.ok) throw new Error(await answer.text());
"""
_JAVASCRIPT: Final = f"""\
{_JAVASCRIPT_ASKED}console.log(JSON.stringify(await answer.json()));
"""
_JAVASCRIPT_EVENTS: Final = f"""\
{_JAVASCRIPT_ASKED}const text = new TextDecoder();
for await (const chunk of answer.body) process.stdout.write(text.decode(chunk, {{{{ stream: true }}}}));
"""
