"""Running the Hub: its home, the socket, the names it answers to, the ready line."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from datahub_system.net import addresses
from datahub_system.net.hosts import HostCheck, OwnHosts
from datahub_system.net.server import Server, listening_socket
from localhub.app.asgi import create_app
from localhub.app.requests.site import Site
from localhub.maintenance import tended
from localhub.store.accounts import Owner, owner_token
from localhub.store.home import Home, only_server
from localhub.webhook import Webhook


@contextlib.contextmanager
def open_site(home: Path, *, owner: str, token_file: Path, webhook: Webhook | None = None) -> Iterator[Site]:
    """A Hub over `home`, the only one; all of it closed at the end.

    Raises:
        HomeInUseError: another server runs on this home.
    """
    with only_server(home):
        opened = Home(home)
        opened.blobs.discard_unfinished()
        try:
            site = Site(opened, owner=Owner(owner, owner_token(token_file)), webhook=webhook)
            try:
                yield site
            finally:
                site.close()
        finally:
            opened.close()


def serve(
    home: Path,
    *,
    host: str,
    port: int,
    owner: str,
    token_file: Path,
    allowed_hosts: Sequence[str] = (),
    webhook: Webhook | None = None,
    keep_history_days: int | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, after printing one line with the address to standard output.

    Args:
        allowed_hosts: names clients may ask for beside addresses, `localhost` and this machine's own name.
        keep_history_days: how many days of the datasets' histories are kept, None for all.
    """
    with (
        listening_socket(host, port) as sock,
        open_site(home, owner=owner, token_file=token_file, webhook=webhook) as site,
        tended(site.home, keep_days=keep_history_days),
    ):
        url = f"http://{addresses.at(host, sock.getsockname()[1])}"

        def tell() -> None:
            sys.stdout.write(f"localhub listening on {url}\n")
            sys.stdout.flush()

        app = HostCheck(
            create_app(site),
            OwnHosts([host, *allowed_hosts]),
            remedy="name it by --allowed-host (`datahub up`: DATAHUB_ALLOWED_HOSTS)",
        )
        Server(app, on_ready=tell).run(sockets=[sock])
