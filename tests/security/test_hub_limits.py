"""What strangers, web pages and careless clients can cost the embedded Hub: over the real server, by raw bytes too."""

import os

os.environ.setdefault("HF_HUB_DISABLE_XET", "1")  # read by huggingface_hub at import
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
import shutil
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from huggingface_hub import HfApi

from localhub.app.requests.cache import BoundedCache
from localhub.protocol.patterns import matching_paths
from localhub.store.siblings import Siblings, siblings
from localhub.store.trees import View
from localhub.testing import HubServer
from tests.localhub.process import HubProcess
from tests.localhub.wire import NDJSON, commit, post_commit
from tests.security.hub_requests import REPO, batch, readme

BOMB = "a0: &a0 {x: 1}\n" + "".join(
    f"a{level}: &a{level} {{<<: *a{level - 1}, b: [{', '.join([f'*a{level - 1}'] * 9)}]}}\n" for level in range(1, 10)
)
HOSTILE = {
    "aliases nine deep": BOMB,
    "a merge key alone": "a: 1\n<<: {b: 2}\n",
    "3,000 brackets": "[" * 3000 + "\n",
    "3,000 dashes": "- " * 3000 + "\n",
    "plain, 2.4 MB": "key: value\n" * 220_000,
    "plain, below 64 KiB": "[" + "1," * 31_000 + "]\n",
    "a tag": "a: !!python/object/apply:os.system [id]\n",
    "a number of 5,000 digits": "a: " + "9" * 5000 + "\n",
    "a number in base 60": "a: 1" + ":1" * 5000 + "\n",
    "no such day": "a: 2024-99-99\n",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """One Hub in a process of its own, with the dataset `REPO`."""
    with HubProcess(tmp_path_factory.mktemp("limits") / "hub") as hub:
        hub.api().create_repo(REPO, repo_type="dataset")
        yield hub


@pytest.fixture
def http(server: HubProcess) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    """A Hub in this process, whose insides a test may change."""
    with HubServer(tmp_path / "hub") as hub:
        HfApi(endpoint=hub.url, token=hub.token).create_repo(REPO, repo_type="dataset")
        yield hub


class Answer(NamedTuple):
    status: int
    text: str


def raw(server: HubProcess, request: bytes) -> Answer:
    """What the server says to these bytes."""
    with socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", maxsplit=1)[1])), timeout=20) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return Answer(int(received.split(b" ", 2)[1]), received.decode("latin-1"))


def get(path: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"GET " + path + b" HTTP/1.1", b"Host: localhost", b"Connection: close", *headers, b"", b""])


