"""Who knows a dataset: files whose code has its name, its repo, its table or its package, or a column only it has.

Comments and docstrings do not count. What differs between datasets stands in their packages.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from datahub_assets.datasets.registry import DATASETS, PACKAGES
from datahub_assets.datasets.spec import DatasetSpec

ROOT: Final = Path(__file__).parents[2]
PRODUCT: Final = ("datahub_assets", "api", "localhub", "datahub_system")
OUTSIDE: Final = ("api/dropin/",)
"""Stand-ins for the APIs of others are made of one dataset each."""
KNOWING: Final = {
    "datahub_assets/datasets/registry.py": "the one list",
    "api/health/schemas.py": "the shape of the status that the client specified",
    "api/health/status.py": "fills that shape",
    "datahub_assets/datasets/taken_names.py": "keeps the keys of that shape from being names of datasets",
}
MOST: Final = 8
EVERYDAY: Final = frozenset(
    {
        *("name", "open", "close", "low", "high", "status", "base", "quote", "listed"),
        *("title", "url", "source", "author", "language", "categories"),
        *("number", "size", "hash"),
    }
)
"""Columns whose names are words of HTTP, JSON and files as well; in a list of columns others would stand beside."""


def _words(package: str, spec: DatasetSpec) -> set[str]:
    names = (spec.name, spec.repo_name, spec.source_asset, spec.cache_table, spec.hub_asset)
    return {*names, package.rpartition(".")[2]}


_COMMON: Final = {"network", "blocks"}
"""Names of datasets that are words of computing as well; their other names are looked for."""
WORDS: Final = frozenset().union(*(_words(package, spec) for package, spec in PACKAGES.items())) - _COMMON
COLUMNS: Final = frozenset(
    name for name, count in Counter(c for spec in DATASETS.values() for c in spec.column_names).items() if count == 1
)


def _docstrings(tree: ast.Module) -> set[int]:
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def _identifiers(node: ast.AST) -> Iterator[str]:
    for field in ("id", "attr", "name", "arg", "module", "asname"):
        value = getattr(node, field, None)
        if isinstance(value, str):
            yield value


def known_in(tree: ast.Module) -> set[str]:
    """The words by which this code knows a dataset."""
    docstrings = _docstrings(tree)
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            texts = re.findall(r"[A-Za-z0-9_-]+", node.value)
            found |= {part for text in texts for part in (text, *text.split("_"))} & WORDS
            found |= {node.value} & (COLUMNS - EVERYDAY)
        else:
            found |= {part for name in _identifiers(node) for part in re.split(r"[._]", name.lower())} & WORDS
    return found


def _knowing() -> dict[str, set[str]]:
    own = tuple(f"{package.replace('.', '/')}/" for package in PACKAGES)
    found = {}
    for path in (path for package in PRODUCT for path in sorted((ROOT / package).rglob("*.py"))):
        name = str(path.relative_to(ROOT))
        if not name.startswith((*own, *OUTSIDE)):
            found[name] = known_in(ast.parse(path.read_text()))
    return {name: words for name, words in found.items() if words}


def test_only_these_files_know_a_dataset() -> None:
    assert {name: words for name, words in _knowing().items() if name not in KNOWING} == {}


def test_they_are_few_and_each_still_does() -> None:
    assert len(KNOWING) <= MOST
    assert KNOWING.keys() <= _knowing().keys()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("from datahub_assets.datasets.candles import spec", {"candles"}),
        ("def ask_market(): ...", {"market"}),
        ("url = f'/api/hub/ohlc?limit={n}'", {"ohlc"}),
        ("frame['closed']", {"closed"}),
        ("table = 'cached_ohlc'", {"cached_ohlc", "ohlc"}),
        ("'''market'''\ndef f():\n    '''Of market.'''\n    return 1  # ohlc", set()),
    ],
)
def test_code_that_knows_one_is_found(code: str, words: set[str]) -> None:
    assert known_in(ast.parse(code)) == words
