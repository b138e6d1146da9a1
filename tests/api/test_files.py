"""Files of commits on this machine: fetched whole or not at all, read by content once, given back when not needed."""

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from api.engine.blobs import BlobStore
from api.engine.catalog import Catalog
from api.engine.engine import Engine
from api.engine.hub import HubReader, RemoteFile
from api.engine.reading import FileReader, connect
from datahub_assets.domain.datasets import MARKET, OHLC, DatasetSpec
from datahub_assets.domain.errors import HubContentInvalid, HubNotFound, HubRefused, HubUnavailable
from localhub.testing import HubServer
from tests.api.workers import HOUR_MS, NOW_MS, Workers, candles, prices


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


def test_rows_come_out_sorted_and_typed_whatever_the_file_is(reader: MakeReader, tmp_path: Path) -> None:
    rows = candles(("BBB", "AAA"), count=5)
    odd = rows.sample(fraction=1, shuffle=True, seed=1).with_columns(
        pl.col("timestamp").dt.cast_time_unit("us"), pl.col("trade_count").cast(pl.Int32), pl.lit(1).alias("surplus")
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
            candles(("AAA",), count=2).with_columns(pl.lit(None, pl.Datetime("ms", "UTC")).alias("timestamp")),
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


def _writes(content: bytes) -> Callable[[RemoteFile, Path], None]:
    def download(_: RemoteFile, target: Path) -> None:
        target.write_bytes(content)

    return download


def test_a_blob_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    content = b"content"
    file = RemoteFile("data/x", len(content), hashlib.sha256(content).hexdigest())

    def broken(_: RemoteFile, target: Path) -> None:
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
    files = [RemoteFile("x", 100, hashlib.sha256(bytes([number])).hexdigest()) for number in range(5)]
    for age, file in enumerate(files):
        path = store.fetch(file, _writes(bytes(100)))
        os.utime(path, (1000 - age, 1000 - age))
    assert store.prune(keep={files[4].content_id}, budget_bytes=250) == 200
    assert [store.has(file) for file in files] == [True, True, False, False, True]
    assert store.prune(keep=set(), budget_bytes=0) == 300


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    with HubServer(tmp_path / "hub") as server:
        yield server


@pytest.fixture
def reading(hub: HubServer) -> Iterator[HubReader]:
    made = HubReader(hub.url, token=lambda: hub.token, timeout_s=5)
    yield made
    made.close()


def test_the_hub_is_read_as_it_is(hub: HubServer, reading: HubReader, tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=hub.url, token=hub.token)
    api.create_repo("local/repo", repo_type="dataset")
    shas = [hub.commit("local/repo", {f"data/{number} ü#%.bin": bytes([number]) * 10}) for number in range(3)]
    assert reading.head("local/repo") == shas[-1]
    assert [commit.sha for commit in reading.commits("local/repo", shas[-1])][:3] == shas[::-1]
    api.create_tag("local/repo", tag="v1", revision=shas[0], repo_type="dataset")
    assert reading.refs("local/repo") == {"main": shas[-1], "v1": shas[0]}
    files = {file.path: file for file in reading.tree("local/repo", shas[-1])}
    for number in range(3):
        target = tmp_path / f"{number}"
        reading.download("local/repo", shas[-1], files[f"data/{number} ü#%.bin"], target)
        assert target.read_bytes() == bytes([number]) * 10
    assert reading.whoami(hub.token).name == "local"


def test_a_file_with_other_content_is_refused_and_removed(hub: HubServer, reading: HubReader, tmp_path: Path) -> None:
    workers = Workers(tmp_path, endpoint=hub.url, token=hub.token)
    sha = workers.publish(MARKET, prices())
    workers.close()
    for file in reading.tree("local/crypto-market-data", sha):
        wrong = RemoteFile(file.path, file.size, "0" * len(file.content_id))
        with pytest.raises(HubContentInvalid):
            reading.download("local/crypto-market-data", sha, wrong, tmp_path / "target")
        assert not (tmp_path / "target").exists()


def test_errors_of_the_hub_have_their_type(hub: HubServer, reading: HubReader) -> None:
    with pytest.raises(HubNotFound):
        reading.head("local/nothing")
    with pytest.raises(HubRefused):
        reading.whoami("hf_nobodynobody")
    hub.stop()
    with pytest.raises(HubUnavailable):
        reading.head("local/nothing")


def test_disk_is_given_back(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.engine.engine._SPARE_BLOBS_BYTES", 0)
    monkeypatch.setattr("api.engine.engine._PRUNE_AFTER_S", 0)
    workers = Workers(tmp_path, endpoint=hub.url, token=hub.token)
    workers.publish(MARKET, prices())
    engine = Engine(
        hub=HubReader(hub.url, token=lambda: None),
        root=tmp_path / "snapshots",
        endpoint=hub.url,
        namespace=lambda: "local",
    )
    engine.specs.pop("ohlc")
    try:
        for step in range(1, 4):
            workers.publish(OHLC, candles(("AAA",), count=1, seed=step))
            workers.publish(MARKET, prices(at_ms=NOW_MS + step * 60_000))
            assert engine.refresh("market")
            engine.warm()
            engine.prune()
        snapshot = engine.dataset("market").current
        assert {path.name for path in (tmp_path / "snapshots" / "blobs").glob("??/*")} == snapshot.blobs
        with sqlite3.connect(tmp_path / "snapshots" / "catalog.sqlite3") as catalog:
            remembered = {row[0] for row in catalog.execute("SELECT content_id FROM contents")}
        catalog.close()
        assert remembered == snapshot.blobs
        mapped = list((tmp_path / "snapshots" / "mapped").iterdir())
        assert len(mapped) == len(snapshot.data)
        monkeypatch.setattr("api.engine.engine._MAPPED_BYTES", 0)
        engine.prune()
        assert list((tmp_path / "snapshots" / "mapped").iterdir()) == []
        assert not any(file.is_open for file in snapshot.data)
        assert sum(file.open().frame.height for file in snapshot.data) == snapshot.rows
    finally:
        engine.close()
        workers.close()
