"""Files of datasets as versions up to 0.1 wrote them: their times are `timestamp[ms, UTC]`."""

import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import ColumnKind
from datahub_assets.domain.files.data_files import SUFFIX
from datahub_assets.domain.files.hub_files import HubFile
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.hub.layout import ROW_GROUP_ROWS

IN_MS = pa.timestamp("ms", tz="UTC")
TODAYS = ColumnKind.TIME.arrow


def schema_with_times(schema: pa.Schema, kind: pa.DataType) -> pa.Schema:
    """The schema with times of this type."""
    return pa.schema([field.with_type(kind) if pa.types.is_timestamp(field.type) else field for field in schema])


def with_times(content: bytes, kind: pa.DataType) -> bytes:
    """The same parquet file with times of this type."""
    table = pq.read_table(pa.BufferReader(content))
    buffer = io.BytesIO()
    options = {"compression": "zstd", "write_page_index": True, "write_page_checksum": True}
    with pq.ParquetWriter(buffer, schema_with_times(table.schema, kind), **options) as writer:
        if table.num_rows:
            writer.write_table(table.cast(writer.schema), row_group_size=ROW_GROUP_ROWS)
    return buffer.getvalue()


def earlier(content: bytes) -> bytes:
    """The same parquet file in the earlier form."""
    return with_times(content, IN_MS)


class EarlierHub(Hub):
    """What is committed by way of this arrives in the earlier form, as if that version had published it."""

    def commit(
        self,
        spec: DatasetSpec,
        *,
        writes: Mapping[str, bytes | Path],
        uploaded: Iterable[HubFile] = (),
        deletes: Iterable[str],
        message: str,
        description: str = "",
        parent: str,
    ) -> str:
        """As `Hub.commit`; what was uploaded before goes as it is."""
        before = {path: earlier(content) if path.endswith(SUFFIX) else content for path, content in _read(writes)}
        told = {"message": message, "description": description, "parent": parent}
        return super().commit(spec, writes=before, uploaded=uploaded, deletes=deletes, **told)


def _read(writes: Mapping[str, bytes | Path]) -> Iterator[tuple[str, bytes]]:
    for path, content in writes.items():
        yield path, content if isinstance(content, bytes) else content.read_bytes()
