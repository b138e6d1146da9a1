"""DatasetSettings: what the settings of one dataset have in common."""

from typing import Final

from pydantic import AliasChoices, BaseModel, ConfigDict

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
    def run_limit_s(self) -> int:
        """Seconds after which a run of the chain counts as stuck."""
        return RUN_LIMIT_S
