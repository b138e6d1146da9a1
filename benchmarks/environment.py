"""The peers' own Python environment, made once from the hashed lock; the product's environment never sees a peer."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
FOLDER: Final = HERE / ".env"
RESULTS: Final = HERE / "results"
_LOCK: Final = HERE / "peers.lock"
_STAMP: Final = FOLDER / "peers.sha256"


def program(name: str) -> str:
    """Path of a program of the peers' environment."""
    return str(FOLDER / "bin" / name)


def prepare() -> None:
    """Create or renew the environment when the lock says something else than what is installed.

    Raises:
        subprocess.CalledProcessError: venv or pip failed; pip has printed why.
    """
    wanted = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    if _STAMP.is_file() and _STAMP.read_text(encoding="ascii") == wanted:
        return
    print("installing the peers (once) …", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
    install = [program("python"), "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", str(_LOCK)]
    subprocess.run(install, check=True)
    _STAMP.write_text(wanted, encoding="ascii")


def quiet_environment(**changes: str) -> dict[str, str]:
    """This process's environment without settings of the product or the Hub, so that none leaks into a measurement."""
    ours = ("HF_", "DATAHUB_", "DAGSTER_", "COINGECKO_", "BINANCE_", "USE_MOCK_DATA")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "DAGSTER_DISABLE_TELEMETRY": "1", **changes}
