"""Commits through HfApi: every operation, what is skipped, what is refused, and what then has not happened."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import CommitOperationAdd as Add
from huggingface_hub import CommitOperationCopy as Copy
from huggingface_hub import CommitOperationDelete as Delete
from huggingface_hub import HfApi
from huggingface_hub.errors import BadRequestError, EntryNotFoundError, HfHubHTTPError, RevisionNotFoundError

from localhub.testing import HubServer
from tests.localhub.look import contents, file_at, last_commit, lfs_size
from tests.localhub.wire import post_commit


def commit(
    api: HfApi,
    repo: str,
    operations: Sequence[Add | Copy | Delete],
    *,
    parent: str | None = None,
    revision: str = "main",
    create_pr: bool = False,
) -> str:
    made = api.create_commit(
        repo,
        operations,
        commit_message="test",
        repo_type="dataset",
        parent_commit=parent,
        revision=revision,
        create_pr=create_pr,
    )
    return made.oid


def ndjson(*lines: tuple[str, object]) -> str:
    return "".join(json.dumps({"key": key, "value": value}) + "\n" for key, value in lines)


HEADER = ("header", {"summary": "test", "description": ""})


def file_line(path: str, content: bytes = b"1") -> tuple[str, object]:
    return ("file", {"path": path, "encoding": "base64", "content": base64.b64encode(content).decode()})


def test_regular_lfs_empty_and_unicode_files(api: HfApi, repo: str) -> None:
    content = {"a.txt": b"hello", "data/x.parquet": b"\0\1\2" * 1000, "empty.txt": b"", "ordner/grüße 火.txt": b"u"}
    commit(api, repo, [Add(path, data) for path, data in content.items()])
    assert contents(api, repo) == content
    assert file_at(api, repo, "a.txt").lfs is None
    assert file_at(api, repo, "a.txt").blob_id == "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"  # git hash-object's answer
    assert lfs_size(api, repo, "data/x.parquet") == 3000


def test_commit_answers_with_what_history_then_says(hub: HubServer, api: HfApi, repo: str) -> None:
    made = api.create_commit(
        repo, [Add("a", b"1")], commit_message="One line", commit_description="and more", repo_type="dataset"
    )
    newest = api.list_repo_commits(repo, repo_type="dataset")[0]
    assert made.commit_url == f"{hub.url}/datasets/{repo}/commit/{newest.commit_id}"
    assert (newest.title, newest.message, newest.authors) == ("One line", "and more", ["local"])


def test_delete_file_and_folder(api: HfApi, repo: str) -> None:
    commit(api, repo, [Add(path, b"1") for path in ("a.txt", "d/b.txt", "d/e/c.txt", "d-not/x.txt")])
    commit(api, repo, [Delete("a.txt"), Delete("d/")])
    assert set(contents(api, repo)) == {"d-not/x.txt"}
    assert [entry.path for entry in api.list_repo_tree(repo, repo_type="dataset")] == [".gitattributes", "d-not"]


def test_copy_regular_and_lfs(api: HfApi, repo: str) -> None:
    first = commit(api, repo, [Add("a.txt", b"1"), Add("x.parquet", b"\0big")])
    commit(api, repo, [Add("a.txt", b"2"), Delete("x.parquet")])
    commit(api, repo, [Copy("a.txt", "b.txt", src_revision=first), Copy("x.parquet", "y.parquet", src_revision=first)])
    assert contents(api, repo) == {"a.txt": b"2", "b.txt": b"1", "y.parquet": b"\0big"}


def test_copy_from_another_repository(api: HfApi, repo: str) -> None:
    api.create_repo("local/source", repo_type="dataset")
    commit(api, "local/source", [Add("a.txt", b"1"), Add("x.parquet", b"\0big")])
    source: dict[str, Any] = {"src_repo_id": "local/source", "src_repo_type": "dataset"}
    commit(api, repo, [Copy("a.txt", "b.txt", **source)])
    assert contents(api, repo) == {"b.txt": b"1"}
    with pytest.raises(ValueError, match="no xet hash"):  # the client's own refusal
        commit(api, repo, [Copy("x.parquet", "y.parquet", **source)])


def test_operations_apply_in_order(api: HfApi, http: httpx.Client, repo: str) -> None:
    lines = [HEADER, file_line("d/a"), ("deletedFolder", {"path": "d"}), file_line("d/b"), file_line("d/b", b"2")]
    assert post_commit(http, repo, ndjson(*lines)).status_code == 200
    assert contents(api, repo) == {"d/b": b"2"}


def test_a_file_may_become_a_folder_and_back_in_one_commit(api: HfApi, repo: str) -> None:
    commit(api, repo, [Add("a", b"file")])
    commit(api, repo, [Delete("a", is_folder=False), Add("a/b", b"inside")])
    assert contents(api, repo) == {"a/b": b"inside"}
    commit(api, repo, [Delete("a/"), Add("a", b"file again")])
    assert contents(api, repo) == {"a": b"file again"}


@pytest.mark.parametrize("paths", [("a", "a/b"), ("a/b", "a"), ("a/b/c", "a/b")])
def test_a_path_cannot_be_file_and_folder(api: HfApi, repo: str, paths: tuple[str, str]) -> None:
    commit(api, repo, [Add(paths[0], b"1")])
    with pytest.raises(BadRequestError, match="is a f"):
        commit(api, repo, [Add(paths[1], b"1")])
    with pytest.raises(BadRequestError, match="is a f"):
        commit(api, repo, [Delete(paths[0]), *(Add(f"n/{path}", b"1") for path in sorted(paths))])
    assert contents(api, repo) == {paths[0]: b"1"}


def test_unchanged_files_are_skipped(hub: HubServer, api: HfApi, repo: str) -> None:
    both = {"a.txt": b"1", "x.parquet": b"\0big"}
    first = commit(api, repo, [Add(path, data) for path, data in both.items()])
    hub.faults.seen.clear()
    assert commit(api, repo, [Add(path, data) for path, data in both.items()]) == first
    assert not any("/commit/" in request or request.startswith("PUT") for request in hub.faults.seen)
    second = commit(api, repo, [Add("a.txt", b"1"), Add("x.parquet", b"\0other")])
    assert {path: last_commit(api, repo, path) for path in both} == {"a.txt": first, "x.parquet": second}


def test_content_known_to_the_repo_is_not_uploaded_again(hub: HubServer, api: HfApi, repo: str) -> None:
    commit(api, repo, [Add("x.parquet", b"\0big")])
    hub.faults.seen.clear()
    commit(api, repo, [Add("y.parquet", b"\0big")])
    assert not any(request.startswith("PUT") for request in hub.faults.seen)
    blobs = [path for path in (hub.home / "blobs").rglob("*") if path.is_file()]
    assert len(blobs) == 2  # .gitattributes and the one content


def test_gitattributes_and_gitignore_of_the_repo_are_followed(api: HfApi, repo: str) -> None:
    commit(
        api,
        repo,
        [Add(".gitattributes", b"*.dat filter=lfs diff=lfs merge=lfs -text\n"), Add(".gitignore", b"*.tmp\n")],
    )
    commit(api, repo, [Add("a.dat", b"text"), Add("b.csv", b"text"), Add("c.tmp", b"no"), Add("d.parquet", b"text")])
    assert lfs_size(api, repo, "a.dat") == 4
    assert lfs_size(api, repo, "b.csv") is None
    assert lfs_size(api, repo, "d.parquet") is None
    assert not api.file_exists(repo, "c.tmp", repo_type="dataset")


def test_stale_parent_is_refused(api: HfApi, repo: str) -> None:
    first = commit(api, repo, [Add("a", b"1")])
    second = commit(api, repo, [Add("a", b"2")], parent=first)
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as caught:
        commit(api, repo, [Add("a", b"3")], parent=first)
    assert caught.value.response.status_code == 412
    assert contents(api, repo) == {"a": b"2"}
    commit(api, repo, [Add("a", b"4")], parent=second[:7])
    assert contents(api, repo) == {"a": b"4"}


def test_deleting_what_is_not_there(api: HfApi, repo: str) -> None:
    before = commit(api, repo, [Add("d/a", b"1")])
    for operation in (Delete("nope"), Delete("nope/"), Delete("d", is_folder=False), Delete("d/a", is_folder=True)):
        with pytest.raises(EntryNotFoundError, match="with this name doesn't exist"):
            commit(api, repo, [Add("b", b"1"), operation])
    assert api.dataset_info(repo).sha == before


def test_commit_to_what_is_no_branch(api: HfApi, repo: str) -> None:
    sha = commit(api, repo, [Add("a", b"1")])
    api.create_tag(repo, tag="v1", repo_type="dataset")
    for revision in ("nowhere", "v1", sha):
        with pytest.raises(RevisionNotFoundError):
            commit(api, repo, [Delete("a")], revision=revision)


def test_pull_requests_are_refused_clearly(api: HfApi, repo: str) -> None:
    with pytest.raises(BadRequestError, match="no pull requests"):
        commit(api, repo, [Add("a", b"1")], create_pr=True)


def test_lfs_file_that_was_never_uploaded(http: httpx.Client, repo: str) -> None:
    line = ("lfsFile", {"path": "a.bin", "algo": "sha256", "oid": "0" * 64, "size": 3})
    response = post_commit(http, repo, ndjson(HEADER, line))
    assert response.status_code == 400
    assert "not uploaded" in response.json()["error"]


def test_knowing_the_hash_of_anothers_private_file_is_not_enough(hub: HubServer, api: HfApi, repo: str) -> None:
    api.create_repo("local/secret", repo_type="dataset", private=True)
    commit(api, "local/secret", [Add("x.parquet", b"\0secret")])
    lfs = file_at(api, "local/secret", "x.parquet").lfs
    assert lfs is not None
    line = ("lfsFile", {"path": "stolen.parquet", "algo": "sha256", "oid": lfs.sha256, "size": 7})
    headers = {"Authorization": f"Bearer {hub.add_user('mallory')}"}
    with httpx.Client(base_url=hub.url, headers=headers) as mallory:
        mallory.post("/api/repos/create", json={"type": "dataset", "name": "mine"})
        response = post_commit(mallory, "mallory/mine", ndjson(HEADER, line))
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "no header"),
        (ndjson(file_line("a")), "no header"),
        ("{", "not valid JSON"),
        ("[]\n", "not an object"),
        (ndjson(("header", {"summary": " "})), "summary"),
        (ndjson(HEADER, ("dance", {})), "dance"),
        (ndjson(HEADER, ("file", {"path": "a", "content": "%%%", "encoding": "base64"})), "base64"),
        (ndjson(HEADER, ("file", {"path": "a", "content": "x", "encoding": "rot13"})), "rot13"),
        (ndjson(HEADER, ("file", {"content": "x"})), "path"),
        (ndjson(HEADER, ("lfsFile", {"path": "a", "oid": "../../x"})), "object id"),
    ],
)
def test_malformed_commits(api: HfApi, http: httpx.Client, repo: str, body: str, says: str) -> None:
    response = post_commit(http, repo, body)
    assert response.status_code == 400
    assert says in response.json()["error"]
    assert contents(api, repo) == {}


def test_last_line_may_lack_its_newline_and_lines_may_arrive_in_pieces(http: httpx.Client, repo: str) -> None:
    body = ndjson(HEADER, file_line("a.txt", b"x" * 100_000), file_line("b.txt")).rstrip("\n").encode()
    pieces = [body[at : at + 7_001] for at in range(0, len(body), 7_001)]
    assert post_commit(http, repo, iter(pieces)).status_code == 200
    assert len(http.get(f"/datasets/{repo}/resolve/main/a.txt").content) == 100_000


def test_upload_folder_and_delete_patterns(api: HfApi, repo: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("1")
    (folder / "sub" / "b.bin").write_bytes(b"\0" * 5000)
    api.upload_folder(repo_id=repo, folder_path=folder, path_in_repo="up", repo_type="dataset")
    assert contents(api, repo) == {"up/a.txt": b"1", "up/sub/b.bin": b"\0" * 5000}
    (folder / "sub" / "b.bin").unlink()
    api.upload_folder(repo_id=repo, folder_path=folder, path_in_repo="up", repo_type="dataset", delete_patterns="*")
    assert contents(api, repo) == {"up/a.txt": b"1"}
    api.delete_file("up/a.txt", repo, repo_type="dataset")
    assert contents(api, repo) == {}
