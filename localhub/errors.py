"""The refusals a caller can meet, each carrying the HTTP status and the Hub's own error code.

`app.requests.failures` turns one into an answer.

The `X-Error-Code` values are the ones huggingface_hub 2.4 turns into typed exceptions (`utils/_http.py`,
`hf_raise_for_status`).
"""

from http import HTTPStatus


class LocalHubError(Exception):
    """A request the Hub refuses; `message` is meant for the person who sent it."""

    def __init__(self, status: HTTPStatus, message: str, *, code: str | None = None, url: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.url = url
        self.commit_sha: str | None = None  # sent as X-Repo-Commit: clients cache that a file is absent at that commit


def repo_not_found() -> LocalHubError:
    """No such repository, or a private one of somebody else: the two must look alike."""
    return LocalHubError(HTTPStatus.NOT_FOUND, "Repository not found", code="RepoNotFound")


def revision_not_found(revision: str) -> LocalHubError:
    """The repository is there, the branch, tag or commit is not."""
    return LocalHubError(HTTPStatus.NOT_FOUND, f"Invalid rev id: {revision}", code="RevisionNotFound")


def entry_not_found(message: str = "Entry not found") -> LocalHubError:
    """The revision is there, the file or folder is not."""
    return LocalHubError(HTTPStatus.NOT_FOUND, message, code="EntryNotFound")


def bad_request(message: str) -> LocalHubError:
    """The request can never succeed as it stands."""
    return LocalHubError(HTTPStatus.BAD_REQUEST, message)


def unauthorized(message: str = "Invalid username or password.") -> LocalHubError:
    """A token is needed and none was sent, or the one sent is unknown."""
    return LocalHubError(HTTPStatus.UNAUTHORIZED, message)


def forbidden(message: str) -> LocalHubError:
    """The token is known and does not allow this."""
    return LocalHubError(HTTPStatus.FORBIDDEN, message)


def conflict(message: str, *, url: str | None = None) -> LocalHubError:
    """The thing exists already, or is being changed by another request."""
    return LocalHubError(HTTPStatus.CONFLICT, message, url=url)


def commit_in_progress() -> LocalHubError:
    """Another commit to the same repository is being applied; the head has not moved for this one."""
    return conflict("Another commit operation is in progress for this repository, please retry.")


def stale_parent() -> LocalHubError:
    """The branch moved since the caller looked; nothing was written."""
    return LocalHubError(HTTPStatus.PRECONDITION_FAILED, "A commit has happened since. Please refresh and try again.")


def too_large(message: str) -> LocalHubError:
    """A body, line or list beyond what is read into memory."""
    return LocalHubError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
