"""DatasetSettings: what the settings of one dataset have in common; and how a setting is looked at."""

from inspect import get_annotations
from typing import Final

from pydantic import AliasChoices, BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from datahub_assets.domain.history import Month

RUN_LIMIT_S: Final = 600
"""Seconds after which a run of a chain counts as stuck, where its dataset says nothing else."""


def env(*names: str) -> AliasChoices:
    """The variables a setting is read from; the first one that is set counts."""
    return AliasChoices(*names)


class DatasetSettings(BaseModel):
    """Settings of one dataset, as a frozen model: each field with its variable, default, check and description.

    They are read and shown with all others, see `datahub_assets.settings`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    def follows(self, series: tuple[str, ...]) -> bool:
        """Whether these settings ask for this series; of others nothing new is expected."""
        del series
        return True

    @property
    def history_since(self) -> Month | None:
        """From which month on history is filled by itself; None: not by itself."""
        return None

    @property
    def history_groups(self) -> tuple[str, ...] | None:
        """Of which groups history is filled unless somebody says; None: of all."""
        return None

    @property
    def run_limit_s(self) -> int:
        """Seconds after which a run of the chain counts as stuck."""
        return RUN_LIMIT_S


def fields_of(kind: type[BaseModel]) -> list[FieldInfo]:
    """The fields that are settings: those that are read from variables."""
    return list(named_fields_of(kind).values())


def named_fields_of(kind: type[BaseModel]) -> dict[str, FieldInfo]:
    """The same by their names."""
    return {name: field for name, field in kind.model_fields.items() if field.validation_alias is not None}


def declared_in(kind: type[BaseModel], name: str) -> type[BaseModel]:
    """The type that says what this setting of `kind` is: settings inherited from a common type are the same."""
    return next(one for one in kind.__mro__ if issubclass(one, BaseModel) and name in get_annotations(one))


def variables_of(field: FieldInfo) -> list[str]:
    """The variables a setting is read from; none where it names none."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice) for choice in alias.choices]
    return [] if alias is None else [str(alias)]


def is_secret(field: FieldInfo) -> bool:
    """Whether its value is one that no message and no log may show."""
    return "SecretStr" in str(field.annotation)
