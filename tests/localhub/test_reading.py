"""Listing and downloading: pages, last commits, ranges, headers, snapshots, and HfFileSystem on top of them."""

from pathlib import Path

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, HfApi, HfFileSystem
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFolder

from localhub.testing import HubServer
from tests.localhub.look import head, last_commit, tree

TEXT = bytes(range(48, 90)) * 1000
BINARY = b"\0\1\2\3" * 50_000


@pytest.fixture
def filled(api: HfApi, repo: str) -> str:
    """A repository with a regular and an LFS file in folders."""
    files = {"notes/a.txt": TEXT, "data/1h/x.parquet": BINARY, "data/1h/grüße +#%?.txt": b"unicode", "empty.txt": b""}
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    api.create_commit(repo, operations, commit_message="fill", repo_type="dataset")
    return repo


def add(api: HfApi, repo: str, path: str, content: bytes) -> str:
    return api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=repo, repo_type="dataset").oid


def test_tree_of_a_folder_and_of_everything(api: HfApi, filled: str) -> None:
    assert list(tree(api, filled)) == [".gitattributes", "data", "empty.txt", "notes"]
    assert list(tree(api, filled, "data/1h")) == ["data/1h/grüße +#%?.txt", "data/1h/x.parquet"]
    everything = tree(api, filled, recursive=True)
    assert [path for path, entry in everything.items() if isinstance(entry, RepoFolder)] == ["data", "data/1h", "notes"]
    assert len(everything) == 8


@pytest.mark.parametrize("path", ["nope", "empty.txt", "data/1"])
def test_tree_of_what_is_no_folder(api: HfApi, filled: str, path: str) -> None:
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(filled, path, repo_type="dataset"))


def test_tree_comes_in_pages(hub: HubServer, api: HfApi, repo: str) -> None:
    names = [f"f{number:04}" for number in range(2345)]
    hub.commit(repo, {f"many/{name}": b"1" for name in names})
    hub.faults.seen.clear()
    listed = [entry.path for entry in api.list_repo_tree(repo, "many", repo_type="dataset")]
    assert listed == [f"many/{name}" for name in names]
    assert len(hub.faults.seen) == 3
    hub.faults.seen.clear()
    assert len(tree(api, repo, recursive=True)) == 2347
    assert len(hub.faults.seen) == 47  # 50 entries a page with their last commits


def test_paths_info_leaves_out_what_is_not_there(api: HfApi, filled: str) -> None:
    found = api.get_paths_info(filled, ["data", "nope", "notes/a.txt", "data/1h/"], repo_type="dataset")
    assert [entry.path for entry in found] == ["data", "notes/a.txt", "data/1h"]


def test_last_commit_of_files_and_folders(api: HfApi, repo: str) -> None:
    first = add(api, repo, "d/e/a", b"1")
    second = add(api, repo, "d/b", b"1")
    add(api, repo, "other", b"1")
    entries = tree(api, repo, recursive=True)
    last = {path: entry.last_commit.oid for path, entry in entries.items() if entry.last_commit}
    assert (last["d/e"], last["d/e/a"], last["d"], last["d/b"]) == (first, first, second, second)
    assert last_commit(api, repo, "d/b", revision=second) == second


def test_folder_ids_follow_their_content(api: HfApi, repo: str) -> None:
    def folder_id() -> str:
        entry = tree(api, repo)["d"]
        assert isinstance(entry, RepoFolder)
        return entry.tree_id

    add(api, repo, "d/a", b"1")
    one = folder_id()
    add(api, repo, "elsewhere", b"1")
    assert folder_id() == one
    add(api, repo, "d/a", b"2")
    assert folder_id() != one
    add(api, repo, "d/a", b"1")
    assert folder_id() == one


def test_an_older_commit_stays_as_it_was(api: HfApi, repo: str) -> None:
    shas = [add(api, repo, "a", str(number).encode()) for number in range(5)]
    for number, sha in enumerate(shas):
        path = api.hf_hub_download(repo, "a", repo_type="dataset", revision=sha)
        assert Path(path).read_bytes() == str(number).encode()
    api.delete_file("a", repo, repo_type="dataset")
    assert api.file_exists(repo, "a", repo_type="dataset", revision=shas[0])
    assert not api.file_exists(repo, "a", repo_type="dataset")
    assert [entry.path for entry in api.list_repo_tree(repo, repo_type="dataset", revision=shas[2])] == [
        ".gitattributes",
        "a",
    ]


