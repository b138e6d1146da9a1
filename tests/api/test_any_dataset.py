"""Rows over HTTP of datasets that installed packages bring: filters, orders, formats, pages and refusals."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from litestar import Litestar
from litestar.datastructures import State
from litestar.testing import TestClient

from api.caching.answers import Answers
from api.caching.response_cache import ResponseCache
from api.engine.snapshot import Snapshot
from api.http.metrics import Metrics
from api.http.problems import problem_response
from api.http.reading import known_parameters_only
from api.http.work_threads import WorkThreads
from api.rows.controller import rows_router
from tests.api.conftest import Client
from tests.api.installed import INCIDENTS, RECEIPTS, incidents, receipts
from tests.api.snapshots import making
from tests.api.workers import NOW_MS


class OneCommit:
    """Stands in for a dataset of which one commit is served."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    async def commit(self, _: Any) -> Any:
        return self.snapshot.commit

    async def at(self, _: Any) -> Snapshot:
        return self.snapshot


class Served:
    """Stands in for the engine."""

    def __init__(self, *snapshots: Snapshot) -> None:
        self.datasets = {snapshot.spec.name: OneCommit(snapshot) for snapshot in snapshots}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Thirty incidents of one time over two files, forty receipts of two registers."""
    with making(tmp_path_factory.mktemp("files")) as maker:
        told = incidents(30)
        both = pl.concat([receipts("north", 20), receipts("south", 20)])
        served = Served(
            maker.snapshot(INCIDENTS, told[:20], told[20:]),
            maker.snapshot(RECEIPTS, both.filter("settled"), both.filter(~pl.col("settled"))),
        )
        threads = WorkThreads()
        answers = Answers(served, ResponseCache(1 << 20), Metrics(), threads)  # type: ignore[arg-type]
        app = Litestar(
            route_handlers=[rows_router((INCIDENTS, RECEIPTS))],
            guards=[known_parameters_only],
            exception_handlers={Exception: problem_response},
            state=State({"answers": answers}),
        )
        with TestClient(app) as client:
            yield client
        threads.close()


def get(client: Client, url: str) -> list[dict[str, Any]]:
    answer = client.get(url)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def pages(client: Client, url: str) -> list[list[dict[str, Any]]]:
    found = []
    following: str | None = url
    while following is not None:
        answer = client.get(following)
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        following = answer.links.get("next", {}).get("url")
    return found


def test_rows_come_newest_first_where_the_spec_says_so(rows: Client) -> None:
    named = [row["incident_id"] for row in get(rows, "/api/hub/incidents?limit=3")]
    assert named == ["inc-000029", "inc-000028", "inc-000027"]
    assert [row["incident_id"] for row in get(rows, "/api/hub/incidents?limit=3&order=asc&start=2026-01-01")] == [
        f"inc-{number:06d}" for number in range(3)
    ]


@pytest.mark.parametrize("limit", [1, 7, 29, 30])
@pytest.mark.parametrize("query", ["", "&start=2026-01-01", "&order=asc", "&order=asc&start=2026-01-01"])
def test_pages_hold_every_row_of_one_time_once(rows: Client, limit: int, query: str) -> None:
    found = pages(rows, f"/api/hub/incidents?limit={limit}{query}&columns=incident_id,timestamp")
    named = [row["incident_id"] for page in found for row in page]
    assert len({row["timestamp"] for page in found for row in page}) == 1
    assert sorted(named) == [f"inc-{number:06d}" for number in range(30)]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("incidents?severity=MAJOR", 10),
        ("incidents?service=wallet", 10),
        ("incidents?service=wallet,api", 30),
        ("incidents?service=wallet&severity=minor", 0),
        ("incidents?severity=nothing", 0),
        ("receipts?number=100003", 2),
        ("receipts?number=0100003,100004&register=north", 2),
        ("receipts?number=1", 0),
        ("receipts?settled_only=true", 38),
        ("receipts?settled_only=false", 40),
        ("receipts?register=north,south", 40),
    ],
)
def test_filters_mean_their_columns(rows: Client, url: str, expected: int) -> None:
    assert len(get(rows, f"/api/hub/{url}")) == expected


@pytest.mark.parametrize(
    ("url", "status", "code", "names"),
    [
        ("receipts?register=west", 404, "unknown_register", "north, south"),
        ("receipts?number=many", 400, "invalid_parameter", "whole number"),
        ("receipts?number=99999999999999999999", 400, "invalid_parameter", "whole number"),
        ("receipts?settled_only=perhaps", 400, "invalid_parameter", "settled_only"),
        ("receipts?columns=nothing", 400, "invalid_parameter", "stamped_at"),
        ("receipts?max_age=5", 400, "unknown_parameter", "max_age"),
        ("receipts?severity=major", 400, "unknown_parameter", "severity"),
        ("incidents?" + "severity=" + ",".join(map(str, range(501))), 400, "invalid_parameter", "at most 500"),
    ],
)
def test_a_wrong_value_is_told(rows: Client, url: str, status: int, code: str, names: str) -> None:
    answer = rows.get(f"/api/hub/{url}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert names in answer.json()["detail"]


def test_a_cursor_of_an_earlier_version_is_told_as_such(rows: Client) -> None:
    answer = rows.get(
        "/api/hub/receipts?cursor=lQHZKGFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWHECDEyMzQ1Njc4zQPop0JUQ1VTRFQ"
    )
    assert answer.json()["code"] == "invalid_cursor"
    assert "another version" in answer.json()["detail"]


def test_lists_come_in_every_format(rows: Client) -> None:
    url = "/api/hub/incidents?limit=2&columns=incident_id,services&order=asc&start=2026-01-01"
    lists = [["wallet", "api"], ["api"]]
    assert [row["services"] for row in get(rows, url)] == lists
    assert rows.get(f"{url}&format=columns").json()["services"] == lists
    lines = rows.get(f"{url}&format=ndjson").text.splitlines()
    assert [json.loads(line)["services"] for line in lines] == lists
    cells = list(csv.DictReader(io.StringIO(rows.get(f"{url}&format=csv").text)))
    assert [cell["services"].split("|") for cell in cells] == lists
    stream = pa.ipc.open_stream(rows.get(f"{url}&format=arrow").content).read_all()
    assert stream.schema.field("services").type == pa.list_(pa.string())
    assert stream.column("services").to_pylist() == lists
    file = pq.read_table(io.BytesIO(rows.get(f"{url}&format=parquet").content))
    assert file.schema.equals(stream.schema)
    assert file.column("services").to_pylist() == lists


def test_times_of_any_name_are_selected_by(rows: Client) -> None:
    found = get(rows, f"/api/hub/receipts?start={NOW_MS + 5000}&end={NOW_MS + 7000}&register=south")
    assert [row["number"] for row in found] == [100_005, 100_006]
    assert found[0]["stamped_at"] == "2026-11-22T12:00:05Z"
