"""Refusals as HTTP answers: the status, the typed headers and the JSON body the Hub's clients read."""

import errno
import logging
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from localhub.errors import LocalHubError, repo_not_found

log = logging.getLogger(__name__)

_MAX_HEADER = 1000
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_API_PARTS_WITHOUT_NAMESPACE = 4  # "/api/datasets/name" split at "/": a legacy id, which no repository here has


async def refused(_: Request, error: Exception) -> Response:
    """The answer to a request that raised a HubError."""
    if not isinstance(error, LocalHubError):
        raise error
    body = {"error": error.message}
    if error.url is not None:
        body["url"] = error.url  # huggingface_hub's create_repo(exist_ok=True) reads it from the 409
    headers = {"X-Error-Message": _one_line(error.message)}
    if error.code is not None:
        headers["X-Error-Code"] = error.code
    if error.commit_sha is not None:
        headers["X-Repo-Commit"] = error.commit_sha
    return JSONResponse(body, error.status, headers)


def _one_line(message: str) -> str:
    """A message as a header can hold it."""
    printable = "".join(character if character.isprintable() else " " for character in message)
    return printable.encode("ascii", "backslashreplace").decode()[:_MAX_HEADER]


async def unrouted(request: Request, error: Exception) -> Response:
    """The answer to a URL or method nobody handles; one that could name a repository says it does not exist."""
    if not isinstance(error, HTTPException):
        raise error
    parts = request.url.path.split("/")
    if error.status_code == HTTPStatus.NOT_FOUND and (len(parts) == _API_PARTS_WITHOUT_NAMESPACE or "resolve" in parts):
        return await refused(request, repo_not_found())
    status = HTTPStatus(error.status_code)
    return JSONResponse({"error": status.phrase}, status, error.headers)


async def unstored(request: Request, error: Exception) -> Response:
    """The answer when the disk or the database failed, most often because it is full; the log has the rest."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    if (isinstance(error, OSError) and error.errno in _DISK_FULL) or "disk is full" in str(error):
        return JSONResponse({"error": "No space left on the server's disk"}, HTTPStatus.INSUFFICIENT_STORAGE)
    return JSONResponse({"error": "The server's storage failed"}, HTTPStatus.INTERNAL_SERVER_ERROR)


async def broken(request: Request, error: Exception) -> Response:
    """The answer when this server is at fault; the log has the rest. A caller who left is nobody's fault."""
    if isinstance(error, ClientDisconnect) or isinstance(error.__cause__, ClientDisconnect):
        return Response(status_code=HTTPStatus.BAD_REQUEST)
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error": "Internal Server Error"}, HTTPStatus.INTERNAL_SERVER_ERROR)
