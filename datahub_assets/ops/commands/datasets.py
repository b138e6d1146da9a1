"""What commands say of each dataset: where it comes from, a request to try, and whether its upstream answers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from urllib.parse import urlencode

from datahub_assets.datasets.registry import DATASETS, PACKAGES
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import CacheError
from datahub_assets.settings import Settings
from datahub_assets.stores.cache.cache import Cache


@dataclass(frozen=True, slots=True)
class Probe:
    """A question to an upstream.

    Attributes:
        name: of the upstream: the dataset's `provider`, or what is asked of it.
        fix: what to do when it does not answer.
        look: says what it saw, given all settings; raises what it likes.
    """

    name: str
    look: Callable[[Settings], str]
    fix: str


def listing() -> list[str]:
    """A line for each dataset: its name, title, repo and the package that brings it."""
    rows = [(spec.name, spec.title, spec.repo_name, package) for package, spec in PACKAGES.items()]
    header = ("dataset", "title", "repo", "package")
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]


def probes(settings: Settings) -> Iterator[Probe]:
    """The questions of the packages that have a module `doctor`: its function `look` gets the dataset's settings.

    Of a dataset whose history is filled by itself, the function `look` of the module `history` asks where that is from.
    """
    for package, spec in PACKAGES.items():
        if spec not in settings.collected:
            continue
        if find_spec(f"{package}.doctor") is not None:
            yield _probe(f"{package}.doctor", spec, name=spec.provider)
        is_filled = settings.of(spec.settings).history_since is not None
        if is_filled and find_spec(f"{package}.history") and hasattr(import_module(f"{package}.history"), "look"):
            yield _probe(f"{package}.history", spec, name=f"history of {spec.name}")


def _probe(module: str, spec: DatasetSpec, *, name: str) -> Probe:
    asked = import_module(module)
    return Probe(name, lambda settings: str(asked.look(settings.of(spec.settings))), fix=asked.FIX)


def example_url(api: str) -> str:
    """A request to the first dataset, with examples of its filters."""
    spec = next(iter(DATASETS.values()))
    query = urlencode(example_query(spec), safe=",")
    return f"{api}/api/hub/{spec.name}" + (f"?{query}" if query else "")


def example_query(spec: DatasetSpec) -> dict[str, str]:
    """Parameters that run: those a caller must give, or else the first that has an example."""
    required = [one for one in spec.filters if one.required]
    chosen = required or [one for one in spec.filters if one.example][:1]
    return {one.parameter: ",".join(one.example) for one in chosen}


def query_of_stored(spec: DatasetSpec, settings: Settings) -> dict[str, str]:
    """Parameters that ask for rows this machine has: of a series in the cache, where a caller must choose one."""
    series = _stored_series(spec, settings)
    return {
        one.parameter: series.get(one.column, ",".join(one.example[:1]))
        for one in spec.filters
        if one.required or (one.default is not None and one.column in series)
    }


def _stored_series(spec: DatasetSpec, settings: Settings) -> dict[str, str]:
    """A series of the cache: the values of its columns; nothing where there is none."""
    if not spec.series_columns or not settings.cache_path.is_file():
        return {}
    try:
        with Cache.open(settings.cache_path) as cache:
            first = next(iter(cache.series(spec).last_times()), ())
    except CacheError:  # has a check of its own
        return {}
    return dict(zip(spec.series_columns, first, strict=False))
