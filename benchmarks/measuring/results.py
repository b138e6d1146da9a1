"""What a measurement says: one row per claim, its target, and whether it was met; measuring is done in `rows`."""

import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil
from rich.console import Console
from rich.table import Table

_NAMED_VERSIONS: Final = ("dagster", "duckdb", "huggingface_hub", "litestar", "polars", "pyarrow", "uvicorn")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        ours, peer: medians in `unit`.
        ratio: ours / peer; more is better for rates, less is better for times, bytes and memory.
        target: what was to be reached, in words.        met: whether it was.
        spread: (largest - smallest) / median over the rounds, of the ratio where there is a peer, else of ours.
    """

    work: str
    ours: float
    peer: float | None
    peer_name: str
    unit: str
    ratio: float | None
    target: str
    met: bool
    spread: float


@dataclass(frozen=True, slots=True)
class Target:
    """A bound in words and as a check of (ours, ratio)."""

    text: str
    reached: Callable[[float, float | None], bool]


def ratio_at_least(bound: float) -> Target:
    """At least `bound` times the peer."""
    return Target(f"≥ {bound:g} ×", lambda _, ratio: ratio is not None and ratio >= bound)


def ratio_at_most(bound: float) -> Target:
    """At most `bound` times the peer."""
    return Target(f"≤ {bound:g} ×", lambda _, ratio: ratio is not None and ratio <= bound)


def ours_at_most(bound: float, unit: str) -> Target:
    """At most `bound` of the unit, whatever the peer does."""
    return Target(f"≤ {bound:g} {unit}", lambda ours, _: ours <= bound)


def spread(values: Sequence[float]) -> float:
    """How far apart the rounds lie, as a share of their median."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def alone(work: str, values: Sequence[float], *, unit: str, target: Target, peer_name: str = "–") -> Row:
    """A row without a peer: the median of the rounds against an absolute bound."""
    ours = statistics.median(values)
    return Row(work, ours, None, peer_name, unit, None, target.text, target.reached(ours, None), spread(values))


def against(
    work: str,
    ours: Sequence[float],
    *,
    peers: Mapping[str, Sequence[float]],
    unit: str,
    target: Target,
    less_is_better: bool = False,
) -> Row:
    """A row against the best of `peers` by median; that is the least where less is better.

    The ratio is the median of the rounds' ratios, since the contestants of one round met the same machine; a peer with
    another number of rounds counts with its median.
    """
    choose = min if less_is_better else max
    name = choose(peers, key=lambda peer: statistics.median(peers[peer]))
    theirs = list(peers[name])
    paired = theirs if len(theirs) == len(ours) else [statistics.median(theirs)] * len(ours)
    ratios = [one / other for one, other in zip(ours, paired, strict=True)]
    ratio, middle = statistics.median(ratios), statistics.median(ours)
    met = target.reached(middle, ratio)
    return Row(work, middle, statistics.median(theirs), name, unit, ratio, target.text, met, spread(ratios))


def save(rows: Sequence[Row], path: Path) -> None:
    """Write the rows with date, machine and versions as JSON."""
    document = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": _cpu_name(),
            "cores": os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "system": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in _NAMED_VERSIONS},
        "rows": [asdict(row) for row in rows],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Report:
    """Saved rows, with the day and the machine they were measured on."""

    taken_on: str
    machine: str
    rows: tuple[Row, ...]


def load(path: Path) -> Report:
    """What `save` wrote."""
    document = json.loads(path.read_text(encoding="utf-8"))
    machine = document["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']:.0f} GiB"
    return Report(document["taken_at"][:10], where, tuple(Row(**row) for row in document["rows"]))


def markdown(report: Report) -> str:
    """The README's words on a report: date, machine, and a line a row."""
    lines = [
        f"Measured on {report.taken_on} ({report.machine}):",
        "",
        "| work | ours | against | ratio | target |",
        "|---|---|---|---|---|",
    ]
    for row in report.rows:
        other = row.peer_name if row.peer is None else f"{row.peer_name}: {number(row.peer)} {row.unit}"
        ratio = "–" if row.ratio is None else f"{row.ratio:.2f} ×"
        missed = "" if row.met else " (missed)"
        lines.append(f"| {row.work} | {number(row.ours)} {row.unit} | {other} | {ratio} | {row.target}{missed} |")
    return "\n".join(lines)


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table(title="Measured side by side, medians of alternating rounds", show_lines=False)
    for heading in ("work", "ours", "peer", "against", "ratio", "target", "met", "spread"):
        table.add_column(heading, justify="left" if heading in {"work", "against", "target"} else "right")
    for row in rows:
        table.add_row(
            row.work,
            f"{number(row.ours)} {row.unit}",
            "–" if row.peer is None else f"{number(row.peer)} {row.unit}",
            row.peer_name,
            "–" if row.ratio is None else f"{row.ratio:.2f} ×",
            row.target,
            "yes" if row.met else "NO",
            f"{row.spread:.0%}",
        )
    Console(width=180).print(table)


def number(value: float) -> str:
    """Three significant digits, thousands set apart."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
