"""Repositories as wholes, through HfApi: create, delete, move, private, info, lists."""

from hashlib import sha256
from typing import Any

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import BlobLfsInfo

from localhub.testing import HubServer

CARD = b"""---
license: mit
language: [en, de]
tags: [prices]
configs:
- config_name: default
  data_files: data/*.csv
---
# Prices
"""


def test_create_names_the_repo_and_starts_it_with_attributes(hub: HubServer, api: HfApi) -> None:
    url = api.create_repo("local/prices", repo_type="dataset")
    assert url == f"{hub.url}/datasets/local/prices"
    assert (url.repo_id, url.repo_type) == ("local/prices", "dataset")
    assert api.list_repo_files("local/prices", repo_type="dataset") == [".gitattributes"]
    assert [commit.title for commit in api.list_repo_commits("local/prices", repo_type="dataset")] == ["initial commit"]


def test_create_without_a_namespace_takes_the_callers(api: HfApi) -> None:
    assert api.create_repo("mine", repo_type="dataset").repo_id == "local/mine"


@pytest.mark.parametrize("name", ["local/prices", "local/PRICES"])
def test_create_twice(api: HfApi, repo: str, name: str) -> None:
    assert api.create_repo(name, repo_type="dataset", exist_ok=True).repo_type == "dataset"
    with pytest.raises(HfHubHTTPError, match="already created") as caught:
        api.create_repo(name, repo_type="dataset")
    assert caught.value.response.status_code == 409


def test_types_are_apart(api: HfApi, repo: str) -> None:
    api.create_repo(repo, repo_type="model")
    api.create_repo(repo, repo_type="space", space_sdk="static")
    api.delete_repo(repo, repo_type="model")
    assert api.repo_exists(repo, repo_type="dataset")
    assert api.repo_exists(repo, repo_type="space")
    assert not api.repo_exists(repo, repo_type="model")


def test_delete(api: HfApi, repo: str) -> None:
    api.delete_repo(repo, repo_type="dataset")
    assert not api.repo_exists(repo, repo_type="dataset")
    api.delete_repo(repo, repo_type="dataset", missing_ok=True)
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(repo, repo_type="dataset")
    assert api.create_repo(repo, repo_type="dataset").repo_id == repo
    assert len(api.list_repo_commits(repo, repo_type="dataset")) == 1


def test_move_keeps_the_old_name_working_until_it_is_taken(api: HfApi, repo: str) -> None:
    sha = api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo, repo_type="dataset").oid
    api.move_repo(repo, "local/renamed", repo_type="dataset")
    assert api.dataset_info("local/renamed").sha == sha
    assert api.dataset_info(repo).id == "local/renamed"
    api.create_repo(repo, repo_type="dataset")
    assert api.dataset_info(repo).id == repo
    with pytest.raises(HfHubHTTPError, match="already"):
        api.move_repo("local/renamed", repo, repo_type="dataset")


def test_info(api: HfApi, repo: str) -> None:
    api.upload_file(path_or_fileobj=CARD, path_in_repo="README.md", repo_id=repo, repo_type="dataset")
    sha = api.upload_file(path_or_fileobj=b"1" * 10, path_in_repo="data/a.bin", repo_id=repo, repo_type="dataset").oid
    info = api.dataset_info(repo, files_metadata=True)
    assert (info.id, info.author, info.sha, info.private) == (repo, "local", sha, False)
    assert info.created_at is not None
    assert info.last_modified is not None
    assert info.created_at <= info.last_modified
    assert {"license:mit", "language:en", "language:de", "prices"} == set(info.tags or [])
    assert info.card_data is not None
    assert info.card_data["configs"] == [{"config_name": "default", "data_files": "data/*.csv"}]
    files = {sibling.rfilename: sibling for sibling in info.siblings or []}
    assert set(files) == {".gitattributes", "README.md", "data/a.bin"}
    assert files["README.md"].size == len(CARD)
    assert files["README.md"].lfs is None
    assert files["data/a.bin"].lfs == BlobLfsInfo(size=10, sha256=sha256(b"1" * 10).hexdigest(), pointer_size=127)


def test_info_at_a_revision(api: HfApi, repo: str) -> None:
    first = api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo, repo_type="dataset").oid
    api.upload_file(path_or_fileobj=b"2", path_in_repo="b.txt", repo_id=repo, repo_type="dataset")
    info = api.dataset_info(repo, revision=first)
    assert info.sha == first
    assert [sibling.rfilename for sibling in info.siblings or []] == [".gitattributes", "a.txt"]
    with pytest.raises(RevisionNotFoundError):
        api.dataset_info(repo, revision="nowhere")


