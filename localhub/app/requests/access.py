"""Who may do what: from a request to the account, and from a URL to a repository that account may read or write.

Endpoints ask here and nowhere else. What a stranger may not see looks like what does not exist: 404 RepoNotFound,
with a token or without (huggingface.co says 401 with the same error code to callers without a token; the client
raises RepositoryNotFoundError for both).
"""

from sqlite3 import Connection

from starlette.requests import Request

from localhub.app.requests.site import Call, Site, path_param
from localhub.errors import forbidden, repo_not_found, unauthorized
from localhub.names import DEFAULT_BRANCH, check_kind, shown
from localhub.store import accounts, refs, repos
from localhub.store.accounts import Caller
from localhub.store.commits import Commit
from localhub.store.refs import Branch
from localhub.store.repos import Repo

_SCHEME = "bearer"


def caller(site: Site, con: Connection, request: Request) -> Caller | None:
    """The account whose token was sent, None if none was.

    Raises:
        HubError: 401 for a token nobody has, also where none would be needed.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return None
    found = accounts.find_caller(con, site.owner, token.strip()) if scheme.lower() == _SCHEME else None
    if found is None:
        raise unauthorized("Invalid credentials in Authorization header")
    return found


def known_caller(call: Call) -> Caller:
    """The account whose token was sent; 401 if none was."""
    found = caller(call.site, call.con, call.request)
    if found is None:
        raise unauthorized()
    return found


def require_token(site: Site, con: Connection, request: Request) -> None:
    """Let a request through if it has a known token; what that may do is looked at later.

    Raises:
        HubError: 401.
    """
    if caller(site, con, request) is None:
        raise unauthorized()


def may_see(who: Caller | None, repo: Repo) -> bool:
    """Whether a repository exists as far as this caller is concerned."""
    return not repo.private or (who is not None and who.user == repo.namespace)


def require_write(who: Caller | None, *, namespace: str) -> Caller:
    """The caller, who may write to the namespace.

    Raises:
        HubError: 401 without a token, 403 with one that is read-only or somebody else's.
    """
    if who is None:
        raise unauthorized()
    if who.user != namespace:
        raise forbidden(f"You don't have the rights to write to the namespace {shown(namespace)}")
    if who.role != "write":
        raise forbidden("This token is read-only: a token with the role write is needed")
    return who


def find_repo(site: Site, con: Connection, request: Request) -> Repo:
    """The repository the URL names, if the caller may see it.

    Raises:
        HubError: 404 RepoNotFound.
    """
    who = caller(site, con, request)
    repo = repos.find(
        con,
        kind=check_kind(request.path_params.get("kind", "model")),  # a model has no prefix in web URLs
        namespace=path_param(request, "namespace"),
        name=path_param(request, "name"),
    )
    if repo is None or not may_see(who, repo):
        raise repo_not_found()
    return repo


def readable(call: Call) -> Repo:
    """The repository the URL names, for reading."""
    return find_repo(call.site, call.con, call.request)


def writable(call: Call) -> tuple[Repo, Caller]:
    """The repository the URL names, for writing, and who writes."""
    repo = readable(call)
    who = require_write(caller(call.site, call.con, call.request), namespace=repo.namespace)
    return repo, who


def commit_at(call: Call, repo: Repo) -> Commit:
    """The commit the URL's revision means, the default branch's if the URL has none."""
    has_revision = "revision" in call.request.path_params
    return refs.resolve(call.con, repo, call.param("revision") if has_revision else DEFAULT_BRANCH)


def branch_at(call: Call, repo: Repo) -> Branch:
    """The branch the URL's revision means."""
    return refs.branch(call.con, repo, call.param("revision"))
