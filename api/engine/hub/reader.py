"""Reads the Hub over HTTP: heads, commits, trees, files and accounts.

The calls are those of huggingface_hub. Its `HfApi` reads whole histories at once, retries for minutes and has no time
limit on listings, which a server that must answer within a second cannot use.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import quote

import httpx

from datahub_assets.domain.errors import HubContentInvalid, HubError, HubNotFound, HubUnavailable
from datahub_assets.domain.files.hub_files import CONTENT_ID, HubFile, content_hash
from datahub_assets.domain.hub_errors import error_of_status
from datahub_assets.domain.times import iso_to_ms
from datahub_system.net import clients

_CHUNK_BYTES: Final = 1 << 20
_MOST_COMMITS: Final = 1000
"""In a page, the most the Hub gives (@huggingface/hub, list-commits.ts); 50 unless asked for."""


@dataclass(frozen=True, slots=True)
class HubCommit:
    """A commit of a dataset: its 40-hex sha, its time (epoch ms, UTC) and its title."""

    sha: str
    at_ms: int
    title: str


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the Hub says a token belongs to."""

    name: str
    organisations: tuple[str, ...]


class HubReader:
    """A blocking client, safe to share between threads; every call is bounded in time, some as narrowly as asked.

    All calls raise HubNotFound, HubRefused, HubRateLimited and HubUnavailable, and HubContentInvalid for a body that is
    not what the Hub documents.
    """

    def __init__(self, endpoint: str, *, token: Callable[[], str | None], timeout_s: float = 10.0) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._token = token
        self._http = clients.client(
            timeout=httpx.Timeout(timeout_s, connect=min(3.0, timeout_s)),
            follow_redirects=True,
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=8),
            headers={"User-Agent": "crypto-data-hub-api"},
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def head(self, repo_id: str, *, ref: str = "main") -> str:
        """The sha a branch, tag or short commit points to."""
        body = self._json(f"/api/datasets/{repo_id}/revision/{quote(ref, safe='')}", params={"expand": "sha"})
        return _text(body, "sha")

    def commits(
        self, repo_id: str, sha: str, *, whole: bool = False, timeout_s: float | None = None
    ) -> Iterator[HubCommit]:
        """The history of a commit, newest first; pages are fetched as they are needed, large ones if the `whole` is."""
        url: str | None = f"/api/datasets/{repo_id}/commits/{sha}" + (f"?limit={_MOST_COMMITS}" if whole else "")
        while url is not None:
            answer = self._get(url, timeout_s=timeout_s)
            for item in _list(answer):
                yield HubCommit(sha=_text(item, "id"), at_ms=_date_ms(_text(item, "date")), title=_text(item, "title"))
            url = answer.links.get("next", {}).get("url")

    def tree(self, repo_id: str, sha: str) -> tuple[HubFile, ...]:
        """All files of a commit."""
        files: list[HubFile] = []
        url: str | None = f"/api/datasets/{repo_id}/tree/{sha}?recursive=true"
        while url is not None:
            answer = self._get(url)
            files.extend(_remote_file(item) for item in _list(answer) if item.get("type") == "file")
            url = answer.links.get("next", {}).get("url")
        return tuple(files)

    def refs(self, repo_id: str, *, timeout_s: float | None = None) -> dict[str, str]:
        """Branches and tags of a repo: name -> sha. A branch hides a tag of the same name, as in git."""
        body = _mapping(self._get(f"/api/datasets/{repo_id}/refs", timeout_s=timeout_s))
        found: dict[str, str] = {}
        for kind in ("tags", "branches"):
            for item in body.get(kind) or ():
                found[_text(item, "name")] = _text(item, "targetCommit")
        return found

    def download(self, repo_id: str, sha: str, file: HubFile, target: Path) -> None:
        """Write a file's bytes to `target`, which must not exist yet.

        Raises:
            HubContentInvalid: size or hash are not those the tree names; `target` is removed.
        """
        url = f"/datasets/{repo_id}/resolve/{sha}/{quote(file.path)}"
        try:
            with closing(self._send("GET", url, stream=True)) as answer, target.open("xb") as out:
                is_whole = _copy(answer, out, file)
                os.fsync(out.fileno())
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        if not is_whole:
            target.unlink()
            raise HubContentInvalid(f"{file.path} of {repo_id}@{sha} arrived with other content than its tree names")

    def whoami(self, token: str) -> Account:
        """The account of a token, this client's own token being left out of it.

        Raises:
            HubRefused: the Hub does not accept the token.
        """
        answer = self._send("GET", "/api/whoami-v2", headers={"Authorization": f"Bearer {token}"})
        body = _mapping(answer)
        organisations = tuple(str(item.get("name", "")) for item in body.get("orgs") or ())
        return Account(name=_text(body, "name"), organisations=organisations)

    def _json(self, url: str, *, params: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        return _mapping(self._get(url, params=params))

    def _get(
        self, url: str, *, params: Mapping[str, str] | None = None, timeout_s: float | None = None
    ) -> httpx.Response:
        return self._send("GET", url, params=params, timeout_s=timeout_s)

    def _send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        absolute = url if url.startswith(("http://", "https://")) else self._endpoint + url
        own = headers is None and absolute.startswith(self._endpoint + "/")
        token = self._token() if own else None
        sent = {"Authorization": f"Bearer {token}"} if token else dict(headers or {})
        timeout = self._http.timeout if timeout_s is None else timeout_s
        request = self._http.build_request(method, absolute, params=params, headers=sent, timeout=timeout)
        try:
            answer = self._http.send(request, stream=stream)
        except httpx.HTTPError as error:
            where = f"the Hub at {self._endpoint}"
            what = f"did not answer{clients.via(absolute)}: {type(error).__name__}"
            raise HubUnavailable(f"{where} {what}") from error
        if answer.is_error:
            answer.close()
            raise _error_of(answer, url)
        return answer


def _copy(answer: httpx.Response, out: BinaryIO, file: HubFile) -> bool:
    """Write the answer's body; whether size and hash are the file's."""
    digest, size = content_hash(file.content_id, size=file.size), 0
    try:
        for chunk in answer.iter_bytes(_CHUNK_BYTES):
            size += len(chunk)
            digest.update(chunk)
            out.write(chunk)
    except httpx.HTTPError as error:
        raise HubUnavailable(f"the Hub broke off a download: {type(error).__name__}") from error
    out.flush()
    return size == file.size and digest.hexdigest() == file.content_id


def _error_of(answer: httpx.Response, url: str) -> HubError:
    status = answer.status_code
    message = f"the Hub answered {status} {answer.headers.get('X-Error-Message', '')}".rstrip() + f" to {url}"
    # What else a Hub says to a read is about its URL, as 400 to a revision that cannot be one.
    return error_of_status(status, message, headers=answer.headers, otherwise=HubNotFound)


def _remote_file(item: Mapping[str, Any]) -> HubFile:
    lfs = item.get("lfs")
    content_id = _text(lfs, "oid") if lfs else _text(item, "oid")
    if not CONTENT_ID.fullmatch(content_id):
        raise HubContentInvalid(f"the Hub named the content of {item.get('path')!r} in an unknown way")
    return HubFile(path=_text(item, "path"), size=int((lfs or item).get("size", 0)), content_id=content_id)


def _mapping(answer: httpx.Response) -> Mapping[str, Any]:
    body = _decoded(answer)
    if not isinstance(body, dict):
        raise HubContentInvalid("the Hub answered something other than a JSON object")
    return body


def _list(answer: httpx.Response) -> list[Mapping[str, Any]]:
    body = _decoded(answer)
    if not isinstance(body, list):
        raise HubContentInvalid("the Hub answered something other than a JSON list")
    return body


def _decoded(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise HubContentInvalid("the Hub answered something other than JSON") from error


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise HubContentInvalid(f"the Hub's answer lacks {name!r}")
    return value


def _date_ms(date: str) -> int:
    try:
        return iso_to_ms(date)
    except ValueError as error:
        raise HubContentInvalid(f"the Hub dated a commit {date!r}") from error