def test_expand_returns_what_was_asked_for(api: HfApi, repo: str) -> None:
    api.upload_file(path_or_fileobj=b"1" * 10, path_in_repo="a.bin", repo_id=repo, repo_type="dataset")
    info = api.dataset_info(repo, expand=["usedStorage", "lastModified"])
    assert (info.used_storage or 0) >= 10
    assert info.last_modified is not None
    assert info.siblings is None
    assert info.sha is None


def test_private_is_not_there_for_strangers(hub: HubServer, api: HfApi, http: httpx.Client) -> None:
    api.create_repo("local/secret", repo_type="dataset", private=True)
    api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id="local/secret", repo_type="dataset")
    assert api.dataset_info("local/secret").private
    stranger = HfApi(endpoint=hub.url, token=hub.add_user("mallory"))
    for other in (stranger, HfApi(endpoint=hub.url, token=False)):
        assert not other.repo_exists("local/secret", repo_type="dataset")
        assert list(other.list_datasets()) == []
        with pytest.raises(RepositoryNotFoundError):
            list(other.list_repo_tree("local/secret", repo_type="dataset"))
    path = "/datasets/local/secret/resolve/main/a.txt"
    assert http.get(path).text == "1"
    assert httpx.get(hub.url + path).status_code == 404
    colleague = HfApi(endpoint=hub.url, token=hub.add_user("laptop", user="local", role="read"))
    assert colleague.repo_exists("local/secret", repo_type="dataset")


def test_visibility_can_be_changed(hub: HubServer, api: HfApi, repo: str) -> None:
    anonymous = HfApi(endpoint=hub.url, token=False)
    api.update_repo_settings(repo, private=True, repo_type="dataset")
    assert not anonymous.repo_exists(repo, repo_type="dataset")
    api.update_repo_settings(repo, private=False, repo_type="dataset")
    assert anonymous.repo_exists(repo, repo_type="dataset")


def test_list_by_author_search_and_tag(hub: HubServer, api: HfApi) -> None:
    for name in ("alpha-prices", "beta-prices", "gamma"):
        api.create_repo(f"local/{name}", repo_type="dataset")
    HfApi(endpoint=hub.url, token=hub.add_user("alice")).create_repo("delta", repo_type="dataset")
    api.upload_file(path_or_fileobj=CARD, path_in_repo="README.md", repo_id="local/gamma", repo_type="dataset")

    def ids(**kwargs: Any) -> set[str]:
        return {info.id for info in api.list_datasets(**kwargs)}

    assert ids(author="local") == {"local/alpha-prices", "local/beta-prices", "local/gamma"}
    assert ids(author="alice") == {"alice/delta"}
    assert ids(search="PRICES") == {"local/alpha-prices", "local/beta-prices"}
    assert ids(filter="license:mit") == {"local/gamma"}
    assert ids(language="de") == {"local/gamma"}
    assert len(ids(limit=2)) == 2
    assert [info.id for info in api.list_datasets(limit=1)] == ["local/gamma"]


def test_list_pages_are_linked(api: HfApi, http: httpx.Client) -> None:
    for number in range(7):
        api.create_repo(f"local/repo{number}", repo_type="dataset")
    url: str | None = "/api/datasets?limit=3"
    found: list[str] = []
    while url:
        response = http.get(url)
        found += [item["id"] for item in response.json()]
        url = response.links.get("next", {}).get("url")
    assert sorted(found) == [f"local/repo{number}" for number in range(7)]


def test_card_check(api: HfApi, repo: str) -> None:
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        api.upload_file(path_or_fileobj=b"# no block", path_in_repo="README.md", repo_id=repo, repo_type="dataset")
    with pytest.raises(ValueError, match="Invalid metadata"):
        api.upload_file(
            path_or_fileobj=b"---\na: [\n---\n", path_in_repo="README.md", repo_id=repo, repo_type="dataset"
        )
    with pytest.raises(ValueError, match="configs"):
        api.upload_file(
            path_or_fileobj=b"---\nconfigs: 1h\n---\n", path_in_repo="README.md", repo_id=repo, repo_type="dataset"
        )


def test_broken_card_committed_past_the_check_does_not_break_the_info(hub: HubServer, api: HfApi, repo: str) -> None:
    hub.commit(repo, {"README.md": b"---\n- [unclosed\n---\n\xff"})
    assert api.dataset_info(repo).card_data is None
    assert [info.id for info in api.list_datasets()] == [repo]
