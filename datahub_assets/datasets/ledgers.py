"""Which ledgers a dataset has, and what their lines say: missing rows, values corrected afterwards, and sources."""

import json
from collections.abc import Mapping
from itertools import chain
from typing import Any, Final

import polars as pl

from datahub_assets.datasets.spec import DatasetSpec, NumberGapRule, Series
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.gaps import Cause, GridGap
from datahub_assets.domain.history import SourceLine
from datahub_assets.domain.ledgers import DATASET, LedgerSpec, named_text, value_text
from datahub_assets.domain.tables import FETCHED

GAPS: Final = "gaps"
CORRECTIONS: Final = "corrections"
SOURCES: Final = "sources"
_NUMBER_GAPS: Final = "number_gaps"
"""Table of the cache for gaps by number, whose key is another one than that of gaps by time."""

_GAP_COLUMNS: Final = (
    Column(DATASET, ColumnKind.TEXT, "the dataset the line is about"),
    Column("series", ColumnKind.TEXT, "the series, as JSON: its columns and their values"),
    Column("first_time", ColumnKind.TIME, "time of the first missing row, UTC; null where rows go by number"),
    Column("last_time", ColumnKind.TIME, "time of the last missing row, UTC; null where rows go by number"),
    Column("missing", ColumnKind.COUNT, "how many rows are missing"),
    Column(
        "cause",
        ColumnKind.TEXT,
        "why they are missing, or were until they arrived: `not_fetched`: not asked for successfully yet; "
        "`exchange_had_none`: asked again and answered without; `quarantined`: it came, and failed a check",
    ),
    Column("first_seen", ColumnKind.TIME, "when the gap was noticed, UTC"),
    Column("asked_at", ColumnKind.TIME, "when upstream was last asked for it, UTC"),
    Column("asks", ColumnKind.COUNT, "how often upstream was asked for it"),
    Column("healed_at", ColumnKind.TIME, "when the rows arrived after all, UTC; null while they are missing"),
    Column("updated_at", ColumnKind.TIME, "when this line last changed, UTC"),
    Column("first_number", ColumnKind.COUNT, "number of the first missing row; null where rows go by time"),
    Column("last_number", ColumnKind.COUNT, "number of the last missing row; null where rows go by time"),
)
_CORRECTION_COLUMNS: Final = (
    Column(DATASET, ColumnKind.TEXT, "the dataset the line is about"),
    Column("key", ColumnKind.TEXT, "the row, as JSON: the columns of the key and their values"),
    Column("column", ColumnKind.TEXT, "the column whose value changed"),
    Column("old", ColumnKind.TEXT, "the value before, as text"),
    Column("new", ColumnKind.TEXT, "the value now, as text"),
    Column("corrected_at", ColumnKind.TIME, "when the new value was fetched, UTC"),
)
_SOURCE_COLUMNS: Final = (
    Column(DATASET, ColumnKind.TEXT, "the dataset the line is about"),
    Column("series", ColumnKind.TEXT, "the series, as JSON: its columns and their values"),
    Column("month", ColumnKind.TEXT, "the month, UTC: `2024-11`"),
    Column("url", ColumnKind.TEXT, "the file or answer that was asked for"),
    Column("sha256", ColumnKind.TEXT, "SHA-256 of its content; null where there was none"),
    Column("rows", ColumnKind.COUNT, "how many of its rows were taken"),
    Column("fetched_at", ColumnKind.TIME, "when the month was read, UTC; one time for all files of a reading"),
    Column(
        "verdict",
        ColumnKind.TEXT,
        "`complete`: every row the month has; `short`: some are missing; `no_file`: there is none; `unreadable`: of no "
        "known form; `bad_checksum`: not what its checksum says; `disagrees`: another source says otherwise and counts "
        "more",
    ),
    Column("detail", ColumnKind.TEXT, "what is wrong with it; empty where nothing is"),
    Column("done", ColumnKind.FLAG, "whether the series has all there is of this month: asking again brings no more"),
)


