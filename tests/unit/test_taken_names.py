"""The names a dataset cannot have are all those that mean something already."""

import keyword
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
from dagster._core.definitions.utils import DISALLOWED_NAMES

from api.asgi import create_app
from api.http.errors import ApiError, UnknownValue
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.taken_names import (
    COMMON_PARAMETERS,
    SQL_WORDS,
    TAKEN_ASSETS,
    TAKEN_CODES,
    TAKEN_COLUMNS,
    TAKEN_NAMES,
    TAKEN_TABLES,
)
from datahub_assets.settings import Settings
from datahub_assets.stores.cache.cache import Cache


def test_routes_below_the_hub_are_taken_names(tmp_path: Path) -> None:
    routes = create_app(Settings.from_env({"DATAHUB_HOME": str(tmp_path)})).routes
    first = {route.path.removeprefix("/api/hub/").split("/")[0] for route in routes if "/api/hub/" in route.path}
    assert first >= {"sql", "stream", "dataset-info", *DATASETS}
    named = {name for name in first if not name.startswith("{")}
    assert named - DATASETS.keys() <= TAKEN_NAMES


def test_common_parameters_are_taken(tmp_path: Path) -> None:
    paths = create_app(Settings.from_env({"DATAHUB_HOME": str(tmp_path)})).openapi_schema.to_schema()["paths"]
    taken_by_all = [
        {one["name"] for one in paths[f"/api/hub/{name}"]["get"].get("parameters", []) if one["in"] == "query"}
        - {one.parameter for one in spec.filters}
        for name, spec in DATASETS.items()
    ]
    assert set().union(*taken_by_all) <= COMMON_PARAMETERS
    assert {"start", "end", "limit", "cursor", "columns", "format", "revision", "as_of"} <= set.intersection(
        *taken_by_all
    )


def test_codes_of_other_errors_are_taken() -> None:
    def kinds(kind: type[ApiError]) -> set[str]:
        below = () if kind is UnknownValue else kind.__subclasses__()  # those below it are the specs' own
        return {kind.code}.union(*(kinds(one) for one in below))

    assert {code for code in kinds(ApiError) if code.startswith("unknown_")} == TAKEN_CODES


def test_tables_and_columns_of_the_cache_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite3"
    Cache.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        kept = {
            row[1]
            for spec in DATASETS.values()
            for row in connection.execute(f"PRAGMA table_info({spec.cache_table})")
            if row[1] not in spec.column_names
        }
    own = {spec.cache_table for spec in DATASETS.values()}
    assert {name for name in tables - own if not name.startswith("sqlite_")} <= TAKEN_TABLES
    assert kept <= TAKEN_COLUMNS
    assert len(kept) >= 3


def test_words_of_sql_are_duckdbs() -> None:
    with closing(duckdb.connect()) as connection:
        found = connection.execute(
            "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category IN ('reserved', 'type_function')"
        ).fetchall()
    assert frozenset(name for (name,) in found) == SQL_WORDS


def test_words_of_dagster_are_its_own() -> None:
    assert frozenset(DISALLOWED_NAMES) - frozenset(keyword.kwlist) == TAKEN_ASSETS
