"""Endpoints about repositories as wholes: create, delete, move, settings, info, lists."""

import json
from typing import Any

from starlette.responses import JSONResponse, Response

from localhub.app.requests import access, paging
from localhub.app.requests.bodies import Body
from localhub.app.requests.cards import card_of
from localhub.app.requests.endpoints import reads, writes
from localhub.app.requests.large_answers import json_answer
from localhub.app.requests.site import Call
from localhub.errors import bad_request, conflict, forbidden, repo_not_found
from localhub.names import DEFAULT_BRANCH, check_kind, shown
from localhub.protocol import shapes
from localhub.protocol.attributes import DEFAULT_GITATTRIBUTES
from localhub.store import accounts, commits, refs, repos
from localhub.store.commits import Commit, CommitMessage
from localhub.store.repos import Repo
from localhub.store.siblings import Siblings, siblings
from localhub.webhook import Event

_JSON = Body(max_bytes=64 * 1024)
_LIST_PAGE = 100
_TOTALS = ("usedStorage", "mainSize")
_LIST_FIELDS = ("id", "author", "lastModified", "createdAt", "downloads", "likes")
_FIRST_WORDS = CommitMessage(author="system", title="initial commit")


@writes(_JSON)
def create(call: Call) -> Response:
    """POST /api/repos/create."""
    body = call.json()
    kind, name = check_kind(_text(body, "type", "model")), _text(body, "name")
    who = access.known_caller(call)
    namespace = body.get("organization") or who.user
    access.require_write(who, namespace=str(namespace))
    private = body.get("visibility") == "private" or body.get("private") is True
    repo = repos.create(call.con, kind=kind, namespace=who.user, name=name, private=private)
    if repo is None:
        raise conflict(f"You already created this {kind} repo", url=_web_url(call, kind, f"{who.user}/{name}"))
    content = DEFAULT_GITATTRIBUTES.encode()
    call.site.home.space.take(len(content))
    sha256 = call.site.home.blobs.put(content)
    first = {".gitattributes": shapes.regular_file(sha256, content)}
    head = refs.create_first_branch(call.con, repo, changes=first, words=_FIRST_WORDS)
    call.events.append(
        Event(action="create", scope="repo", repo=repo, base_url=call.base_url, head_sha=head.sha),
    )
    return JSONResponse({"url": _web_url(call, kind, repo.full_name), "name": repo.full_name, "id": repo.public_id})


@writes(_JSON)
def delete(call: Call) -> Response:
    """DELETE /api/repos/delete."""
    body = call.json()
    who = access.known_caller(call)
    repo = _named(call, _text(body, "type", "model"), str(body.get("organization") or who.user), _text(body, "name"))
    access.require_write(who, namespace=repo.namespace)
    repos.delete(call.con, repo)
    call.events.append(Event(action="delete", scope="repo", repo=repo, base_url=call.base_url))
    return Response("OK", media_type="text/plain")


@writes(_JSON)
def move(call: Call) -> Response:
    """POST /api/repos/move."""
    body = call.json()
    kind = _text(body, "type", "model")
    namespace, name = _split_id(_text(body, "fromRepo"))
    new_namespace, new_name = _split_id(_text(body, "toRepo"))
    who = access.known_caller(call)
    repo = _named(call, kind, namespace, name)
    access.require_write(who, namespace=repo.namespace)
    if new_namespace != who.user or not accounts.user_exists(call.con, call.site.owner, new_namespace):
        raise forbidden(f"You don't have the rights to write to the namespace {shown(new_namespace)}")
    if not repos.move(call.con, repo, namespace=new_namespace, name=new_name):
        raise conflict(f"There is a {kind} repository of that name already")
    moved = _named(call, kind, new_namespace, new_name)
    call.events.append(Event(action="move", scope="repo", repo=repo, base_url=call.base_url, moved_to=moved))
    return Response("OK", media_type="text/plain")


@writes(_JSON)
def settings(call: Call) -> Response:
    """PUT …/settings: only what the visibility is can be set."""
    repo, _ = access.writable(call)
    body = call.json()
    visibility = body.get("visibility", {True: "private", False: "public"}.get(body.get("private")))  # type: ignore[arg-type]
    if visibility not in {"private", "public"} or body.get("gated"):
        raise bad_request("The settings localhub knows: visibility, 'private' or 'public'")
    repos.set_private(call.con, repo, private=visibility == "private")
    call.events.append(Event(action="update", scope="repo.config", repo=repo, base_url=call.base_url))
    return JSONResponse({"private": visibility == "private"})


