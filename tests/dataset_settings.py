"""Settings of datasets changed for a test."""

from datahub_assets.datasets.settings_base import DatasetSettings
from datahub_assets.settings import Settings


def changed(settings: Settings, kind: type[DatasetSettings], **values: object) -> Settings:
    """All settings with these values of one dataset's, which need not be one of the registry."""
    own = settings.of_datasets.get(kind, kind()).model_copy(update=values)
    return settings.model_copy(update={"of_datasets": {**settings.of_datasets, kind: own}})
