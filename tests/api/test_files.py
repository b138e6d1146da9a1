"""Files of commits on this machine: kept whole or not at all, read by content once, the oldest given back first."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import polars as pl
import pytest

from api.engine.hub.blobs import BlobStore
from api.engine.hub.catalog import Catalog
from api.engine.parquet import FileReader, connect
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubContentInvalid, HubUnavailable
from datahub_assets.domain.hub_files import HubFile
from datahub_assets.stores.hub import layout
from tests.api.installed import INCIDENTS, incidents
from tests.api.workers import HOUR_MS, NOW_MS, candles, prices


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    made = Catalog(tmp_path / "catalog.sqlite3")
    yield made
    made.close()


MakeReader = Callable[[DatasetSpec], FileReader]


@pytest.fixture
def reader(catalog: Catalog, tmp_path: Path) -> Iterator[MakeReader]:
    with connect(tmp_path) as connection:
        yield lambda spec: FileReader(spec, connection=connection, catalog=catalog, mapped=tmp_path / "mapped")


def parquet(tmp_path: Path, rows: pl.DataFrame) -> Path:
    path = tmp_path / "file.parquet"
    rows.write_parquet(path)
    return path.rename(tmp_path / hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_rows_come_out_sorted_and_typed_whatever_the_file_is(
    reader: MakeReader, tmp_path: Path, unit: Literal["ms", "us", "ns"]
) -> None:
    rows = candles(("BBB", "AAA"), count=5)
    odd = rows.sample(fraction=1, shuffle=True, seed=1).with_columns(
        # Less than a millisecond is nobody's stamp, but another's mistake: two of those would not differ in a cursor.
        (pl.col("timestamp") + pl.duration(microseconds=7)).dt.cast_time_unit(unit),
        pl.col("ingested_at").dt.cast_time_unit(unit),
        pl.col("trade_count").cast(pl.Int32),
        pl.lit(1).alias("surplus"),
    )
    path = parquet(tmp_path, odd)
    read = reader(OHLC)
    found = read.rows(path)
    assert found.frame.schema == pl.Schema(OHLC.polars_schema())
    assert found.frame.equals(rows.sort("symbol", "timestamp"))
    assert found.times.tolist() == rows.sort("symbol", "timestamp")["timestamp"].dt.epoch("ms").to_list()
    spans = read.index(path, group="1h").spans
    assert [(name, span.first, span.rows, span.forming) for name, span in spans.items()] == [
        ("AAA", 0, 5, 1),
        ("BBB", 5, 5, 1),
    ]
    assert (spans["AAA"].min_ms, spans["AAA"].max_ms) == (NOW_MS - 4 * HOUR_MS, NOW_MS)


@pytest.mark.parametrize("spec", [OHLC, MARKET, INCIDENTS], ids=lambda spec: spec.name)
def test_the_projects_own_files_have_rows_as_they_are_mapped(
    reader: MakeReader, tmp_path: Path, spec: DatasetSpec
) -> None:
    rows = {"ohlc": candles(("A", "B"), count=9), "market": prices(), "incidents": incidents(4)}[spec.name]
    path = tmp_path / "written"
    path.write_bytes(layout.write(spec, rows.sort(spec.file_order)))
    assert reader(spec).index(path, group="1h" if spec is OHLC else None).as_mapped


@pytest.mark.parametrize(
    ("rows", "as_mapped"),
    [
        pytest.param(candles(("A", "B"), count=9).sort(OHLC.sort), True, id="as they are"),
        pytest.param(candles(("A",), count=1), True, id="one row"),
        pytest.param(candles(("A",), count=9)[:0], True, id="no row"),
        pytest.param(pl.concat([candles(("A",), count=9).sort(OHLC.sort)] * 2).sort(OHLC.sort), True, id="twice"),
        pytest.param(candles(("B", "A"), count=9), False, id="in another order"),
        pytest.param(candles(("A",), count=9).sort("timestamp", descending=True), False, id="newest first"),
        pytest.param(
            candles(("A",), count=1).with_columns(pl.col("close_time") + pl.duration(microseconds=7)),
            False,
            id="less than a millisecond",
        ),
        pytest.param(candles(("A",), count=1).with_columns(pl.col("open").cast(pl.Float32)), False, id="short floats"),
    ],
)
def test_it_is_known_which_files_of_others_do(
    reader: MakeReader, tmp_path: Path, rows: pl.DataFrame, *, as_mapped: bool
) -> None:
    assert reader(OHLC).index(parquet(tmp_path, rows), group="1h").as_mapped is as_mapped


def test_rows_of_one_key_keep_their_order(reader: MakeReader, tmp_path: Path) -> None:
    doubles = pl.concat([candles(("A",), count=1, seed=seed) for seed in range(3000)])
    path = parquet(tmp_path, doubles)
    assert reader(OHLC).rows(path).frame["ingested_at"].to_list() == doubles["ingested_at"].to_list()


def test_what_an_earlier_version_mapped_is_not_served(
    reader: MakeReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = parquet(tmp_path, candles(("AAA",), count=2))
    with monkeypatch.context() as earlier:
        earlier.setattr("api.engine.parquet._FORM", "2")
        before = reader(OHLC)
    assert before.rows(path).frame.height == 2
    assert before.mapped_path(path).exists()
    assert reader(OHLC).mapped_path(path) != before.mapped_path(path)


def test_a_column_a_file_lacks_is_null(reader: MakeReader, tmp_path: Path) -> None:
    path = parquet(tmp_path, candles(("AAA",), count=2).drop("volume"))
    assert reader(OHLC).rows(path).frame["volume"].null_count() == 2


def test_an_empty_file_has_no_rows(reader: MakeReader, tmp_path: Path) -> None:
    path = parquet(tmp_path, prices().clear())
    read = reader(MARKET)
    assert read.index(path, group=None).spans == {}
    assert read.rows(path).frame.height == 0


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda whole: b"", id="empty"),
        pytest.param(lambda whole: whole[: len(whole) // 2], id="cut"),
        pytest.param(lambda whole: bytes(len(whole)), id="zeros"),
        pytest.param(lambda whole: whole[:-500] + bytes(400) + whole[-100:], id="zeros at the end"),
    ],
)
def test_mapped_rows_that_are_broken_are_written_anew(
    reader: MakeReader, tmp_path: Path, broken: Callable[[bytes], bytes]
) -> None:
    rows = candles(("AAA",), count=1000)
    path = parquet(tmp_path, rows)
    mapped = reader(OHLC).mapped_path(path)
    reader(OHLC).rows(path)
    whole = mapped.read_bytes()
    mapped.write_bytes(broken(whole))
    assert reader(OHLC).rows(path).frame.equals(rows.sort("timestamp"))
    assert mapped.read_bytes() == whole
    shutil.rmtree(mapped.parent)
    assert reader(OHLC).rows(path).frame.height == rows.height


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(candles(("AAA",), interval="4h", count=2), id="another group"),
        pytest.param(candles(("AAA",), count=2).drop("timestamp"), id="no key column"),
        pytest.param(candles(("AAA",), count=2).with_columns(pl.lit(None, pl.String).alias("symbol")), id="no symbol"),
        pytest.param(
            candles(("AAA",), count=2).with_columns(pl.lit(None, pl.Datetime("us", "UTC")).alias("timestamp")),
            id="no time",
        ),
        pytest.param(candles(("AAA",), count=2).with_columns(pl.lit("x").alias("close")), id="not a number"),
    ],
)
def test_what_is_not_the_dataset_is_refused(reader: MakeReader, tmp_path: Path, rows: pl.DataFrame) -> None:
    path = parquet(tmp_path, rows)
    with pytest.raises(HubContentInvalid) as refused:
        _read(reader(OHLC), path)
    assert str(tmp_path) not in str(refused.value)


def _read(read: FileReader, path: Path) -> None:
    read.index(path, group="1h")
    read.rows(path)


def test_what_is_not_parquet_is_refused(reader: MakeReader, tmp_path: Path) -> None:
    path = tmp_path / "nothing"
    path.write_bytes(b"PAR1 no PAR1")
    with pytest.raises(HubContentInvalid):
        reader(OHLC).index(path, group="1h")


def test_a_content_is_read_once_restarts_included(reader: MakeReader, tmp_path: Path) -> None:
    path = parquet(tmp_path, candles(("AAA",), count=3))
    first = reader(OHLC)
    index, rows = first.index(path, group="1h"), first.rows(path)
    path.write_bytes(b"")
    second = reader(OHLC)
    assert second.index(path, group="1h") == index
    assert second.rows(path).frame.equals(rows.frame)


def _writes(content: bytes) -> Callable[[HubFile, Path], None]:
    def download(_: HubFile, target: Path) -> None:
        target.write_bytes(content)

    return download


def test_a_blob_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    content = b"content"
    file = HubFile("data/x", len(content), hashlib.sha256(content).hexdigest())

    def broken(_: HubFile, target: Path) -> None:
        target.write_bytes(content[:3])
        raise HubUnavailable("broken off")

    with pytest.raises(HubUnavailable):
        store.fetch(file, broken)
    assert not store.has(file)
    store.fetch(file, _writes(content))
    assert store.has(file)
    assert store.fetch(file, broken).read_bytes() == content
    left = tmp_path / "incoming" / "left-by-a-killed-process"
    left.touch()
    assert BlobStore(tmp_path).has(file)
    assert not left.exists()


def test_blobs_nobody_needs_go_oldest_first(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    files = [HubFile("x", 100, hashlib.sha256(bytes([number])).hexdigest()) for number in range(5)]
    for age, file in enumerate(files):
        path = store.fetch(file, _writes(bytes(100)))
        os.utime(path, (1000 - age, 1000 - age))
    assert store.prune(keep={files[4].content_id}, budget_bytes=250) == 200
    assert [store.has(file) for file in files] == [True, True, False, False, True]
    assert store.prune(keep=set(), budget_bytes=0) == 300
