"""What commits of the datasets hold, as plain rows: read from the Hub's files, past the product's readers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from tests.consistency.parsing import Kinds, Row, kinds_of_schema, plain_rows
from tests.faults.hubview import Commit, HubView

SPECS = {spec.name: spec for spec in (MARKET, OHLC)}
LEDGERS = ("gaps", "corrections")


@dataclass(frozen=True)
class Held:
    """One commit of each dataset."""

    commits: Mapping[str, Commit]

    @property
    def revisions(self) -> dict[str, str]:
        """The commit of each dataset."""
        return {name: commit.sha for name, commit in self.commits.items()}

    @cached_property
    def market(self) -> list[Row]:
        """Prices, in the order of time and coin."""
        return sorted(_rows(self.commits["market"]), key=lambda row: (row["timestamp"], row["coin_id"]))

    @cached_property
    def ohlc(self) -> list[Row]:
        """Candles, in the order of time, pair and interval."""
        rows = _rows(self.commits["ohlc"])
        return sorted(rows, key=lambda row: (row["timestamp"], row["symbol"], row["interval"]))

    def ledger(self, name: str) -> list[Row]:
        """The lines of a ledger; none where the commit has no file of it."""
        frame = self.commits["ohlc"].ledgers.get(f"{name}/{name}.parquet")
        return [] if frame is None else plain_rows(frame.to_arrow())


def held_at(view: HubView, revisions: Mapping[str, str]) -> Held:
    """What these commits hold."""
    return Held({name: view.commit(SPECS[name], sha) for name, sha in revisions.items()})


def kinds_in(commit: Commit) -> Kinds:
    """What the values of each column of the commit's rows are."""
    return kinds_of_schema(next(iter(commit.frames.values())).to_arrow().schema)


def keyed_rows(spec: DatasetSpec, commit: Commit) -> dict[tuple[object, ...], Row]:
    """The rows of a commit by their keys."""
    rows = _rows(commit)
    found = {tuple(row[name] for name in spec.key): row for row in rows}
    assert len(found) == len(rows), f"{spec.name} at {commit.sha} has keys twice"
    return found


def _rows(commit: Commit) -> list[Row]:
    return [row for frame in commit.frames.values() for row in plain_rows(frame.to_arrow())]
