"""Commits with times in milliseconds, and later ones with microseconds: whoever reads gets the same of each commit."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.ledgers import parts_of
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS, utc_datetime
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.following import following
from tests.api.process import serving_process
from tests.api.workers import NOW_MS, candles, prices
from tests.datasets.published import ALL_FILES, INTERVALS, Commit, Published, frame, globbed, part, same
from tests.earlier_form import IN_MS, TODAYS


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with HubServer(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture(scope="module")
def commits(server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> list[Commit]:
    """Three intervals of two pairs with a hole, a correction, hours that pass; prices; in both units."""
    made = Published(server, tmp_path_factory.mktemp("published"))
    hole = NOW_MS - 5 * HOUR_MS
    first = pl.concat([candles(interval=name, count=60) for name in INTERVALS])
    made.publish(OHLC, first.filter(pl.col("timestamp") != utc_datetime(hole)))
    corrected = first.filter(interval="1h", symbol="BTCUSDT").filter(OHLC.time_ms() == NOW_MS - 3 * HOUR_MS)
    made.publish(
        OHLC,
        corrected.with_columns(close=pl.col("low"), ingested_at=pl.lit(utc_datetime(NOW_MS + 7 * MINUTE_MS + 1))),
    )
    made.publish(MARKET, prices())
    made.publish(OHLC, candles(count=3, until_ms=NOW_MS + HOUR_MS))
    made.publish(MARKET, prices(at_ms=NOW_MS + MINUTE_MS, factor=1.5))
    made.turn(OHLC, MARKET)
    made.publish(MARKET, prices(at_ms=NOW_MS + 2 * MINUTE_MS, factor=2))
    made.publish(OHLC, candles(count=3, until_ms=NOW_MS + 2 * HOUR_MS))
    made.publish(OHLC, candles(count=3, until_ms=NOW_MS + 15 * HOUR_MS, interval="4h"))
    made.workers.close()
    return made.commits


@pytest.fixture(scope="module")
def client(server: HubServer, commits: list[Commit], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(server, tmp_path_factory.mktemp("home")) as client:
        yield client


def by_polars(commit: Commit, config: str) -> pl.DataFrame:
    return pl.scan_parquet(commit.folder / ALL_FILES[config]).collect()


def by_pyarrow(commit: Commit, config: str) -> pl.DataFrame:
    return frame(ds.dataset(globbed(commit, config), format="parquet").to_table())


def by_duckdb(commit: Commit, config: str) -> pl.DataFrame:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return frame(connection.sql(f"FROM read_parquet('{commit.folder / ALL_FILES[config]}')").to_arrow_table())


def by_pandas(commit: Commit, config: str) -> pl.DataFrame:
    pd = import_module("pandas")  # it has no types
    frames = [pd.read_parquet(path) for path in globbed(commit, config)]
    return pl.from_pandas(pd.concat(frames, ignore_index=True), schema_overrides=part(commit, config).polars_schema())


def test_each_commit_has_one_unit(commits: list[Commit]) -> None:
    assert [commit.unit for commit in commits if commit.spec is OHLC] == [IN_MS] * 3 + [TODAYS] * 3
    for commit in commits:
        paths = list(commit.folder.glob("**/*.parquet"))
        times = {field.type for path in paths for field in pq.read_schema(path) if pa.types.is_timestamp(field.type)}
        assert times == {commit.unit}
    assert {"default", *INTERVALS, "gaps", "corrections"} == commits[-1].rows.keys()
    assert commits[0].rows["1h"]["timestamp"].max() == utc_datetime(NOW_MS)


@pytest.mark.parametrize("read", [by_polars, by_pyarrow, by_duckdb, by_pandas])
def test_a_whole_config_reads_as_one_table(commits: list[Commit], read: Callable[[Commit, str], pl.DataFrame]) -> None:
    for commit in commits:
        for config in commit.rows:
            same(commit, config, read(commit, config))


_LOAD = """
import json, sys
import pyarrow.parquet as pq
from datasets import load_dataset

for repo, sha, config, path in json.loads(sys.argv[1]):
    pq.write_table(load_dataset(repo, config, split="train", revision=sha).with_format("arrow")[:], path)