@pytest.mark.parametrize("block", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_cards_are_refused_wherever_they_come_in(server: HubProcess, http: httpx.Client, block: str) -> None:
    checked = http.post("/api/validate-yaml", json={"content": readme(block), "repoType": "dataset"}, timeout=20)
    assert checked.status_code in {400, 413}
    assert checked.status_code == 413 or checked.json()["errors"]
    before = server.api().list_repo_commits(REPO, repo_type="dataset")[0].commit_id
    landed = commit(http, REPO, [("README.md", readme(block).encode())])
    assert landed.status_code == 400
    assert "README.md" in landed.json()["error"]
    assert server.api().list_repo_commits(REPO, repo_type="dataset")[0].commit_id == before


def test_a_card_of_an_older_version_hurts_nobody(hub: HubServer) -> None:
    hub.commit(REPO, {"README.md": readme(BOMB).encode()})
    for url in ("/api/datasets", f"/api/datasets/{REPO}", f"/api/datasets/{REPO}?expand=cardData"):
        answer = httpx.get(hub.url + url)
        assert answer.status_code == 200
        assert '"cardData":null' in answer.text


def test_checking_a_card_takes_a_token_and_json(server: HubProcess, http: httpx.Client) -> None:
    body = {"content": readme("license: mit\n"), "repoType": "dataset"}
    assert httpx.post(f"{server.url}/api/validate-yaml", json=body).status_code == 401
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        answer = http.post("/api/validate-yaml", content='{"content": "x"}', headers={"Content-Type": kind})
        assert answer.status_code == 415, kind
    server.api().upload_file(
        path_or_fileobj=body["content"].encode(), path_in_repo="README.md", repo_id=REPO, repo_type="dataset"
    )
    assert server.api().dataset_info(REPO).card_data.to_dict() == {"license": "mit"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("POST", "/api/repos/create"),
        ("DELETE", "/api/repos/delete"),
        ("POST", f"/api/datasets/{REPO}/commit/main"),
        ("POST", f"/api/datasets/{REPO}/preupload/main"),
        ("POST", f"/api/datasets/{REPO}/tag/main"),
        ("POST", f"/datasets/{REPO}.git/info/lfs/objects/batch"),
    ],
)
def test_a_web_page_can_post_nothing(server: HubProcess, http: httpx.Client, method: str, url: str) -> None:
    for kind in ("text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        sent = {"content": b'{"name": "x", "tag": "x"}', "headers": {"Content-Type": kind}}
        assert httpx.request(method, server.url + url, **sent).status_code == 401  # type: ignore[arg-type]
        assert http.request(method, url, **sent).status_code == 415  # type: ignore[arg-type]
    preflight = {"Origin": "http://evil.example", "Access-Control-Request-Method": method}
    answer = httpx.options(server.url + url, headers=preflight)
    assert not any(name.startswith("access-control-allow") for name in answer.headers)


def test_bodies_are_bounded(server: HubProcess, http: httpx.Client) -> None:
    large = b'{"name": "' + b"x" * 9_000_000 + b'"}'
    head = b"POST /api/repos/create HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    token = b"Authorization: Bearer " + server.token.encode() + b"\r\n"
    assert (
        raw(server, head + token + b"Connection: close\r\nContent-Length: 9000012\r\n\r\n{").status == 413
    )  # by what is announced
    pieces = (large[start : start + 100_000] for start in range(0, len(large), 100_000))
    chunked = http.post("/api/repos/create", content=pieces, headers={"Content-Type": "application/json"})
    assert chunked.status_code == 413
    paths = {"paths": ["a"] * 20_000}
    assert httpx.post(f"{server.url}/api/datasets/{REPO}/paths-info/main", data=paths).status_code == 413


@pytest.mark.parametrize(
    ("lines", "status", "says"),
    [
        (['{"key": "header", "value": {"summary": "a"}}'] * 2, 400, "more than one header"),
        (['{"key": "file", "value": {"path": "' + "a/" * 500 + '%d", "content": ""}}'] * 450, 413, "folders"),
        (['{"key": "deletedFolder", "value": {"path": "a%d"}}'] * 300, 413, "folders deleted"),
        (["[" * 100_000], 400, "not valid JSON"),
        (['{"key": "header", "value": {"summary": ' + "9" * 10_000 + "}}"], 400, "not valid JSON"),
        (['{"key": "header", "value": {"summary": "\\ud800"}}'], 400, "UTF-8"),
    ],
    ids=["two headers", "deep paths", "folder deletions", "nesting", "digits", "surrogate"],
)
def test_commits_are_bounded(http: httpx.Client, lines: list[str], status: int, says: str) -> None:
    body = "\n".join(line % number if "%d" in line else line for number, line in enumerate(lines))
    answer = post_commit(http, REPO, body)
    assert (answer.status_code, says in answer.json()["error"]) == (status, True), answer.text


def test_a_commit_is_refused_by_the_size_it_announces(server: HubProcess) -> None:
    head = f"POST /api/datasets/{REPO}/commit/main HTTP/1.1\r\nHost: localhost\r\nContent-Type: {NDJSON}\r\n"
    rest = f"Authorization: Bearer {server.token}\r\nConnection: close\r\nContent-Length: 99000000000\r\n\r\n"
    assert raw(server, (head + rest).encode()).status == 413


@pytest.mark.parametrize("where", ["toRepo", "fromRepo"])
def test_texts_that_are_not_utf8_are_refused(http: httpx.Client, where: str) -> None:
    body = '{"type": "dataset", "fromRepo": "local/a", "toRepo": "local/b", "%s": "local/\\ud800"}' % where  # noqa: UP031
    answer = http.post("/api/repos/move", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_uploads_of_any_size_are_not_promised(http: httpx.Client) -> None:
    refused = batch(http, 10**15)
    assert refused.status_code == 413
    assert "at most" in refused.json()["error"]
    assert batch(http, 10**9).status_code == 200


def test_the_disk_is_never_filled(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with httpx.Client(base_url=hub.url, headers={"Authorization": f"Bearer {hub.token}"}) as http:
        href = batch(http, 5).json()["objects"][0]["actions"]["upload"]["href"]
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 1024**3 + 4))
        assert batch(http, 5).status_code == 507
        refused = httpx.put(href, content=b"12345")
        assert (refused.status_code, "kept free" in refused.json()["error"]) == (507, True)
        assert commit(http, REPO, [("a.txt", b"12345")]).status_code == 507
        assert commit(http, REPO, [("a.txt", b"1234")]).status_code == 200


def test_the_list_of_files_is_whole_and_made_once(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bool] = []

    def counted(con: sqlite3.Connection, view: View, *, blobs: bool) -> Siblings:
        made.append(blobs)
        return siblings(con, view, blobs=blobs)

    monkeypatch.setattr("localhub.app.repos.repos.siblings", counted)
    files = {f"data/{'long' * 20}/{number:05}.csv": b"%d" % number for number in range(4000)}
    sha = hub.commit(REPO, files)
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(httpx.get(f"{hub.url}/api/datasets/{REPO}/revision/{sha}", timeout=30))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    for answer in answers:
        assert len(answer.content) == int(answer.headers["Content-Length"])
        assert [item["rfilename"] for item in answer.json()["siblings"]] == [".gitattributes", *sorted(files)]
    info = HfApi(endpoint=hub.url, token=False).dataset_info(REPO, files_metadata=True)
    assert info.siblings is not None
    assert {item.rfilename: item.size for item in info.siblings if item.rfilename in files} == {
        path: len(content) for path, content in files.items()
    }


def test_a_cache_keeps_no_more_than_it_may() -> None:
    cache: BoundedCache[int, bytes] = BoundedCache(100, size_of=len)
    made: list[int] = []

    def make(key: int, size: int) -> bytes:
        made.append(key)
        return b"x" * size

    for key, size in ((1, 40), (2, 40), (1, 40), (3, 40), (1, 40), (2, 40), (9, 101), (9, 101)):
        assert len(cache.get(key, lambda key=key, size=size: make(key, size))) == size  # type: ignore[misc]
    assert made == [1, 2, 3, 2, 9, 9]
    with pytest.raises(ZeroDivisionError):
        cache.get(7, lambda: b"x" * (1 // 0))
    assert cache.get(7, lambda: b"7") == b"7"


def test_clients_that_break_off_and_talk_nonsense_do_not_fill_the_log(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub") as server, server.http() as http:
        server.api().create_repo(REPO, repo_type="dataset")
        address = ("127.0.0.1", int(server.url.rsplit(":", maxsplit=1)[1]))
        href = batch(http, 10**6).json()["objects"][0]["actions"]["upload"]["href"].removeprefix(server.url)
        for target, kind in ((f"/api/datasets/{REPO}/commit/main", NDJSON), ("/api/repos/create", "application/json")):
            token = f"Authorization: Bearer {server.token}\r\n"
            head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\n{token}Content-Type: {kind}\r\n"
            for _ in range(10):
                with socket.create_connection(address) as connection:
                    connection.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
        for _ in range(10):
            with socket.create_connection(address) as connection:
                connection.sendall(
                    f"PUT {href} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nx".encode()
                )
        for _ in range(50):
            assert raw(server, b"nonsense\r\n\r\n").status == 400
        assert http.get("/api/datasets").status_code == 200
    log = (tmp_path / "localhub.log").read_text()
    assert "Traceback" not in log
    assert "failed" not in log
    assert log.count("\n") < 20
    assert list((tmp_path / "hub" / "incoming").iterdir()) == []


def test_one_token_at_a_time(server: HubProcess) -> None:
    good, bad = f"Authorization: Bearer {server.token}".encode(), b"Authorization: Bearer hf_other"
    for pair in ((good, bad), (bad, good), (good, good)):
        answer = raw(server, get(b"/api/whoami-v2", *pair))
        assert answer.status == 400
        assert "more than once" in answer.text
    assert raw(server, get(b"/api/whoami-v2", good)).status == 200


def test_unknown_tokens_do_not_shut_newcomers_out(server: HubProcess, http: httpx.Client) -> None:
    with httpx.Client(base_url=server.url) as stranger:
        for number in range(300):
            headers = {"Authorization": f"Bearer hf_{number}"}
            assert stranger.get("/api/whoami-v2", headers=headers).status_code == 401
    assert http.get("/api/whoami-v2").status_code == 200


@pytest.mark.parametrize("name", ["page.html", "image.svg", "page.xhtml", "script.js", "style.css", "page.xml"])
def test_files_never_run_as_pages_of_the_hub(server: HubProcess, http: httpx.Client, name: str) -> None:
    commit(http, REPO, [(name, b"<html><script>alert(1)</script></html>")])
    answer = httpx.get(f"{server.url}/datasets/{REPO}/resolve/main/{name}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].split(";")[0] in {"application/octet-stream", "text/plain"}
    assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path", ["/", "/api/datasets", f"/datasets/{REPO}", f"/datasets/{REPO}/resolve/main/.gitattributes", "/no"]
)
def test_every_answer_has_the_security_headers(server: HubProcess, path: str) -> None:
    for answer in (httpx.get(server.url + path), httpx.head(server.url + path)):
        assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]
        assert answer.headers.get_list("Referrer-Policy") == ["no-referrer"]
        (policy,) = answer.headers.get_list("Content-Security-Policy")
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "script-src" not in policy


FUZZ = [
    *(
        f"/api/datasets/{REPO}/tree/main?limit={limit}"
        for limit in ("0", "-1", "x", "9" * 50, "1e3", "%00", "1.5", "%D9%A3")
    ),
    *(f"/api/datasets/{REPO}/commits/main?limit={limit}" for limit in ("0", "-1", "9" * 5000)),
    *(
        f"/api/datasets?{query}"
        for query in ("limit=x", "limit=0", "cursor=eHh4", "cursor=!!!!", "cursor=%FF", "cursor=LTE")
    ),
    *(
        f"/lfs/{number}/{'0' * 64}/{size}"
        for number, size in (("9" * 5000, "1"), ("1", "9" * 5000), ("9" * 30, "1"), ("-1", "1"))
    ),
    f"/xet/{'9' * 5000}/1/v1/shards",
    f"/datasets/{REPO}/resolve/main/" + "a/" * 4000 + "b",
    f"/datasets/{REPO}/resolve/main/%00",
    f"/datasets/{REPO}/resolve/main/%ZZ",
    f"/datasets/{REPO}/resolve/%00/a",
    f"/datasets/{REPO}/resolve/%ED%A0%80/a",
    f"/datasets/{REPO}/tree/main/" + "%2e%2e%2f" * 20,
    f"/api/datasets/{REPO}?" + "expand=x&" * 3000,
    f"/api/datasets/{'x' * 20_000}/y",
    "/api/%E9s",
    "/api/nonsenses",
    "/api/datasets/a%0d%0ab/c",
]


@pytest.mark.parametrize("path", FUZZ, ids=lambda path: path[:60])
def test_bad_urls_are_the_callers_fault(server: HubProcess, path: str) -> None:
    assert 400 <= raw(server, get(path.encode())).status < 500


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /api/datasets/\xff\xfe/x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /api/datasets?search=\xff HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /api/datasets HTTP/1.1\r\nHost: [\r\n\r\n",
        b"GET /api/datasets HTTP/1.1\r\nHost: a:b\r\n\r\n",
        b"GET /api/datasets HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /api/datasets HTTP/1.1\r\nHost: \xff\r\n\r\n",
        b"GET /api/whoami-v2 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \xff\xff\r\n\r\n",
        b"POST /api/validate-yaml HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999999999999999999\r\n\r\n",
        b"GET /api/\x00 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_bad_bytes_are_the_callers_fault(server: HubProcess, request_bytes: bytes) -> None:
    assert 400 <= raw(server, request_bytes.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).status < 500


def test_a_query_repeated_for_ever_is_still_answered(server: HubProcess) -> None:
    answer = httpx.get(f"{server.url}/api/datasets/{REPO}?" + "expand=sha&" * 1400)
    assert answer.status_code == 200
    assert answer.json().keys() == {"sha", "id", "_id"}


def test_the_server_said_nothing_of_all_this(server: HubProcess) -> None:
    log = (server.home.parent / "localhub.log").read_text()
    assert "Traceback" not in log


def test_patterns_cannot_keep_the_hub_busy(server: HubProcess, http: httpx.Client) -> None:
    path = "a" * 250 + "/" + "a" * 250
    body = {"files": [{"path": path, "size": 1, "sample": ""}], "gitIgnore": "*a*a*a*a*a*a*a*a*b\n**/a**/**b\n" * 100}
    answer = http.post(f"/api/datasets/{REPO}/preupload/main", json=body, timeout=20)
    assert answer.status_code == 200
    assert answer.json()["files"][0]["shouldIgnore"] is False
    body["gitIgnore"] = "x\n" * 20_000
    assert http.post(f"/api/datasets/{REPO}/preupload/main", json=body, timeout=20).status_code == 400
    body["gitIgnore"] = "[z-a]\n"
    assert http.post(f"/api/datasets/{REPO}/preupload/main", json=body, timeout=20).status_code == 400


@pytest.mark.parametrize(
    ("patterns", "paths"),
    [
        (["*.bin"], {"a.bin", "x/a.bin", "a.bin/below"}),
        (["*", "!*.txt", "!*/"], {"a.bin", "x/a.bin", "a.bin/below"}),
        (["x/**/*.b*"], {"x/a.bin"}),
        (["/a*n", "!a.bin/"], {"a.bin"}),
    ],
)
def test_patterns_mean_what_git_says(patterns: list[str], paths: set[str]) -> None:
    assert matching_paths({"a.bin", "x/a.bin", "a.bin/below", "x.txt"}, patterns) == paths
