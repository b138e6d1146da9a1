"""`datahub history fill`: alone, with this home's lock, or by a running `up`, which is asked and waited for."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from datahub_assets.defs.history.history_sources import OpenSource
from datahub_assets.ops.commands.history.options import dataset_with_source, groups_asked, months_asked
from datahub_assets.ops.commands.maintenance import hub_for_commands
from datahub_assets.ops.errors import OpsError
from datahub_assets.ops.supervise import home_lock
from datahub_assets.settings import Settings
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.commit_budget import CommitLimits
from datahub_assets.stores.fill import filling, requests, tellings
from datahub_assets.stores.fill.room import see_that_there_is_room
from datahub_assets.stores.fill.wishes import Wish
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish.publisher import publish
from datahub_system.clock import now_ms

_LOG: Final = logging.getLogger(__name__)
_LINE_EVERY_S: Final = 10.0
_POLL_S: Final = 0.5

Tell = Callable[[filling.Progress], None]


@dataclass(frozen=True, slots=True)
class FillOptions:
    """The options, as they were typed."""

    first: str
    last: str | None
    symbols: str | None
    intervals: str | None
    with_delisted: bool
    dataset: str | None


def fill(settings: Settings, asked: FillOptions) -> bool:
    """Fill, and say what came of it; whether all that can be had is published.

    Raises:
        click.UsageError: a month, a symbol, an interval or a dataset is none.        DataHubError: it ended too early.
    """
    spec, open_source = dataset_with_source(asked.dataset)
    first, last = months_asked(spec, asked.first, asked.last, at_ms=now_ms())
    of_settings = settings.of(spec.settings).history_groups
    groups = groups_asked(spec, asked.intervals, otherwise=of_settings or spec.groups)
    words = None if asked.symbols is None else [word.strip() for word in asked.symbols.split(",") if word.strip()]
    wanted = None if words is None else tuple(words)
    wish = Wish(spec.name, str(first), str(last), groups, wanted, with_delisted=asked.with_delisted)
    _see_that_it_is_known(settings, wish, open_source)
    began = time.monotonic()
    with _shown() as tell:
        rows, lines, is_well = (
            _by_up(settings, wish, tell)
            if home_lock.holder(settings.home)
            else _alone(settings, wish, open_source, tell)
        )
    took_s = time.monotonic() - began
    for line in lines:
        click.echo(line)
    click.echo(
        f"{len(wish.partitions()):,} months, {rows:,} rows fetched in {took_s:.0f} s ({rows / took_s:,.0f} rows/s)"
    )
    return is_well


def _see_that_it_is_known(settings: Settings, wish: Wish, open_source: OpenSource) -> None:
    """Ask for the series of the last month, so that a symbol that is none is told before anything is begun."""
    try:
        with open_source(settings, clock=now_ms, log=_LOG, beside_live=True) as source:
            for group, month in wish.partitions()[-1:]:
                source.series(group, month, wanted=wish.wanted, with_delisted=wish.with_delisted)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _alone(settings: Settings, wish: Wish, open_source: OpenSource, tell: Tell) -> tuple[int, list[str], bool]:
    with (
        home_lock.held(settings.home),
        hub_for_commands(settings) as hub,
        Cache.open(settings.cache_path) as cache,
        open_source(settings, clock=now_ms, log=_LOG, beside_live=False) as source,
    ):
        fill = filling.Fill(
            wish=wish,
            source=source,
            hub=hub,
            home=settings.home,
            log=_LOG,
            clock=now_ms,
            sleep=time.sleep,
            commit=lambda: _publish(settings, wish, cache, hub),
            tell=tell,
        )
        see_that_there_is_room(
            wish, series=filling.series_count(fill), home=settings.home, keeps_all=settings.embedded_hub
        )
        filled = filling.run(fill)
    problems = tellings.problems(filled)
    return filled.rows, [*tellings.bad_files(filled), *problems], not problems


def _publish(settings: Settings, wish: Wish, cache: Cache, hub: Hub) -> None:
    publish(wish.spec, cache=cache, hub=hub, limits=CommitLimits.of(settings), now_ms=now_ms(), log=_LOG)


def _by_up(settings: Settings, wish: Wish, tell: Tell) -> tuple[int, list[str], bool]:
    """Have the running hub do it, and wait; interrupted, it is not asked any more.

    Raises:
        OpsError: it ended before.
    """
    home = settings.home
    click.echo("`datahub up` runs on this home and does it; this command waits", err=True)
    name = requests.ask(home, wish)
    try:
        while True:
            state = requests.state(home, name)
            if state is not None:
                tell(filling.Progress(state.done, state.total or len(wish.partitions()), state.rows, state.doing))
                if state.is_over:
                    return state.rows, list(state.lines), state.is_well
            if home_lock.holder(home) is None:
                raise OpsError("`datahub up` has ended meanwhile; what is published stays: fill again to go on")
            time.sleep(_POLL_S)
    finally:
        requests.forget(home, name)


@contextmanager
def _shown() -> Iterator[Tell]:
    """Progress as a bar on a terminal, as lines elsewhere."""
    began = time.monotonic()
    if not sys.stdout.isatty():
        yield _as_lines(began)
        return
    columns = (
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} months"),
        BarColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[speed]:,.0f}/s"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console()) as bar:
        task = bar.add_task("", total=None, rows=0, speed=0.0)

        def tell(now: filling.Progress) -> None:
            speed = now.rows / max(time.monotonic() - began, 0.001)
            bar.update(task, completed=now.done, total=now.total, rows=now.rows, speed=speed, description=now.doing)

        yield tell


def _as_lines(began: float) -> Tell:
    told_at = began

    def tell(now: filling.Progress) -> None:
        nonlocal told_at
        if time.monotonic() < told_at + _LINE_EVERY_S:
            return
        told_at = time.monotonic()
        speed = now.rows / (told_at - began)
        left_s = (told_at - began) / now.done * (now.total - now.done) if now.done else None
        left = "" if left_s is None else f", about {left_s:,.0f} s left"
        click.echo(f"{now.done:,} of {now.total:,} months, {now.rows:,} rows, {speed:,.0f} rows/s{left}: {now.doing}")

    return tell
