"""By what callers may narrow down what is asked of any dataset: the filters of all of them, and `symbol`.

A parameter means the filter of that name of each dataset that has one. `symbol` means whatever rows go by, in any
spelling: the filters a spec says `names_row` of.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec
import polars as pl

from api.engine.conditions import condition
from api.engine.latest import latest_rows
from api.engine.snapshot import Snapshot
from api.http.errors import ApiError, InvalidParameter, unknown_value
from api.http.reading import is_count
from datahub_assets.datasets.filters import Filter, in_capitals, in_small_letters
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import ColumnKind

SYMBOL: Final = "symbol"
ON: Final = ("true",)
"""The values of a flag that is set."""
IsOffered = Callable[[DatasetSpec, Filter], bool]
"""Whether a filter of a dataset is among those that callers may use."""


def any_filter(spec: DatasetSpec, one: Filter) -> bool:
    """All of them."""
    del spec, one
    return True


class Narrowing(msgspec.Struct, frozen=True):
    """What a caller gave: parameters and their values."""

    given: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def on(self, spec: DatasetSpec) -> Iterator[tuple[str, tuple[str, ...], tuple[Filter, ...]]]:
        """Each parameter that means filters of a dataset: its name, its values, and the filters."""
        for parameter, values in self.given:
            filters = meant(spec, parameter)
            if filters:
                yield parameter, values, filters


def meant(spec: DatasetSpec, parameter: str) -> tuple[Filter, ...]:
    """The filters of a dataset that a parameter means; each of its values may be of any of them."""
    return tuple(one for one in spec.filters if (one.names_row if parameter == SYMBOL else one.parameter == parameter))


def spelt(spec: DatasetSpec, parameter: str, values: Sequence[str], one: Filter) -> tuple[str, ...]:
    """Those of the values a filter's column can have, as it spells them; those of `symbol` in any spelling."""
    kind = spec.column(one.column).kind
    if kind is ColumnKind.FLAG:
        return ON if ON[0] in values else ()
    spellings = (str, in_capitals, in_small_letters, one.spelt) if parameter == SYMBOL else (one.spelt,)
    found = dict.fromkeys(spell(value) for value in values for spell in spellings)
    return tuple(value for value in found if kind is not ColumnKind.COUNT or is_count(value))


def rows_meant(spec: DatasetSpec, narrowing: Narrowing) -> list[pl.Expr]:
    """The conditions on rows of a dataset, all of which must hold; none where nothing of it is narrowed down.

    The values must have been checked, see `check_narrowing`.
    """
    return [
        pl.any_horizontal(condition(spec, one, spelt(spec, parameter, values, one)) for one in filters)
        for parameter, values, filters in narrowing.on(spec)
    ]


def known_values(snapshot: Snapshot, one: Filter) -> frozenset[str] | None:
    """All values of a filter's column that may be asked for; None where they are not known.

    Blocks when files must be read.
    """
    spec = snapshot.spec
    if one.column == spec.group:
        return frozenset(group for group in snapshot.groups if group is not None)
    if one.column == spec.series:
        return frozenset[str]().union(*snapshot.series.values())
    if one.newest:
        return frozenset(latest_rows(snapshot)[one.column].drop_nulls().cast(pl.String))
    return None


def check_narrowing(
    snapshots: Sequence[Snapshot], narrowing: Narrowing, *, where: str, is_offered: IsOffered = any_filter
) -> None:
    """See that what was given means something in one of these snapshots at least. Blocks when files must be read.

    Args:
        where: where values are looked for, as the error says it.
        is_offered: which filters count.

    Raises:
        UnknownValue: none has such a value.
        InvalidParameter: none has that parameter, or a value is no number where it must be one.
    """
    for parameter, values in narrowing.given:
        filters = [
            (snapshot, one)
            for snapshot in snapshots
            for one in meant(snapshot.spec, parameter)
            if is_offered(snapshot.spec, one)
        ]
        if not filters:
            raise _of_none([snapshot.spec for snapshot in snapshots], parameter, values)
        _check_forms(parameter, values, filters)
        _check_known(parameter, values, filters, where=where)


def _check_forms(parameter: str, values: Sequence[str], filters: Sequence[tuple[Snapshot, Filter]]) -> None:
    for snapshot, one in filters:
        odd = [value for value in values if not spelt(snapshot.spec, parameter, (value,), one)]
        if odd:
            is_flag = snapshot.spec.column(one.column).kind is ColumnKind.FLAG
            raise InvalidParameter.of(parameter, odd[0], valid=ON if is_flag else "whole numbers of 64 bits")


def _check_known(
    parameter: str, values: Sequence[str], filters: Sequence[tuple[Snapshot, Filter]], *, where: str
) -> None:
    """A value is known if one of the filters has it; where not all that they have is known, no value is unknown."""
    known: set[str] = set()
    missing = list(values)
    for snapshot, one in filters:
        there = None if one.unknown is None else known_values(snapshot, one)
        if there is None:
            return
        known |= there
        missing = [value for value in missing if there.isdisjoint(spelt(snapshot.spec, parameter, (value,), one))]
    unknown = filters[0][1].unknown
    if missing and unknown is not None:
        raise unknown_value(unknown).of(parameter, missing, known=known, where=where)


def _of_none(specs: Sequence[DatasetSpec], parameter: str, values: Sequence[str]) -> ApiError:
    """The error for a parameter that only other datasets have; said as they say it of unknown values, if they do."""
    having = [(spec, one) for spec in DATASETS.values() for one in meant(spec, parameter)]
    names = ", ".join(spec.name for spec in specs)
    for _, one in having:
        if one.unknown is not None:
            error = unknown_value(one.unknown)
            return error.of(parameter, values, known=(), where=f"{names}: there are no {one.unknown.noun}s")
    only = ", ".join(dict.fromkeys(spec.name for spec, _ in having))
    return InvalidParameter.of(parameter, ",".join(values), valid=f"for {only} only, and not for {names}")
