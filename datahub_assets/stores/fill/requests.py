"""What somebody asked a running hub to fill, as files in the home; and how far that is, for who waits for it."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from datahub_assets.domain.errors import StorageFailed
from datahub_assets.stores.fill.wishes import Wish
from datahub_assets.stores.history.reports import FOLDER
from datahub_system.files.private import private_folder
from datahub_system.files.whole import write_whole

OF_SETTINGS: Final = "settings"
"""The request that the settings make."""
_REQUESTS: Final = "requests"
_STATE: Final = ".state"


@dataclass(frozen=True, slots=True)
class FillState:
    """How far a request is.

    Attributes:
        done, total, rows, doing: see `filling.Progress`.        is_over: whether nothing more comes of it.
        lines: what a person is told at its end.        is_well: whether all that can be had is committed.
        updated_at: epoch ms.        wish: what it was made for.
    """

    wish: Wish
    updated_at: int
    done: int = 0
    total: int = 0
    rows: int = 0
    doing: str = ""
    is_over: bool = False
    is_well: bool = True
    lines: tuple[str, ...] = field(default=())


def ask(home: Path, wish: Wish, *, name: str | None = None) -> str:
    """Leave a request; returns its name.

    Raises:
        StorageFailed: it could not be written.
    """
    name = name or secrets.token_hex(6)
    _write(home, f"{name}.json", wish.to_json())
    return name


def waiting(home: Path, dataset: str) -> Sequence[tuple[str, Wish]]:
    """The requests of a dataset that are not over, by name, oldest first; a file that is none is removed."""
    found = []
    for path in _by_age(home):
        try:
            wish = Wish.of_json(path.read_bytes())
        except FileNotFoundError:
            continue
        except msgspec.MsgspecError:
            path.unlink(missing_ok=True)
            continue
        if wish.dataset == dataset:
            found.append((path.stem, wish))
    return found


def state(home: Path, name: str) -> FillState | None:
    """How far a request is; None while nobody has begun."""
    try:
        return msgspec.json.decode(_path(home, f"{name}{_STATE}").read_bytes(), type=FillState)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def note(home: Path, name: str, told: FillState) -> None:
    """Tell how far a request is; one that is over waits no more."""
    _write(home, f"{name}{_STATE}", json.dumps(asdict(told)).encode())
    if told.is_over:
        _path(home, f"{name}.json").unlink(missing_ok=True)


def forget(home: Path, name: str) -> None:
    """Nobody waits for it any more."""
    for ending in (".json", _STATE):
        _path(home, f"{name}{ending}").unlink(missing_ok=True)


def _by_age(home: Path) -> list[Path]:
    aged = []
    for path in (home / FOLDER / _REQUESTS).glob("*.json"):
        try:
            aged.append((path.stat().st_mtime_ns, path))
        except FileNotFoundError:
            continue
    return [path for _, path in sorted(aged)]


def _path(home: Path, name: str) -> Path:
    return home / FOLDER / _REQUESTS / name


def _write(home: Path, name: str, content: bytes) -> None:
    target = _path(home, name)
    try:
        private_folder(target.parent.parent)
        private_folder(target.parent)
        write_whole(target, lambda file: file.write(content), by_several=True)
    except OSError as error:
        raise StorageFailed(f"cannot write {target}: {error}") from error
