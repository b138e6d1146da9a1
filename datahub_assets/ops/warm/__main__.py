"""`python -m datahub_assets.ops.warm --socket PATH`: the warm process of the product."""

import argparse
import os
from pathlib import Path

from datahub_assets.ops.warm.dagster_work import fail_orphans, load, work
from datahub_assets.ops.warm.server import WarmServer, preload


def main() -> None:
    """Load, then serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m datahub_assets.ops.warm", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket to listen on")
    parser.add_argument("--module", default="datahub_assets.definitions", help="module with the Dagster definitions")
    options = parser.parse_args()
    had_runs = any(Path(os.environ.get("DAGSTER_HOME", os.devnull)).glob("storage/**/runs.db"))
    preload(lambda: load(options.module))
    # Only of a database that was there before: the daemon makes a new one, and two at once would collide.
    WarmServer(options.socket, work, first=fail_orphans if had_runs else None).serve()


if __name__ == "__main__":
    main()
