"""The table of settings as people read it, and which of them are secrets of datasets."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from datahub_assets.datasets.settings_base import fields_of, is_secret, variables_of
from datahub_assets.settings import OF_DATASETS, Settings


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One line of the settings table as people read it."""

    variable: str
    default: str
    description: str


def setting_rows() -> list[SettingRow]:
    """The table for `--help` and the README, one row a setting: those of the datasets after the others."""
    kinds: tuple[type[BaseModel], ...] = (Settings, *OF_DATASETS)
    rows = {row.variable: row for kind in kinds for row in map(_row, fields_of(kind))}  # datasets may share settings
    return list(rows.values())


def dataset_secrets() -> Iterator[str]:
    """The variables of the datasets' secrets, which only processes that fetch may see."""
    for field in (field for kind in OF_DATASETS for field in fields_of(kind)):
        if is_secret(field):
            yield from variables_of(field)


def _row(field: FieldInfo) -> SettingRow:
    default = field.default
    text = "unset" if default in (None, ()) else ",".join(default) if isinstance(default, tuple) else str(default)
    return SettingRow(
        variable=" / ".join(variables_of(field)),
        default=text.lower() if isinstance(default, bool) else text,
        description=field.description or "",
    )
