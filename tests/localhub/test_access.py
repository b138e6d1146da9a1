"""Who may do what: owner, other users, read-only tokens, strangers, and tokens nobody has."""

import stat
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from localhub.store.accounts import owner_token
from localhub.testing import HubServer

WRITES = [
    ("POST", "/api/repos/create", {"type": "dataset", "name": "new", "organization": "local"}),
    ("DELETE", "/api/repos/delete", {"type": "dataset", "name": "prices", "organization": "local"}),
    ("POST", "/api/repos/move", {"type": "dataset", "fromRepo": "local/prices", "toRepo": "local/b"}),
    ("PUT", "/api/datasets/local/prices/settings", {"visibility": "private"}),
    ("POST", "/api/datasets/local/prices/preupload/main", {"files": []}),
    ("POST", "/api/datasets/local/prices/commit/main", {"key": "header", "value": {"summary": "x"}}),
    ("POST", "/datasets/local/prices.git/info/lfs/objects/batch", {"operation": "upload", "objects": []}),
    ("POST", "/api/datasets/local/prices/branch/dev", {}),
    ("DELETE", "/api/datasets/local/prices/branch/dev", {}),
    ("POST", "/api/datasets/local/prices/tag/main", {"tag": "v1"}),
    ("DELETE", "/api/datasets/local/prices/tag/v1", {}),
    ("POST", "/api/datasets/local/prices/super-squash/main", {}),
]


def test_whoami(hub: HubServer, api: HfApi) -> None:
    me = api.whoami()
    assert (me["name"], me["type"], me["orgs"], me["auth"]["accessToken"]["role"]) == ("local", "user", [], "write")
    reader = HfApi(endpoint=hub.url, token=hub.add_user("reader", role="read")).whoami()
    assert (reader["name"], reader["auth"]["accessToken"]["role"]) == ("reader", "read")


@pytest.mark.parametrize("header", ["Bearer hf_unknown", "Bearer", "Basic dTpw", "hf_naked"])
def test_unknown_tokens_are_refused_even_where_none_is_needed(hub: HubServer, repo: str, header: str) -> None:
    for path in ("/api/whoami-v2", f"/api/datasets/{repo}", f"/datasets/{repo}/resolve/main/.gitattributes"):
        response = httpx.get(hub.url + path, headers={"Authorization": header})
        assert response.status_code == 401
        assert response.headers["X-Error-Message"] == "Invalid credentials in Authorization header"


def test_whoami_without_a_token(hub: HubServer) -> None:
    assert httpx.get(f"{hub.url}/api/whoami-v2").status_code == 401


@pytest.mark.parametrize("call", WRITES, ids=[path for _, path, _ in WRITES])
def test_only_the_owner_with_a_writing_token_writes(
    hub: HubServer, api: HfApi, repo: str, call: tuple[str, str, dict[str, object]]
) -> None:
    method, path, body = call
    stranger = hub.add_user("mallory")
    read_only = hub.add_user("laptop", user="local", role="read")
    for token, status in ((None, 401), (stranger, 403), (read_only, 403)):
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        assert httpx.request(method, hub.url + path, json=body, headers=headers).status_code == status
    assert api.dataset_info(repo).sha == api.list_repo_commits(repo, repo_type="dataset")[-1].commit_id


def test_a_second_user_owns_a_namespace(hub: HubServer, repo: str) -> None:
    alice = HfApi(endpoint=hub.url, token=hub.add_user("alice"))
    assert alice.create_repo("prices", repo_type="dataset").repo_id == "alice/prices"
    with pytest.raises(HfHubHTTPError, match="403 Forbidden"):
        alice.create_repo("local/other", repo_type="dataset")
    with pytest.raises(HfHubHTTPError, match="403 Forbidden"):
        alice.move_repo("alice/prices", "local/taken", repo_type="dataset")


def test_auth_check(hub: HubServer, api: HfApi, repo: str) -> None:
    reader = HfApi(endpoint=hub.url, token=hub.add_user("reader", role="read"))
    api.auth_check(repo, repo_type="dataset", write=True)
    reader.auth_check(repo, repo_type="dataset")
    with pytest.raises(HfHubHTTPError, match="403 Forbidden"):
        reader.auth_check(repo, repo_type="dataset", write=True)
    with pytest.raises(RepositoryNotFoundError):
        reader.auth_check("local/nope", repo_type="dataset")


def test_storage_urls_are_good_for_one_thing_only(hub: HubServer, http: httpx.Client, repo: str) -> None:
    oid = "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"  # SHA-256 of "12345"
    batch = {"operation": "upload", "objects": [{"oid": oid, "size": 5}]}
    answer = http.post(f"/datasets/{repo}.git/info/lfs/objects/batch", json=batch).json()
    href = answer["objects"][0]["actions"]["upload"]["href"]
    assert httpx.put(href.replace(oid, "0" * 64), content=b"12345").status_code == 403
    assert httpx.put(href.replace("/5?", "/6?"), content=b"123456").status_code == 403
    assert httpx.put(href.replace("permit=1", "permit=2"), content=b"12345").status_code == 403
    assert httpx.put(href.split("?", maxsplit=1)[0], content=b"12345").status_code == 403
    assert httpx.put(href, content=b"54321").status_code == 400
    assert httpx.put(href, content=b"1234").status_code == 400
    assert httpx.put(href, content=b"123456").status_code == 413
    assert list((hub.home / "incoming").iterdir()) == []
    assert httpx.put(href, content=b"12345").status_code == 200
    again = http.post(f"/datasets/{repo}.git/info/lfs/objects/batch", json=batch).json()
    assert "actions" not in again["objects"][0]


def test_owner_token_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "token"
    token = owner_token(path)
    assert token.startswith("hf_")
    assert len(token) == 37
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert owner_token(path) == token
    path.write_text("\n")
    with pytest.raises(ValueError, match="is empty"):
        owner_token(path)


def test_tokens_are_stored_as_hashes_only(hub: HubServer) -> None:
    token = hub.add_user("reader")
    hub.stop()
    assert all(token.encode() not in path.read_bytes() for path in hub.home.rglob("*") if path.is_file())