@reads()
def auth_check(call: Call) -> Response:
    """GET …/auth-check: 200 if the caller may read."""
    access.readable(call)
    return Response("OK", media_type="text/plain")


@reads()
def auth_check_write(call: Call) -> Response:
    """GET …/auth-check/write: 200 if the caller may write."""
    access.writable(call)
    return Response("OK", media_type="text/plain")


@reads()
def info(call: Call) -> Response:
    """GET …[/revision/{revision}], with `blobs` or `expand`. The list of files is made once for each commit."""
    repo = access.readable(call)
    commit = access.commit_at(call, repo)
    wanted = _expanded(call)
    card = card_of(call.site, call.con, commit)
    answer = shapes.repo_summary(repo, head=commit, tags=card.tags) | {"cardData": card.data or None}
    if not wanted:
        files = _siblings(call, commit)
        total = {"usedStorage": files.total_bytes, "mainSize": files.total_bytes}
        return json_answer(_with_siblings(answer | total, files))
    answer = {key: value for key, value in answer.items() if key in wanted}
    if not wanted & {"siblings", *_TOTALS}:
        return JSONResponse(answer)
    files = _siblings(call, commit)
    answer |= {key: files.total_bytes for key in _TOTALS if key in wanted}
    return json_answer(_with_siblings(answer, files)) if "siblings" in wanted else JSONResponse(answer)


def _expanded(call: Call) -> set[str]:
    """The fields asked for by `expand`, and those every answer has; empty for all of them."""
    query = call.request.query_params
    asked = query.getlist("expand") + query.getlist("expand[]")
    return {*asked, "id", "_id"} if asked else set()


def _siblings(call: Call, commit: Commit) -> Siblings:
    blobs = call.flag("blobs")
    return call.site.siblings.get(
        (commit.id, blobs), lambda: siblings(call.con, commits.view_of(call.con, commit), blobs=blobs)
    )


def _with_siblings(answer: dict[str, Any], files: Siblings) -> list[bytes]:
    """The JSON of `answer` with the list of files as its last field."""
    head = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).removesuffix("}")
    return [f'{head},"siblings":'.encode(), files.json, b"}"]


@reads()
def listing(call: Call) -> Response:
    """GET /api/{kind}s, filtered by author, search and tags; newest change first unless `sort` says otherwise."""
    who = access.caller(call.site, call.con, call.request)
    found = []
    for repo in repos.listing(call.con, check_kind(call.param("kind"))):
        if access.may_see(who, repo) and _named_like(call, repo):
            head = refs.resolve(call.con, repo, DEFAULT_BRANCH)
            card = card_of(call.site, call.con, head)
            if set(call.request.query_params.getlist("filter")) <= set(card.tags):
                found.append(shapes.repo_summary(repo, head=head, tags=card.tags) | {"cardData": card.data or None})
    order = call.query("sort", "lastModified")
    if order not in _LIST_FIELDS:
        order = "lastModified"
    found.sort(key=lambda item: item[order], reverse=call.query("direction", "-1") != "1")
    wanted = _expanded(call)
    page, link = paging.by_offset(call, found, default_limit=_LIST_PAGE)
    if wanted:
        page = [{key: value for key, value in item.items() if key in wanted} for item in page]
    return JSONResponse(page, headers=link)


def _named_like(call: Call, repo: Repo) -> bool:
    author = call.query("author")
    wanted = [text.lower() for text in call.request.query_params.getlist("search")]
    return author in {"", repo.namespace} and all(text in repo.full_name.lower() for text in wanted)


def _named(call: Call, kind: str, namespace: str, name: str) -> Repo:
    repo = repos.find(call.con, kind=check_kind(kind), namespace=namespace, name=name)
    if repo is None or not access.may_see(access.caller(call.site, call.con, call.request), repo):
        raise repo_not_found()
    return repo


def _split_id(repo_id: str) -> tuple[str, str]:
    namespace, slash, name = repo_id.partition("/")
    if not slash:
        raise bad_request(f"'{shown(repo_id)}' is not of the form namespace/name")
    return namespace, name


def _text(body: dict[str, Any], key: str, default: str = "") -> str:
    value = body.get(key) or default
    if not isinstance(value, str):
        raise bad_request(f"`{key}` is a text")
    return value


def _web_url(call: Call, kind: str, full_name: str) -> str:
    return f"{call.base_url}/{full_name}" if kind == "model" else f"{call.base_url}/{kind}s/{full_name}"
