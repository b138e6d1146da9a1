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
    figure, axes = plt.subplots(figsize=(11, 0.5 * len(rows) + 1.6), layout="constrained")
    places = range(len(rows), 0, -1)
    colours = ["#2a7f62" if row["met"] else "#b5443b" for row in rows]
    axes.barh(list(places), [row["ratio"] for row in rows], color=colours, height=0.62)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(list(places), [f"{row['work']}\nagainst {row['peer_name']}" for row in rows], fontsize=8)
    for place, row in zip(places, rows, strict=True):
        beside = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
        axes.annotate(_caption(row), (row["ratio"], place), **beside)
    machine = document["machine"]
    axes.set_xlabel("ours / theirs (log scale); green: target met")
    axes.set_title(f"{document['taken_at'][:10]}, {machine['cpu']}, {machine['cores']} cores", fontsize=9)
    axes.margins(x=0.25)
    figure.savefig(target, dpi=130)


def _caption(row: dict[str, Any]) -> str:
    return f"{row['ratio']:.2f} ×  (target {row['target']})"


if __name__ == "__main__":
    main()
