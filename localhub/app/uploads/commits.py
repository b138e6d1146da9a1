"""The commit endpoint: takes NDJSON lines as they stream in, stores their content, then makes one commit of them."""

from collections.abc import AsyncIterator
from sqlite3 import Connection

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub.app.requests import access
from localhub.app.requests.bodies import JSON, NDJSON, announced_bytes, check_type
from localhub.app.requests.cards import README, check_card
from localhub.app.requests.site import Site, base_url, path_param, site_of
from localhub.errors import LocalHubError, bad_request, stale_parent, too_large
from localhub.names import is_short_sha
from localhub.protocol import shapes
from localhub.protocol.card import HEAD_BYTES
from localhub.protocol.payloads import Deletion, Header, LfsFile, RegularFile, read_line
from localhub.store import commits, refs, repos
from localhub.store.accounts import Caller
from localhub.store.commits import Commit, CommitMessage, DeleteFile, DeleteFolder, Operation, Put
from localhub.store.refs import Branch
from localhub.store.repos import Repo
from localhub.store.trees import View
from localhub.webhook import Event, RefUpdate

MAX_LINE_BYTES = 16 * 1024 * 1024  # a regular file of 10 MiB in base64, and its path
MAX_BODY_BYTES = 512 * 1024 * 1024
MAX_OPERATIONS = 25_000
MAX_FOLDERS = 200_000  # named by all the paths of a commit; each may become a row of its own
MAX_FOLDER_DELETIONS = 256  # each lists all that is below
BATCH_BYTES = 1024 * 1024


class _CommitDraft:
    """The commit as far as its lines have come in."""

    def __init__(self, site: Site, repo: Repo) -> None:
        self._site = site
        self._repo = repo
        self.header: Header | None = None
        self.operations: list[Operation] = []
        self._folders = 0
        self._folder_deletions = 0

    def take(self, lines: list[bytes]) -> None:
        """Read lines, storing the content of regular files. Blocking."""
        for line in filter(bytes.strip, lines):
            item = read_line(line)
            if not isinstance(item, Header):
                self._count(item)
                self.operations.append(self._operation(item))
            elif self.header is None:
                self.header = item
            else:
                raise bad_request("The commit has more than one header line")

    def _count(self, item: RegularFile | LfsFile | Deletion) -> None:
        if len(self.operations) == MAX_OPERATIONS:
            raise too_large(f"At most {MAX_OPERATIONS} operations in a commit")
        self._folders += item.path.count("/")
        if self._folders > MAX_FOLDERS:
            raise too_large(f"At most {MAX_FOLDERS} folders in all the paths of a commit: make several commits")
        self._folder_deletions += isinstance(item, Deletion) and item.folder
        if self._folder_deletions > MAX_FOLDER_DELETIONS:
            raise too_large(f"At most {MAX_FOLDER_DELETIONS} folders deleted in a commit")

    def _operation(self, item: RegularFile | LfsFile | Deletion) -> Operation:
        blobs = self._site.home.blobs
        match item:
            case RegularFile(path=path, content=content):
                check_card(path, content)
                self._site.home.space.take(len(content))
                return Put(path=path, file=shapes.regular_file(blobs.put(content), content))
            case LfsFile(path=path, sha256=sha256):
                if not blobs.touch(sha256):
                    raise _missing_content(sha256)
                check_card(path, blobs.head(sha256, HEAD_BYTES) if path == README else b"")
                return Put(path=path, file=shapes.lfs_file(sha256, blobs.path(sha256).stat().st_size))
            case Deletion(path=path, folder=folder):
                return DeleteFolder(path=path) if folder else DeleteFile(path=path)


