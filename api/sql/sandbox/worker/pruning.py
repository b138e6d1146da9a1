"""Which parts of a table a filter rules out by the times they hold.

Arrow does the reasoning: it drops fragments of a dataset whose guarantee contradicts a filter. The fragments here stand
for parts, their guarantee is the part's first and last time, and none is ever opened.
"""

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem

from api.sql.sandbox.worker.parts import Part

_FORMAT: Final = ds.IpcFileFormat()
_FILES: Final = LocalFileSystem()


class Pruning:
    """Knows the times of some parts."""

    def __init__(self, parts: Sequence[Part], schema: pa.Schema) -> None:
        self._parts = parts
        self._times = [field for field in schema if pa.types.is_timestamp(field.type)]
        stand_ins = [
            _FORMAT.make_fragment(str(number), filesystem=_FILES, partition_expression=self._guarantee(part))
            for number, part in enumerate(parts)
        ]
        self._stand_ins = ds.FileSystemDataset(stand_ins, schema, _FORMAT, filesystem=_FILES)

    def left_by(self, filter: Any, mentions: str) -> Sequence[Part]:  # noqa: A002 - Arrow's name
        """The parts that may hold rows the filter lets through, in their order; `mentions` is the filter as text."""
        if not any(field.name in mentions for field in self._times):
            return self._parts
        left = sorted(int(one.path) for one in self._stand_ins.get_fragments(filter))
        return [self._parts[number] for number in left]

    def _guarantee(self, part: Part) -> Any:
        """What holds for every row of a part."""
        guarantee = ds.scalar(value=True)
        for field in self._times:
            span = part.span(field.name)
            if span is not None:
                first, last = (pa.scalar(bound, field.type) for bound in span)
                guarantee &= (ds.field(field.name) >= first) & (ds.field(field.name) <= last)
        return guarantee
