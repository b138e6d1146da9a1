"""Files of an earlier form at the head of a repo: finding them, and writing them anew for the next commit.

Readers refuse a config whose files differ in their columns or types, or read it wrongly. So a commit of ours leaves
none of an earlier form behind, however many there are. Rewritten files wait on the disk, beside the cache: they may be
larger than the memory, and a process that is killed goes on where it was.
"""

import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from datahub_assets.domain.errors import CacheFull, HubContentInvalid, HubFileDamaged, StorageFailed
from datahub_assets.domain.files.data_files import is_placed
from datahub_assets.domain.times import HOUR_MS, SECOND_MS
from datahub_assets.stores import forms
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.hub import layout
from datahub_assets.stores.hub.footers import read_footer, see_that_it_can_be_rewritten
from datahub_assets.stores.publish.head_files import footer, leave, whole
from datahub_assets.stores.publish.work import Work
from datahub_system.files.private import private_folder
from datahub_system.files.whole import NO_ROOM, write_whole

FOOTERS_NOTED: Final = 20
"""So many footers are asked for before they are noted, for a process that is killed meanwhile."""
SPARE_BYTES: Final = 64 * 1024 * 1024
"""Room that is left for the cache."""
_MB: Final = 1_000_000


def with_forms(work: Work, base: RepoState) -> RepoState:
    """The repo with the forms of all its files; the footer of a file is asked for once for each content.

    Raises:
        HubError: a file of the head could not be fetched.
        HubFileDamaged: a file that is not sealed is damaged.
    """
    memory = work.cache.repo(work.spec)
    unknown = [path for path in forms.not_todays(work.spec, base.files, base.forms) if path not in base.forms]
    known = dict(base.forms)
    for first in range(0, len(unknown), FOOTERS_NOTED):
        found = {path: footer(work, base, path).form for path in unknown[first : first + FOOTERS_NOTED]}
        memory.note_forms({base.files[path].content_id: form for path, form in found.items()})
        known |= found
    return replace(base, forms=known)


def see_that_nothing_is_lost(work: Work, base: RepoState) -> None:
    """See by their footers that all data files of an earlier form can be rewritten, before one is fetched.

    Until a person decides about one that cannot, this is asked at every tick.

    Raises:
        HubError: a file could not be fetched.        HubContentInvalid: one would lose a column, or bend its values.
    """
    for path in forms.not_todays(work.spec, base.files, base.forms):
        if not is_placed(work.spec, path) or _is_ready(work, base, path):
            continue
        with suppress(HubFileDamaged), work.hub.opened(work.spec, path, revision=base.head) as file:
            see_that_it_can_be_rewritten(work.spec, file, name=f"{path} at {base.head}")


def rewritten(work: Work, base: RepoState, paths: list[str]) -> dict[str, Path]:
    """These data files of the head in today's form, on the disk until `clear`; one is in memory at a time.

    All of them go in one commit, however many more than usual they are: readers must never see two forms.

    Raises:
        HubError: a file of the head could not be fetched.
        HubContentInvalid: it cannot be turned into today's form without a loss.
        HubFileDamaged: some are damaged, which is remembered; all others are ready for the next attempt.
        CacheFull: there is no room for them; nothing is left half written.        StorageFailed: the disk failed.
        FileNotFoundError: another publish of this cache cleared them away.
    """
    if not paths:
        return {}
    targets = {path: _target(work, base, path) for path in paths}
    missing = [path for path in paths if not _is_ready(work, base, path)]
    damaged: HubFileDamaged | None = None
    try:
        private_folder(work.spool.parent)
        private_folder(work.spool)
        _tidy(work)
        _see_that_there_is_room(work, sum(base.files[path].size for path in missing))
        for number, path in enumerate(paths, start=1):
            if path in missing:
                place = f"file {number} of {len(paths)}, {base.files[path].size / _MB:.1f} MB"
                work.log.info("rewriting %s of %s in today's form: %s", path, base.repo, place)
                try:
                    _rewrite(work, base, path, targets[path])
                except HubFileDamaged as error:
                    leave(work, base, path, error)
                    damaged = error
    except FileNotFoundError:
        raise  # see `retries`
    except OSError as error:
        if error.errno in NO_ROOM:
            raise _full(work, "it was full on the way") from error
        raise StorageFailed(f"cannot keep rewritten files in {work.spool}: {error}") from error
    if damaged is not None:
        raise damaged  # the repo is looked at again, and those files are no more to be rewritten
    return targets


def clear(work: Work) -> None:
    """They are in a commit, or of no use any more."""
    if work.spool.is_dir():
        shutil.rmtree(work.spool, ignore_errors=True)


def _tidy(work: Work) -> None:
    """Remove what a process that was killed left half written; a file this old is nobody's work in progress."""
    for partial in work.spool.glob("*.partial"):
        if partial.stat().st_mtime * SECOND_MS < work.now_ms - HOUR_MS:
            partial.unlink(missing_ok=True)


def _target(work: Work, base: RepoState, path: str) -> Path:
    """Where a file of the head waits in today's form."""
    return work.spool / f"{base.files[path].content_id}.{forms.todays_form(work.spec)}.parquet"


def _is_ready(work: Work, base: RepoState, path: str) -> bool:
    """Whether it was rewritten before and the disk still has it whole; what is anything else is made again."""
    target = _target(work, base, path)
    try:
        with target.open("rb") as file:
            return read_footer(file, name=target.name).form == forms.todays_form(work.spec)
    except (OSError, HubContentInvalid):
        return False


def _rewrite(work: Work, base: RepoState, path: str, target: Path) -> None:
    """Complete and on the disk, or not there at all."""
    content = whole(work, base, path)
    name = f"{path} at {base.head}"
    write_whole(target, lambda file: layout.rewrite(work.spec, content, file, name=name), by_several=True)


def _see_that_there_is_room(work: Work, size: int) -> None:
    """Before the first one is written: a disk full of them would keep the cache from taking in rows."""
    free = shutil.disk_usage(work.spool).free
    if size and free < size + SPARE_BYTES:
        raise _full(work, f"{(size + SPARE_BYTES) / _MB:,.0f} MB are needed and {free / _MB:,.0f} MB are free")


def _full(work: Work, why: str) -> CacheFull:
    return CacheFull(
        f"no space left in {work.spool} to rewrite the files of {work.spec.name} in today's form ({why}): free some "
        "space; publishing goes on by itself then"
    )
