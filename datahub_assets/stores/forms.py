"""The form of a file: its columns and their types. Files of an earlier form are read as today's; nothing is lost by it.

Today's form is the spec's schema, to the letter. An earlier version of the project wrote times in another unit, or had
a column less. What a file holds beside the dataset's columns, or under another kind, is never dropped or bent.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final

import pyarrow as pa

from datahub_assets.datasets.ledgers import ledgers_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.data_files import is_placed
from datahub_assets.domain.ledgers import LedgerSpec

UNREADABLE: Final = "unreadable"
"""Stands for the form of a sealed file that is damaged: it is left as it is, until somebody gives it other content."""
_WAY_OUT: Final = "keep the column as it was, or give the dataset another `repo_name`, where it begins anew"


class OtherForm(ValueError):
    """A table that cannot be turned into today's form without a loss; the message says why, after the file's name."""


def form_of(schema: pa.Schema) -> str:
    """A fingerprint of names, types, order and nullability of columns; equal for equal schemas alone."""
    lines = [f"{field.name!r} {_type_name(field.type)} {field.nullable}" for field in schema]
    return blake2b("\n".join(lines).encode(), digest_size=10).hexdigest()


def todays_form(part: DatasetSpec | LedgerSpec) -> str:
    """The form of the files that this version writes."""
    return form_of(part.arrow_schema())


def not_todays(spec: DatasetSpec, paths: Iterable[str], known: Mapping[str, str]) -> list[str]:
    """Which of these files of a repo are of an earlier form, or of one that is not known; `known`: forms by path.

    Those that are known as unreadable are not among them.
    """
    wanted = todays_form(spec)
    ledgers = {ledger.path: todays_form(ledger) for ledger in ledgers_of(spec)}
    placed = ((path, ledgers.get(path) or (wanted if is_placed(spec, path) else None)) for path in paths)
    return sorted(path for path, form in placed if form is not None and known.get(path) not in {form, UNREADABLE})


def as_today(part: DatasetSpec | LedgerSpec, table: pa.Table) -> pa.Table:
    """The rows in today's form: times in its unit, nulls in columns that came later; other columns are left out.

    Raises:
        OtherForm: a column that is never null is missing, or one holds values of another kind.
        pyarrow.ArrowException: a value does not fit.
    """
    wanted = part.arrow_schema()
    missing = [field for field in wanted if field.name not in table.column_names]
    if needed := [field.name for field in missing if not field.nullable]:
        raise OtherForm(f"lacks the columns {', '.join(needed)}")
    for field in wanted:
        if field not in missing and not _same_kind(table.schema.field(field.name).type, field.type):
            found = table.schema.field(field.name).type
            raise OtherForm(f"holds {found} in the column {field.name}, which is {field.type} now: {_WAY_OUT}")
    for field in missing:
        table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    # By way of milliseconds, so that a time that is no whole one is an error and does not pass for another key.
    return table.select(wanted.names).cast(_in_ms(wanted)).cast(wanted)


def refuse_other_columns(part: DatasetSpec | LedgerSpec, schema: pa.Schema) -> None:
    """See that rewriting a file of this schema drops no column of it.

    Raises:
        OtherForm: it would.
    """
    known = set(part.column_names)
    if lost := [name for name in schema.names if name not in known]:
        raise OtherForm(f"holds the columns {', '.join(lost)}, which the dataset does not have: {_WAY_OUT}")


def _in_ms(schema: pa.Schema) -> pa.Schema:
    """The schema with times that count milliseconds."""
    in_ms = pa.timestamp("ms", tz="UTC")
    return pa.schema([field.with_type(in_ms) if pa.types.is_timestamp(field.type) else field for field in schema])


def _type_name(kind: pa.DataType) -> str:
    """Names of the items of lists count for nothing: parquet calls them otherwise than Arrow."""
    return f"list of {_type_name(kind.value_type)}" if pa.types.is_list(kind) else str(kind)


def _same_kind(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether values of these types mean the same, however wide they are written."""
    if pa.types.is_null(found) or found == wanted:
        return True
    if pa.types.is_dictionary(found):
        return _same_kind(found.value_type, wanted)
    if _is_list(found) and _is_list(wanted):
        return _same_kind(found.value_type, wanted.value_type)
    if pa.types.is_timestamp(found) and pa.types.is_timestamp(wanted):
        return (found.tz is None) == (wanted.tz is None)
    kinds = (pa.types.is_integer, pa.types.is_floating, _is_text)
    return any(is_kind(found) and is_kind(wanted) for is_kind in kinds)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
