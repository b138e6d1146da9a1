"""Commits and trees over bare HTTP, where the real client's own round trips would only be in the way."""

import base64
import hashlib
import json
from collections.abc import Iterable

import httpx

NDJSON = "application/x-ndjson"
Change = tuple[str, bytes | None]  # path -> content; None deletes the file, and the folder if the path ends in "/"


def git_blob_id(content: bytes) -> str:
    """What the Hub says of a regular file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def commit_body(changes: Iterable[Change], *, parent: str | None = None, summary: str = "change") -> str:
    """The NDJSON of a commit."""
    lines: list[dict[str, object]] = [{"key": "header", "value": {"summary": summary, "parentCommit": parent}}]
    for path, content in changes:
        if content is not None:
            value = {"path": path, "encoding": "base64", "content": base64.b64encode(content).decode()}
            lines.append({"key": "file", "value": value})
        else:
            key = "deletedFolder" if path.endswith("/") else "deletedFile"
            lines.append({"key": key, "value": {"path": path.rstrip("/")}})
    return "\n".join(json.dumps(line) for line in lines)


def commit(
    http: httpx.Client, repo: str, changes: Iterable[Change], *, branch: str = "main", parent: str | None = None
) -> httpx.Response:
    """POST a commit; returns the answer, whatever it is."""
    return post_commit(http, repo, commit_body(changes, parent=parent), branch=branch)


def post_commit(
    http: httpx.Client, repo: str, body: str | bytes | Iterable[bytes], *, branch: str = "main"
) -> httpx.Response:
    """POST the lines of a commit as the client does; returns the answer, whatever it is."""
    return http.post(f"/api/datasets/{repo}/commit/{branch}", content=body, headers={"Content-Type": NDJSON})


def blob_ids(http: httpx.Client, repo: str, revision: str) -> dict[str, str]:
    """Path -> git blob id of every file at a revision."""
    url: str | None = f"/api/datasets/{repo}/tree/{revision}?recursive=true"
    found: dict[str, str] = {}
    while url is not None:
        response = http.get(url).raise_for_status()
        found |= {entry["path"]: entry["oid"] for entry in response.json() if entry["type"] == "file"}
        url = response.links.get("next", {}).get("url")
    return found


def heads(http: httpx.Client, repo: str) -> dict[str, str]:
    """Full ref name -> commit."""
    refs = http.get(f"/api/datasets/{repo}/refs").raise_for_status().json()
    return {ref["ref"]: ref["targetCommit"] for ref in [*refs["branches"], *refs["tags"]]}


def history(http: httpx.Client, repo: str, revision: str) -> list[str]:
    """The commits of a revision, newest first."""
    response = http.get(f"/api/datasets/{repo}/commits/{revision}?limit=1000").raise_for_status()
    return [commit["id"] for commit in response.json()]