"""


@pytest.mark.timeout(180)
def test_load_dataset_reads_each_commit(commits: list[Commit], server: HubServer, tmp_path: Path) -> None:
    wanted = [
        (f"local/{commit.spec.repo_name}", commit.sha, config, str(tmp_path / f"{number}-{config}.parquet"))
        for number, commit in enumerate(commits)
        for config in commit.rows
        if config in {"default", "1h", "gaps", "corrections"}
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _LOAD, json.dumps(wanted)],
        env={**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf")},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    by_sha = {commit.sha: commit for commit in commits}
    for _, sha, config, path in wanted:
        table = pq.read_table(path)
        assert table.schema.field(-1).name in part(by_sha[sha], config).column_names
        same(by_sha[sha], config, frame(table))


def rows_at(client: Client, commit: Commit, form: str, **params: str) -> bytes:
    asked = {"revision": commit.sha, "columns": "*", "limit": "50000", "format": form, "start": "0", **params}
    answer = client.get(f"/api/hub/{commit.spec.name}", params=asked)
    assert answer.status_code == 200, answer.text
    assert "Link" not in answer.headers
    return answer.content


def sql_at(client: Client, commit: Commit, sql: str, form: str) -> bytes:
    answer = client.get("/api/hub/sql", params={"q": sql, "revision": commit.sha, "format": form})
    assert answer.status_code == 200, answer.text
    return answer.content


PAIRS = "BTCUSDT,ETHUSDT"
READ: dict[str, Callable[[bytes], pa.Table]] = {
    "parquet": lambda body: pq.read_table(io.BytesIO(body)),
    "arrow": lambda body: pa.ipc.open_stream(body).read_all(),
}


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_answers_have_todays_types_whatever_the_commit_has(client: Client, commits: list[Commit], form: str) -> None:
    for commit in commits:
        schema = commit.spec.arrow_schema().remove_metadata()
        for config in [name for name in commit.rows if name in INTERVALS] or ["default"]:
            narrowed = {} if config == "default" else {"interval": config, "symbol": PAIRS}
            table = READ[form](rows_at(client, commit, form, **narrowed))
            assert [(field.name, field.type) for field in table.schema] == list(
                zip(schema.names, schema.types, strict=True)
            )
            same(commit, config, frame(table))
        for one in parts_of(commit.spec):
            table = READ[form](sql_at(client, commit, f"FROM {one.name}", form))
            assert [field.type for field in table.schema] == one.arrow_schema().types
            config = "default" if one is commit.spec else one.name
            if config in commit.rows:
                same(commit, config, frame(table))


def test_sql_knows_one_type_of_times(client: Client, commits: list[Commit]) -> None:
    for commit in commits:
        time = commit.spec.time
        told_of = f"typeof({time}) AS kind, max({time}) AS last, epoch_ms(max({time})) AS ms, [min({time})] AS first"
        sql = f"SELECT {told_of} FROM {commit.spec.name} GROUP BY 1"  # noqa: S608 - names come from the specs
        (told,) = json.loads(sql_at(client, commit, sql, "json"))
        every = commit.rows["default"].select(commit.spec.time_ms()).to_series()
        assert (told["kind"], told["ms"]) == ("TIMESTAMP WITH TIME ZONE", every.max())
        found = commit.rows["default"].filter(commit.spec.time_ms() == every.max()).height
        since = f"{time} >= '{told['last']}' AND {time} < '2030-01-01'"
        by_time = f"SELECT count(*) AS n FROM {commit.spec.name} WHERE {since}"  # noqa: S608 - as above
        assert json.loads(sql_at(client, commit, by_time, "json")) == [{"n": found}]
        table = READ["arrow"](sql_at(client, commit, sql, "arrow"))
        assert [table.schema.field(name).type for name in ("last", "first")] == [TODAYS, pa.list_(TODAYS)]


def turned(commits: list[Commit], spec: DatasetSpec) -> tuple[Commit, Commit]:
    """The last commit in milliseconds, and the one that only rewrote it."""
    of_spec = [commit for commit in commits if commit.spec is spec]
    number = next(number for number, commit in enumerate(of_spec) if commit.unit == TODAYS)
    return of_spec[number - 1], of_spec[number]


@pytest.mark.parametrize("spec", [MARKET, OHLC])
@pytest.mark.parametrize("form", ["json", "columns", "ndjson", "csv", "parquet", "arrow"])
def test_the_same_rows_are_the_same_bytes(client: Client, commits: list[Commit], spec: DatasetSpec, form: str) -> None:
    before, after = turned(commits, spec)
    narrowed = {} if spec.group is None else {"interval": "1h", "symbol": PAIRS}
    assert rows_at(client, before, form, **narrowed) == rows_at(client, after, form, **narrowed)
    one, two = (sql_at(client, commit, f"FROM {spec.name} ORDER BY ALL", form) for commit in (before, after))
    # What DuckDB has in memory where there is no value goes into Arrow as it is.
    assert one == two or (form == "arrow" and READ[form](one).equals(READ[form](two)))


def test_a_difference_knows_rows_and_no_units(client: Client, commits: list[Commit]) -> None:
    for spec in (MARKET, OHLC):
        of_spec = [commit for commit in commits if commit.spec is spec]
        for earlier in of_spec:
            for later in of_spec:
                params = {"dataset": spec.name, "from": earlier.sha, "to": later.sha}
                told = client.get("/api/hub/diff", params=params).json()
                old, new = earlier.rows["default"], later.rows["default"]
                key = list(spec.key)
                both = new.join(old, on=key, how="semi")
                assert told["counts"] == {
                    "added": new.join(old, on=key, how="anti").height,
                    "changed": both.join(old, on=list(spec.column_names), how="anti", nulls_equal=True).height,
                    "removed": 0 if new.height >= old.height else old.join(new, on=key, how="anti").height,
                }
        before, after = turned(commits, spec)
        told = client.get("/api/hub/diff", params={"dataset": spec.name, "from": before.sha, "to": after.sha}).json()
        assert told["counts"] == {"added": 0, "changed": 0, "removed": 0}


def test_coverage_and_gaps_are_the_same(client: Client, commits: list[Commit]) -> None:
    told = [
        client.get("/api/hub/coverage", params={"dataset": "ohlc", "revision": commit.sha}).json()
        for commit in turned(commits, OHLC)
    ]
    assert told[0]["missing"] == 2
    assert told[0]["series"] == told[1]["series"]


def test_the_stream_tells_of_no_changed_row(server: HubServer, commits: list[Commit], tmp_path: Path) -> None:
    before, after = turned(commits, OHLC)
    last = [commit.sha for commit in commits if commit.spec is MARKET][-1]
    with serving_process(server, tmp_path / "home") as url:
        with following(url, server, since=f"market@{last},ohlc@{before.sha}") as (follower, _):
            told = follower.next()
            assert told.data["to"]["revision"] == after.sha
            assert told.data["counts"] == {"added": 0, "changed": 0, "removed": 0}
        with following(url, server, since=f"market@{last},ohlc@{before.sha}", symbol="BTCUSDT") as (follower, _):
            assert follower.next().data["from"]["revision"] == after.sha
