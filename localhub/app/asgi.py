"""The ASGI application: every URL of the Hub and the endpoint behind it."""

import sqlite3

from starlette.applications import Starlette
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp

from localhub.app.edge import at_the_edge
from localhub.app.repos import accounts, files, pages, refs, repos, trees
from localhub.app.requests import failures
from localhub.app.requests.site import Site
from localhub.app.uploads import commits, uploads, xet
from localhub.errors import LocalHubError


class _RowId(IntegerConvertor):
    """A number SQLite can hold; Starlette's own takes any number of digits, and fails on thousands."""

    regex = "[0-9]{1,18}"


register_url_convertor("row_id", _RowId())

_API = "/api/{kind}s/{namespace}/{name}"


def _routes() -> list[Route]:
    return [
        Route("/", pages.index),
        Route("/api/whoami-v2", accounts.whoami),
        Route("/api/validate-yaml", accounts.validate_yaml, methods=["POST"]),
        Route("/api/repos/create", repos.create, methods=["POST"]),
        Route("/api/repos/delete", repos.delete, methods=["DELETE"]),
        Route("/api/repos/move", repos.move, methods=["POST"]),
        Route("/api/{kind}s", repos.listing),
        Route(_API, repos.info),
        Route(f"{_API}/revision/{{revision}}", repos.info),
        Route(f"{_API}/settings", repos.settings, methods=["PUT"]),
        Route(f"{_API}/auth-check", repos.auth_check),
        Route(f"{_API}/auth-check/write", repos.auth_check_write),
        Route(f"{_API}/tree/{{revision}}", trees.tree),
        Route(f"{_API}/tree/{{revision}}/{{path:path}}", trees.tree),
        Route(f"{_API}/paths-info/{{revision}}", trees.paths_info, methods=["POST"]),
        Route(f"{_API}/refs", refs.listing),
        Route(f"{_API}/commits/{{revision}}", refs.history),
        Route(f"{_API}/branch/{{branch}}", refs.create_branch, methods=["POST"]),
        Route(f"{_API}/branch/{{branch}}", refs.delete_branch, methods=["DELETE"]),
        Route(f"{_API}/tag/{{revision}}", refs.create_tag, methods=["POST"]),
        Route(f"{_API}/tag/{{revision}}", refs.delete_tag, methods=["DELETE"]),
        Route(f"{_API}/super-squash/{{revision}}", refs.super_squash, methods=["POST"]),
        Route(f"{_API}/preupload/{{revision}}", uploads.preupload, methods=["POST"]),
        Route(f"{_API}/commit/{{revision}}", commits.commit, methods=["POST"]),
        Route(f"{_API}/xet-write-token/{{revision}}", xet.write_token),
        Route("/xet/{repo:row_id}/{epoch:row_id}/v1/xorbs/default/{hash}", xet.put_xorb, methods=["POST"]),
        Route("/xet/{repo:row_id}/{epoch:row_id}/v1/shards", xet.put_shard, methods=["POST"]),
        Route("/lfs/{repo:row_id}/{sha256}/{size:row_id}", uploads.put_lfs, methods=["PUT"]),
    ]


def _web_routes(web_prefix: str) -> list[Route]:
    repo = f"{web_prefix}/{{namespace}}/{{name}}"
    return [
        Route(f"{repo}/resolve/{{revision}}/{{path:path}}", files.resolve),
        Route(f"{repo}.git/info/lfs/objects/batch", uploads.lfs_batch, methods=["POST"]),
        Route(repo, pages.folder),
        Route(f"{repo}/tree/{{revision}}", pages.folder),
        Route(f"{repo}/tree/{{revision}}/{{path:path}}", pages.folder),
        Route(f"{repo}/commit/{{revision}}", pages.commit),
    ]


def create_app(site: Site) -> ASGIApp:
    """The Hub as an ASGI application."""
    app = Starlette(
        routes=[*_routes(), *_web_routes("/{kind}s"), *_web_routes("")],
        exception_handlers={
            LocalHubError: failures.refused,
            HTTPException: failures.unrouted,
            OSError: failures.unstored,
            sqlite3.Error: failures.unstored,
            Exception: failures.broken,
        },
    )
    app.state.site = site
    return at_the_edge(app)
