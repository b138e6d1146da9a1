"""Endpoints for a browser: the pages behind the links the API gives out."""

from starlette.responses import HTMLResponse, RedirectResponse, Response

from localhub.app.requests import access
from localhub.app.requests.endpoints import reads
from localhub.app.requests.site import Call
from localhub.errors import entry_not_found
from localhub.names import DEFAULT_BRANCH, KINDS, check_path
from localhub.protocol import pages
from localhub.store import commits, repos, trees

_ENTRIES = 1000


@reads()
def index(call: Call) -> Response:
    """GET /: the repositories the caller may see."""
    who = access.caller(call.site, call.con, call.request)
    seen = [repo for kind in reversed(KINDS) for repo in repos.listing(call.con, kind) if access.may_see(who, repo)]
    return HTMLResponse(pages.index(seen, base_url=call.base_url), headers=pages.HEADERS)


@reads()
def folder(call: Call) -> Response:
    """GET /{kind}s/{id}[/tree/{revision}[/{path}]]."""
    repo = access.readable(call)
    has_revision = "revision" in call.request.path_params
    view = commits.view_of(call.con, access.commit_at(call, repo))
    path = check_path(call.param("path").rstrip("/")) if call.request.path_params.get("path") else ""
    entry = trees.lookup(call.con, view, path)
    if entry is None or entry.file is not None:
        raise entry_not_found()
    found = trees.children(call.con, view, path, after="", limit=_ENTRIES + 1)
    page = pages.folder(
        repo,
        revision=call.param("revision") if has_revision else DEFAULT_BRANCH,
        path=path,
        entries=found[:_ENTRIES],
        commits=commits.titles(call.con, found[:_ENTRIES]),
        more=len(found) > _ENTRIES,
    )
    return HTMLResponse(page, headers=pages.HEADERS)


@reads()
def commit(call: Call) -> Response:
    """GET /{kind}s/{id}/commit/{revision}, as commit answers link to: on to what the commit holds."""
    repo = access.readable(call)
    return RedirectResponse(pages.tree_path(repo, access.commit_at(call, repo).sha, ""))
