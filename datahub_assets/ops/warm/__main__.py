"""`python -m datahub_assets.ops.warm --socket PATH`: the warm process of the product."""

import argparse
from pathlib import Path

from datahub_assets.ops.warm.dagster_work import load, work
from datahub_assets.ops.warm.server import WarmServer, preload


def main() -> None:
    """Load, then serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m datahub_assets.ops.warm", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket to listen on")
    parser.add_argument("--module", default="datahub_assets.definitions", help="module with the Dagster definitions")
    options = parser.parse_args()
    preload(lambda: load(options.module))
    WarmServer(options.socket, work).serve()


if __name__ == "__main__":
    main()
