"""Clients with hf-xet, which no setting told to leave it: their uploads arrive as what they are."""

import hashlib
import os
import struct
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi

from localhub.errors import LocalHubError
from localhub.protocol.xet import hash_text, read_shard
from localhub.testing import HubServer
from tests.localhub.look import lfs_size

SCRIPT = """
import struct, sys
from pathlib import Path
from huggingface_hub import HfApi
from huggingface_hub.utils._runtime import is_xet_available
assert is_xet_available()
api, repo, folder = HfApi(), sys.argv[1], Path(sys.argv[2])
api.create_repo(repo, repo_type="dataset", exist_ok=True)
for turn in range(2):  # the second time the client knows which chunks it has sent
    for path in sorted(folder.rglob("*.*")):
        api.upload_file(path_or_fileobj=path, path_in_repo=f"{turn}/{path.name}", repo_id=repo, repo_type="dataset")
numbers = (folder / "numbers.bin").read_bytes()
api.upload_file(path_or_fileobj=numbers + b"tail", path_in_repo="bytes.bin", repo_id=repo, repo_type="dataset")
api.upload_folder(folder_path=folder, path_in_repo="folder", repo_id=repo, repo_type="dataset")
"""


def contents() -> dict[str, bytes]:
    """Something for each way a chunk is packed: as it is, by LZ4, and by LZ4 after grouping bytes."""
    numbers = b"".join(struct.pack("<d", 40_000 + number * 0.25) for number in range(60_000)) + b"odd"
    return {
        "numbers.bin": numbers,
        "random.bin": b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(20_000)),
        "text.parquet": b"the same line again and again\n" * 20_000,
        "small.parquet": b"\0",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in contents().items():
        (folder / name).write_bytes(content)
    return folder


def run_with_xet(hub: HubServer, folder: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_DISABLE_XET"}
    environment |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HOME": str(folder.parent / "hf")}
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, "local/xet", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_files_sent_by_xet_arrive(hub: HubServer, api: HfApi, http: httpx.Client, folder: Path) -> None:
    run_with_xet(hub, folder)
    assert not any(request.startswith("PUT /lfs/") for request in hub.faults.seen)
    expected = {f"{where}/{name}": content for where in ("0", "1", "folder") for name, content in contents().items()}
    expected["bytes.bin"] = contents()["numbers.bin"] + b"tail"
    for path, content in expected.items():
        assert http.get(f"/datasets/local/xet/resolve/main/{path}").content == content
        assert lfs_size(api, "local/xet", path) == len(content)
    blobs = [path for path in (hub.home / "blobs").rglob("*") if path.is_file()]
    assert len(blobs) == len(contents()) + 2  # each content once, the one with a tail, and .gitattributes


@pytest.fixture
def storage(http: httpx.Client, repo: str) -> tuple[str, dict[str, str]]:
    """The storage address of a repository and the header that opens it."""
    answer = http.get(f"/api/datasets/{repo}/xet-write-token/main").json()
    return answer["casUrl"], {"Authorization": f"Bearer {answer['accessToken']}"}


def test_only_writers_get_a_token(hub: HubServer, repo: str) -> None:
    url = f"{hub.url}/api/datasets/{repo}/xet-write-token/main"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers={"Authorization": f"Bearer {hub.add_user('mallory')}"}).status_code == 403


def test_storage_is_closed_without_its_token(
    hub: HubServer, http: httpx.Client, api: HfApi, storage: tuple[str, dict[str, str]]
) -> None:
    url, headers = storage
    api.create_repo("local/other", repo_type="dataset")
    other = http.get("/api/datasets/local/other/xet-write-token/main").json()["casUrl"]
    xorb = "/v1/xorbs/default/" + "0" * 64
    for address, sent in ((url, {}), (other, headers), (url[:-1], headers), (url, {"Authorization": "Bearer x.y"})):
        assert httpx.post(address + xorb, content=b"x", headers=sent).status_code in {403, 404}
        assert httpx.post(address + "/v1/shards", content=b"x", headers=sent).status_code in {403, 404}
    assert httpx.post(url + "/v1/xorbs/default/..%2F..%2Fx", content=b"x", headers=headers).status_code == 400


NAME = bytes(range(32))


def shard(xorb: bytes, *, size: int, end: int = 1) -> bytes:
    header = b"HFRepoMetaData".ljust(48, b"\0")
    file = struct.pack("<32sIIQ", b"f" * 32, 0, 1, 0)
    segment = struct.pack("<32sIIII", xorb, 0, size, 0, end)
    return header + file + segment + b"\xff" * 32 + b"\0" * 16


@pytest.mark.parametrize(
    ("chunk", "body", "says"),
    [
        (b"\0\3\0\0\0\3\0\0abc", shard(NAME, size=3), None),
        (b"\0\3\0\0\0\3\0\0abc", shard(NAME, size=4), "not as long"),
        (b"\0\3\0\0\0\3\0\0abc", shard(NAME, size=3, end=2), "fewer chunks"),
        (b"\0\3\0\0\1\3\0\0abc", shard(NAME, size=3), "cannot be unpacked"),
        (b"\0\3\0\0\7\3\0\0abc", shard(NAME, size=3), "Unknown compression"),
        (b"", shard(NAME, size=3), "fewer chunks"),
        (b"", shard(b"?" * 32, size=3), "not sent"),
        (b"", b"short", "cut short"),
    ],
)
def test_shards_are_checked_against_their_xorbs(
    hub: HubServer, storage: tuple[str, dict[str, str]], chunk: bytes, body: bytes, says: str | None
) -> None:
    url, headers = storage
    httpx.post(f"{url}/v1/xorbs/default/{hash_text(NAME)}", content=chunk, headers=headers).raise_for_status()
    answer = httpx.post(f"{url}/v1/shards", content=body, headers=headers)
    if says is None:
        assert answer.status_code == 200
        assert (hub.home / "blobs/ba" / hashlib.sha256(b"abc").hexdigest()).read_bytes() == b"abc"
    else:
        assert answer.status_code == 400
        assert says in answer.json()["error"]
        assert list((hub.home / "incoming").iterdir()) == []


def test_hashes_are_written_as_xet_does() -> None:
    assert hash_text(NAME) == "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918"


def test_shard_without_its_last_record() -> None:
    with pytest.raises(LocalHubError, match="cut short"):
        read_shard(shard(NAME, size=1)[:-48])
