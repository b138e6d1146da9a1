"""`python -m benchmarks quick | full | soak`: prepare the peers, measure, print the table, save it and draw it.

`python -m benchmarks readme` prints what the README says of the last full run.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

os.environ["HF_HUB_DISABLE_XET"] = "1"  # read at import; plain LFS, as the product uploads
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

from benchmarks.environment import HERE, RESULTS, prepare, program
from benchmarks.measuring.results import Row, load, markdown, save, show
from benchmarks.soak import soak
from benchmarks.suite import FULL_SUITE, QUICK_SUITE, Suite, names, run

_SUITES: Final[dict[str, Suite]] = {suite.name: suite for suite in (QUICK_SUITE, FULL_SUITE)}


def main() -> int:
    """Run what the command line names; 1 when a target was missed and --strict asks for that."""
    options = _parser().parse_args()
    if options.suite == "readme":
        print(markdown(load(RESULTS / f"{FULL_SUITE.name}.json")))
        return 0
    started = time.monotonic()
    prepare()
    rows: list[Row] = []
    try:
        for row in _measured(options):
            rows.append(row)  # noqa: PERF402 - one by one: what was measured is shown even if a later row fails
    finally:
        show(rows)
    if not options.only:
        path = RESULTS / f"{options.suite}.json"
        save(rows, path)
        print(f"saved as {path.relative_to(HERE.parent)}")
        if options.suite == "full":
            _draw(path)
    print(f"{sum(row.met for row in rows)} of {len(rows)} targets met, {(time.monotonic() - started) / 60:.1f} minutes")
    return int(options.strict and not all(row.met for row in rows))


def _measured(options: argparse.Namespace) -> Iterable[Row]:
    if options.suite == "soak":
        return soak(minutes=options.minutes)
    return run(_SUITES[options.suite], only=frozenset(options.only))


def _draw(results: Path) -> None:
    picture = results.with_suffix(".png")
    subprocess.run([program("python"), str(HERE / "measuring" / "plot.py"), str(results), str(picture)], check=True)
    print(f"drawn as {picture.relative_to(HERE.parent)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suite", choices=(*_SUITES, "soak", "readme"))
    parser.add_argument("--only", nargs="+", default=[], choices=names(), help="these rows alone; nothing is saved")
    parser.add_argument("--minutes", type=float, default=60.0, help="length of a soak (default: %(default)g)")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a target is missed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
