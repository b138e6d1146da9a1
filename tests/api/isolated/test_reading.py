"""What the API takes from a Hub: as it is there, checked when it comes, and given back when not needed."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.engine.engine import Engine
from api.engine.hub.reader import HubReader
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.errors import HubContentInvalid, HubNotFound, HubRefused, HubUnavailable
from datahub_assets.domain.files.hub_files import HubFile
from localhub.testing import HubServer
from tests.api.workers import NOW_MS, Workers, candles, prices


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
        wrong = HubFile(file.path, file.size, "0" * len(file.content_id))
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
        folder = tmp_path / "snapshots" / "mapped"
        for file in snapshot.data:  # as an earlier version, which kept rows in another form, would have left it
            shutil.copy(file.mapped, folder / f"{file.content_id}-0badf00d.arrow")
        engine.prune()
        assert set(folder.iterdir()) == {file.mapped for file in snapshot.data}
        monkeypatch.setattr("api.engine.engine._MAPPED_BYTES", 0)
        engine.prune()
        assert list(folder.iterdir()) == []
        assert not any(file.is_open for file in snapshot.data)
        assert sum(file.open().frame.height for file in snapshot.data) == snapshot.rows
    finally:
        engine.close()
        workers.close()