def test_resolve_headers(api: HfApi, http: httpx.Client, filled: str) -> None:
    sha = head(api, filled)
    regular = http.head(f"/datasets/{filled}/resolve/main/notes/a.txt")
    assert regular.headers["X-Repo-Commit"] == sha
    assert regular.headers["Content-Length"] == str(len(TEXT))
    assert "X-Linked-Etag" not in regular.headers
    lfs = http.head(f"/datasets/{filled}/resolve/main/data/1h/x.parquet")
    assert lfs.headers["X-Linked-Size"] == lfs.headers["Content-Length"] == str(len(BINARY))
    assert lfs.headers["X-Linked-Etag"] == lfs.headers["ETag"]
    assert len(lfs.headers["ETag"].strip('"')) == 64
    assert len(regular.headers["ETag"].strip('"')) == 40
    assert "X-Xet-Hash" not in lfs.headers


def test_etag_answers_304(http: httpx.Client, filled: str) -> None:
    url = f"/datasets/{filled}/resolve/main/notes/a.txt"
    etag = http.get(url).headers["ETag"]
    again = http.get(url, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("0-9", 0, 10), ("199990-", 199_990, 200_000), ("-5", 199_995, 200_000), ("10-999999999", 10, 200_000)],
)
def test_ranges(http: httpx.Client, filled: str, wanted: str, start: int, stop: int) -> None:
    response = http.get(f"/datasets/{filled}/resolve/main/data/1h/x.parquet", headers={"Range": f"bytes={wanted}"})
    assert response.status_code == 206
    assert response.content == BINARY[start:stop]
    assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(BINARY)}"


def test_range_beyond_the_end(http: httpx.Client, filled: str) -> None:
    response = http.get(f"/datasets/{filled}/resolve/main/data/1h/x.parquet", headers={"Range": "bytes=200000-"})
    assert response.status_code == 416
    assert response.headers["Content-Range"] == "bytes */200000"


def test_what_is_missing_says_which_kind_of_thing(api: HfApi, http: httpx.Client, filled: str) -> None:
    missing = http.get(f"/datasets/{filled}/resolve/main/README.md")
    assert (missing.status_code, missing.headers["X-Error-Code"]) == (404, "EntryNotFound")
    assert missing.headers["X-Repo-Commit"] == head(api, filled)
    assert missing.json()["error"] == missing.headers["X-Error-Message"]
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download(filled, "data", repo_type="dataset")
    with pytest.raises(RevisionNotFoundError):
        api.hf_hub_download(filled, "empty.txt", repo_type="dataset", revision="nope")
    with pytest.raises(RepositoryNotFoundError):
        api.hf_hub_download("local/nope", "empty.txt", repo_type="dataset")
    for legacy in ("/api/datasets/squad", "/datasets/squad/resolve/main/a.txt", "/api/datasets/local/nope/tree/main"):
        assert http.get(legacy).headers["X-Error-Code"] == "RepoNotFound"


def test_snapshot_download(api: HfApi, filled: str, tmp_path: Path) -> None:
    folder = Path(api.snapshot_download(filled, repo_type="dataset", cache_dir=tmp_path / "cache"))
    assert (folder / "data/1h/x.parquet").read_bytes() == BINARY
    assert (folder / "data/1h/grüße +#%?.txt").read_bytes() == b"unicode"
    assert folder.name == head(api, filled)
    local = Path(api.snapshot_download(filled, repo_type="dataset", allow_patterns="notes/*", local_dir=tmp_path / "d"))
    assert (local / "notes/a.txt").read_bytes() == TEXT
    assert not (local / "empty.txt").exists()


def test_interrupted_download_is_resumed(hub: HubServer, api: HfApi, filled: str, tmp_path: Path) -> None:
    hub.faults.drop_within(after_bytes=70_000, on="GET .*/resolve/")
    path = api.hf_hub_download(filled, "data/1h/x.parquet", repo_type="dataset", cache_dir=tmp_path)
    assert Path(path).read_bytes() == BINARY


def test_file_system(hub: HubServer, filled: str) -> None:
    fs = HfFileSystem(endpoint=hub.url, token=hub.token, skip_instance_cache=True)
    root = f"datasets/{filled}"
    assert fs.ls(root, detail=False) == [f"{root}/{n}" for n in (".gitattributes", "data", "empty.txt", "notes")]
    assert fs.glob(f"{root}/**/*.parquet") == [f"{root}/data/1h/x.parquet"]
    assert fs.info(f"{root}/data/1h/x.parquet")["size"] == len(BINARY)
    assert fs.info(f"{root}/data")["type"] == "directory"
    with pytest.raises(FileNotFoundError):
        fs.info(f"{root}/nope")
    with fs.open(f"{root}/data/1h/x.parquet") as file:
        file.seek(100_002)
        assert file.read(6) == BINARY[100_002:100_008]
    with fs.open(f"{root}/new.txt", "wb") as file:
        file.write(b"written")
    assert fs.cat(f"{root}/new.txt") == b"written"
    fs.rm(f"{root}/data", recursive=True)
    fs.cp_file(f"{root}/new.txt", f"{root}/copy.txt")
    left = (".gitattributes", "copy.txt", "empty.txt", "new.txt", "notes/a.txt")
    assert fs.find(root) == [f"{root}/{name}" for name in left]