async def commit(request: Request) -> Response:
    """POST …/commit/{branch}.

    The branch must still be where it was when the request came in, and at `parentCommit` if that is given: else 412.
    A commit to the same repository being applied at this moment: 409. Either way nothing is written and the caller
    may look and try again.
    """
    site = site_of(request)
    if request.query_params.get("create_pr"):
        raise bad_request("localhub has no pull requests: commit to a branch instead")
    repo, who, branch = await site.in_thread(_begin, site, request)
    check_type(request, (NDJSON, JSON))
    if (announced_bytes(request) or 0) > MAX_BODY_BYTES:
        raise _too_long()
    draft = _CommitDraft(site, repo)
    async for lines in _lines(request):
        await site.in_thread(draft.take, lines)
    made = await site.in_thread(_land, site, draft, repo=repo, who=who, seen=branch)
    _announce(site, request, repo=repo, branch=branch, made=made)
    web_prefix = "" if repo.kind == "model" else f"{repo.kind}s/"
    url = f"{base_url(request)}/{web_prefix}{repo.full_name}/commit/{made.sha}"
    return JSONResponse({"success": True, "commitOid": made.sha, "commitUrl": url, "hookOutput": ""})


def _begin(site: Site, request: Request) -> tuple[Repo, Caller, Branch]:
    with site.home.database.read() as con:
        repo = access.find_repo(site, con, request)
        who = access.require_write(access.caller(site, con, request), namespace=repo.namespace)
        return repo, who, refs.branch(con, repo, path_param(request, "revision"))


async def _lines(request: Request) -> AsyncIterator[list[bytes]]:
    """The lines of the body in lists of about `BATCH_BYTES`, so that no more than that and one line are held."""
    batch: list[bytes] = []
    rest = bytearray()
    batch_size = total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > MAX_BODY_BYTES:
            raise _too_long()
        first, *others = chunk.split(b"\n")
        rest += first
        if others:
            batch += [bytes(rest), *others[:-1]]
            batch_size += len(rest) + len(chunk)
            rest = bytearray(others[-1])
        if len(rest) > MAX_LINE_BYTES:
            raise too_large(f"A line is larger than {MAX_LINE_BYTES} bytes: upload the file through LFS")
        if batch_size >= BATCH_BYTES:
            yield batch
            batch, batch_size = [], 0
    yield [*batch, bytes(rest)]


def _land(site: Site, draft: _CommitDraft, *, repo: Repo, who: Caller, seen: Branch) -> Commit:
    if draft.header is None:
        raise bad_request("The commit has no header line")
    words = CommitMessage(author=who.user, title=draft.header.summary, message=draft.header.description)
    with site.commit_slot(repo), site.home.database.write() as con:
        branch = refs.branch(con, repo, seen.name)
        _refuse_stale(branch, seen=seen, parent=draft.header.parent)
        _refuse_missing(site, con, repo, draft.operations)
        view = View(line=branch.line, commit_id=branch.head.id, live=True)
        changes = commits.stage(con, view, draft.operations)
        return refs.commit_to(con, repo, branch, changes=changes, words=words)


def _refuse_stale(branch: Branch, *, seen: Branch, parent: str | None) -> None:
    if branch.head.id != seen.head.id:
        raise stale_parent()
    if parent is not None and not (is_short_sha(parent) and branch.head.sha.startswith(parent)):
        raise stale_parent()


def _refuse_missing(site: Site, con: Connection, repo: Repo, operations: list[Operation]) -> None:
    """Content may have been collected since it came in; LFS files must have been uploaded to this repository.

    What is there is touched, so that a collection that looked before this commit does not take it for unused.
    """
    for operation in operations:
        if isinstance(operation, Put):
            sha256 = operation.file.sha256
            if not site.home.blobs.touch(sha256):
                raise _missing_content(sha256)
            if operation.file.lfs and not repos.has_upload(con, repo, sha256):
                raise _missing_content(sha256)


def _too_long() -> LocalHubError:
    return too_large(f"A commit is at most {MAX_BODY_BYTES} bytes: make several, or upload files through LFS")


def _missing_content(sha256: str) -> LocalHubError:
    return bad_request(f"The content with SHA-256 {sha256} was not uploaded to this repository")


def _announce(site: Site, request: Request, *, repo: Repo, branch: Branch, made: Commit) -> None:
    update = RefUpdate(ref=branch.name, old_sha=branch.head.sha, new_sha=made.sha)
    site.announce(
        Event(
            action="update",
            scope="repo.content",
            repo=repo,
            base_url=base_url(request),
            head_sha=made.sha,
            updated=(update,),
        )
    )
