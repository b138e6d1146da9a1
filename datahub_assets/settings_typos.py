"""Variables that look like settings and are none: most likely misspelt."""

from collections.abc import Iterable
from typing import Final

from datahub_assets.domain.spelling import nearest
from datahub_assets.settings_table import setting_rows

_PREFIX: Final = "DATAHUB_"
_LEAST_LIKENESS: Final = 0.75


def unknown_settings(names: Iterable[str]) -> list[str]:
    """A line for each name that begins as our settings do and is not among them, with the one it is most like.

    Args:
        names: of the variables of an environment.
    """
    known = [name for row in setting_rows() for name in row.variable.split(" / ")]
    return [_told(name, known) for name in sorted(names) if name.startswith(_PREFIX) and name not in known]


def _told(name: str, known: list[str]) -> str:
    near = nearest(name, known, least=_LEAST_LIKENESS)
    advice = f"did you mean {near}?" if near is not None else "`datahub settings` lists them"
    return f"{name} is no setting and changes nothing; {advice}"
