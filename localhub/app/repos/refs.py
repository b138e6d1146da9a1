"""Endpoints about branches, tags and history."""

from starlette.responses import JSONResponse, Response

from localhub.app.requests import access, paging
from localhub.app.requests.bodies import Body
from localhub.app.requests.endpoints import reads, writes
from localhub.app.requests.site import Call
from localhub.errors import bad_request, conflict, forbidden, revision_not_found
from localhub.names import DEFAULT_BRANCH, check_ref, shown
from localhub.protocol import shapes
from localhub.protocol.payloads import storable
from localhub.store import commits, refs
from localhub.store.commits import Commit, CommitMessage
from localhub.store.repos import Repo
from localhub.webhook import Event, RefUpdate

_JSON = Body(max_bytes=256 * 1024)  # a tag or a squash may come with a long message
_HISTORY_PAGE = 50
_MAX_HISTORY_PAGE = 1000


@reads()
def listing(call: Call) -> Response:
    """GET …/refs."""
    repo = access.readable(call)
    found = refs.listing(call.con, repo)
    return JSONResponse(shapes.refs(found, with_pull_requests=call.flag("include_prs")))


@reads()
def history(call: Call) -> Response:
    """GET …/commits/{revision}, newest first, in pages. Where the history was cut off between two, the list ends."""
    repo = access.readable(call)
    start: Commit | None = access.commit_at(call, repo)
    after = paging.cursor(call)
    if after:
        start = commits.by_sha(call.con, repo, after)
    if start is None:
        return JSONResponse([])
    size = min(paging.limit(call, default=_HISTORY_PAGE), _MAX_HISTORY_PAGE)
    found = commits.history(call.con, start, limit=size + 1)
    headers = paging.next_link(call, found[size].sha) if len(found) > size else {}
    return JSONResponse([shapes.history_item(commit) for commit in found[:size]], headers=headers)


@writes(_JSON)
def create_branch(call: Call) -> Response:
    """POST …/branch/{name} {startingPoint?}."""
    repo, _ = access.writable(call)
    name = check_ref(call.param("branch"))
    start = refs.resolve(call.con, repo, str(call.json().get("startingPoint") or DEFAULT_BRANCH))
    if not refs.create_branch(call.con, repo, name, start=start):
        raise conflict(f"Reference already exists: {refs.HEADS}{name}")
    _announce(call, repo, RefUpdate(ref=refs.HEADS + name, old_sha=None, new_sha=start.sha))
    return Response(status_code=201)


@writes()
def delete_branch(call: Call) -> Response:
    """DELETE …/branch/{name}; the default branch stays."""
    repo, _ = access.writable(call)
    name = call.param("branch")
    if name == DEFAULT_BRANCH:
        raise forbidden(f"The branch {DEFAULT_BRANCH} cannot be deleted")
    _delete(call, repo, refs.HEADS + name)
    return Response(status_code=204)


@writes(_JSON)
def create_tag(call: Call) -> Response:
    """POST …/tag/{revision} {tag, message?}."""
    repo, _ = access.writable(call)
    target = access.commit_at(call, repo)
    tag = call.json().get("tag")
    if not isinstance(tag, str):
        raise bad_request("`tag` is a text")
    if not refs.create_tag(call.con, repo, check_ref(tag), target=target):
        raise conflict(f"Tag {tag} already exists")
    _announce(call, repo, RefUpdate(ref=refs.TAGS + tag, old_sha=None, new_sha=target.sha))
    return Response(status_code=201)


@writes()
def delete_tag(call: Call) -> Response:
    """DELETE …/tag/{name}."""
    repo, _ = access.writable(call)
    _delete(call, repo, refs.TAGS + call.param("revision"))
    return Response(status_code=204)


@writes(_JSON)
def super_squash(call: Call) -> Response:
    """POST …/super-squash/{branch} {message?}."""
    repo, who = access.writable(call)
    branch = access.branch_at(call, repo)
    message = call.json().get("message") or f"Super-squash branch '{branch.name.removeprefix(refs.HEADS)}'"
    with call.site.commit_slot(repo):
        commit = refs.squash(call.con, repo, branch, words=CommitMessage(author=who.user, title=storable(str(message))))
    _announce(call, repo, RefUpdate(ref=branch.name, old_sha=branch.head.sha, new_sha=commit.sha))
    return JSONResponse({"commitOid": commit.sha})


def _delete(call: Call, repo: Repo, full_name: str) -> None:
    target = refs.delete(call.con, repo, full_name)
    if target is None:
        raise revision_not_found(shown(full_name))
    _announce(call, repo, RefUpdate(ref=full_name, old_sha=target.sha, new_sha=None))


def _announce(call: Call, repo: Repo, update: RefUpdate) -> None:
    head = commits.get(call.con, refs.branch(call.con, repo, DEFAULT_BRANCH).head.id)
    call.events.append(
        Event(
            action="update",
            scope="repo.content",
            repo=repo,
            base_url=call.base_url,
            head_sha=head.sha,
            updated=(update,),
        )
    )
