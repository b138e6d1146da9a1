"""Uploads before a commit: preupload says how each file travels, the LFS batch where to, and PUT takes the bytes.

The commit that makes the files visible is in `app.commits`.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub.app import access
from localhub.app.signing import check_permit, permit
from localhub.app.site import Call, Site, path_param, reads, site_of
from localhub.errors import bad_request, repo_not_found, too_large
from localhub.names import check_sha256
from localhub.protocol.attributes import goes_through_lfs, ignore_patterns, lfs_patterns
from localhub.protocol.payloads import Candidate, read_candidates, read_objects
from localhub.store import commits, repos, trees
from localhub.store.blobs import Upload
from localhub.store.repos import Repo
from localhub.store.trees import View

MAX_CANDIDATES = 1000
WRITE_BYTES = 1024 * 1024
_PUT = "put-lfs"
_LFS_TYPE = "application/vnd.git-lfs+json"


@reads
def preupload(call: Call) -> Response:
    """POST …/preupload/{revision} {files, gitIgnore?}."""
    repo, _ = access.writable(call)
    body = call.json()
    candidates = read_candidates(body)
    if len(candidates) > MAX_CANDIDATES:
        raise too_large(f"At most {MAX_CANDIDATES} files at once")
    view = commits.view_of(call.con, access.commit_at(call, repo))
    lfs = lfs_patterns(_text_at(call, view, ".gitattributes"))
    gitignore = body.get("gitIgnore")
    ignored = ignore_patterns(gitignore if isinstance(gitignore, str) else _text_at(call, view, ".gitignore"))

    def shape(file: Candidate) -> dict[str, object]:
        through_lfs = goes_through_lfs(file.path, size=file.size, sample=file.sample, patterns=lfs)
        answer: dict[str, object] = {
            "path": file.path,
            "uploadMode": "lfs" if through_lfs else "regular",
            "shouldIgnore": ignored.match_file(file.path),
        }
        present = trees.lookup(call.con, view, file.path)
        if present is not None and present.file is not None:
            answer["oid"] = present.file.sha256 if present.file.lfs else present.file.oid
        return answer

    return JSONResponse({"files": [shape(file) for file in candidates]})


@reads
def lfs_batch(call: Call) -> Response:
    """POST /{kind}s/{id}.git/info/lfs/objects/batch: where to PUT what this repository does not have yet."""
    repo, _ = access.writable(call)

    def shape(sha256: str, size: int) -> dict[str, object]:
        answer: dict[str, object] = {"oid": sha256, "size": size}
        if not (repos.has_upload(call.con, repo, sha256) and call.site.home.blobs.touch(sha256)):
            signature, _ = permit(call.site.home.signing_key, _PUT, repo.id, sha256, size)
            href = f"{call.base_url}/lfs/{repo.id}/{sha256}/{size}?permit={signature}"
            answer["actions"] = {"upload": {"href": href, "header": {}}}
        return answer

    objects = [shape(sha256, size) for sha256, size in read_objects(call.json())]
    return JSONResponse({"transfer": "basic", "objects": objects}, media_type=_LFS_TYPE)


async def put_lfs(request: Request) -> Response:
    """PUT /lfs/{repo}/{sha256}/{size}: the bytes, streamed to disk and checked against size and hash."""
    site = site_of(request)
    sha256 = check_sha256(path_param(request, "sha256"))
    repo_id: int = request.path_params["repo"]
    size: int = request.path_params["size"]
    check_permit(site.home.signing_key, request.query_params.get("permit", ""), _PUT, repo_id, sha256, size)
    upload = await site.in_thread(site.home.blobs.receive)
    with upload:
        await _receive(site, request, upload, size=size)
        await site.in_thread(_keep, site, upload, repo_id=repo_id, sha256=sha256)
    return Response()


async def _receive(site: Site, request: Request, upload: Upload, *, size: int) -> None:
    buffer = bytearray()
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > size:
            raise too_large(f"More than the {size} bytes announced")
        buffer += chunk
        if len(buffer) >= WRITE_BYTES:
            await site.in_thread(upload.write, bytes(buffer))
            buffer.clear()
    await site.in_thread(upload.write, bytes(buffer))
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
    return call.site.home.blobs.path(entry.file.sha256).read_text(errors="replace")
