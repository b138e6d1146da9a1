"""A dataset repo as it is now: its files, how far its live window has come, and how many rows it holds.

Looking changes nothing, but creates a repo that is not there. What others took from the repo waits again after it.
"""

from collections.abc import Mapping
from dataclasses import replace

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubNotFound
from datahub_assets.domain.files.data_files import SealedFile, is_placed, sealed_file
from datahub_assets.domain.files.hub_files import is_content
from datahub_assets.stores import forms
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.hub import card
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.hub.footers import count_until, last_time
from datahub_assets.stores.publish import losses
from datahub_assets.stores.publish.earlier_files import clear, see_that_nothing_is_lost, with_forms
from datahub_assets.stores.publish.head_files import footer
from datahub_assets.stores.publish.work import Work


def look(work: Work) -> RepoState:
    """A repo as it is now, created if there is none; remembers nothing of it but which files are damaged.

    Of files whose content was never seen the form is not told; see `earlier_files`.
    """
    spec, cache, hub = work.spec, work.cache, work.hub
    try:
        head = hub.head(spec)
    except HubNotFound:
        hub.create(spec)
        head = hub.head(spec)
    files = hub.files(spec, revision=head)
    noted = cache.repo(spec).forms(file.content_id for file in files.values())
    seen = RepoState(
        repo=hub.repo_url(spec),
        head=head,
        files=files,
        forms={path: noted[file.content_id] for path, file in files.items() if file.content_id in noted},
    )
    if not any(is_placed(spec, path) for path in seen.files):
        return replace(seen, rows=0)
    known = cache.repo(spec).load()
    if known is not None and known.repo != seen.repo:
        known = None
    text = hub.read(spec, card.CARD_PATH, revision=head) if card.CARD_PATH in seen.files else b""
    told = card.read_summary(text)
    reached = 0 if known is None else known.window_start
    if told is None:
        first, newest = (None, None) if known is None else (known.first, known.newest)
        counted = _counted(work, seen)
        start = max(reached, _sealed_until(spec, counted, hub))
        return replace(counted, window_start=start, first=first, newest=newest)
    believed = told.rows is not None and known is not None and not _left_behind(spec, text, known=known, seen=seen)
    return replace(
        replace(seen, rows=told.rows) if believed else _counted(work, seen),
        window_start=max(reached, told.window_start),
        first=told.first,
        newest=told.newest,
    )


def look_and_mend(work: Work) -> RepoState:
    """The repo as it is now, with the forms of all its files, remembered; what others took from it waits again."""
    spec, memory = work.spec, work.cache.repo(work.spec)
    seen = with_forms(work, look(work))
    see_that_nothing_is_lost(work, seen)
    if not forms.not_todays(spec, seen.files, seen.forms):
        clear(work)  # what a process rewrote that was killed before it knew of its commit
    _settle_debt(work, seen)
    with work.cache.transaction():
        known = memory.load()
        if known is not None:
            _mend(work, known, seen)
        memory.save(seen)
    return seen


def _settle_debt(work: Work, seen: RepoState) -> None:
    """Rows that were lost may be there again by another writer's hand."""
    spec, cache = work.spec, work.cache
    known = cache.repo(spec).load()
    debt = None if known is None else losses.debt_to_check(spec, known=known, seen=seen, cache=cache)
    if debt is None:
        return
    counted = counted_until(spec, seen, until=debt.until, known=debt.counted, hub=work.hub)
    left = losses.note_counted(spec, debt=debt, counted=counted, cache=cache)
    work.log.info("%s: of %d rows that were lost others put %d back", seen.repo, debt.rows, debt.rows - left)


def _mend(work: Work, known: RepoState, seen: RepoState) -> None:
    """Send again what others took, and remember how much that was."""
    spec, cache = work.spec, work.cache
    losses.note_lost(spec, known=known, seen=seen, cache=cache)
    if losses.lost_rows(spec, known=known, seen=seen):
        work.log.warning("%s lost files: everything the cache holds goes there again", seen.repo)
        cache.start_over(spec, now_ms=work.now_ms)
    elif paths := losses.touched(spec, known=known, seen=seen) - seen.unreadable:  # rows for those could not be merged
        rows = losses.send_again(spec, known=known, paths=paths, cache=cache)
        told = ", ".join(sorted(paths)[:5])
        work.log.info("%s changed elsewhere (%s): comparing %s rows of the cache", seen.repo, told, f"{rows:,}")


def _left_behind(spec: DatasetSpec, text: bytes, *, known: RepoState, seen: RepoState) -> bool:
    """Whether data files changed and the card (this text) did not, as when a person deletes one: it tells old counts.

    Writers like us change it in the same commit.
    """
    before = known.files.get(card.CARD_PATH)
    if before is None or not is_content(text, content_id=before.content_id):
        return False
    return _content_ids(spec, known) != _content_ids(spec, seen)


def _content_ids(spec: DatasetSpec, of: RepoState) -> dict[str, str]:
    return {path: file.content_id for path, file in of.files.items() if is_placed(spec, path)}


def _counted(work: Work, seen: RepoState) -> RepoState:
    """With the rows of the main table, told by the footers of its files; they tell its forms as well."""
    paths = sorted(path for path in seen.files if is_placed(work.spec, path))
    found = {path: footer(work, seen, path) for path in paths if path not in seen.unreadable}
    told = {path: one.form for path, one in found.items()}
    return replace(seen, rows=sum(one.rows for one in found.values()), forms={**seen.forms, **told})


def counted_until(
    spec: DatasetSpec, seen: RepoState, *, until: int, known: Mapping[str, int], hub: Hub
) -> dict[str, int]:
    """Rows not later than `until` (epoch ms) in each data file, by path and oid; `known` files are not read.

    Damaged ones are not among them.
    """
    counts = {}
    for path, file in seen.files.items():
        if not is_placed(spec, path) or path in seen.unreadable:
            continue
        name = f"{path} {file.content_id}"
        if name in known:
            counts[name] = known[name]
            continue
        with hub.opened(spec, path, revision=seen.head) as content:
            counts[name] = count_until(content, time=spec.time, until=until, name=f"{path} at {seen.head}")
    return counts


def _sealed_until(spec: DatasetSpec, seen: RepoState, hub: Hub) -> int:
    """Where the live window must begin at least, for a repo whose card does not say: after its newest sealed rows."""
    begins = [0]
    for path, file in _newest_sealed(spec, seen).items():
        with hub.opened(spec, path, revision=seen.head) as content:
            last = last_time(content, time=spec.time, name=f"{path} at {seen.head}")
        if last is not None:
            begins.append(spec.period_of(file.group).window.end(last))
    return max(begins)


def _newest_sealed(spec: DatasetSpec, seen: RepoState) -> dict[str, SealedFile]:
    """The sealed files that may hold the newest rows: of periods, whose names tell it, one per folder and length."""
    found: dict[object, tuple[str, SealedFile]] = {}
    for path in sorted(seen.files.keys() - seen.unreadable):
        file = sealed_file(spec, path)
        if file is not None:
            alike = path if file.period is None else (path.rsplit("/", 1)[0], file.period)
            found[alike] = (path, file)
    return dict(found.values())
