"""Files of commits on this machine's disk, one per content, named by its hash."""

import os
import uuid
from collections.abc import Callable, Collection
from pathlib import Path

from datahub_assets.domain.files.hub_files import HubFile


class BlobStore:
    """Content-addressed folder. A file that is there is whole: it is written beside and renamed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        for left in self._incoming.iterdir():  # of a process that was killed
            left.unlink()

    def path(self, content_id: str) -> Path:
        """Where the content lies, or would."""
        return self._root / content_id[:2] / content_id

    def has(self, file: HubFile) -> bool:
        """Whether the content is here."""
        try:
            return self.path(file.content_id).stat().st_size == file.size
        except FileNotFoundError:
            return False

    def fetch(self, file: HubFile, download: Callable[[HubFile, Path], None]) -> Path:
        """The local file of a content, downloaded if it is not here yet. Errors are those of `download`."""
        target = self.path(file.content_id)
        if not self.has(file):
            self._incoming.mkdir(parents=True, exist_ok=True)  # somebody may have cleared the folder away
            incoming = self._incoming / uuid.uuid4().hex
            download(file, incoming)
            target.parent.mkdir(exist_ok=True)
            incoming.replace(target)
        return target

    def prune(self, *, keep: Collection[str], budget_bytes: int) -> int:
        """Delete contents outside `keep`, longest unused first, until the rest of them fits the budget; bytes freed."""
        spare = []
        for folder in os.scandir(self._root):
            if folder.is_dir() and folder.name != self._incoming.name:
                spare += [(entry.stat(), entry.path) for entry in os.scandir(folder) if entry.name not in keep]
        excess = sum(stat.st_size for stat, _ in spare) - budget_bytes
        freed = 0
        for stat, path in sorted(spare, key=lambda item: item[0].st_mtime):
            if freed >= excess:
                break
            Path(path).unlink(missing_ok=True)
            freed += stat.st_size
        return freed

    def held(self) -> set[str]:
        """Ids of all contents that are here."""
        return {path.name for path in self._root.glob("??/*")}
