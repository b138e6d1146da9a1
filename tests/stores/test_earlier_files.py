"""A repo of files of an earlier form: one commit writes them all anew, and no reader ever meets two forms."""

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubContentInvalid
from datahub_assets.domain.files.data_files import is_sealed
from datahub_assets.domain.times import DAY_MS, MINUTE_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub import layout
from datahub_assets.stores.hub.card import CARD_PATH, read_summary
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish import draft as draft_module
from datahub_assets.stores.publish import publisher
from datahub_assets.stores.publish.draft import Draft, Merged
from datahub_assets.stores.publish.work import Work
from datahub_assets.stores.recovery.rebuild import rebuild
from localhub.testing import HubServer
from tests.earlier_form import earlier
from tests.stores.earlier_world import (
    assert_one_form,
    commits,
    part_of,
    schemas,
    upgraded,
    written_by_another_version,
)
from tests.stores.filled_repo import FIRST_SEALED, LATER_MS, lines, spool
from tests.stores.world import (
    GAPS,
    START_MS,
    Site,
    assert_settled,
    candles,
    content,
    in_cache,
    market,
    on_hub,
    paths_on_hub,
)


def title(site: Site, spec: DatasetSpec) -> str:
    return str(site.hub._api.list_repo_commits(site.hub.repo_id(spec), repo_type="dataset")[0].title)


@pytest.mark.parametrize("waiting", [False, True], ids=["nothing waits", "rows wait"])
def test_all_files_are_written_anew_in_one_commit(filled: Site, server: HubServer, waiting: bool) -> None:
    before, told = on_hub(OHLC, filled.hub), lines(filled)
    paths = upgraded(OHLC, filled)
    count = filled.hub.commit_count(OHLC)
    rows = candles(LATER_MS, pairs=2, back=0)
    if waiting:
        filled.store(OHLC, rows, now_ms=LATER_MS)
    published = filled.publish(OHLC, now_ms=LATER_MS)

    assert filled.hub.commit_count(OHLC) == count + 1
    assert published.rewritten == len(paths)
    assert published.rows == (rows.height if waiting else 0), "rows that are only written anew are not counted"
    held = on_hub(OHLC, filled.hub)
    assert held.height == before.height
    assert held.join(rows, on=OHLC.key, how="anti").equals(before.join(rows, on=OHLC.key, how="anti"))
    assert lines(filled)[0].equals(told[0])
    assert lines(filled)[1].equals(told[1]), "a time in another unit is no correction"
    card = filled.hub.read(OHLC, CARD_PATH, revision=filled.hub.head(OHLC))
    assert f"| `timestamp` | {OHLC.arrow_schema().field('timestamp').type} |" in card.decode()
    summary = read_summary(card)
    assert summary is not None
    assert summary.rows == held.height
    added = f"Add {rows.height} rows fetched until 2025-11-22 09:31:00 UTC and rewrite" if waiting else "Rewrite"
    assert title(filled, OHLC) == f"{added} {len(paths)} files of an earlier form, their rows unchanged"
    for sha in commits(OHLC, filled.hub):
        assert {len(found) for found in schemas(OHLC, filled.hub, revision=sha).values()} == {1}
        on_hub(OHLC, filled.hub, revision=sha)  # no key twice
    assert_one_form(OHLC, filled.hub)
    assert not spool(filled).exists()
    server.faults.seen.clear()
    assert filled.publish(OHLC, now_ms=LATER_MS + MINUTE_MS).reason == "nothing changed since the last commit"
    assert server.faults.seen == [], "what we wrote is known"


def test_files_of_this_form_are_asked_once_by_their_footers(filled: Site, server: HubServer) -> None:
    """The first publish of a version that notes forms, on a repo that is of its form already."""
    with Cache.open(filled.cache_path) as cache:
        cache.database.execute("DELETE FROM file_forms")
    head = filled.hub.head(OHLC)
    server.faults.seen.clear()
    assert filled.publish(OHLC, now_ms=LATER_MS).reason == "the Hub holds these rows already"
    files = [path for path in filled.hub.files(OHLC, revision=head) if part_of(OHLC, path) is not None]
    assert [sum(f"/{path}" in one for one in server.faults.seen) for path in files] == [1] * len(files)
    folders = {path.rpartition("/")[0] for path in files}
    assert len(server.faults.seen) <= len(files) + len(folders) + 6, "folders are listed once"
    assert filled.hub.head(OHLC) == head
    server.faults.seen.clear()
    assert filled.publish(OHLC, now_ms=LATER_MS + MINUTE_MS).reason == "nothing changed since the last commit"
    assert server.faults.seen == []


