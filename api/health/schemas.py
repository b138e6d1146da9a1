"""The shapes of the status."""

import msgspec


class DatasetStatus(msgspec.Struct, frozen=True):
    """Whether a dataset is there, how many rows it has and where it is."""

    available: bool
    records: int
    url: str | None
    revision: str | None
    newest_row: str | None


class Status(msgspec.Struct, frozen=True):
    """How the hub is, in brief; two datasets have a key of their own besides, which clients know them by."""

    status: str
    message: str
    market_dataset: DatasetStatus
    ohlc_dataset: DatasetStatus
    datasets: dict[str, DatasetStatus]
