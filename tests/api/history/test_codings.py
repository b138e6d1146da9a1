"""What is computed from commits is compressed where it is long."""

import gzip

import pytest
import zstandard

from api.http.form import SMALLEST_BYTES
from tests.api.conftest import Client
from tests.api.history.conftest import INFO, History


@pytest.mark.parametrize("coding", ["zstd", "gzip"])
@pytest.mark.parametrize(
    "url",
    [
        "/api/hub/diff?dataset=ohlc&from={first}",
        "/api/hub/revisions?dataset=ohlc",
        INFO,
    ],
)
def test_what_is_long_is_compressed_for_who_can_read_it(
    client: Client, history: History, url: str, coding: str
) -> None:
    asked = url.format(first=history.commits[0][0])
    plain = client.get(asked, headers={"Accept-Encoding": "identity"})
    with client.stream("GET", asked, headers={"Accept-Encoding": coding}) as answer:
        raw = b"".join(answer.iter_raw())
    assert "content-encoding" not in plain.headers
    assert answer.headers["vary"] == plain.headers["vary"] == "Accept-Encoding, Authorization"
    assert answer.headers["etag"] != plain.headers["etag"]
    assert answer.headers["content-type"] == plain.headers["content-type"] == "application/json"
    assert len(plain.content) > SMALLEST_BYTES
    assert answer.headers["content-encoding"] == coding
    assert len(raw) < len(plain.content)
    assert (gzip.decompress(raw) if coding == "gzip" else _unzstd(raw)) == plain.content
    held = {"Accept-Encoding": coding, "If-None-Match": answer.headers["etag"]}
    again = client.get(asked, headers=held)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
    assert client.get(asked, headers=held | {"Accept-Encoding": "identity"}).status_code == 200


def test_what_is_short_goes_out_as_it_is(client: Client) -> None:
    answer = client.get("/api/hub/coverage?dataset=market", headers={"Accept-Encoding": "zstd"})
    assert len(answer.content) < SMALLEST_BYTES
    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "Accept-Encoding, Authorization"


def _unzstd(raw: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(raw)
