"""What commands about history begin with: the dataset, its source, and what is asked for, checked."""

from collections.abc import Callable

import click

from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs.history.history_sources import OpenSource, source_of
from datahub_assets.domain.history import Month
from datahub_assets.stores.fill.wishes import first_month

Clock = Callable[[], int]


def dataset_with_source(name: str | None) -> tuple[DatasetSpec, OpenSource]:
    """The dataset of that name, or the first that has a source of history, and how that is opened.

    Raises:
        click.UsageError: there is none.
    """
    there = {spec.name: (spec, source) for spec in DATASETS.values() if (source := source_of(spec)) is not None}
    if name is None and there:
        return next(iter(there.values()))
    if name not in there:
        raise click.UsageError(f"no dataset {name!r} has a history to fill; {', '.join(there) or 'none'} has")
    return there[name]


def months_asked(spec: DatasetSpec, first: str, last: str | None, *, at_ms: int) -> tuple[Month, Month]:
    """The first and the last month.

    Raises:
        click.UsageError: one is no month, is not over, or they are in the wrong order.
    """
    over = Month.at(at_ms).previous
    begin = max(_month("--from", first), first_month(spec))
    end = over if last is None else _month("--to", last)
    if end > over:
        raise click.UsageError(f"--to {end} is not over yet: the last month that is over is {over}")
    if begin > end:
        raise click.UsageError(f"--from {begin} is after --to {end}: there is no month to fill")
    return begin, end


def groups_asked(spec: DatasetSpec, text: str | None, *, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """The groups that are named, in the dataset's order; all of `otherwise` where none is.

    Raises:
        click.UsageError: the dataset has no such group.
    """
    if spec.group is None:
        return ("",)
    if text is None:
        return otherwise
    named = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in named if word not in spec.groups]
    if unknown or not named:
        raise click.UsageError(
            f"no {spec.group} {', '.join(map(repr, unknown)) or repr(text)}; there are {', '.join(spec.groups)}"
        )
    return tuple(group for group in spec.groups if group in named)


def _month(option: str, text: str) -> Month:
    try:
        return Month.parse(text)
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}") from error
