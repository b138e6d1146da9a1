"""What came of a fill, in lines for a person."""

from collections.abc import Sequence
from typing import Final

from datahub_assets.domain.history import SourceLine
from datahub_assets.stores.fill.filling import Filled

_MOST_LINES: Final = 20


def problems(filled: Filled) -> list[str]:
    """Why something that can be had did not land; nothing where all did."""
    failed = [f"{' '.join(series)} {month}: {why}" for (series, month), why in sorted(filled.failed.items())]
    left = [
        f"{group} {month}".strip() + " is the live chain's until its windows have rolled: run `datahub up`, then again"
        for group, month in filled.left
    ]
    return shortened([*failed, *left])


def bad_files(filled: Filled) -> list[str]:
    """Files and answers that something is wrong with."""
    return shortened([bad_file(line) for line in dict.fromkeys(filled.bad)])


def bad_file(line: SourceLine) -> str:
    """One of them."""
    detail = f": {line.detail}" if line.detail else ""
    return f"{line.verdict} {line.url}{detail}"


def shortened(lines: Sequence[str]) -> list[str]:
    """The first lines, and how many more there are."""
    more = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], *([f"and {more:,} more"] if more > 0 else [])]
