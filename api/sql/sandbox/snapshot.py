"""The tables a statement may read: local, immutable files of pinned commits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pyarrow as pa

RESERVED_PREFIXES: Final = ("duckdb_", "pg_", "pragma_", "sqlite_", "information_schema")


@dataclass(frozen=True, slots=True)
class SqlTable:
    """A table: its columns and the files whose rows, together, are its rows.

    `files` are Arrow IPC files (fastest: mapped, not read) or parquet files; each path names the same bytes for ever.
    A file may lack columns of `schema` (they read as null); columns it has beyond them are not seen.
    """

    schema: pa.Schema
    files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class SqlSnapshot:
    """Tables by name, as of pinned commits.

    `key` names the content (`market@<sha>,ohlc@<sha>`): two snapshots with one key hold the same files, so that
    workers that know the key are sent nothing. Build one per revision and keep it.
    """

    key: str
    tables: Mapping[str, SqlTable] = field(default_factory=lambda: MappingProxyType({}))
