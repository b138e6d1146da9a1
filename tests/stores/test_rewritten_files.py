"""Rewritten files wait on the disk: killed, full, or gone in between, a rewrite goes on and leaves nothing half."""

import errno
import logging
import os
import shutil
import stat
from typing import NamedTuple

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.errors import CacheFull
from datahub_assets.domain.files.data_files import is_sealed
from datahub_assets.domain.times import MINUTE_MS
from datahub_assets.stores import forms
from datahub_assets.stores.publish import draft as draft_module
from datahub_assets.stores.publish import earlier_files, publisher
from datahub_assets.stores.publish.draft import Draft, Merged
from datahub_assets.stores.publish.work import Work
from localhub.testing import HubServer
from tests.stores.earlier_world import (
    assert_one_form,
    upgraded,
)
from tests.stores.filled_repo import FIRST_SEALED, LATER_MS, spool
from tests.stores.killed import Job, Moment, run_and_die
from tests.stores.world import (
    Site,
    assert_settled,
    candles,
    on_hub,
)


def test_rewritten_files_that_are_gone_before_they_are_sent_are_made_again(
    filled: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another publish of this cache may do that was faster."""
    upgraded(OHLC, filled)
    before, drafts = on_hub(OHLC, filled.hub), 0

    def write_files(work: Work, merged: Merged) -> Draft:
        nonlocal drafts
        draft, drafts = draft_module.write_files(work, merged), drafts + 1
        if drafts == 1:
            shutil.rmtree(work.spool)
        return draft

    monkeypatch.setattr(publisher, "write_files", write_files)
    assert filled.publish(OHLC, now_ms=LATER_MS).commit is not None
    assert drafts == 2
    assert_one_form(OHLC, filled.hub)
    assert on_hub(OHLC, filled.hub).equals(before)


@pytest.mark.parametrize("left", [b"", b"nothing of ours", None], ids=["empty", "text", "of another form"])
def test_what_is_no_rewritten_file_is_not_sent_as_one(filled: Site, left: bytes | None) -> None:
    """The disk lost it, or somebody put it there: in a commit it would be the only copy of the rows."""
    upgraded(OHLC, filled)
    before, head = on_hub(OHLC, filled.hub), filled.hub.head(OHLC)
    content_id = filled.hub.files(OHLC, revision=head)[FIRST_SEALED].content_id
    spool(filled).mkdir(parents=True)
    name = f"{content_id}.{forms.todays_form(OHLC)}.parquet"
    (spool(filled) / name).write_bytes(filled.hub.read(OHLC, FIRST_SEALED, revision=head) if left is None else left)
    assert filled.publish(OHLC, now_ms=LATER_MS).commit is not None
    assert_one_form(OHLC, filled.hub)
    assert on_hub(OHLC, filled.hub).equals(before)


MOMENTS = [
    Moment("_rewrite", "return", 2),
    Moment("_fetch_upload_modes", "return"),
    Moment("_send_commit", "return"),
    Moment("clear", "call"),
    Moment("with_forms", "return"),
    Moment("_rewrite", "call"),
    Moment("rewrite", "return", 3),
    Moment("write_files", "return"),
    Moment("lfs_upload", "return", 2),
    Moment("Hub.commit", "return"),
    Moment("RepoMemory.save", "return"),
    Moment("note_commit", "return"),
]
NOT_COMMITTED = {
    one
    for one in MOMENTS
    if one.function in {"_rewrite", "_fetch_upload_modes", "with_forms", "write_files", "lfs_upload"}
}


@pytest.mark.parametrize(
    "moment",
    [*MOMENTS[:4], *(pytest.param(moment, marks=pytest.mark.slow) for moment in MOMENTS[4:])],
    ids=str,
)
def test_killed_on_the_way_the_next_publish_goes_on(filled: Site, server: HubServer, moment: Moment) -> None:
    paths = upgraded(OHLC, filled)
    count, before = filled.hub.commit_count(OHLC), on_hub(OHLC, filled.hub)
    token = filled.hub._api.token
    assert isinstance(token, str)
    assert run_and_die(Job(filled.home, filled.hub.endpoint, token, OHLC.name, LATER_MS), moment) == -9
    ready = len(list(spool(filled).glob("*.parquet")))
    server.faults.seen.clear()
    filled.publish(OHLC, now_ms=LATER_MS + MINUTE_MS)
    sealed = [path for path in paths if is_sealed(OHLC, path)]
    fetched = [path for path in sealed if any(one.startswith("GET") and path in one for one in server.faults.seen)]
    if moment in NOT_COMMITTED:
        assert len(fetched) == len(sealed) - ready, "no file is fetched and written twice"
    assert filled.hub.commit_count(OHLC) == count + 1
    assert_one_form(OHLC, filled.hub)
    rows = candles(LATER_MS)
    held = on_hub(OHLC, filled.hub)
    assert held.height == before.join(rows, on=OHLC.key, how="anti").height + rows.height
    assert_settled(OHLC, filled, pl.concat([before.join(rows, on=OHLC.key, how="anti"), rows]))
    assert not spool(filled).exists()


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_disk_without_room_is_told_before_it_is_full(filled: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    upgraded(OHLC, filled)
    head = filled.hub.head(OHLC)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 40, 1 << 40, 1 << 20))
        with pytest.raises(CacheFull, match=r"67 MB are needed and 1 MB are free\): free some space"):
            filled.publish(OHLC, now_ms=LATER_MS)
    assert list(spool(filled).iterdir()) == []
    assert filled.hub.head(OHLC) == head
    assert filled.publish(OHLC, now_ms=LATER_MS).commit is not None


def test_progress_is_told_and_what_was_killed_long_ago_is_tidied_up(
    filled: Site, caplog: pytest.LogCaptureFixture
) -> None:
    sealed = [path for path in upgraded(OHLC, filled) if is_sealed(OHLC, path)]
    spool(filled).mkdir(parents=True)
    old = spool(filled) / "a.parquet.0011aabb.partial"
    old.write_bytes(b"half")
    os.utime(old, (0, 0))
    with caplog.at_level(logging.INFO), pytest.MonkeyPatch.context() as patch:
        patch.setattr(earlier_files, "clear", lambda _: None)
        filled.publish(OHLC, now_ms=LATER_MS)
    told = [one.getMessage() for one in caplog.records if one.getMessage().startswith("rewriting")]
    assert len(told) == len(sealed)
    assert f"file {len(sealed)} of {len(sealed)}, 0.0 MB" in told[-1]
    assert [path.suffix for path in spool(filled).iterdir()] == [".parquet"] * len(sealed)


def test_a_disk_that_fills_up_on_the_way_leaves_nothing_half(filled: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    upgraded(OHLC, filled)
    real, calls = os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 5:  # a file and its folder, twice, and a file
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(CacheFull, match="free some space"):
            filled.publish(OHLC, now_ms=LATER_MS)
    kept = list(spool(filled).iterdir())
    assert [path.suffix for path in kept] == [".parquet"] * 2
    assert stat.S_IMODE(spool(filled).stat().st_mode) == stat.S_IMODE(spool(filled).parent.stat().st_mode) == 0o700
    assert filled.publish(OHLC, now_ms=LATER_MS).commit is not None
    assert_one_form(OHLC, filled.hub)
