"""Endpoints that list what a commit holds: tree and paths-info."""

from urllib.parse import parse_qs

from starlette.responses import JSONResponse, Response

from localhub.app.requests import access, paging
from localhub.app.requests.bodies import FORM, JSON, Body, media_type
from localhub.app.requests.endpoints import reads
from localhub.app.requests.site import Call
from localhub.errors import bad_request, entry_not_found, too_large
from localhub.names import check_path, shown
from localhub.protocol import shapes
from localhub.store import commits, trees

PAGE, EXPANDED_PAGE = 1000, 50
MAX_PATHS = 1000
_OTHER_FIELDS = 10
_PATHS = Body(max_bytes=1024 * 1024, types=(FORM, JSON), token=False)


@reads()
def tree(call: Call) -> Response:
    """GET …/tree/{revision}[/{path}], with `recursive`, `expand`, `limit`, `cursor`."""
    repo = access.readable(call)
    commit = access.commit_at(call, repo)
    view = commits.view_of(call.con, commit)
    folder = check_path(call.param("path").rstrip("/")) if call.request.path_params.get("path", "") else ""
    entry = trees.lookup(call.con, view, folder)
    if entry is None or entry.file is not None:
        raise entry_not_found(f"{shown(folder)} does not exist on {shown(call.param('revision'))}")
    expand = call.flag("expand")
    size = min(paging.limit(call, default=PAGE), EXPANDED_PAGE if expand else PAGE)
    query = trees.descendants if call.flag("recursive") else trees.children
    found = query(call.con, view, folder, after=paging.cursor(call), limit=size + 1)
    page = found[:size]
    headers = paging.next_link(call, page[-1].path) if len(found) > size else {}
    last = commits.titles(call.con, page) if expand else None
    return JSONResponse(shapes.tree(page, last), headers={"X-Repo-Commit": commit.sha, **headers})


@reads(_PATHS)
def paths_info(call: Call) -> Response:
    """POST …/paths-info/{revision}, a form or JSON with `paths` and `expand`; what does not exist is left out."""
    repo = access.readable(call)
    view = commits.view_of(call.con, access.commit_at(call, repo))
    paths, expand = _asked(call)
    if len(paths) > MAX_PATHS:
        raise too_large("too many parameters")
    found = [trees.lookup(call.con, view, path.strip("/")) for path in dict.fromkeys(paths)]
    entries = [entry for entry in found if entry is not None and entry.path]
    last = commits.titles(call.con, entries) if expand else None
    return JSONResponse(shapes.tree(entries, last))


def _asked(call: Call) -> tuple[list[str], bool]:
    if media_type(call.request) == JSON:
        body = call.json()
        paths, expand = body.get("paths", []), body.get("expand") is True
        paths = [paths] if isinstance(paths, str) else paths
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise bad_request("`paths` is a list of texts")
    else:
        try:
            form = parse_qs(
                call.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_PATHS + _OTHER_FIELDS
            )
        except UnicodeDecodeError as error:
            raise bad_request("The form is not valid UTF-8") from error
        except ValueError as error:
            raise too_large("too many parameters") from error
        paths, expand = form.get("paths", []), form.get("expand", [""])[0].lower() in {"1", "true"}
    return [_valid(path) for path in paths], expand


def _valid(path: str) -> str:
    return check_path(path.strip("/")) if path.strip("/") else ""