def test_polars_reads_every_commit(filled: Site, tmp_path: Path) -> None:
    """It refuses a scan over files that differ in the unit of a time."""

    def scanned(name: str) -> int:
        folder, head = tmp_path / name, filled.hub.head(OHLC)
        for path in paths_on_hub(OHLC, filled.hub):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(filled.hub.read(OHLC, path, revision=head))
        return int(
            pl.scan_parquet(folder / "data/**/*.parquet").select(pl.len(), pl.col("timestamp").max()).collect()[0, 0]
        )

    height = scanned("before")
    written_by_another_version(OHLC, filled.hub, paths=[FIRST_SEALED])
    with pytest.raises(pl.exceptions.PolarsError):
        scanned("mixed")
    filled.tick(OHLC, candles(LATER_MS, pairs=2, back=0), now_ms=LATER_MS)
    assert scanned("after") == height


@pytest.mark.parametrize("paths", [["data/1h/open.parquet"], [FIRST_SEALED], [GAPS.path]], ids=str)
def test_an_older_writer_beside_us_changes_nothing_for_long(filled: Site, paths: list[str]) -> None:
    upgraded(OHLC, filled)
    filled.publish(OHLC, now_ms=LATER_MS)
    before = on_hub(OHLC, filled.hub)
    assert written_by_another_version(OHLC, filled.hub, paths=paths) == paths
    rows = candles(LATER_MS + MINUTE_MS, pairs=2, back=0)
    published = filled.tick(OHLC, rows, now_ms=LATER_MS + MINUTE_MS)
    assert published.rewritten == 1
    assert_one_form(OHLC, filled.hub)
    held = on_hub(OHLC, filled.hub)
    assert held.height == before.height
    assert content(OHLC, held) >= content(OHLC, rows)


@pytest.mark.parametrize("together", [False, True], ids=["one after the other", "at once"])
def test_two_writers_of_this_version_write_it_once(
    filled: Site, new_site: Callable[[str], Site], server: HubServer, together: bool
) -> None:
    other = new_site("other")
    rebuild(other.cache_path, (OHLC,), hub=other.hub, landing=other.home / "landing", now_ms=START_MS)
    before = on_hub(OHLC, filled.hub)
    upgraded(OHLC, filled)
    upgraded_at = filled.hub.commit_count(OHLC)
    if together:
        server.faults.race_commit()
    first = filled.publish(OHLC, now_ms=LATER_MS)
    rows = candles(LATER_MS + MINUTE_MS, pairs=2, back=0)
    second = other.tick(OHLC, rows, now_ms=LATER_MS + MINUTE_MS)
    assert first.rewritten > second.rewritten == 0
    assert filled.hub.commit_count(OHLC) == upgraded_at + 2 + together
    assert_one_form(OHLC, filled.hub)
    assert on_hub(OHLC, filled.hub).height == before.height


def test_two_publishes_of_one_cache_at_once_settle(filled: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """They share the folder of rewritten files, which the first one that is done clears away."""
    upgraded(OHLC, filled)
    before, together = on_hub(OHLC, filled.hub), threading.Barrier(2, timeout=20)
    written: list[Draft] = []

    def write_files(work: Work, merged: Merged) -> Draft:
        draft = draft_module.write_files(work, merged)
        written.append(draft)
        if len(written) <= together.parties:
            together.wait()
        return draft

    monkeypatch.setattr(publisher, "write_files", write_files)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(filled.publish, OHLC, now_ms=LATER_MS) for _ in range(2)]
        outcomes = [future.result(60) for future in futures]
    assert [len(draft.rewritten) > 0 for draft in written[:2]] == [True, True]
    assert any(outcome.commit == filled.hub.head(OHLC) for outcome in outcomes)
    assert_one_form(OHLC, filled.hub)
    assert on_hub(OHLC, filled.hub).equals(before)


