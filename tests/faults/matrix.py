"""A matrix as the parameters of a test: a few of its combinations in every run, all of them in the long form."""

from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

import pytest

Place = TypeVar("Place", bound=tuple[str, ...])


def combinations(
    every: Iterable[Place], *, quick: Collection[Place], name: Callable[[Place], str] = "-".join
) -> list[Any]:
    """Parameters under their names; slow, but for the quick ones."""
    return [pytest.param(one, id=name(one), marks=[] if one in quick else pytest.mark.slow) for one in every]
