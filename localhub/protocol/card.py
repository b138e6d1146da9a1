"""The metadata block at the head of a README.md: reading it, checking it, and the tags it gives a repository."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from localhub.protocol.yaml_block import BlockError, read_block

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
MAX_METADATA_BYTES = 64 * 1024
HEAD_BYTES = MAX_METADATA_BYTES + 1024  # of a README, enough to see its block or that the block is too long

NO_METADATA = "empty or missing yaml metadata in repo card"


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a README says about its repository: `error` is set, and `data` empty, if the block cannot be read.

    `data` holds only what JSON can: texts, numbers, booleans, None, lists and objects.
    """

    data: dict[str, Any]
    error: str | None = None

    @property
    def tags(self) -> list[str]:
        """The tags the Hub shows and filters by: `field:value`, and those under `tags` as they are."""
        named = [f"{field}:{value}" for field in _TAGGED_FIELDS for value in _texts(self.data.get(field))]
        return [*named, *_texts(self.data.get("tags"))]


def read_card(text: str) -> Card:
    """The card of a README's text, of which the first `HEAD_BYTES` suffice; one without a metadata block is empty."""
    try:
        block = _block(text)
        data = None if block is None else read_block(block)
    except BlockError as error:
        return Card(data={}, error=str(error))
    if data is None:
        return Card(data={})
    if not isinstance(data, dict):
        return Card(data={}, error="the metadata block is not a mapping")
    configs = data.get("configs")
    if configs is not None and not (isinstance(configs, list) and all(isinstance(item, dict) for item in configs)):
        return Card(data={}, error='"configs" must be an array of objects')
    return Card(data=data)


def _block(text: str) -> str | None:
    """The lines between the fences, None if the text does not begin with one."""
    lines = _lines(text[:HEAD_BYTES].removeprefix("\ufeff"))
    if next(lines, "").rstrip() != _FENCE:
        return None
    block: list[str] = []
    size = 0
    for line in lines:
        if line.rstrip() == _FENCE:
            return "\n".join(block)
        block.append(line)
        size += len(line.encode(errors="replace")) + 1
        if size > MAX_METADATA_BYTES:
            raise BlockError(f"the metadata block is larger than {MAX_METADATA_BYTES} bytes")
    raise BlockError(f"the metadata block is not closed by {_FENCE}")


def _lines(text: str) -> Iterator[str]:
    yield from text.splitlines()


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str)]
    return []
