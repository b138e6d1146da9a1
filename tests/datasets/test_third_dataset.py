"""Two datasets the product has never heard of, through all of it: landing, cache, Hub, `load_dataset`, API, checks.

`docs/add-a-dataset.md` tells how they were made. Incidents have a text as key, many rows of one time, and no series.
Receipts have a growing number as key, files of ranges of it, and rows that become final and are corrected.
"""

import io
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from tests.datasets.conftest import INSTALLED
from tests.datasets.field_service import FIRST_NUMBER, RECEIPTS, REGISTERS, UNSETTLED, FieldService
from tests.e2e.stack import ROOT, Stack

pytestmark = pytest.mark.timeout(300)
DATASETS = ("incidents", "receipts")
REPOS = {"incidents": "field-incidents", "receipts": "field-receipts"}
CACHED = {
    "incidents": "SELECT commit_id FROM cached_incidents",
    "receipts": "SELECT commit_id FROM cached_receipts",
}
COUNTED = {
    "incidents": "SELECT count(*) AS n, count(DISTINCT incident_id) AS k FROM incidents",
    "receipts": "SELECT count(*) AS n, count(DISTINCT (register, number)) AS k FROM receipts",
}
KEYS = {"incidents": ("incident_id",), "receipts": ("register", "number")}
Row = dict[str, Any]


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def told(service: FieldService, dataset: str) -> dict[tuple[Any, ...], Row]:
    """What the service tells, by key, with the columns of the dataset but the time of fetching."""
    if dataset == "receipts":
        rows = [
            {**row, "stamped_at": _ms(row["stamped_at"]), "provider": "register"} for row in service.receipts.values()
        ]
    else:
        rows = [
            {
                "incident_id": row["id"],
                "timestamp": _ms(row["noticed_at"]),
                "provider": "statuspage",
                **{name: row[name] for name in ("headline", "severity", "services", "affected")},
            }
            for row in service.incidents.values()
        ]
    return {tuple(row[name] for name in KEYS[dataset]): row for row in rows}


def by_key(dataset: str, rows: list[Row]) -> dict[tuple[Any, ...], Row]:
    """Rows as `told` has them; no key comes twice."""
    found = {}
    for row in rows:
        time = row.get("timestamp", row.get("stamped_at"))
        name = "timestamp" if "timestamp" in row else "stamped_at"
        plain = {**row, name: _ms(time) if isinstance(time, str) else time}
        plain.pop("ingested_at")
        key = tuple(row[part] for part in KEYS[dataset])
        assert key not in found
        found[key] = plain
    return found


