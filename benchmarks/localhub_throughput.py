"""The embedded Hub by itself: commits and downloads a second of a 100 KB file, and a commit's cost after 10 and 10,000.

python -m benchmarks.localhub_throughput            about two minutes
python -m benchmarks.localhub_throughput --commits 1000 --seconds 3

The Hub runs as its users run it, in a process of its own on loopback. "HTTP" is a bare client that sends one request
after the other; "HfApi" is huggingface_hub's own upload_file, which asks several things before it commits.
"""

import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec

os.environ["HF_HUB_DISABLE_XET"] = "1"  # read by huggingface_hub at import
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import httpx
from huggingface_hub import HfApi

FILE_BYTES = 100_000
DOWNLOADERS = 8
SAMPLE = 200  # what is timed of each history
SHORT_HISTORY = 10

Work = Callable[[int], None]
P = ParamSpec("P")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="how long each rate is measured (default: %(default)g)"
    )
    parser.add_argument("--commits", type=int, default=10_000, help="the long history (default: %(default)d)")
    options = parser.parse_args()
    with _hub() as http:
        _rates(http, seconds=options.seconds)
    _histories(commits=options.commits)


@contextmanager
def _hub() -> Iterator[httpx.Client]:
    """A served Hub, as a client of it with the owner's token."""
    with tempfile.TemporaryDirectory(prefix="localhub-bench-") as folder:
        home = Path(folder) / "hub"
        command = [sys.executable, "-m", "localhub", "serve", "--home", str(home), "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                line = process.stdout.readline() if process.stdout else ""
                token = (home / "token").read_text().strip()
                with httpx.Client(base_url=line.split()[-1], headers={"Authorization": f"Bearer {token}"}) as http:
                    yield http
            finally:
                process.terminate()


def _rates(http: httpx.Client, *, seconds: float) -> None:
    _create(http, "rates")
    token = http.headers["Authorization"].removeprefix("Bearer ")
    api = HfApi(endpoint=str(http.base_url).rstrip("/"), token=token)

    def commit(number: int) -> None:
        _commit(http, "rates", "prices.csv", _content(number))

    def commit_with_hf_api(number: int) -> None:
        api.upload_file(
            path_or_fileobj=_content(number), path_in_repo="p.parquet", repo_id="local/rates", repo_type="dataset"
        )

    def download(_: int) -> None:
        size = len(http.get("/datasets/local/rates/resolve/main/prices.csv").content)
        if size != FILE_BYTES:
            raise RuntimeError(f"{size} bytes came instead of {FILE_BYTES}")

    _head("a 100 KB file, one client", rates=True)
    _report("commit, HTTP", commit, seconds=seconds)
    _report("commit as LFS, HfApi", commit_with_hf_api, seconds=seconds)
    _report("download, HTTP", download, seconds=seconds)
    _report(f"download, HTTP, {DOWNLOADERS} clients", download, seconds=seconds, clients=DOWNLOADERS)


def _report(name: str, work: Work, *, seconds: float, clients: int = 1) -> None:
    work(-1)
    deadline = time.perf_counter() + seconds

    def run(client: int) -> list[float]:
        times: list[float] = []
        while time.perf_counter() < deadline:
            times.append(_timed(work, client * 1_000_000 + len(times)))
        return times

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        times = [time_s for each in threads.map(run, range(clients)) for time_s in each]
    _row(name, times, rate=len(times) / (time.perf_counter() - started))


def _head(title: str, *, rates: bool = False) -> None:
    print(f"\n{title:<44}{'per second' if rates else '':>12}{'p50 ms':>10}{'p95 ms':>10}")


def _row(name: str, times_s: list[float], *, rate: float | None = None) -> None:
    shown = "" if rate is None else f"{rate:.0f}"
    p50, p95 = (1000 * statistics.quantiles(times_s, n=100, method="inclusive")[at - 1] for at in (50, 95))
    print(f"{name:<44}{shown:>12}{p50:>10.2f}{p95:>10.2f}")


def _histories(*, commits: int) -> None:
    """Time the same commits on two Hubs in turn, one with a short history and one with a long."""
    with _hub() as short, _hub() as long:
        for hub, target in ((short, SHORT_HISTORY), (long, commits)):
            _create(hub, "history")
            for number in range(target):
                _history_commit(hub, number)
        short_s, long_s = [], []
        for number in range(SAMPLE):
            short_s.append(_timed(_history_commit, short, SHORT_HISTORY + number))
            long_s.append(_timed(_history_commit, long, commits + number))
        _head("a commit of two 1 KB files")
        _row(f"after {SHORT_HISTORY} commits and files", short_s)
        _row(f"after {commits} commits and files", long_s)
        print(f"{'ratio of the medians':<44}{statistics.median(long_s) / statistics.median(short_s):>22.2f}")
        _head("reading the long history")
        for name, path in (
            ("tree, 1000 of the entries", "tree/main/data"),
            ("tree, 50 with last commits", "tree/main/data?expand=true"),
            ("newest 50 commits", "commits/main"),
        ):
            _row(name, [_timed(_read, long, f"/api/datasets/local/history/{path}") for _ in range(SAMPLE)])


def _read(http: httpx.Client, path: str) -> None:
    http.get(path).raise_for_status()


def _history_commit(http: httpx.Client, number: int) -> None:
    content = f"{number:<1024}".encode()
    _commit(http, "history", f"data/{number % 100_000:06}.csv", content, also={"data/open.csv": content})


def _create(http: httpx.Client, name: str) -> None:
    http.post("/api/repos/create", json={"type": "dataset", "name": name}).raise_for_status()


def _commit(http: httpx.Client, repo: str, path: str, content: bytes, *, also: dict[str, bytes] | None = None) -> None:
    lines: list[object] = [{"key": "header", "value": {"summary": "benchmark"}}]
    for name, data in {path: content, **(also or {})}.items():
        value = {"path": name, "encoding": "base64", "content": base64.b64encode(data).decode()}
        lines.append({"key": "file", "value": value})
    body = "\n".join(json.dumps(line) for line in lines)
    http.post(
        f"/api/datasets/local/{repo}/commit/main", content=body, headers={"Content-Type": "application/x-ndjson"}
    ).raise_for_status()


def _content(number: int) -> bytes:
    return f"{number:<{FILE_BYTES}}".encode()


def _timed(work: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> float:
    started = time.perf_counter()
    work(*args, **kwargs)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
