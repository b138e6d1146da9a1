"""All contestants over the same 3 M candles, up at the same time, for the rows that put load on them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.made import data
from benchmarks.peers.datasette import Datasette, datasette
from benchmarks.peers.roapi import Roapi, roapi
from benchmarks.servers.contestant import Contestant
from benchmarks.servers.hub import cached_layout, layout
from benchmarks.servers.product import Product, product
from datahub_assets.datasets.candles.spec import OHLC


@dataclass(frozen=True, slots=True)
class World:
    """The running contestants; `folder` is scratch space, `log` takes what the servers print."""

    product: Product
    datasette: Datasette
    roapi: Roapi
    folder: Path
    log: Path

    @property
    def contestants(self) -> tuple[Contestant, ...]:
        """Ours first, then the peers."""
        return self.product, self.datasette, self.roapi


@contextmanager
def world() -> Iterator[World]:
    """Make the data if need be, start everybody, stop everybody."""
    files = cached_layout(data.FILES / "layout", lambda: layout(OHLC, data.frame()))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="datahub-bench-")))
        log = folder / "servers.log"
        roapi_up = stack.enter_context(roapi(log=log))
        datasette_up = stack.enter_context(datasette(log=log))
        product_up = stack.enter_context(product(files, OHLC, home=folder / "home", log=log))
        yield World(product_up, datasette_up, roapi_up, folder, log)
