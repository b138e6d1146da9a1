"""Queries of Dagster's UI that are malformed or deep are refused in plain words, and do not fill the log."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.security.dagster_ui import JSON, DagsterUi

DEEP = 100_000
MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"query": "\xff"}',
    "array": b"[]",
    "batch": b'[{"query": "{ version }"}]',
    "number": b"5",
    "null": b"null",
    "text": b'"{ version }"',
    "long number": b'{"query": "{ version }", "variables": {"x": ' + b"9" * 5000 + b"}}",
    "no query": b'{"variables": {}}',
    "query of null": b'{"query": null}',
    "query of a number": b'{"query": 5}',
    "query of an object": b'{"query": {}}',
    "query of half a character": b'{"query": "{ \\ud800 }"}',
    "variables of a number": b'{"query": "{ version }", "variables": 5}',
    "variables of an array": b'{"query": "{ version }", "variables": []}',
    "variables of text": b'{"query": "{ version }", "variables": "[]"}',
    "variables of no number": b'{"query": "{ version }", "variables": {"x": NaN}}',
    "variables of infinity": b'{"query": "{ version }", "variables": {"x": 1e999}}',
    "operation of a number": b'{"query": "{ version }", "operationName": 5}',
    "operation of an array": b'{"query": "{ version }", "operationName": []}',
    "deep arrays": b"[" * DEEP,
    "deep whole arrays": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"query":' * DEEP,
    "deep variables": b'{"query": "{ version }", "variables": {"x": ' + b"[" * DEEP + b"]" * DEEP + b"}}",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_query_is_refused_without_a_traceback(ui: DagsterUi, name: str) -> None:
    before = len(ui.log.read_text())
    answer = ui.client.post("/graphql", content=MALFORMED[name], headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_graphql")
    assert answer.json()["detail"]
    assert "Traceback" not in ui.log.read_text()[before:]


def test_what_is_nested_almost_too_deeply_raises_nothing(ui: DagsterUi) -> None:
    before = len(ui.log.read_text())
    values = [b"[" * depth + b"]" * depth for depth in (*range(900, 1000, 3), DEEP)]
    queries = [b'{"query": "{ version }", "variables": {"x": ' + value + b"}}" for value in values]
    queries += [b'{"query": "{ version(x: ' + value + b') }"}' for value in values[::11]]
    queries += [b'{"query": "' + b"{ instance " * depth + b"}" * depth + b'"}' for depth in (50, 200, 1000, DEEP)]
    codes = {ui.client.post("/graphql", content=query, headers=JSON).status_code for query in queries}
    assert codes == {200, 400}
    assert "Traceback" not in ui.log.read_text()[before:]


@pytest.mark.parametrize(
    "more", [{}, {"variables": None, "operationName": None}, {"variables": {"x": "\u00e9\U0001f600"}}]
)
def test_a_well_formed_query_passes_whole(ui: DagsterUi, more: dict[str, Any]) -> None:
    body = json.dumps({"query": "{ version }", **more}).encode()
    pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
    for content in (body, iter(pieces)):
        answer = ui.client.post("/graphql", content=content, headers=JSON)
        assert answer.json() == {"data": {"version": "1.13.27"}}


def test_an_error_that_repeats_does_not_fill_the_log(tmp_path: Path) -> None:
    with DagsterUi(tmp_path / "home") as ui:
        alone = JSON | {"connection": "close"}  # as the server closes a connection after an error
        for _ in range(30):
            assert ui.client.post("/report_asset_check/x", content="5", headers=alone).status_code == 500
        assert 1 <= ui.log.read_text().count("Exception in ASGI application") <= 5
