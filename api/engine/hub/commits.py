"""The commits of one dataset, from a local index that follows the Hub's history.

The main branch's history is indexed, and that of tags which a rewritten main branch left behind. Any other commit is
asked for by its sha, within a budget. So is one that a tag keeps and whose neighbours are gone, as the embedded Hub
leaves of each day it drops: it can be named, but is not what was served at times of which nothing else is known.
"""

import threading
from collections.abc import Iterator
from typing import Final

from api.engine.hub.call_budget import Budget
from api.engine.hub.catalog import Catalog
from api.engine.hub.reader import HubCommit, HubReader
from datahub_assets.domain.errors import HubNotFound
from datahub_assets.domain.files.hub_files import FULL_SHA

_ASKED_PER_MINUTE: Final = 30
_ASK_TIMEOUT_S: Final = 2.5
"""A caller waits for the answer; who keeps a dataset current has more time."""


class CommitIndex:
    """Finds commits by revision and by time. Safe to share between threads."""

    def __init__(self, source: str, repo_id: str, *, hub: HubReader, catalog: Catalog) -> None:
        self._source = source
        self._repo_id = repo_id
        self._hub = hub
        self._catalog = catalog
        self._counting = threading.Lock()
        self._budget = Budget(_ASKED_PER_MINUTE)

    def reaches(self, sha: str) -> bool:
        """Whether the index knows all commits up to that one."""
        newest = self._catalog.newest_commit(self._source)
        return newest is not None and newest.sha == sha

    def follow(self, head: HubCommit, history: Iterator[HubCommit]) -> None:
        """Take in the commits up to `head`; `history` goes on behind it, newest first, and is read as far as needed.

        Raises:
            HubError: the history could not be read.
        """
        is_known = self._catalog.is_indexed(self._source, head.sha)
        new, known = ([], head) if is_known else ([head], None)
        is_first = self._catalog.newest_commit(self._source) is None
        for commit in () if is_known or is_first else history:
            if self._catalog.is_indexed(self._source, commit.sha):
                known = commit
                break
            new.append(commit)
        if known is not None and self.reaches(known.sha):
            self._catalog.append_commits(self._source, new, replace=False)
            if self._is_oldest_there():
                return
        # Nothing is known yet, or the history was rewritten, or begins later than it did.
        self._catalog.append_commits(self._source, self._everything(head), replace=True)

    def refresh_refs(self, *, timeout_s: float | None = None) -> None:
        """Ask the Hub for branches and tags.

        Raises:
            HubError: it could not be asked.
        """
        refs = self._hub.refs(self._repo_id, timeout_s=timeout_s)
        if refs != self._catalog.refs(self._source):
            self._catalog.set_refs(self._source, refs)

    def of_time(self, at_ms: int) -> HubCommit | None:
        """The last commit made at `at_ms` or before."""
        return self._catalog.commit_before(self._source, at_ms)

    def kept_before(self, at_ms: int) -> tuple[str, HubCommit] | None:
        """The last commit made at `at_ms` or before that a tag keeps though its history is gone, and the tag's name."""
        return self._catalog.named_before(self._source, at_ms)

    def of_revision(self, revision: str) -> HubCommit | None:
        """The commit of a branch, a tag or a sha, as far as it is known here."""
        sha = revision if FULL_SHA.fullmatch(revision) else self._catalog.refs(self._source).get(revision)
        return None if sha is None else self._catalog.commit(self._source, sha)

    def ask(self, revision: str) -> HubCommit | None:
        """The commit of a revision that is not in the index, asked of the Hub if the budget allows it; blocks.

        Raises:
            HubError: the Hub could not be asked.
        """
        known = self.of_revision(revision)
        if known is not None or not self._may_ask():
            return known
        if not FULL_SHA.fullmatch(revision):
            self.refresh_refs(timeout_s=_ASK_TIMEOUT_S)
            sha = self._catalog.refs(self._source).get(revision)
            if sha is None:
                return None
            revision = sha
        try:
            commit = next(self._hub.commits(self._repo_id, revision, timeout_s=_ASK_TIMEOUT_S), None)
        except HubNotFound:
            return None
        if commit is not None:
            self._catalog.add_unlisted(self._source, commit)
        return commit

    def _is_oldest_there(self) -> bool:
        """Whether the Hub holds the oldest indexed commit still; a named one stays when those around it are dropped."""
        oldest = self._catalog.oldest_unnamed_commit(self._source)
        if oldest is None:
            return True
        try:
            return self._hub.head(self._repo_id, ref=oldest.sha) == oldest.sha
        except HubNotFound:
            return False

    def _may_ask(self) -> bool:
        with self._counting:
            return self._budget.take()

    def _everything(self, head: HubCommit) -> list[HubCommit]:
        """All commits of the main branch and of tags, newest first; each history is read until it joins another.

        A tag's commit that has no history and joins none is remembered, and not listed.
        """
        self.refresh_refs()
        tips = [sha for name, sha in self._catalog.refs(self._source).items() if name != "main"]
        seen: set[str] = set()
        chains = []
        for tip in [head.sha, *tips]:
            chain = []
            for commit in self._hub.commits(self._repo_id, tip, whole=tip == head.sha):
                if commit.sha in seen:
                    break
                chain.append(commit)
            seen.update(commit.sha for commit in chain)
            if tip != head.sha and len(chain) == 1:
                self._catalog.add_unlisted(self._source, chain[0])
            else:
                chains.append(chain)
        # Stable, so that commits of the same millisecond keep their order; those of the main branch come last.
        older = [commit for chain in chains[1:] for commit in reversed(chain)]
        merged = sorted([*older, *reversed(chains[0])], key=lambda commit: commit.at_ms)
        return [head, *(commit for commit in reversed(merged) if commit.sha != head.sha)]
