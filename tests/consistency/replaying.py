"""Changes, as `/api/hub/diff` and the stream tell them, applied one after the other to rows; and what does not fit."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from datahub_assets.datasets.spec import DatasetSpec
from tests.consistency.asking import difference_of
from tests.consistency.held import keyed_rows, kinds_in
from tests.consistency.parsing import Kinds, Row, plain_row
from tests.faults.hubview import Commit

Key = tuple[object, ...]


@dataclass
class Replica:
    """The rows of a dataset, changed as it is told.

    Attributes:
        at: the commit it has come to.
        problems: what was told and does not fit what the rows were.
    """

    spec: DatasetSpec
    kinds: Kinds
    at: str
    rows: dict[Key, Row]
    problems: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, spec: DatasetSpec, commit: Commit, *, only: Mapping[str, object] | None = None) -> "Replica":
        """The rows of a commit; only those with these values."""
        return cls(spec, kinds_in(commit), commit.sha, wanted(keyed_rows(spec, commit), only))

    def apply(self, change: Mapping[str, Any], *, skipping: bool = False) -> None:
        """Apply one change: it begins where the last one ended, and each of its rows is what it says it was.

        Args:
            skipping: commits that changed nothing of interest are not told of.
        """
        where = f"{self.spec.name} from {change['from']['revision'][:8]} to {change['to']['revision'][:8]}"
        found: list[str] = []
        if change["from"]["revision"] != self.at and not skipping:
            found.append(f"the rows are those of {self.at[:8]}")
        if change["truncated"]:
            found.append("rows are left out")
        given = {"added": len(change["added"]), "changed": len(change["changed"]), "removed": len(change["removed"])}
        if given != change["counts"]:
            found.append(f"{given} rows, and counts of {change['counts']}")
        found += self._added(change["added"])
        found += self._changed(change["changed"])
        found += self._removed(change["removed"])
        self.problems += [f"{where}: {problem}" for problem in found]
        self.at = change["to"]["revision"]

    def end(self, commit: Commit, *, only: Mapping[str, object] | None = None) -> list[str]:
        """All problems, with what the rows are not that they must have come to."""
        if self.at != commit.sha:
            self.problems.append(f"{self.spec.name}: told of {self.at[:8]} last, and not of {commit.sha[:8]}")
        difference = difference_of(wanted(keyed_rows(self.spec, commit), only), self.rows)
        if difference is not None:
            self.problems.append(f"{self.spec.name} at {commit.sha[:8]}: {difference}")
        return self.problems

    def _added(self, rows: Iterable[Row]) -> Iterator[str]:
        for key, row in self._plain(rows):
            if key in self.rows:
                yield f"{key} is added, and was there"
            self.rows[key] = row
            yield from self._repeated(key, row)

    def _changed(self, pairs: Iterable[Mapping[str, Row]]) -> Iterator[str]:
        for pair in pairs:
            (key, before), (same, after) = self._plain([pair["before"], pair["after"]])
            if key != same:
                yield f"{key} is changed to {same}"
            if before == after:
                yield f"{key} is changed to what it was"
            if self.rows.get(key) != before:
                yield f"{key} is changed: {difference_of(self.rows.get(key), before)}"
            self.rows[key] = after
            yield from self._repeated(key, after)

    def _removed(self, rows: Iterable[Row]) -> Iterator[str]:
        for key, row in self._plain(rows):
            if self.rows.pop(key, None) != row:
                yield f"{key} is removed, and was not there like that"

    def _repeated(self, key: Key, row: Row) -> Iterator[str]:
        if repr(row) in self.told:
            yield f"{key} is told twice with the same content"
        self.told.add(repr(row))

    def _plain(self, rows: Iterable[Row]) -> list[tuple[Key, Row]]:
        plain = [plain_row(row, self.kinds) for row in rows]
        return [(tuple(row[name] for name in self.spec.key), row) for row in plain]


def wanted(rows: Mapping[Key, Row], only: Mapping[str, object] | None) -> dict[Key, Row]:
    """The rows with these values."""
    return {key: row for key, row in rows.items() if all(row[name] == value for name, value in (only or {}).items())}
