"""The metadata block at the head of a README.md: reading it, checking it, and the tags it gives a repository."""

from dataclasses import dataclass
from typing import Any

import yaml

_TAGGED_FIELDS = (
    "license",
    "language",
    "task_categories",
    "task_ids",
    "size_categories",
    "multilinguality",
    "annotations_creators",
)
_FENCE = "---"
MAX_CARD_BYTES = 2 * 1024 * 1024

NO_METADATA = "empty or missing yaml metadata in repo card"


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a README says about its repository: `error` is set, and `data` empty, if the block cannot be read."""

    data: dict[str, Any]
    error: str | None = None

    @property
    def tags(self) -> list[str]:
        """The tags the Hub shows and filters by: `field:value`, and those under `tags` as they are."""
        named = [f"{field}:{value}" for field in _TAGGED_FIELDS for value in _texts(self.data.get(field))]
        return [*named, *_texts(self.data.get("tags"))]


def read_card(text: str) -> Card:
    """The card of a README's text; one without a metadata block is empty."""
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].rstrip() != _FENCE:
        return Card(data={})
    block: list[str] = []
    for line in lines[1:]:
        if line.rstrip() == _FENCE:
            return _parse("\n".join(block))
        block.append(line)
    return Card(data={}, error=f"the metadata block is not closed by {_FENCE}")


def _parse(block: str) -> Card:
    try:
        data = yaml.safe_load(block)
    except yaml.YAMLError as error:
        return Card(data={}, error=f"bad yaml: {error}")
    if data is None:
        return Card(data={})
    if not isinstance(data, dict):
        return Card(data={}, error="the metadata block is not a mapping")
    configs = data.get("configs")
    if configs is not None and not (isinstance(configs, list) and all(isinstance(item, dict) for item in configs)):
        return Card(data={}, error='"configs" must be an array of objects')
    return Card(data={str(key): value for key, value in data.items()})


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str)]
    return []