def pages(stack: Stack, dataset: str, **params: Any) -> Iterator[list[Row]]:
    """All pages of an answer, by the links from one to the next."""
    answer = stack.api.get(f"/api/hub/{dataset}", params={"columns": "*", **params}).raise_for_status()
    while True:
        yield answer.json()
        if "next" not in answer.links:
            return
        answer = stack.api.get(answer.links["next"]["url"]).raise_for_status()


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_are_the_whole_once(stack: Stack, service: FieldService, dataset: str, order: str) -> None:
    size = 37 if dataset == "incidents" else 613
    found = [row for page in pages(stack, dataset, limit=size, order=order, start="2020-01-01") for row in page]
    assert by_key(dataset, found) == told(service, dataset)
    times = [str(row.get("timestamp", row.get("stamped_at"))) for row in found]
    assert times == sorted(times, reverse=order == "desc")


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_cache_the_hub_and_the_api_hold_the_same(stack: Stack, service: FieldService, dataset: str) -> None:
    loaded = stack.load_dataset(f"local/{REPOS[dataset]}")
    assert by_key(dataset, loaded) == told(service, dataset)
    with closing(sqlite3.connect(stack.home / "cache.sqlite3")) as cache:
        rows = list(cache.execute(CACHED[dataset]))
    assert len(rows) == len(loaded)
    assert all(commit is not None for (commit,) in rows)


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_format_holds_the_same_rows(stack: Stack, dataset: str) -> None:
    def content(form: str) -> bytes:
        params: dict[str, str | int] = {"columns": "*", "limit": 50, "format": form}
        return stack.api.get(f"/api/hub/{dataset}", params=params).raise_for_status().content

    rows = json.loads(content("json"))
    columns = json.loads(content("columns"))
    lines = [json.loads(line) for line in content("ndjson").splitlines()]
    names = list(rows[0])
    assert len(rows) == 50
    assert lines == rows
    assert {name: columns[name] for name in names} == {name: [row[name] for row in rows] for name in names}
    for frame in (pl.read_parquet(io.BytesIO(content("parquet"))), pl.read_ipc_stream(io.BytesIO(content("arrow")))):
        times = pl.selectors.temporal().dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        short = [{k: v.replace(".000Z", "Z") if isinstance(v, str) else v for k, v in row.items()} for row in rows]
        read = frame.with_columns(times).to_dicts()
        assert [
            {k: v.replace(".000Z", "Z") if isinstance(v, str) else v for k, v in row.items()} for row in read
        ] == short
    table = pl.read_csv(io.BytesIO(content("csv")), infer_schema=False)
    assert table.columns == names
    assert table.height == len(rows)


def test_filters_keep_what_they_say(stack: Stack, service: FieldService) -> None:
    incidents = told(service, "incidents").values()
    asked = {
        "severity=MAJOR": [row for row in incidents if row["severity"] == "major"],
        "service=wallet": [row for row in incidents if "wallet" in row["services"]],
        "service=wallet&severity=major": [
            row for row in incidents if "wallet" in row["services"] and row["severity"] == "major"
        ],
        "service=nobody": [],
    }
    for query, wanted in asked.items():
        found = stack.api.get(f"/api/hub/incidents?limit=5000&{query}").raise_for_status().json()
        assert {row["incident_id"] for row in found} == {row["incident_id"] for row in wanted}, query
    settled = stack.get("/api/hub/receipts", limit=5000, settled_only="true", register="south")
    assert Counter(row["register"] for row in settled) == {"south": RECEIPTS - UNSETTLED}
    numbers = stack.get("/api/hub/receipts", number=f"{FIRST_NUMBER},{FIRST_NUMBER + 3}")
    assert {(row["register"], row["number"]) for row in numbers} == {
        (register, FIRST_NUMBER + place) for register in REGISTERS for place in (0, 3)
    }
    refused = stack.api.get("/api/hub/receipts?register=nroth")
    assert (refused.status_code, refused.json()["code"], refused.json()["valid"]) == (
        404,
        "unknown_register",
        ["north", "south"],
    )


def test_files_on_the_hub_follow_the_spec(stack: Stack) -> None:
    tree = stack.api.get(f"{stack.hub_url}/api/datasets/local/field-receipts/tree/main?recursive=true").json()
    paths = {entry["path"] for entry in tree if entry["type"] == "file"}
    assert {"README.md", "corrections/corrections.parquet", "data/open.parquet"} <= paths
    assert any(path.startswith("data/live/") for path in paths)
    sealed = {path for path in paths if path.startswith("data/0")}
    assert sealed <= {f"data/{first:012d}-{first + 999:012d}.parquet" for first in (100_000, 101_000)}
    hours = {path for path in paths if path.startswith("data/hours/")}
    assert sealed | hours, "receipts of an hour that is over, or of a day that is"
    listed = stack.api.get(f"{stack.hub_url}/api/datasets/local/field-incidents/tree/main?recursive=true").json()
    incidents = {entry["path"] for entry in listed if entry["type"] == "file"}
    assert "data/today.parquet" in incidents
    assert not any(path.startswith(("gaps/", "corrections/")) for path in incidents)


