"""A Hub for tests: the real server in a thread of this process, and misbehaviour to order.

It can only be asked for in Python, and production never imports either.

    with HubServer(tmp_path / "hub") as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)
        hub.faults.conflict_on_commit()          # the next commit gets a 409
        hub.faults.fail_after_commit(times=2)    # the next two land, and are answered 500
        hub.stop()                               # connections are refused ...
        hub.start()                              # ... until it is back, on the same port, with the same data
        hub.reset()                              # as new, and faster than another server for each test
"""

import threading
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from starlette.types import Scope

from datahub_system.net.http_connection import LimitedConnection
from datahub_system.net.server import Server, listening_socket
from localhub.app.asgi import create_app
from localhub.app.requests.site import Site
from localhub.faults import CUT, Faults
from localhub.maintenance import tend
from localhub.names import KINDS
from localhub.protocol import shapes
from localhub.server import open_site
from localhub.store import accounts, refs, repos
from localhub.store.accounts import Role
from localhub.store.collect import Freed, collect
from localhub.store.commits import CommitMessage, Put, stage
from localhub.store.trees import View
from localhub.webhook import Webhook

START_TIMEOUT_S = 20.0


class HubServer:
    """A Hub over `home` on a free loopback port, from `start` (or entering the context) to `stop` (or leaving it).

    `url` and `token` (the owner's, who may write to the namespace `owner`) are good once it has started.
    """

    def __init__(
        self, home: Path, *, owner: str = "local", webhook_url: str | None = None, webhook_secret: str | None = None
    ) -> None:
        self.home = home
        self.owner = owner
        self.faults = Faults(self._rival_commit)
        self._webhook = (webhook_url, webhook_secret)
        self._port = 0
        self._running: ExitStack | None = None
        self._site: Site | None = None
        self._rivals = 0

    @property
    def url(self) -> str:
        """The address, for `HfApi(endpoint=…)` and `HF_ENDPOINT`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def token(self) -> str:
        """The owner's token, which may write."""
        return accounts.owner_token(self.token_file)

    @property
    def token_file(self) -> Path:
        """Where the owner's token is."""
        return self.home / "token"

    def start(self) -> Self:
        """Serve; on the port used before, if there was one. Returns when connections are accepted."""
        url, secret = self._webhook
        with ExitStack() as stack:
            sock = stack.enter_context(listening_socket("127.0.0.1", self._port))
            webhook = None if url is None else Webhook(url, secret=secret)
            self._site = stack.enter_context(
                open_site(self.home, owner=self.owner, token_file=self.token_file, webhook=webhook)
            )
            ready = threading.Event()
            app = self.faults.wrap(create_app(self._site))
            server = Server(app, on_ready=ready.set, protocol=_ClosableConnection)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="localhub", daemon=True)
            thread.start()
            stack.callback(_stop, server, thread)
            if not ready.wait(START_TIMEOUT_S):
                raise TimeoutError(f"the Hub did not start within {START_TIMEOUT_S} s")
            self._port = sock.getsockname()[1]
            self._running = stack.pop_all()
        return self

    def stop(self) -> None:
        """Stop serving, so that connections are refused; the data stays."""
        if self._running is not None:
            self._running.close()
            self._running = self._site = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def reset(self) -> None:
        """Be as if new: no repositories, no tokens but the owner's, no faults; runs again if it was stopped."""
        if self._site is None:
            self.start()
        with self._started().home.database.write() as con:
            for kind in KINDS:
                for repo in repos.listing(con, kind):
                    repos.delete(con, repo)
            for known in accounts.all_tokens(con):
                accounts.revoke_token(con, known.token_name)
        self.collect_garbage()
        self.faults.clear()
        self.faults.seen.clear()
        self._rivals = 0

    def add_user(self, name: str, *, role: Role = "write", user: str | None = None) -> str:
        """A token called `name` for `user`, by default of the same name, who owns that namespace."""
        with self._started().home.database.write() as con:
            return accounts.add_token(con, name=name, user=user or name, role=role)

    def collect_garbage(self, *, grace_s: float = 0.0) -> Freed:
        """What `localhub gc` does."""
        home = self._started().home
        return collect(home.database, home.blobs, grace_s=grace_s)

    def drop_history(self, *, keep_days: int, now: datetime, grace_s: float = 0.0) -> None:
        """What a Hub told to `--keep-history-days` does every hour."""
        tend(self._started().home, keep_days=keep_days, now=now, grace_s=grace_s)

    def commit(self, repo_id: str, files: dict[str, bytes], *, kind: str = "dataset", branch: str = "main") -> str:
        """Commit as somebody else would, past HTTP and its faults; returns the commit id."""
        home = self._started().home
        namespace, _, name = repo_id.partition("/")
        contents = {path: shapes.regular_file(home.blobs.put(content), content) for path, content in files.items()}
        with home.database.write() as con:
            repo = repos.find(con, kind=kind, namespace=namespace, name=name)
            if repo is None:
                raise LookupError(f"no {kind} {repo_id}")
            to = refs.branch(con, repo, branch)
            view = View(line=to.line, commit_id=to.head.id, live=True)
            changes = stage(con, view, [Put(path=path, file=file) for path, file in contents.items()])
            words = CommitMessage(author=self.owner, title="Somebody else's commit")
            return refs.commit_to(con, repo, to, changes=changes, words=words).sha

    def _rival_commit(self, scope: Scope) -> None:
        _, _, kinds, namespace, name, _, branch = scope["raw_path"].decode().split("/")
        self._rivals += 1
        files = {f"rival-{self._rivals}.txt": b"faster"}
        self.commit(f"{namespace}/{name}", files, kind=kinds.removesuffix("s"), branch=branch.replace("%2F", "/"))

    def _started(self) -> Site:
        if self._site is None:
            raise RuntimeError("the Hub is not running")
        return self._site


class _ClosableConnection(LimitedConnection):
    """Gives the application a way to close the connection, which ASGI has none for."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {CUT: self.transport.close}
        self.scope["extensions"] = extensions


def _stop(server: Server, thread: threading.Thread) -> None:
    server.should_exit = True
    thread.join()
