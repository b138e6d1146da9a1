"""Values bound to SQL are few and small: looking at them keeps nobody else waiting."""

import json
from typing import Any

import msgspec
import pytest
from httpx import Response

from api.sql import controller
from tests.api.conftest import Client

URL = "/api/hub/sql"
JSON = {"Content-Type": "application/json"}


def both(client: Client, statement: str, params: Any) -> list[Response]:
    """What GET and POST say; what is too long for a URL is posted only."""
    text = json.dumps(params, separators=(",", ":"))
    answers = [client.post(URL, json={"sql": statement, "params": params})]
    if len(text) < 10_000:
        answers.append(client.get(URL, params={"q": statement, "params": text}))
    return answers


def test_as_many_values_as_are_allowed_may_be_bound(client: Client) -> None:
    for answer in both(client, "SELECT len($found) AS n", {"found": [7] * 999}):
        assert answer.json() == [{"n": 999}]
    for answer in both(client, f"SELECT len([{','.join(['?'] * 1000)}]) AS n", [1] * 1000):
        assert answer.json() == [{"n": 1000}]
    (answer,) = both(client, "SELECT length(?) AS n", ["x" * 120_000])
    assert answer.json() == [{"n": 120_000}]


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ([1] * 1001, "1,001 values"),
        ({f"p{number}": 1 for number in range(1001)}, "1,001 values"),
        ({"found": [7] * 1000}, "1,001 values"),
        ([[[1] * 500], [{"a": 1, "b": [None] * 498}]], "1,004 values"),
        ([[]] * 1001, "1,001 values"),
        ([7] * 60_000, "60,000 values"),
        (["x" * 131_069], "131,073 bytes"),
        ([[[]] * 400] * 200, "240,401 bytes"),
    ],
)
def test_more_values_are_refused_by_the_bound_they_are_over(client: Client, params: Any, says: str) -> None:
    for answer in both(client, "SELECT 1", params):
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["parameter"]) == (400, "invalid_parameter", "params")
        assert says in problem["detail"]
        assert "at most 1,000 values, nested ones too, in 128 KiB of JSON" in problem["detail"]


@pytest.mark.parametrize("piece", [b"[],", b"{},", b"1,", b'"x",', b"12345678901234567890,"])
@pytest.mark.parametrize("start", [b'{"sql": "SELECT 1", "params": [', b'{"params": [', b'{"other": [', b"["])
def test_a_large_body_is_not_read_at_all(
    client: Client, monkeypatch: pytest.MonkeyPatch, start: bytes, piece: bytes
) -> None:
    monkeypatch.setattr(controller, "check_values", None)
    body = start + piece * (900_000 // len(piece)) + piece[:-1] + b"]" + b"}" * start.startswith(b"{")
    answer = client.post(URL, content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
    assert "262,144 are allowed" in answer.json()["detail"]


def test_no_objects_are_made_of_too_many_values(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    decode = msgspec.json.decode

    def noted(text: Any, **more: Any) -> Any:
        made.append(found := decode(text, **more))
        return found

    monkeypatch.setattr(msgspec.json, "decode", noted)
    body = b'{"sql": "SELECT 1", "params": [' + b"[]," * 60_000 + b"[]]}"
    answer = client.post(URL, content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    assert [type(found).__name__ for found in made] == ["_Unread"]


def test_the_documentation_names_the_bounds(client: Client) -> None:
    schema = client.get("/schema/openapi.json").json()
    (described,) = [one for one in schema["paths"][URL]["get"]["parameters"] if one["name"] == "params"]
    assert "at most 1,000 values" in described["description"]
    (posted,) = [one for name, one in schema["components"]["schemas"].items() if name.endswith("SqlRequest")]
    assert "at most 1,000 values" in posted["properties"]["params"]["description"]