@pytest.mark.parametrize(
    ("dataset", "phrases"),
    [
        ("incidents", ["# Incidents", "license: cc-by-4.0", "| `services` |", "one of"]),
        ("receipts", ["# Receipts", "license: cc0-1.0", "EUR", "corrections"]),
    ],
)
def test_the_card_tells_of_it(stack: Stack, dataset: str, phrases: list[str]) -> None:
    url = f"{stack.hub_url}/datasets/local/{REPOS[dataset]}/resolve/main/README.md"
    card = stack.api.get(url, follow_redirects=True).raise_for_status().text
    assert [phrase for phrase in phrases[:3] if phrase not in card] == []


@pytest.mark.parametrize("dataset", DATASETS)
def test_sql_reads_it(stack: Stack, service: FieldService, dataset: str) -> None:
    rows = stack.get("/api/hub/sql", q=COUNTED[dataset])
    count = len(told(service, dataset))
    assert rows == [{"n": count, "k": count}]
    if dataset == "incidents":
        found = stack.get("/api/hub/sql", q="SELECT services FROM incidents WHERE incident_id = 'inc-000003'")
        assert found == [{"services": ["wallet", "api"]}]


def test_every_surface_lists_them(stack: Stack) -> None:
    info = stack.get("/api/hub/dataset-info")
    schema = stack.api.get("/schema/openapi.json").raise_for_status().json()
    snippets = json.dumps(stack.get("/api/hub/snippets"))
    for dataset in DATASETS:
        assert info[dataset]["repo"] == f"local/{REPOS[dataset]}"
        assert info[dataset]["key"] == list(KEYS[dataset])
        operation = schema["paths"][f"/api/hub/{dataset}"]["get"]
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert {
            "start",
            "end",
            "limit",
            "order",
            "cursor",
            "columns",
            "format",
            "numbers",
            "revision",
            "as_of",
        } <= names
        media = operation["responses"]["200"]["content"]["application/json"]
        assert "example" in media or "examples" in media
        assert stack.get("/api/hub/revisions", dataset=dataset)["revisions"]
        assert stack.get("/api/hub/coverage", dataset=dataset)["series"]
        assert stack.get("/api/hub/status")["datasets"][dataset]["available"]
        assert f"/api/hub/{dataset}" in snippets
    assert stack.get("/api/hub/coverage", dataset="receipts")["series"][0]["forming"] == UNSETTLED
    assert {"severity", "service"} <= {p["name"] for p in schema["paths"]["/api/hub/incidents"]["get"]["parameters"]}


CHECKS = """{ assetNodes { assetKey { path } assetChecksOrError { ... on AssetChecks { checks {
  name executionForLatestMaterialization { status evaluation { success } } } } } } }"""


WANTED = {"all_rows_accepted", "key_unique", "numbers_plausible", "hub_equals_cache", "rows_never_shrink"}


def test_dagster_checks_them(stack: Stack) -> None:
    """Of the newest runs, whose last checks may still be to come."""

    def passed() -> set[str]:
        answer = httpx.post(
            f"http://127.0.0.1:{stack.dagster_port}/graphql",
            json={"query": CHECKS},
            headers={"Sec-Fetch-Site": "same-origin"},
            timeout=30,
        ).raise_for_status()
        return {
            check["name"]
            for node in answer.json()["data"]["assetNodes"]
            if {"incident_reports", "cached_incidents", "field_incidents"} & set(node["assetKey"]["path"])
            for check in node["assetChecksOrError"]["checks"]
            for execution in [check["executionForLatestMaterialization"]]
            if execution and execution["status"] == "SUCCEEDED" and execution["evaluation"]["success"]
        }

    stack.wait_for(lambda: passed() >= WANTED, "runs whose checks all passed")


def events(stack: Stack, query: str) -> Iterator[tuple[str, Any]]:
    """What a stream says, event by event."""
    with stack.api.stream("GET", f"/api/hub/stream?{query}", timeout=60) as answer:
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


