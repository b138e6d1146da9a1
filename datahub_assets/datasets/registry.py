"""The one list of datasets: those of this project, and those that installed packages bring.

A package brings one by an entry point of the group `datahub.datasets`, whose value is a package of the same make as
those here: its module `spec` has the DatasetSpec as `SPEC`, its module `asset` the source asset as `source_asset`.
"""

from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from datahub_assets.datasets.blocks.spec import BLOCKS
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.listings.spec import LISTINGS
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.network.spec import NETWORK
from datahub_assets.datasets.news.spec import NEWS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import DatasetInvalid

GROUP: Final = "datahub.datasets"
_OWN: Final = {
    "datahub_assets.datasets.market": MARKET,
    "datahub_assets.datasets.candles": OHLC,
    "datahub_assets.datasets.listings": LISTINGS,
    "datahub_assets.datasets.news": NEWS,
    "datahub_assets.datasets.blocks": BLOCKS,
    "datahub_assets.datasets.network": NETWORK,
}
_UNIQUE: Final = ("name", "repo_name", "source_asset", "cache_table", "hub_asset")


def packages_of(installed: Iterable[EntryPoint]) -> dict[str, DatasetSpec]:
    """Every dataset by its package: our own, then those of these entry points, by name.

    Raises:
        DatasetInvalid: an entry point leads to no dataset, or to one that has a name of another.
    """
    found = dict(_OWN)
    for point in sorted(installed, key=lambda one: one.name):
        package = point.value
        spec = _spec_of(point)
        for other_package, other in found.items():
            if alike := _alike(spec, other):
                raise DatasetInvalid(
                    f"dataset {spec.name!r} of {package} has the same {', '.join(alike)} as that of {other_package}: "
                    "give it another, or uninstall one of the two"
                )
        found[package] = spec
    return found


def _alike(spec: DatasetSpec, other: DatasetSpec) -> list[str]:
    """What two datasets have in common, and only one may have."""
    nouns, others = _nouns(spec), _nouns(other)
    codes = [f"code {code!r} for another thing" for code in nouns if others.get(code, nouns[code]) != nouns[code]]
    return [*(what for what in _UNIQUE if getattr(spec, what) == getattr(other, what)), *codes]


def _nouns(spec: DatasetSpec) -> dict[str, str]:
    """What unknown values are called, by the code they are told with."""
    return {one.unknown.code: one.unknown.noun for one in spec.filters if one.unknown is not None}


def _spec_of(point: EntryPoint) -> DatasetSpec:
    where = f"the entry point {point.name!r} of {point.dist.name if point.dist else 'an installed package'}"
    try:
        spec = import_module(f"{point.value}.spec").SPEC
    except DatasetInvalid as error:
        raise DatasetInvalid("\n".join(f"{where}: {line}" for line in str(error).splitlines())) from error
    except Exception as error:  # somebody else's code: whatever it raises
        raise DatasetInvalid(
            f"{where} leads to no dataset: {point.value}.spec.SPEC: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(spec, DatasetSpec):
        raise DatasetInvalid(f"{where} leads to no dataset: {point.value}.spec.SPEC is a {type(spec).__name__}")
    return spec


PACKAGES: Final[dict[str, DatasetSpec]] = packages_of(entry_points(group=GROUP))
"""Each dataset by its package."""

DATASETS: Final[dict[str, DatasetSpec]] = {spec.name: spec for spec in PACKAGES.values()}
"""The same by the dataset's own name."""
