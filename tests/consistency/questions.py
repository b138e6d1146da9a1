"""What is asked of every commit, and how the answer follows from the rows the commit holds.

An answer is said a second time here, in plain Python, from what the documentation promises.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.consistency.held import Held
from tests.consistency.parsing import Row


@dataclass(frozen=True)
class Question:
    """One question about commits.

    Attributes:
        datasets: whose commits it is about; the caller pins them.
        expected: what the answer must be, of the commits' rows.
    """

    path: str
    params: Mapping[str, str]
    datasets: tuple[str, ...]
    expected: Callable[[Held], Any]

    def __str__(self) -> str:
        return f"{self.path}?{'&'.join(f'{name}={value}' for name, value in self.params.items())}"

    def pinned(self, held: Held) -> dict[str, str]:
        """The parameter that pins these commits."""
        shas = {name: held.revisions[name] for name in self.datasets}
        if len(shas) == 1:
            return {"revision": next(iter(shas.values()))}
        return {"revision": ",".join(f"{name}@{sha}" for name, sha in shas.items())}


@dataclass(frozen=True)
class RowsQuestion(Question):
    """A question whose answer is rows, in all formats and maybe in pages.

    Attributes:
        backward: whether later pages hold earlier rows, though each page goes forward in time.
    """

    backward: bool = False


@dataclass(frozen=True)
class DocumentQuestion(Question):
    """A question whose answer is one JSON document.

    Attributes:
        read: takes of the document what is compared.
    """

    read: Callable[[Any], Any] = field(kw_only=True)


def chosen(rows: list[Row], *columns: str) -> list[Row]:
    """The rows with these columns only, in this order."""
    return [{name: row[name] for name in columns} for row in rows]


def within(rows: list[Row], start_ms: int | None, end_ms: int | None) -> list[Row]:
    """The rows with start <= time < end."""
    return [
        row
        for row in rows
        if (start_ms is None or row["timestamp"] >= start_ms) and (end_ms is None or row["timestamp"] < end_ms)
    ]


def newest_of_each(rows: list[Row], *, max_age_ms: int = 86_400_000) -> list[Row]:
    """The newest price of each coin, the largest market cap first, without those not seen for a day."""
    newest: dict[str, Row] = {}
    for row in rows:
        if row["coin_id"] not in newest or row["timestamp"] > newest[row["coin_id"]]["timestamp"]:
            newest[row["coin_id"]] = row
    last = max(row["timestamp"] for row in rows)
    kept = [row for row in newest.values() if row["timestamp"] >= last - max_age_ms]
    return sorted(kept, key=lambda row: (row["market_cap"] is None, -(row["market_cap"] or 0), row["coin_id"]))
