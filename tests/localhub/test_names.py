"""What names and paths are turned down, with a 400 that says why, and that nothing is then written anywhere."""

import base64
import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localhub.errors import LocalHubError
from localhub.names import check_name, check_path, check_ref, shown
from localhub.testing import HubServer
from tests.localhub.wire import post_commit

BAD_PATHS = {
    "../escape": "'..'",
    "a/../../escape": "'..'",
    "a/..": "'..'",
    "/etc/passwd": "absolute",
    "a//b": "''",
    "./a": "'.'",
    "nul\0": "control",
    "line\nbreak": "control",
    ".git/config": ".git",
    "a/.GIT/hooks": ".git",
    "x" * 10_000: "longer than 1024",
    "y" * 300: "longer than 255",
    "ü" * 130: "longer than 255",
    "lone \udc80": "UTF-8",
    "": "''",
}
BAD_NAMES = [
    "",
    ".",
    "..",
    "-a",
    "a-",
    ".a",
    "a.",
    "a--b",
    "a..b",
    "a.git",
    "a b",
    "a/b",
    "grüße",
    "x" * 97,
    "a\0b",
    "a\n",
]


@pytest.mark.parametrize("path", list(BAD_PATHS), ids=[shown(path)[:20] for path in BAD_PATHS])
def test_bad_paths_in_a_commit(hub: HubServer, http: httpx.Client, repo: str, path: str) -> None:
    around = hub.home.parent
    before = {entry for entry in around.rglob("*") if "hub.sqlite3" not in entry.name}
    value = {"path": path, "content": base64.b64encode(b"1").decode(), "encoding": "base64"}
    lines = [{"key": "header", "value": {"summary": "x"}}, {"key": "file", "value": value}]
    body = "\n".join(json.dumps(line) for line in lines)
    response = post_commit(http, repo, body)
    assert response.status_code == 400
    assert BAD_PATHS[path] in response.json()["error"]
    assert response.headers["X-Error-Message"].isprintable()
    assert {entry for entry in around.rglob("*") if "hub.sqlite3" not in entry.name} == before
    assert len(http.get(f"/api/datasets/{repo}/tree/main?recursive=true").json()) == 1


@pytest.mark.parametrize("path", ["..%2F..%2Ftoken", "%2e%2e/token", "%2Fetc%2Fpasswd", "a%00b", "%FF", "a%2F..%2Fb"])
def test_bad_paths_in_a_url(http: httpx.Client, repo: str, path: str) -> None:
    for url in (f"/datasets/{repo}/resolve/main/{path}", f"/api/datasets/{repo}/tree/main/{path}"):
        assert http.get(url).status_code in {400, 404}
    assert http.get(f"/datasets/{repo}/resolve/main/{'x' * 10_000}").status_code == 400


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_repo_names(http: httpx.Client, name: str) -> None:
    response = http.post("/api/repos/create", json={"type": "dataset", "name": name})
    assert response.status_code == 400
    assert "Invalid name" in response.json()["error"]


@pytest.mark.parametrize("body", [{"type": "bucket", "name": "a"}, {"name": 5}, {"name": ["a"]}, {}, [], "x"])
def test_bad_create_requests(http: httpx.Client, body: object) -> None:
    assert http.post("/api/repos/create", json=body).status_code == 400


@pytest.mark.parametrize("namespace", ["../x", "api", "datasets", "x" * 97])
def test_bad_user_names(hub: HubServer, namespace: str) -> None:
    with pytest.raises(LocalHubError, match="Invalid name"):
        hub.add_user(namespace)


def accepts(check: Callable[[str], str], text: str) -> bool:
    """Whether a check lets `text` through, unchanged. It may refuse with a plain 400 and fail in no other way."""
    try:
        return check(text) == text
    except LocalHubError as refusal:
        if refusal.status != HTTPStatus.BAD_REQUEST or not refusal.message.isascii():
            raise
        return False


@given(st.text())
def test_paths_are_either_refused_or_stay_inside(path: str) -> None:
    root = Path("/checkout")
    if accepts(check_path, path):
        assert "\0" not in path
        assert (root / path).resolve().is_relative_to(root)


@given(st.text())
def test_names_are_refused_or_plain(text: str) -> None:
    if accepts(check_name, text):
        assert text.isascii()
        assert not set(text) & set("/\\ \0")


@given(st.text())
def test_refs_are_refused_or_printable(text: str) -> None:
    if accepts(check_ref, text):
        assert text.isprintable()
        assert not text.startswith("refs/")


@pytest.mark.parametrize("path", ["a", "a/b.txt", "data/grüße 火 +#%?.parquet", "a..b", "...", "-", "~", "C:\\x"])
def test_good_paths(path: str) -> None:
    assert check_path(path) == path
