"""Downloads: resolve, whole or by range."""

from pathlib import PurePosixPath
from urllib.parse import quote

from starlette.responses import FileResponse, Response

from localhub.app.requests import access
from localhub.app.requests.endpoints import reads
from localhub.app.requests.site import Call
from localhub.errors import entry_not_found
from localhub.names import check_path
from localhub.store import commits, trees
from localhub.store.commits import Commit
from localhub.store.trees import File

_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"  # a dataset is not a web page of this server
AT_ONCE_BYTES = 256 * 1024  # up to here, one read in the thread that is at it costs less than streaming
_EXPOSED = "X-Repo-Commit, X-Linked-Size, X-Linked-Etag, X-Error-Code, X-Error-Message, ETag, Link, Content-Range"


@reads()
def resolve(call: Call) -> Response:
    """GET and HEAD /{kind}s/{id}/resolve/{revision}/{path}.

    The bytes come from here also for LFS files, where huggingface.co redirects to a CDN; the ETag is then the
    content's SHA-256, and without `X-Xet-Hash` in the answer every client downloads over plain HTTP.
    """
    repo = access.readable(call)
    commit = access.commit_at(call, repo)
    path = check_path(call.param("path"))
    entry = trees.lookup(call.con, commits.view_of(call.con, commit), path)
    if entry is None or entry.file is None:
        missing = entry_not_found()
        missing.commit_sha = commit.sha
        raise missing
    headers = _headers(commit, path, entry.file)
    if call.request.headers.get("if-none-match") in {headers["ETag"], "*"}:
        return Response(status_code=304, headers=headers)
    blob = call.site.home.blobs.path(entry.file.sha256)
    whole = call.request.method == "GET" and "range" not in call.request.headers
    if whole and entry.file.size <= AT_ONCE_BYTES:
        return Response(blob.read_bytes(), headers=headers, media_type=_media_type(path))
    return _Streamed(blob, headers=headers, media_type=_media_type(path), stat_result=blob.stat())


class _Streamed(FileResponse):
    chunk_size = 1024 * 1024


def _headers(commit: Commit, path: str, file: File) -> dict[str, str]:
    name = PurePosixPath(path).name
    etag = f'"{file.sha256 if file.lfs else file.oid}"'
    headers = {
        "ETag": etag,
        "X-Repo-Commit": commit.sha,
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name)}",
        "Content-Security-Policy": _POLICY,
        "Access-Control-Expose-Headers": _EXPOSED,
    }
    if file.lfs:
        headers |= {"X-Linked-Etag": etag, "X-Linked-Size": str(file.size)}
    return headers


def _media_type(path: str) -> str:
    texts = {".md", ".txt", ".json", ".jsonl", ".csv", ".yaml", ".yml", ".py", ".gitattributes"}
    suffix = PurePosixPath(path).suffix or PurePosixPath(path).name
    return "text/plain; charset=utf-8" if suffix in texts else "application/octet-stream"