def test_a_change_is_streamed_and_in_the_difference(stack: Stack, service: FieldService) -> None:
    """The incident moves to another month as well: its key is still in one file."""
    before = stack.head("field-incidents")
    stream = events(stack, "dataset=incidents&severity=major")
    assert next(stream)[0] == "ready"
    service.incidents["inc-000010"] |= {"headline": "Withdrawals stopped", "noticed_at": "2024-05-05T05:05:05Z"}
    name, change = next(stream)
    assert name == "commit"
    assert [(one["before"]["headline"], one["after"]["headline"]) for one in change["changed"]] == [
        ("Delay 10", "Withdrawals stopped")
    ]
    after = stack.wait_for(lambda: (head := stack.head("field-incidents")) != before and head, "a commit")
    difference = stack.get("/api/hub/diff", dataset="incidents", **{"from": before, "to": after})
    assert difference["counts"] == {"added": 0, "changed": 1, "removed": 0}
    assert by_key("incidents", stack.load_dataset("local/field-incidents")) == told(service, "incidents")
    old = stack.get("/api/hub/incidents", revision=before, limit=5000, service="api", columns="incident_id,headline")
    assert {"incident_id": "inc-000010", "headline": "Delay 10"} in old


def test_receipts_settle_and_corrections_are_written_down(stack: Stack, service: FieldService) -> None:
    last, corrected = ("north", FIRST_NUMBER + RECEIPTS - 1), ("north", FIRST_NUMBER + 7)
    service.receipts[last]["settled"] = True
    service.receipts[corrected]["amount"] = 99.75
    wanted = told(service, "receipts")

    def arrived() -> bool:
        rows = stack.get("/api/hub/receipts", number=f"{last[1]},{corrected[1]}", register="north", columns="*")
        found = by_key("receipts", rows)
        return found == {last: wanted[last], corrected: wanted[corrected]}

    stack.wait_for(arrived, "the changes")
    lines = stack.get("/api/hub/sql", q='SELECT dataset, key, "column", old, new FROM corrections')
    assert lines == [
        {
            "dataset": "receipts",
            "key": '{"register":"north","number":100207}',
            "column": "amount",
            "old": "1.75",
            "new": "99.75",
        }
    ]
    ledger = stack.load_dataset("local/field-receipts", "corrections")
    assert [(line["dataset"], line["column"], line["new"]) for line in ledger] == [("receipts", "amount", "99.75")]
    assert by_key("receipts", stack.load_dataset("local/field-receipts")) == wanted


def test_the_guide_shows_the_code_that_runs_here() -> None:
    """Every block of code in the five steps is a file of the installed package, as it is."""
    guide = (ROOT / "docs" / "add-a-dataset.md").read_text()
    shown = [block.partition("\n")[2].rpartition("```")[0] for block in _blocks(guide)]
    files = {path: path.read_text() for path in INSTALLED.rglob("*") if path.suffix in {".py", ".txt"}}
    assert [block.splitlines()[:2] for block in shown if block not in files.values()] == []
    package = {path.name for path, text in files.items() if text in shown}
    assert {"spec.py", "rows.py", "asset.py", "settings.py", "entry_points.txt"} <= package
    assert re.findall(r"^## (\d)\.", guide, re.MULTILINE) == list("12345")


def _blocks(guide: str) -> list[str]:
    parts = guide.split("\n```")
    return [part + "\n```" for part in parts[1::2] if part.startswith(("python", "ini"))]


def test_no_file_of_the_product_names_them() -> None:
    product = [path for name in ("datahub_assets", "api", "localhub") for path in (ROOT / name).rglob("*.py")]
    assert [
        path for path in product if "field_incidents" in path.read_text() or "field_receipts" in path.read_text()
    ] == []
    assert Path(INSTALLED / "field_data-1.0.dist-info" / "entry_points.txt").is_file()