def gaps_of(spec: DatasetSpec) -> LedgerSpec | None:
    """The ledger of a dataset's gaps; None where it keeps none."""
    if spec.gaps is None:
        return None
    noun, by_number = spec.gaps.noun, isinstance(spec.gaps, NumberGapRule)
    return LedgerSpec(
        name=GAPS,
        dataset=spec.name,
        path="gaps/gaps.parquet",
        summary=f"{noun.capitalize()} that should exist between the first and the last one of a series, and do not (or "
        "did not).",
        columns=_GAP_COLUMNS,
        key=(DATASET, "series", gap_places_of(spec)[0]),
        latest="updated_at",
        cache_table=_NUMBER_GAPS if by_number else None,
        upgrade=spec.gaps.upgrade,
        remember=_remembered_by_number if by_number else _remembered_by_time,
    )


def gap_places_of(spec: DatasetSpec) -> tuple[str, str]:
    """The columns of the ledger of gaps that say which rows of this dataset are missing: the first and the last."""
    kind = "number" if isinstance(spec.gaps, NumberGapRule) else "time"
    return f"first_{kind}", f"last_{kind}"


def _remembered_by_time(lines: pl.DataFrame) -> pl.DataFrame:
    return _remembered_causes(lines, "first_time", "last_time")


def _remembered_by_number(lines: pl.DataFrame) -> pl.DataFrame:
    return _remembered_causes(lines, "first_number", "last_number")


def _remembered_causes(lines: pl.DataFrame, first_place: str, last_place: str) -> pl.DataFrame:
    """Lines of gaps, each key's earlier ones before the later: of the same gap, a cause known once stays known.

    The same: the earlier line tells of all its rows, and was open still when the later one saw it. So two installations
    that write one ledger, of which one has asked upstream and the other has not, do not undo each other's knowledge.
    """
    key, known = [DATASET, "series", first_place], pl.col("cause") != Cause.NOT_FETCHED
    if not lines.select(key).is_duplicated().any():
        return lines
    told = ("cause", "asked_at", "asks")
    last, healed = pl.col(last_place), pl.col("healed_at").fill_null(pl.datetime(9999, 1, 1, time_zone="UTC"))
    named = {**{name: pl.col(name) for name in told}, "last": last, "healed": healed}
    earlier = {f"earlier_{name}": pl.when(known).then(value).forward_fill().over(key) for name, value in named.items()}
    same = (pl.col("earlier_last") >= last) & (pl.col("earlier_healed") >= pl.col("first_seen"))
    taken = [pl.when(~known & same).then(f"earlier_{name}").otherwise(name).alias(name) for name in told]
    return lines.with_columns(**earlier).with_columns(taken).drop(list(earlier))


def corrections_of(spec: DatasetSpec) -> LedgerSpec | None:
    """The ledger of what upstream corrected afterwards; None where a dataset keeps none."""
    if spec.corrections is None:
        return None
    return LedgerSpec(
        name=CORRECTIONS,
        dataset=spec.name,
        path="corrections/corrections.parquet",
        summary="Values of final rows that upstream changed afterwards; a value where there was none is not one of "
        f"them. {spec.corrections.noticed}",
        columns=_CORRECTION_COLUMNS,
        key=(DATASET, "key", "column", "corrected_at"),
        latest="corrected_at",
        upgrade=spec.corrections.upgrade,
    )


def sources_of(spec: DatasetSpec) -> LedgerSpec | None:
    """The ledger of where a dataset's history comes from; None where none is fetched.

    A part holds a year of a group. Its lines go from those that fetch to the Hub, and wait in no cache.
    """
    if spec.history is None:
        return None
    return LedgerSpec(
        name=SOURCES,
        dataset=spec.name,
        path=f"{SOURCES}/*.parquet" if spec.group is None else f"{SOURCES}/*/*.parquet",
        summary="The files and answers that history was taken from, by month, and what was found wrong with them.",
        columns=_SOURCE_COLUMNS,
        key=(DATASET, "series", "month", "url"),
        latest="fetched_at",
    )


def ledgers_of(spec: DatasetSpec) -> tuple[LedgerSpec, ...]:
    """The ledgers of this dataset whose lines wait in the cache."""
    return tuple(ledger for ledger in (gaps_of(spec), corrections_of(spec)) if ledger is not None)


def parts_of(spec: DatasetSpec) -> tuple[DatasetSpec | LedgerSpec, ...]:
    """The dataset and those ledgers: what the cache has tables of."""
    return (spec, *ledgers_of(spec))


