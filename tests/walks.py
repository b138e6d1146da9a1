"""Which functions of the product something passes, in the order it meets them; and the walks that the docs tell."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "architecture.md"
_PRODUCT = tuple(f"{ROOT / name}/" for name in ("api", "datahub_assets", "datahub_system"))
_STEP = re.compile(r"^\d+\. `([\w/]+\.py)`: (.*(?:\n +.*)*)", re.MULTILINE)
_FUNCTION = re.compile(r"`([\w.<>]+)`")
Call = tuple[str, str]
"""A module's path from the root, and the qualified name of a function."""


@contextmanager
def walked() -> Iterator[list[Call]]:
    """The functions this thread enters in the block, each once."""
    seen: dict[Call, None] = {}

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(_PRODUCT):
            path = str(Path(frame.f_code.co_filename).relative_to(ROOT))
            seen[path, frame.f_code.co_qualname] = None

    calls: list[Call] = []
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        calls += seen


def modules(calls: list[Call]) -> list[str]:
    """The modules passed, in order."""
    return list(dict.fromkeys(path for path, _ in calls))


def told(walk: str) -> list[list[Call]]:
    """The steps under this heading of docs/architecture.md: of each the functions it names, which the module has."""
    section = re.split(r"^## ", DOCUMENT.read_text().partition(f"## {walk}\n")[2], flags=re.MULTILINE)[0]
    steps = _STEP.findall(section)
    return [[(path, name) for name in _FUNCTION.findall(said) if _has(path, name)] for path, said in steps]


def _has(path: str, name: str) -> bool:
    """Whether a module defines a function that is named like this; other words are told of in code style as well."""
    last = name.rpartition(".")[2]
    return re.search(rf"^ *(?:async )?def {re.escape(last)}\(", (ROOT / path).read_text(), re.MULTILINE) is not None
