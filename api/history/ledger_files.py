"""Ledger files in today's form: those an earlier version of the project wrote are turned into it when they are read."""

import uuid
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from datahub_assets.domain.errors import HubContentInvalid
from datahub_assets.domain.ledgers import LedgerSpec


def ledger_lines(ledger: LedgerSpec, paths: Sequence[Path]) -> pl.DataFrame:
    """The lines of these files, in the ledger's schema.

    Raises:
        HubContentInvalid: a file is of no form this ledger has, or had.
    """
    empty = pl.DataFrame(schema=ledger.polars_schema())
    return pl.concat([empty, *(_lines(ledger, path) for path in paths)])


def todays_file(ledger: LedgerSpec, path: Path) -> Path:
    """The file itself; where it is in an earlier form, one with the same lines in today's.

    That lies beside it, named by its content and the columns it has, and is written when it is not there.

    Raises:
        HubContentInvalid: as `ledger_lines`.        OSError: the disk refused.
    """
    if _has_columns(ledger, path):
        return path
    turned = path.with_name(f"{path.name}-{'-'.join(ledger.column_names)}")
    if not turned.exists():
        incoming = path.with_name(f"{uuid.uuid4().hex}.incoming")
        try:
            _lines(ledger, path).write_parquet(incoming)
            incoming.replace(turned)
        finally:
            incoming.unlink(missing_ok=True)
    return turned


def _has_columns(ledger: LedgerSpec, path: Path) -> bool:
    try:
        return set(ledger.column_names) <= pl.read_parquet_schema(path).keys()
    except pl.exceptions.PolarsError as error:
        raise _invalid(ledger, error) from error


def _lines(ledger: LedgerSpec, path: Path) -> pl.DataFrame:
    try:
        return ledger.today(pl.read_parquet(path))
    except pl.exceptions.PolarsError as error:
        raise _invalid(ledger, error) from error


def _invalid(ledger: LedgerSpec, error: Exception) -> HubContentInvalid:
    return HubContentInvalid(f"the {ledger.name} of {ledger.dataset} cannot be read: {type(error).__name__}")
