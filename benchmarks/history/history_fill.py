"""A year of twenty pairs by the minute, from zips on loopback to commits: how fast, and with how much memory.

Against a bare loop that does nothing but unzip, parse and write the same files; and against freqtrade's own downloader
of the archive, its address patched to loopback: daily zips, five columns of twelve, no CHECKSUM, and nothing written.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.environment import FOLDER, HERE, quiet_environment
from benchmarks.history import files
from benchmarks.history.archive_server import Archive, archive
from benchmarks.history.files import FULL, INTERVAL, TINY, Size
from benchmarks.measuring.results import Row, against, alone, ours_at_most, ratio_at_least, ratio_at_most
from benchmarks.measuring.rounds import FULL as FULL_EFFORT
from benchmarks.measuring.rounds import Effort, alternate
from benchmarks.servers.hub import embedded_hub
from benchmarks.servers.processes import free_port
from benchmarks.servers.upstreams import upstreams
from datahub_assets.domain.history import Month

_ROUNDS: Final = 3
_BARE: Final = "unzip, parse and write alone"
_FREQTRADE: Final = "freqtrade 2026.9, archive download"
_FREQTRADE_ENV: Final = FOLDER / "freqtrade"
_INSTALL: Final = ("--only-binary", ":all:", "--no-binary", "sdnotify", "freqtrade==2026.9")
_MOST_MB: Final = 600
_OURS: Final = "Data Hub"


class NotTheSame(Exception):
    """Somebody did not take all the rows."""


def measure(effort: Effort) -> list[Row]:
    """Four rows: speed against both, the largest peak of a month, and the last months' against the first ones'."""
    size = FULL if effort is FULL_EFFORT else TINY
    folder = files.made(size)
    has_freqtrade = _install_freqtrade()
    peaks: list[list[float]] = []
    with TemporaryDirectory(prefix="datahub-bench-") as name:
        home = Path(name)
        with (
            archive(folder, log=home / "archive.log") as served,
            upstreams(pairs=1, latency_s=0.0, folder=home) as there,
        ):
            settings = {**there.settings, **served.settings}

            def ours(number: int) -> float:
                told = _filled(size, settings, home / f"round-{number}")
                peaks.append(told["peaks_mb"])
                return _speed(_OURS, told, size)

            measures = {_OURS: ours, _BARE: lambda number: _bare(folder, size, home / f"bare-{number}")}
            if has_freqtrade:
                measures[_FREQTRADE] = lambda _: _freqtrade(served, size)
            taken = alternate(measures, rounds=_ROUNDS)
    work = f"history of {size.pairs} pairs × {size.months} months by the minute ({size.rows:,} rows), zips to commits"
    found = [against(work, taken[_OURS], peers={_BARE: taken[_BARE]}, unit="rows/s", target=ratio_at_least(0.6))]
    if has_freqtrade:
        theirs = {_FREQTRADE: taken[_FREQTRADE]}
        found.append(against(work, taken[_OURS], peers=theirs, unit="rows/s", target=ratio_at_least(3)))
    largest = [max(one) for one in peaks[1:]]
    found.append(alone(f"{work}: peak memory", largest, unit="MiB", target=ours_at_most(_MOST_MB, "MiB")))
    share = max(1, size.months // 3)
    last, first = ([max(part) for part in parts] for parts in zip(*_ends(peaks[1:], share), strict=True))
    flat = f"{work}: peak memory of the last {share} months"
    peers = {f"the first {share} months": first}
    found.append(against(flat, last, peers=peers, unit="MiB", target=ratio_at_most(1.1), less_is_better=True))
    return found


def _ends(peaks: list[list[float]], share: int) -> list[tuple[list[float], list[float]]]:
    return [(one[-share:], one[:share]) for one in peaks]


@contextmanager
def hub_at(home: Path) -> Iterator[dict[str, str]]:
    """An embedded Hub in a new home; the product's settings that point to both."""
    home.mkdir()
    port = free_port()
    argv = [sys.executable, "-m", "localhub", "serve", "--home", str(home / "hub"), "--port", str(port)]
    argv += ["--token-file", str(home / "token")]
    env = quiet_environment(HF_HUB_DISABLE_XET="1")
    with embedded_hub(argv, env=env, home=home, port=port, log=home / "hub.log") as hub:
        yield {"HF_ENDPOINT": str(hub.api.endpoint), "HF_TOKEN": hub.token, "DATAHUB_HOME": str(home)}


def fill_command(first: Month, last: Month, interval: str, pairs: Sequence[str]) -> list[str]:
    """How the product's fill is run in a process of its own."""
    return [sys.executable, "-m", "benchmarks.history.fill_process", str(first), str(last), interval, ",".join(pairs)]


def fill_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """And with which environment."""
    return quiet_environment(**settings, HF_HUB_DISABLE_XET="1", PYTHONPATH=str(HERE.parent))


def _filled(size: Size, settings: Mapping[str, str], home: Path) -> dict[str, Any]:
    with hub_at(home) as of_hub:
        argv = fill_command(size.all_months[0], size.all_months[-1], INTERVAL, size.symbols)
        return _told(argv, env=fill_environment({**settings, **of_hub}))


def _bare(folder: Path, size: Size, target: Path) -> float:
    target.mkdir()
    numbers = [str(size.pairs), str(size.months)]
    argv = [sys.executable, "-m", "benchmarks.history.bare_loop", str(folder), *numbers, str(target)]
    return _speed(_BARE, _told(argv, env=quiet_environment(PYTHONPATH=str(HERE.parent))), size)


def _freqtrade(served: Archive, size: Size) -> float:
    span = [str(size.all_months[0].start_ms), str(size.all_months[-1].end_ms - 1)]
    program = str(_FREQTRADE_ENV / "bin" / "python")
    argv = [program, str(HERE / "history" / "freqtrade_fetch.py"), served.url, *span, ",".join(size.symbols)]
    return _speed(_FREQTRADE, _told(argv, env=quiet_environment()), size)


def _told(argv: list[str], *, env: Mapping[str, str]) -> dict[str, Any]:
    done = subprocess.run(argv, env=dict(env), check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _speed(who: str, told: Mapping[str, Any], size: Size) -> float:
    if told["rows"] != size.rows or told.get("faults"):
        raise NotTheSame(f"{who} took {told['rows']} of {size.rows} rows; {told.get('faults')}")
    return size.rows / float(told["elapsed_s"])


def _install_freqtrade() -> bool:
    """Make its environment, once; whether it is there. It is in no lock of ours, since it pins half of what we use."""
    done = _FREQTRADE_ENV / ".complete"
    if not done.exists():
        print("installing freqtrade in an environment of its own (once) …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(_FREQTRADE_ENV)], check=True)
        python = str(_FREQTRADE_ENV / "bin" / "python")
        if subprocess.run([python, "-m", "pip", "install", "--quiet", *_INSTALL], check=False).returncode:
            print("freqtrade could not be installed: its row is left out", flush=True)
            return False
        done.touch()
    return True
