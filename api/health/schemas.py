"""The shapes of the status and of the list of errors."""

import msgspec


class DatasetStatus(msgspec.Struct, frozen=True):
    """Whether a dataset is there, how many rows it has and where it is."""

    available: bool
    records: int
    url: str | None
    revision: str | None
    newest_row: str | None


class Status(msgspec.Struct, frozen=True):
    """How the hub is, in brief."""

    status: str
    message: str
    market_dataset: DatasetStatus
    ohlc_dataset: DatasetStatus


class ErrorKind(msgspec.Struct, frozen=True):
    """A kind of error: the code to match on, its status, what it means, and what to do about it."""

    code: str
    status: int
    title: str
    meaning: str
    remedy: str
