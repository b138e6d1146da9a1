"""What is wrong with a parquet file becomes an error that names the file."""

from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl
import pyarrow as pa

from datahub_assets.domain.errors import HubContentInvalid, HubFileDamaged
from datahub_assets.stores.forms import OtherForm


@contextmanager
def named(name: str) -> Iterator[None]:
    """What is wrong with a file, with its name."""
    try:
        yield
    except OtherForm as error:
        raise HubContentInvalid(f"{name} {error}") from error
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, KeyError, ValueError) as error:
        raise HubContentInvalid(f"{name} cannot be read as parquet of this dataset: {error}") from error


@contextmanager
def read_from(name: str) -> Iterator[None]:
    """What goes wrong in here is the file's own fault, whatever its columns are."""
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        why = " ".join(str(error).split()).rstrip(".")
        raise HubFileDamaged(
            f"{name} is damaged, it cannot be read as parquet: {why}. Put back an earlier version of it on the Hub, or "
            "delete it there"
        ) from error


def frame_of_table(table: pa.Table) -> pl.DataFrame:
    """The table as a frame.

    Raises:
        OtherForm: it is none.
    """
    frame = pl.from_arrow(table)
    if not isinstance(frame, pl.DataFrame):
        raise OtherForm("is not a table")
    return frame
