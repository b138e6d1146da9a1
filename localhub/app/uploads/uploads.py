"""Uploads before a commit: preupload says how each file travels, the LFS batch where to, and PUT takes the bytes."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub.app.requests import access
from localhub.app.requests.bodies import JSON, LFS_JSON, Body, announced_bytes
from localhub.app.requests.endpoints import reads
from localhub.app.requests.site import Call, Site, path_param, site_of
from localhub.app.uploads.signing import check_permit, permit
from localhub.errors import bad_request, repo_not_found, too_large
from localhub.names import check_sha256
from localhub.protocol.attributes import MAX_PATTERNS_BYTES, ignored_paths, is_lfs_content, lfs_paths
from localhub.protocol.payloads import Candidate, read_candidates, read_objects
from localhub.store import commits, repos, trees
from localhub.store.disk.blobs import Upload
from localhub.store.disk.space import Reservation
from localhub.store.repos import Repo
from localhub.store.trees import View

MAX_CANDIDATES = 1000
WRITE_BYTES = 1024 * 1024
_PUT = "put-lfs"
MAX_OBJECTS = 1000
_FILES = Body(max_bytes=4 * 1024 * 1024)
_BATCH = Body(max_bytes=1024 * 1024, types=(LFS_JSON, JSON))


@reads(_FILES)
def preupload(call: Call) -> Response:
    """POST …/preupload/{revision} {files, gitIgnore?}."""
    repo, _ = access.writable(call)
    body = call.json()
    candidates = read_candidates(body)
    if len(candidates) > MAX_CANDIDATES:
        raise too_large(f"At most {MAX_CANDIDATES} files at once")
    view = commits.view_of(call.con, access.commit_at(call, repo))
    gitignore = body.get("gitIgnore")
    paths = {file.path for file in candidates}
    ignored = ignored_paths(paths, gitignore if isinstance(gitignore, str) else _text_at(call, view, ".gitignore"))
    by_path = lfs_paths(paths, _text_at(call, view, ".gitattributes"))

    def shape(file: Candidate) -> dict[str, object]:
        through_lfs = file.path in by_path or is_lfs_content(size=file.size, sample=file.sample)
        answer: dict[str, object] = {
            "path": file.path,
            "uploadMode": "lfs" if through_lfs else "regular",
            "shouldIgnore": file.path in ignored,
        }
        present = trees.lookup(call.con, view, file.path)
        if present is not None and present.file is not None:
            answer["oid"] = present.file.sha256 if present.file.lfs else present.file.oid
        return answer

    return JSONResponse({"files": [shape(file) for file in candidates]})


@reads(_BATCH)
def lfs_batch(call: Call) -> Response:
    """POST /{kind}s/{id}.git/info/lfs/objects/batch: where to PUT what this repository does not have yet."""
    repo, _ = access.writable(call)

    def shape(sha256: str, size: int) -> dict[str, Any]:
        answer: dict[str, Any] = {"oid": sha256, "size": size}
        if not (repos.has_upload(call.con, repo, sha256) and call.site.home.blobs.touch(sha256)):
            signature, _ = permit(call.site.home.signing_key, _PUT, repo.id, sha256, size)
            href = f"{call.base_url}/lfs/{repo.id}/{sha256}/{size}?permit={signature}"
            answer["actions"] = {"upload": {"href": href, "header": {}}}
        return answer

    asked = read_objects(call.json())
    if len(asked) > MAX_OBJECTS:
        raise too_large(f"At most {MAX_OBJECTS} objects at once")
    objects = [shape(sha256, size) for sha256, size in asked]
    space = call.site.home.space
    to_come = [item["size"] for item in objects if "actions" in item]
    for size in to_come:
        space.check_file(size)
    space.check(sum(to_come))
    return JSONResponse({"transfer": "basic", "objects": objects}, media_type=LFS_JSON)


async def put_lfs(request: Request) -> Response:
    """PUT /lfs/{repo}/{sha256}/{size}: the bytes, streamed to disk and checked against size and hash."""
    site = site_of(request)
    sha256 = check_sha256(path_param(request, "sha256"))
    repo_id: int = request.path_params["repo"]
    size: int = request.path_params["size"]
    check_permit(site.home.signing_key, request.query_params.get("permit", ""), _PUT, repo_id, sha256, size)
    announced = announced_bytes(request)
    if announced is not None and announced > size:
        raise too_large(f"The Content-Length is {announced} bytes, the size announced {size}")
    site.home.space.check_file(size)
    with await site.in_thread(site.home.space.reserve, size) as reservation:
        upload = await site.in_thread(site.home.blobs.receive)
        with upload:
            await _receive(site, request, _writer(upload, reservation), size=size)
            await site.in_thread(_keep, site, upload, repo_id=repo_id, sha256=sha256)
    return Response()


def _writer(upload: Upload, reservation: Reservation) -> Callable[[bytes], None]:
    def write(chunk: bytes) -> None:
        reservation.written(len(chunk))
        upload.write(chunk)

    return write


async def _receive(site: Site, request: Request, write: Callable[[bytes], None], *, size: int) -> None:
    buffer = bytearray()
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > size:
            raise too_large(f"More than the {size} bytes announced")
        buffer += chunk
        if len(buffer) >= WRITE_BYTES:
            await site.in_thread(write, bytes(buffer))
            buffer.clear()
    await site.in_thread(write, bytes(buffer))
    if received != size:
        raise bad_request(f"{received} bytes came instead of the {size} announced")


def _keep(site: Site, upload: Upload, *, repo_id: int, sha256: str) -> None:
    upload.keep(expect_sha256=sha256)
    with site.home.database.write() as con:
        repo: Repo | None = repos.by_id(con, repo_id)
        if repo is None:
            raise repo_not_found()
        repos.remember_upload(con, repo, sha256)


def _text_at(call: Call, view: View, path: str) -> str:
    entry = trees.lookup(call.con, view, path)
    if entry is None or entry.file is None:
        return ""
    if entry.file.size > MAX_PATTERNS_BYTES:
        raise too_large(f"The file {path} of this repository is larger than {MAX_PATTERNS_BYTES} bytes: shorten it")
    return call.site.home.blobs.head(entry.file.sha256, MAX_PATTERNS_BYTES).decode(errors="replace")
