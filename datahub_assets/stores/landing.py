"""Landing files: what one fetch brought, made durable before anything else happens to it."""

import json
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import CacheError, CacheFull, CacheUnusable
from datahub_assets.domain.rows import Checked, Rejected
from datahub_assets.domain.times import HOUR_MS
from datahub_assets.stores import forms
from datahub_system.files.private import private_folder
from datahub_system.files.whole import NO_ROOM, write_whole

_REJECTED: Final = b"datahub.rejected"
_ABANDONED_MS: Final = HOUR_MS


def land(folder: Path, spec: DatasetSpec, checked: Checked, *, now_ms: int) -> Path:
    """Write a fetch to its own file; once this returns, neither a crash nor a power cut loses it.

    The name starts with the time, so that files sort by it, and ends at random, so that two never meet.

    Raises:
        CacheFull: the disk has no room; nothing is left behind.
        CacheError: the folder cannot be written.
    """
    home = folder / spec.name
    target = home / f"{now_ms:015d}-{secrets.token_hex(4)}.parquet"
    rejected = json.dumps([asdict(row) for row in checked.rejected]).encode()
    table = checked.frame.to_arrow().cast(spec.arrow_schema()).replace_schema_metadata({_REJECTED: rejected})

    def write(file: BinaryIO) -> None:
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)

    try:
        private_folder(home)
        write_whole(target, write)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise CacheFull(f"no space left for {target}: free some space; the next tick fetches again") from error
        raise CacheError(f"cannot write {target}: {error}") from error
    return target


def landed(folder: Path, spec: DatasetSpec) -> list[Path]:
    """The complete landing files of a dataset, oldest first."""
    return sorted((folder / spec.name).glob("*.parquet"))


def read_landed(path: Path, spec: DatasetSpec) -> Checked:
    """What `land` wrote.

    Raises:
        CacheUnusable: the file is damaged (a disk error: a landing file is complete before it has its name), or holds
            what cannot be read as rows of the dataset without a loss. One of an earlier form can (`stores.forms`).
    """
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        forms.refuse_other_columns(spec, table.schema)
        frame = pl.from_arrow(forms.as_today(spec, table))
        rejected = json.loads((table.schema.metadata or {}).get(_REJECTED, b"[]"))
        rows = tuple(Rejected(**row) for row in rejected)
    except forms.OtherForm as error:
        raise CacheUnusable(f"landing file {path} {error}") from error
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise CacheUnusable(f"landing file {path} is damaged: {error}") from error
    if not isinstance(frame, pl.DataFrame):
        raise CacheUnusable(f"landing file {path} is not a table")
    return Checked(frame=frame, rejected=rows)


def tidy(folder: Path, spec: DatasetSpec, *, now_ms: int) -> None:
    """Remove what writers that died left half written; a file this old is nobody's work in progress."""
    for path in (folder / spec.name).glob("*.partial"):
        started, _, _ = path.name.partition("-")
        if started.isdigit() and int(started) < now_ms - _ABANDONED_MS:
            path.unlink(missing_ok=True)


def discard(path: Path) -> None:
    """Remove a landing file whose rows are in the cache."""
    path.unlink(missing_ok=True)


def set_aside(path: Path) -> Path:
    """Rename a damaged landing file so that it no longer stands in the way; returns where it is kept."""
    return path.replace(path.with_suffix(".damaged"))
