"""Which sealed file of a repo holds which key, for datasets whose keys do not tell it (`partitions.keys_move`).

It says what the files of a content hold, whoever wrote them, and outlives pruning. A key is kept as a fingerprint: two
keys that share one cost a read of a file and nothing else.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

import polars as pl
import polars.selectors as cs

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.stores.cache.database import Database


def create(database: Database) -> None:
    """Make the tables unless they are there."""
    database.execute(
        "CREATE TABLE IF NOT EXISTS sealed_files (id INTEGER PRIMARY KEY, dataset TEXT NOT NULL, path TEXT NOT NULL, "
        "oid TEXT NOT NULL, UNIQUE (dataset, path)) STRICT"
    )
    database.execute(
        "CREATE TABLE IF NOT EXISTS sealed_keys (key INTEGER NOT NULL, file INTEGER NOT NULL, PRIMARY KEY (key, file)) "
        "STRICT, WITHOUT ROWID"
    )
    database.execute("CREATE INDEX IF NOT EXISTS sealed_keys_of_file ON sealed_keys (file)")


@dataclass(frozen=True, slots=True)
class SealedKeys:
    """What is noted of the sealed files of one dataset."""

    database: Database
    spec: DatasetSpec

    def unknown(self, files: Mapping[str, str]) -> list[str]:
        """Which of these files (content id by path) were not noted with this content."""
        known = dict(self.database.rows("SELECT path, oid FROM sealed_files WHERE dataset = ?", (self.spec.name,)))
        return sorted(path for path, content_id in files.items() if known.get(path) != content_id)

    def note(self, path: str, *, content_id: str, rows: pl.DataFrame) -> None:
        """A file with this content holds the keys of these rows, and no others."""
        with self.database.transaction():
            self.forget([path])
            self.database.execute(
                "INSERT INTO sealed_files (dataset, path, oid) VALUES (?, ?, ?)", (self.spec.name, path, content_id)
            )
            file = self.database.scalar(
                "SELECT id FROM sealed_files WHERE dataset = ? AND path = ?", (self.spec.name, path)
            )
            self.database.execute_many(
                "INSERT OR IGNORE INTO sealed_keys VALUES (?, ?)",
                ((key, file) for key in _fingerprints(self.spec, rows)),
            )

    def rewritten(self, path: str, *, before: str, after: str) -> None:
        """The file has another content by now that holds the same keys (both named by their ids)."""
        self.database.execute(
            "UPDATE sealed_files SET oid = ? WHERE dataset = ? AND path = ? AND oid = ?",
            (after, self.spec.name, path, before),
        )

    def holding(self, rows: pl.DataFrame, *, files: Mapping[str, str]) -> list[str]:
        """Which of these files hold a key of these rows, as far as they are noted."""
        found = self.database.rows(
            "SELECT DISTINCT f.path FROM json_each(?) k CROSS JOIN sealed_keys s ON s.key = k.value "
            "CROSS JOIN sealed_files f ON f.id = s.file WHERE f.dataset = ?",
            (json.dumps(list(_fingerprints(self.spec, rows))), self.spec.name),
        )
        return sorted(path for (path,) in found if path in files)

    def forget(self, paths: Iterable[str]) -> None:
        """Drop what was noted of these files."""
        named = [(self.spec.name, path) for path in paths]
        self.database.execute_many(
            "DELETE FROM sealed_keys WHERE file IN (SELECT id FROM sealed_files WHERE dataset = ? AND path = ?)", named
        )
        self.database.execute_many("DELETE FROM sealed_files WHERE dataset = ? AND path = ?", named)


def _fingerprints(spec: DatasetSpec, rows: pl.DataFrame) -> Iterator[int]:
    """A number of 64 bits for each key."""
    keys = rows.select(spec.key).with_columns(cs.datetime().dt.epoch("ms"))
    for key in keys.iter_rows():
        yield int.from_bytes(blake2b(json.dumps(key).encode(), digest_size=8).digest(), signed=True)
