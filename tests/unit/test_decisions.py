"""The decisions in docs/adr: all are listed, have the same parts, and name files that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "adr"
DECISIONS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
_NAMED = re.compile(r"`((?:api|benchmarks|datahub_assets|datahub_system|docs|localhub|tests)/[\w./-]+)`")
_LINKED = re.compile(r"\]\((?!https?://)([^)#]+)")


def test_each_decision_is_listed_once_in_order() -> None:
    listed = re.findall(r"^\| \[(\d{4})\]\(([\w.-]+)\)", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert [(path.name[:4], path.name) for path in DECISIONS] == listed


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name[:4])
def test_a_decision_says_what_it_costs_and_what_would_change_it(path: Path) -> None:
    text = path.read_text()
    assert text.startswith(f"# {path.name[:4]}: ")
    parts = re.findall(r"^\*\*([^*]+)\.\*\*", text, re.MULTILINE)
    assert parts[0] == "Decision"
    assert parts[-2:] == ["What it costs", "What would change it"]


@pytest.mark.parametrize("path", [FOLDER / "README.md", *DECISIONS], ids=lambda path: path.name[:4])
def test_what_a_decision_names_is_there(path: Path) -> None:
    text = path.read_text()
    named = [ROOT / name for name in _NAMED.findall(text)] + [path.parent / name for name in _LINKED.findall(text)]
    assert [str(one) for one in named if not one.exists()] == []