@pytest.mark.parametrize("path", [FIRST_SEALED, "data/1h/open.parquet"])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda rows: rows.with_columns(note=pl.lit("mine")),
            "holds the columns note, which the dataset does not have",
        ),
        (lambda rows: rows.with_columns(pl.col("close").cast(pl.String)), "in the column close, which is double now"),
        (lambda rows: rows.drop("symbol"), "lacks the columns symbol"),
    ],
    ids=["a column more", "another kind", "no key"],
)
def test_what_would_be_lost_is_refused(
    filled: Site, path: str, change: Callable[[pl.DataFrame], pl.DataFrame], told: str, tmp_path: Path
) -> None:
    head = filled.hub.head(OHLC)
    file = tmp_path / "changed.parquet"
    change(pl.read_parquet(filled.hub.read(OHLC, path, revision=head))).write_parquet(file)
    changed = filled.hub.commit(OHLC, writes={path: file}, deletes=[], message="by hand", parent=head)
    for _ in range(2):
        with pytest.raises(HubContentInvalid, match=f"{path} at {changed} .*{told}") as caught:
            filled.tick(OHLC, candles(LATER_MS, pairs=2, back=0), now_ms=LATER_MS)
        assert ("another `repo_name`" in str(caught.value)) is ("lacks" not in told), "it says what to do"
        with Cache.open(filled.cache_path) as cache:
            assert cache.waiting(OHLC) > 0, "rows wait until somebody decides; nothing is lost by that"
    assert filled.hub.head(OHLC) == changed
    writes = {path: filled.hub.read(OHLC, path, revision=head)}
    filled.hub.commit(OHLC, writes=writes, deletes=[], message="as it was", parent=changed)
    filled.publish(OHLC, now_ms=LATER_MS)
    assert content(OHLC, on_hub(OHLC, filled.hub)) >= content(OHLC, candles(LATER_MS, pairs=2, back=0))


def test_no_file_is_fetched_while_one_waits_for_a_decision(filled: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    upgraded(OHLC, filled)
    head = filled.hub.head(OHLC)
    last = max(path for path in filled.hub.files(OHLC, revision=head) if is_sealed(OHLC, path))
    buffer = io.BytesIO()
    pl.read_parquet(filled.hub.read(OHLC, last, revision=head)).with_columns(note=pl.lit("mine")).write_parquet(buffer)
    filled.hub.commit(OHLC, writes={last: buffer.getvalue()}, deletes=[], message="by hand", parent=head)
    fetched: list[str] = []
    read = Hub.read

    def watched(hub: Hub, spec: DatasetSpec, path: str, *, revision: str) -> bytes:
        fetched.append(path)
        return read(hub, spec, path, revision=revision)

    monkeypatch.setattr(Hub, "read", watched)
    with pytest.raises(HubContentInvalid, match="holds the columns note"):
        filled.publish(OHLC, now_ms=LATER_MS)
    assert not any(is_sealed(OHLC, path) for path in fetched)
    assert not spool(filled).exists()


def test_a_cache_made_anew_reads_an_earlier_form(filled: Site) -> None:
    before = in_cache(OHLC, filled.cache_path), in_cache(GAPS, filled.cache_path)
    written_by_another_version(OHLC, filled.hub)
    filled.cache_path.unlink()
    rebuild(filled.cache_path, (OHLC,), hub=filled.hub, landing=filled.home / "landing", now_ms=LATER_MS)
    assert (
        in_cache(OHLC, filled.cache_path).join(before[0], on=OHLC.column_names, how="anti", nulls_equal=True).is_empty()
    )
    assert in_cache(GAPS, filled.cache_path).equals(before[1])
    assert filled.publish(OHLC, now_ms=LATER_MS + MINUTE_MS).rewritten > 0
    assert_one_form(OHLC, filled.hub)


def test_live_files_and_days_of_prices_are_written_anew(site: Site) -> None:

    frames = [market(START_MS - day * DAY_MS, coins=3) for day in range(4)]
    site.store(MARKET, *frames, now_ms=START_MS)
    site.publish(MARKET, now_ms=START_MS)
    paths = upgraded(MARKET, site)
    assert len(paths) == 4
    new = market(LATER_MS, coins=3)
    assert site.tick(MARKET, new, now_ms=LATER_MS).rewritten == 4
    assert_one_form(MARKET, site.hub)
    assert_settled(MARKET, site, pl.concat([*frames, new]))


def test_the_helper_makes_another_form() -> None:
    assert part_of(OHLC, CARD_PATH) is None

    rows = candles(START_MS)
    other = earlier(layout.write(OHLC, rows))
    assert layout.read(OHLC, other, name="x").equals(rows)