def published_ledgers_of(spec: DatasetSpec) -> tuple[LedgerSpec, ...]:
    """All ledgers beside this dataset, as readers find them in its repo."""
    return tuple(ledger for ledger in (*ledgers_of(spec), sources_of(spec)) if ledger is not None)


def published_parts_of(spec: DatasetSpec) -> tuple[DatasetSpec | LedgerSpec, ...]:
    """The dataset and all its ledgers: what is published to its repo."""
    return (spec, *published_ledgers_of(spec))


def series_text(spec: DatasetSpec, series: Series) -> str:
    """A series as ledgers name it: `{"symbol":"BTCUSDT","interval":"1h"}`."""
    return named_text(dict(zip(spec.series_columns, series, strict=True)))


def series_named(spec: DatasetSpec, text: str) -> Series:
    """The series a ledger names."""
    values: Mapping[str, str] = json.loads(text)
    return tuple(values[name] for name in spec.series_columns)


def source_line(spec: DatasetSpec, line: SourceLine, *, done: bool) -> dict[str, Any]:
    """What became of a file or answer as a line of the ledger; `done`: nothing more of the month is to be had."""
    return {
        DATASET: spec.name,
        "series": series_text(spec, line.series),
        "month": str(line.month),
        "url": line.url,
        "sha256": line.sha256,
        "rows": line.rows,
        "fetched_at": line.fetched_at,
        "verdict": str(line.verdict),
        "detail": line.detail,
        "done": done,
    }


def gap_line(spec: DatasetSpec, series: Series, gap: GridGap) -> dict[str, Any]:
    """A gap as a line of the ledger."""
    if spec.gaps is None:
        raise ValueError(f"{spec.name} keeps no gaps")
    first, last = gap_places_of(spec)
    return {
        DATASET: spec.name,
        "series": series_text(spec, series),
        **dict.fromkeys(("first_time", "last_time", "first_number", "last_number")),
        first: gap.first_time,
        last: gap.last_time,
        "missing": gap.missing(spec.gaps.step(series)),
        "cause": str(gap.cause),
        "first_seen": gap.first_seen,
        "asked_at": gap.asked_at,
        "asks": gap.asks,
        "healed_at": gap.healed_at,
        "updated_at": gap.updated_at,
    }


def gap_of(spec: DatasetSpec, line: Mapping[str, Any]) -> GridGap:
    """What a line of the ledger says; its times are epoch ms."""
    first, last = gap_places_of(spec)
    return GridGap(
        line[first],
        line[last],
        Cause(line["cause"]),
        first_seen=line["first_seen"],
        updated_at=line["updated_at"],
        asked_at=line["asked_at"],
        asks=line["asks"],
        healed_at=line["healed_at"],
    )


def corrected_values(spec: DatasetSpec, *, before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """A line for each value of a final row of `before` that is another one in `after` (rows matched by key).

    Of rows that were not final yet, the columns that the spec's rule names are looked at.

    A null before is corrected by nothing: a row does not tell whether upstream had no value or nobody asked for one, as
    with rows from before the dataset had the column.
    """
    ledger = corrections_of(spec)
    if ledger is None:
        raise ValueError(f"{spec.name} keeps no corrections")
    early = spec.corrections.before_final if spec.corrections is not None else ()
    pairs = before.join(after, on=list(spec.key), suffix=_NOW)
    if spec.final is not None and not early:
        pairs = pairs.filter(pl.col(spec.final) & pl.col(spec.final + _NOW))
    lines = chain.from_iterable(_lines(spec, row, early) for row in pairs.iter_rows(named=True))
    return pl.DataFrame(list(lines), schema=ledger.polars_schema(), orient="row")


_NOW: Final = "\0now"


def _lines(spec: DatasetSpec, row: Mapping[str, Any], early: tuple[str, ...]) -> list[tuple[Any, ...]]:
    key = named_text({name: row[name] for name in spec.key})
    was_final = spec.final is None or (row[spec.final] and row[spec.final + _NOW])
    looked_at = spec.column_names if was_final else early
    names = [name for name in looked_at if name not in {*spec.key, spec.final, FETCHED}]
    return [
        (spec.name, key, name, value_text(row[name]), value_text(row[name + _NOW]), row[FETCHED + _NOW])
        for name in names
        if row[name] is not None and row[name] != row[name + _NOW]
    ]
