"""An embedded Hub of the benchmark's own with made history on it; the product's API on top is in `product`."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.hf_api import RepoFile

from benchmarks.made.candles import NOW_MS
from benchmarks.servers.processes import answers, running
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.partitions import live_name, window_start_at
from datahub_assets.stores.hub.layout import write
from datahub_assets.stores.publish.plans import plan


@dataclass(frozen=True, slots=True)
class Hub:
    """A running embedded Hub, asked through the real client."""

    api: HfApi
    token: str

    def commit(self, spec: DatasetSpec, files: Mapping[str, bytes]) -> str:
        """Create the dataset if it is missing and put all files there in one commit; returns the commit's sha."""
        repo = self.repo(spec)
        self.api.create_repo(repo, repo_type="dataset", exist_ok=True)
        operations = [CommitOperationAdd(path, io.BytesIO(content)) for path, content in files.items()]
        done = self.api.create_commit(repo, operations, commit_message="benchmark", repo_type="dataset")
        return done.oid

    def repo(self, spec: DatasetSpec) -> str:
        """The dataset's id on this Hub."""
        return f"local/{spec.repo_name}"

    def head(self, spec: DatasetSpec) -> str:
        """The sha of the dataset's newest commit."""
        return str(self.api.repo_info(self.repo(spec), repo_type="dataset").sha)

    def blobs(self, spec: DatasetSpec) -> dict[str, tuple[str, int]]:
        """Content id and size in bytes of every file at the head of the dataset."""
        tree = self.api.list_repo_tree(self.repo(spec), repo_type="dataset", recursive=True)
        return {entry.path: (entry.blob_id, entry.size) for entry in tree if isinstance(entry, RepoFile)}


@contextmanager
def embedded_hub(argv: list[str], *, env: Mapping[str, str], home: Path, port: int, log: Path) -> Iterator[Hub]:
    """Run `python -m localhub serve` as `argv` says for the time of the block; `home` is the product's home."""
    url = f"http://127.0.0.1:{port}"
    with running(argv, log=log, env=env, ready=answers(f"{url}/api/datasets")):
        token = (home / "token").read_text(encoding="ascii").strip()
        yield Hub(HfApi(endpoint=url, token=token), token)


def layout(spec: DatasetSpec, frame: pl.DataFrame, *, now_ms: int = NOW_MS) -> dict[str, bytes]:
    """The files a publisher would have left of these rows at `now_ms`: the product's own placement and encoding."""
    newest = frame.select(pl.col("timestamp").max().dt.epoch("ms")).item()
    start = window_start_at(spec, now_ms=now_ms, newest=newest, reached=0)
    planned = plan(spec, small={}, new=frame, window_start=start, live=live_name(now_ms), load=_no_file)
    return {path: write(spec, content) for path, content in planned.writes.items()}


def _no_file(path: str) -> pl.DataFrame:
    raise KeyError(path)


def cached_layout(folder: Path, make: Callable[[], dict[str, bytes]]) -> dict[str, bytes]:
    """The files of `make`, kept in `folder` from the first call on."""
    done = folder / ".complete"
    if not done.exists():
        for path, content in make().items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        done.touch()
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}
