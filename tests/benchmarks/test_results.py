"""A result row says who won and whether the target was met, from medians of rounds."""

import json
from pathlib import Path

from benchmarks.measuring.results import (
    against,
    alone,
    load,
    markdown,
    ours_at_most,
    ratio_at_least,
    ratio_at_most,
    save,
)


def test_rates_are_compared_with_the_fastest_peer() -> None:
    peers = {"slow": [10.0, 11.0, 12.0], "fast": [20.0, 40.0, 30.0]}
    row = against("w", [60.0, 60.0, 90.0], peers=peers, unit="answers/s", target=ratio_at_least(2))
    assert (row.peer_name, row.peer, row.ours) == ("fast", 30.0, 60.0)
    assert row.ratio == 3.0, "the median of the rounds' ratios 3, 1.5 and 3"
    assert row.spread == 0.5
    assert row.met


def test_times_are_compared_with_the_shortest_peer() -> None:
    peers = {"slow": [9.0], "fast": [3.0]}
    row = against("w", [1.0, 2.0], peers=peers, unit="s", target=ratio_at_most(0.4), less_is_better=True)
    assert (row.peer_name, row.ratio, row.met) == ("fast", 0.5, False)


def test_a_bound_on_ours_needs_no_peer() -> None:
    assert alone("w", [1.0, 5.0, 2.0], unit="s", target=ours_at_most(2, "s")).met
    assert not alone("w", [2.1], unit="s", target=ours_at_most(2, "s")).met


def test_saved_rows_have_the_fields_the_readme_promises(tmp_path: Path) -> None:
    save([alone("w", [1.0], unit="s", target=ours_at_most(2, "s"))], tmp_path / "new" / "quick.json")
    saved = json.loads((tmp_path / "new" / "quick.json").read_text(encoding="utf-8"))
    assert list(saved["rows"][0]) == ["work", "ours", "peer", "peer_name", "unit", "ratio", "target", "met", "spread"]
    assert saved["taken_at"].endswith("+00:00")
    assert saved["machine"]["cores"] > 0


def test_the_readme_quotes_the_full_run_that_lies_beside_the_benchmarks() -> None:
    root = Path(__file__).parents[2]
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert markdown(load(root / "benchmarks" / "results" / "full.json")) in readme
    assert "benchmarks/results/full.png" in readme
    assert (root / "benchmarks" / "results" / "full.png").is_file()
