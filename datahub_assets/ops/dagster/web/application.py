"""Dagster's own application, and the guard around it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import dagster as dg
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__
from starlette.types import ASGIApp

from datahub_assets.ops.dagster.web.access import needs_login, own_hosts, remedy
from datahub_assets.ops.dagster.web.graphql_body import GraphqlBody, refuse_deep_query
from datahub_assets.ops.dagster.web.guard import Guard
from datahub_assets.ops.dagster.web.headers import SecurityHeaders
from datahub_assets.ops.dagster.web.login import FORM_PATHS, Login
from datahub_assets.ops.errors import OpsError
from datahub_assets.settings import Settings
from datahub_system.net.bodies import BodyLimit
from datahub_system.net.forwarded import behind_proxies
from datahub_system.net.hosts import HostCheck

_LARGEST_BODY: Final = 8 * 1024 * 1024  # Dagster reads it whole into memory
_BODY_S: Final = 30.0
# The defaults of the command `dagster-webserver`.
_STATEMENT_TIMEOUT_MS: Final = 15_000
_POOL_RECYCLE_S: Final = 3600
_POOL_MAX_OVERFLOW: Final = 20
_POLL_MS: Final = 2000


@contextmanager
def dagster_application(workspace: Path) -> Iterator[ASGIApp]:
    """Dagster's application over the instance of `DAGSTER_HOME`, as the command `dagster-webserver` builds it."""
    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_S, _POOL_MAX_OVERFLOW)
        target = WorkspaceFileTarget([str(workspace)])
        with WorkspaceProcessContext(instance, target, version=__version__) as context:
            app = create_app_from_workspace_process_context(context, live_data_poll_rate=_POLL_MS)
            app.add_exception_handler(RecursionError, refuse_deep_query)
            yield app


def guarded(app: ASGIApp, settings: Settings) -> ASGIApp:
    """The application behind everything that keeps others out.

    Raises:
        OpsError: a login is needed, and there is no token to log in with.
    """
    app = BodyLimit(GraphqlBody(app), max_bytes=_LARGEST_BODY, seconds=_BODY_S)
    form_paths: frozenset[str] = frozenset()
    if needs_login(settings):
        app, form_paths = Login(app, _owner_token(settings)), FORM_PATHS
    app = Guard(app, form_paths=form_paths)
    app = SecurityHeaders(HostCheck(app, own_hosts(settings), remedy=remedy(settings)))
    guarded: ASGIApp = behind_proxies(app, settings.trusted_proxies)
    return guarded


def _owner_token(settings: Settings) -> str:
    token = settings.owner_token()
    if token is None:
        why, instead = f"DATAHUB_DAGSTER_HOST={settings.dagster_host}", "leave Dagster on 127.0.0.1"
        if settings.dagster_login:
            why, instead = "DATAHUB_DAGSTER_LOGIN=true", "leave it unset on loopback"
        raise OpsError(
            f"{why}: Dagster's UI asks for the owner's token then, and there is none. "
            f"Set HF_TOKEN, or use the embedded Hub, or {instead}"
        )
    return token
