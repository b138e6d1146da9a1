"""Branches, tags, history and squashing, through HfApi."""

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RevisionNotFoundError

from localhub.testing import HubServer
from tests.localhub.look import contents, head, last_commit


def add(api: HfApi, repo: str, path: str, content: bytes, branch: str = "main") -> str:
    made = api.upload_file(
        path_or_fileobj=content, path_in_repo=path, repo_id=repo, repo_type="dataset", revision=branch
    )
    return made.oid


def status(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    return int(error.value.response.status_code)


def test_branches_go_their_own_way(api: HfApi, repo: str) -> None:
    start = add(api, repo, "a", b"1")
    for name in ("dev", "feature/x+ü"):
        api.create_branch(repo, branch=name, repo_type="dataset")
    assert head(api, repo, "feature/x+ü") == start
    on_branch = add(api, repo, "b", b"1", branch="feature/x+ü")
    add(api, repo, "a", b"2")
    assert contents(api, repo) == {"a": b"2"}
    assert contents(api, repo, "feature/x+ü") == {"a": b"1", "b": b"1"}
    assert contents(api, repo, "refs/heads/dev") == {"a": b"1"}
    assert last_commit(api, repo, "a", "feature/x+ü") == start
    assert head(api, repo, "feature/x+ü") == on_branch


def test_branch_from_an_older_commit(api: HfApi, repo: str) -> None:
    old = add(api, repo, "a", b"1")
    add(api, repo, "a", b"2")
    add(api, repo, "b", b"2")
    api.create_branch(repo, branch="old", revision=old, repo_type="dataset")
    assert contents(api, repo, "old") == {"a": b"1"}
    add(api, repo, "c", b"3", branch="old")
    assert contents(api, repo, "old") == {"a": b"1", "c": b"3"}
    titles = [commit.title for commit in api.list_repo_commits(repo, repo_type="dataset", revision="old")]
    assert len(titles) == 3


def test_refs_are_listed(api: HfApi, repo: str) -> None:
    sha = add(api, repo, "a", b"1")
    api.create_branch(repo, branch="dev", repo_type="dataset")
    api.create_tag(repo, tag="v1", repo_type="dataset", revision=sha[:10], tag_message="first")
    refs = api.list_repo_refs(repo, repo_type="dataset", include_pull_requests=True)
    assert [(ref.name, ref.ref, ref.target_commit) for ref in refs.branches] == [
        ("dev", "refs/heads/dev", sha),
        ("main", "refs/heads/main", sha),
    ]
    assert [(ref.name, ref.ref, ref.target_commit) for ref in refs.tags] == [("v1", "refs/tags/v1", sha)]
    assert (refs.converts, refs.pull_requests) == ([], [])


def test_tags_stay_and_are_removed(api: HfApi, repo: str) -> None:
    add(api, repo, "a", b"1")
    api.create_tag(repo, tag="v1", repo_type="dataset")
    add(api, repo, "a", b"2")
    assert contents(api, repo, "v1") == {"a": b"1"}
    api.create_tag(repo, tag="v1", repo_type="dataset", exist_ok=True)
    with pytest.raises(HfHubHTTPError) as caught:
        api.create_tag(repo, tag="v1", repo_type="dataset")
    assert status(caught) == 409
    api.delete_tag(repo, tag="v1", repo_type="dataset")
    with pytest.raises(RevisionNotFoundError):
        api.dataset_info(repo, revision="v1")
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag(repo, tag="v1", repo_type="dataset")


def test_branch_twice_and_without_a_start(api: HfApi, repo: str) -> None:
    api.create_branch(repo, branch="dev", repo_type="dataset")
    api.create_branch(repo, branch="dev", repo_type="dataset", exist_ok=True)
    with pytest.raises(HfHubHTTPError) as caught:
        api.create_branch(repo, branch="dev", repo_type="dataset")
    assert status(caught) == 409
    with pytest.raises(RevisionNotFoundError):
        api.create_branch(repo, branch="dev2", revision="nowhere", repo_type="dataset")


@pytest.mark.parametrize("name", ["refs/pr/5", "a..b", "a b", "-x", "x.lock", "a" * 40, "x~1", "end/"])
def test_impossible_ref_names(api: HfApi, repo: str, name: str) -> None:
    with pytest.raises(BadRequestError, match="Invalid reference name"):
        api.create_branch(repo, branch=name, repo_type="dataset")
    with pytest.raises(BadRequestError, match="Invalid reference name"):
        api.create_tag(repo, tag=name, repo_type="dataset")


def test_deleting_branches(api: HfApi, repo: str) -> None:
    api.create_branch(repo, branch="dev", repo_type="dataset")
    sha = add(api, repo, "a", b"1", branch="dev")
    api.delete_branch(repo, branch="dev", repo_type="dataset")
    assert api.dataset_info(repo, revision=sha).sha == sha
    with pytest.raises(RevisionNotFoundError):
        api.delete_branch(repo, branch="dev", repo_type="dataset")
    with pytest.raises(HfHubHTTPError, match="cannot be deleted"):
        api.delete_branch(repo, branch="main", repo_type="dataset")


def test_history_comes_in_pages(hub: HubServer, api: HfApi, http: httpx.Client, repo: str) -> None:
    shas = [hub.commit(repo, {"a": str(number).encode()}) for number in range(120)]
    commits = api.list_repo_commits(repo, repo_type="dataset")
    assert [commit.commit_id for commit in commits[:-1]] == shas[::-1]
    first_page = http.get(f"/api/datasets/{repo}/commits/main")
    assert len(first_page.json()) == 50
    assert 'rel="next"' in first_page.headers["Link"]
    assert len(api.list_repo_commits(repo, repo_type="dataset", revision=shas[9])) == 11


def test_squash_keeps_the_files_and_leaves_one_commit(hub: HubServer, api: HfApi, repo: str) -> None:
    old = [hub.commit(repo, {"a": str(number).encode(), f"d/{number}": b"1"}) for number in range(3)]
    before = contents(api, repo)
    api.super_squash_history(repo, repo_type="dataset", commit_message="squashed")
    assert [commit.title for commit in api.list_repo_commits(repo, repo_type="dataset")] == ["squashed"]
    assert contents(api, repo) == before
    assert last_commit(api, repo, "a") == head(api, repo)
    assert contents(api, repo, old[0]) == {"a": b"0", "d/0": b"1"}
    add(api, repo, "a", b"after")
    assert len(api.list_repo_commits(repo, repo_type="dataset")) == 2
    assert contents(api, repo) == before | {"a": b"after"}


def test_squash_of_what_is_no_branch(api: HfApi, repo: str) -> None:
    api.create_tag(repo, tag="v1", repo_type="dataset")
    for name in ("v1", "nowhere"):
        with pytest.raises(RevisionNotFoundError):
            api.super_squash_history(repo, branch=name, repo_type="dataset")


def test_garbage_collection_after_a_squash(hub: HubServer, api: HfApi, repo: str) -> None:
    kept, dropped = hub.commit(repo, {"a": b"kept by a tag"}), hub.commit(repo, {"a": b"dropped"})
    hub.commit(repo, {"a": b"now"})
    api.create_tag(repo, tag="v1", revision=kept, repo_type="dataset")
    api.create_branch(repo, branch="dev", revision=kept, repo_type="dataset")
    api.super_squash_history(repo, repo_type="dataset")
    freed = hub.collect_garbage()
    assert (freed.commits, freed.files, freed.bytes) == (2, 1, len(b"dropped"))
    assert contents(api, repo) == {"a": b"now"}
    assert contents(api, repo, "v1") == contents(api, repo, "dev") == {"a": b"kept by a tag"}
    with pytest.raises(RevisionNotFoundError):
        api.dataset_info(repo, revision=dropped)
    add(api, repo, "b", b"2", branch="dev")
    assert contents(api, repo, "dev") == {"a": b"kept by a tag", "b": b"2"}
    assert hub.collect_garbage().files == 0


def test_garbage_collection_spares_what_is_fresh(hub: HubServer, api: HfApi, repo: str) -> None:
    hub.commit(repo, {"a": b"only here"})
    api.delete_repo(repo, repo_type="dataset")
    assert hub.collect_garbage(grace_s=60).files == 0
    assert hub.collect_garbage(grace_s=0).files == 2
    assert [path for path in (hub.home / "blobs").rglob("*") if path.is_file()] == []
