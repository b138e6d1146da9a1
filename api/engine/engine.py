"""All datasets the API serves, over one Hub, one folder and one DuckDB."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from api.engine.datafile import DataFile
from api.engine.dataset import Dataset
from api.engine.hub.blobs import BlobStore
from api.engine.hub.catalog import Catalog
from api.engine.hub.reader import HubReader
from api.engine.parquet import FileReader, connect
from api.engine.snapshot_loader import SnapshotLoader
from api.http.errors import DatasetNotReady, UnknownDataset
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import DataHubError

_LOG: Final = logging.getLogger(__name__)
_GIB: Final = 1 << 30
_MAPPED_BYTES: Final = 4 * _GIB
_WARM_BUDGET_BYTES: Final = 1 * _GIB
_SPARE_BLOBS_BYTES: Final = 1 * _GIB
_ROW_BYTES: Final = 200
"""What a mapped row takes, roughly: 16 to 22 columns of 8 bytes, short texts included."""
_PRUNE_AFTER_S: Final = 60.0
"""Mapped rows used later than this stay: a request may be about to open them."""


_ASK_OWNER_EVERY_S: Final = 30.0


class Engine:
    """The datasets by name. Until it is known whose they are, there are none.

    Args:
        owner: the account they belong to, where the settings name it.
        namespace: asks for that account where they do not. What an earlier process was told is served until it answers.
    """

    def __init__(
        self,
        *,
        hub: HubReader,
        root: Path,
        endpoint: str,
        namespace: Callable[[], str],
        owner: str | None = None,
        specs: Sequence[DatasetSpec] = tuple(DATASETS.values()),
    ) -> None:
        self.hub = hub
        self.specs = {spec.name: spec for spec in specs}
        self._endpoint = endpoint
        self._namespace = namespace
        self._owner = owner
        self._root = root
        self._catalog = Catalog(root / "catalog.sqlite3")
        self._blobs = BlobStore(root / "blobs")
        self._connection = connect(root / "scratch")
        self.datasets: Mapping[str, Dataset] = {}
        """The datasets that are bound to a repo, by name."""
        self._retired: list[Dataset] = []
        self._bound_to: str | None = None
        self._is_certain = False
        self._ask_owner_at_s = 0.0
        self._binding = threading.Lock()
        self.binding_error: DataHubError | None = None
        """Why it is not known whose the datasets are, once that was asked."""

    @property
    def catalog(self) -> Catalog:
        """The index of commits."""
        return self._catalog

    def dataset(self, name: str) -> Dataset:
        """The dataset of that name. Raises what `missing` says."""
        found = self.datasets.get(name)
        if found is None:
            raise self.missing(name)
        return found

    def missing(self, name: str) -> UnknownDataset | DatasetNotReady:
        """Why there is no dataset of that name: there is none, or it is not known yet whose it is."""
        if name not in self.specs:
            return UnknownDataset(f"there is no dataset {name!r}; valid: {', '.join(self.specs)}")
        return DatasetNotReady("the account that owns the datasets is not known yet, as the Hub was not reached")

    def restore(self) -> None:
        """Serve what an earlier process served of the same account; the Hub is not asked."""
        with self._binding:
            namespace = self._owner or self._catalog.note(f"namespace of {self._endpoint}")
            if namespace is not None:
                self._bind(namespace)
            self._is_certain = self._owner is not None

    def refresh(self, name: str) -> bool:
        """Bring a dataset to the Hub's head; whether what is served changed. Blocks; raises as `Dataset.refresh`."""
        self._settle()
        return self.datasets[name].refresh()

    def warm(self) -> None:
        """Map the newest files of each group, so that first queries need not; as much as the budget allows."""
        left = _WARM_BUDGET_BYTES
        ready = [dataset.current for dataset in self.datasets.values() if dataset.is_ready]
        files = [file for snapshot in ready for file in snapshot.data]
        for file in sorted(files, key=lambda file: file.max_ms, reverse=True):
            left -= file.rows * _ROW_BYTES
            if left < 0:
                return
            if file.is_open and not file.mapped.exists():  # somebody deleted it, and SQL reads it by its name
                file.close()
            file.open()

    def prune(self) -> None:
        """Give back disk: contents of no snapshot in use, and mapped rows beyond the budget, longest unused first."""
        libraries = [dataset.library for dataset in self.datasets.values()]
        needed: set[str] = set().union(*(library.needed_blobs() for library in libraries))
        opened = {file.mapped: file for library in libraries for file in library.open_files()}
        freed = self._blobs.prune(keep=needed, budget_bytes=_SPARE_BLOBS_BYTES)
        self._catalog.forget_contents(keep=self._blobs.held())
        mapped: set[Path] = set().union(*(library.needed_mapped() for library in libraries))
        kept = 0
        for used_at_s, path in sorted(self._mapped_files(opened), reverse=True):
            size = path.stat().st_size
            if used_at_s > time.time() - _PRUNE_AFTER_S or (path in mapped and kept + size <= _MAPPED_BYTES):
                kept += size
                continue
            if path in opened:
                opened[path].close()
            path.unlink()
            freed += size
        if freed:
            _LOG.info("gave back %d bytes of disk", freed)

    def _mapped_files(self, opened: Mapping[Path, DataFile]) -> Iterator[tuple[float, Path]]:
        """All files of mapped rows, with the time they were last used."""
        for path in (self._root / "mapped").glob("*.arrow"):
            yield (opened[path].used_at_s if path in opened else path.stat().st_mtime), path

    def close(self) -> None:
        """Close files and connections."""
        for dataset in (*self._retired, *self.datasets.values()):
            dataset.close()
        self._connection.close()
        self._catalog.close()
        self.hub.close()

    def _settle(self) -> None:
        """Have the datasets be those of the right account; while that cannot be asked, those of the last one stay.

        Raises:
            HubError: it could not be asked, and no account is known from before.
        """
        with self._binding:
            if self._is_certain or time.monotonic() < self._ask_owner_at_s:
                return
            try:
                namespace = self._owner or self._namespace()
            except DataHubError as error:
                self.binding_error = error
                if self._bound_to is None:
                    raise
                self._ask_owner_at_s = time.monotonic() + _ASK_OWNER_EVERY_S
                return
            if namespace != self._bound_to:
                self._bind(namespace)
            self.binding_error = None
            self._is_certain = True

    def _bind(self, namespace: str) -> None:
        """Serve the datasets of that account. Requests may still wait for those of another, so they are closed last."""
        if self._bound_to is not None:
            _LOG.warning("the datasets are those of %s now, and were those of %s", namespace, self._bound_to)
        datasets = {name: self._dataset(spec, f"{namespace}/{spec.repo_name}") for name, spec in self.specs.items()}
        for dataset in datasets.values():
            dataset.restore()
        self._catalog.set_note(f"namespace of {self._endpoint}", namespace)
        retired = list(self.datasets.values())
        self.datasets, self._bound_to = datasets, namespace
        self._retired += retired
        for dataset in retired:
            dataset.retire()

    def _dataset(self, spec: DatasetSpec, repo_id: str) -> Dataset:
        reader = FileReader(spec, connection=self._connection, catalog=self._catalog, mapped=self._root / "mapped")
        library = SnapshotLoader(
            spec,
            repo_id=repo_id,
            source=f"{self._endpoint}/{repo_id}",
            hub=self.hub,
            blobs=self._blobs,
            reader=reader,
            catalog=self._catalog,
        )
        return Dataset(spec, library=library, hub=self.hub, catalog=self._catalog)
