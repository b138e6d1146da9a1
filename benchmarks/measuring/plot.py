"""Draws results as a PNG: `plot.py RESULTS.json OUT.png`.

Runs in the peers' environment, so it imports nothing of ours.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl  # type: ignore[import-not-found]

mpl.use("Agg")
from matplotlib import pyplot as plt


def main() -> None:
    source, target = map(Path, sys.argv[1:3])
    document = json.loads(source.read_text(encoding="utf-8"))
    rows = [row for row in document["rows"] if row["ratio"] is not None]
    figure, axes = plt.subplots(figsize=(12, 0.5 * len(rows) + 1.6), layout="constrained")
    places = list(range(len(rows), 0, -1))
    widths = [_advantage(row) - 1 for row in rows]
    axes.barh(places, widths, left=1, color=["#2a7f62" if row["met"] else "#b5443b" for row in rows], height=0.6)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(places, [f"{row['work']}\nagainst {row['peer_name']}" for row in rows], fontsize=8)
    for place, row in zip(places, rows, strict=True):
        beside = {"xytext": (5, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
        axes.annotate(_caption(row), (max(_advantage(row), 1.0), place), **beside)
    machine = document["machine"]
    axes.set_xlabel("times better than the other side (log scale); green: target met")
    axes.set_title(f"{document['taken_at'][:10]}, {machine['cpu']}, {machine['cores']} cores", fontsize=9)
    lowest, highest = min(map(_advantage, rows)), max(map(_advantage, rows))
    axes.set_xlim(min(lowest, 1.0) * 0.8, highest * 30)
    figure.savefig(target, dpi=130)


def _advantage(row: dict[str, Any]) -> float:
    """More of a rate is better, less of anything else."""
    ratio = float(row["ratio"])
    return ratio if row["unit"].endswith("/s") else 1 / ratio


def _caption(row: dict[str, Any]) -> str:
    return f"{_number(row['ours'])} against {_number(row['peer'])} {row['unit']}  (target {row['target']})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
