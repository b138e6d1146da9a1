"""What is to be filled: which months of which groups, and of which series."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

import msgspec

from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.history import Month, months
from datahub_assets.domain.times import iso_to_ms


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be filled.

    Attributes:
        first, last: months, both included, as text: `2024-11`.
        groups: of the dataset's; one "" where it has none.
        wanted: names of series, or what the source reads as many of them; None for those of the settings.
    """

    dataset: str
    first: str
    last: str
    groups: tuple[str, ...]
    wanted: tuple[str, ...] | None = None
    with_delisted: bool = False

    @property
    def spec(self) -> DatasetSpec:
        """The dataset."""
        return DATASETS[self.dataset]

    def partitions(self) -> Sequence[tuple[str, Month]]:
        """Each group's months, those of one month together; none before the dataset's first."""
        first = max(Month.parse(self.first), first_month(self.spec))
        return [(group, month) for month in months(first, Month.parse(self.last)) for group in self.groups]

    def to_json(self) -> bytes:
        """As text."""
        return msgspec.json.encode(asdict(self))

    @classmethod
    def of_json(cls, text: bytes) -> Self:
        """The inverse.

        Raises:
            msgspec.MsgspecError: it is no wish.
        """
        return msgspec.json.decode(text, type=cls)


def first_month(spec: DatasetSpec) -> Month:
    """The month of the oldest row that upstream has.

    Raises:
        ValueError: the dataset has no history.
    """
    if spec.history is None:
        raise ValueError(f"{spec.name} has no history")
    return Month.at(iso_to_ms(spec.history.since))
