"""Headers that no client of ours sends are the sender's mistake, or are ignored; never the server's."""

import pytest

from tests.api.conftest import Client

SHA = "0" * 40


@pytest.mark.parametrize(
    "event_id",
    [
        f"market@{SHA},foo",
        f"market@{SHA},",
        f"market@{SHA},{SHA}",
        ",",
        "@",
        f"{SHA},{SHA},x",
        "market@",
        "x" * 5_000,
        "\xe4",
    ],
)
def test_ids_the_stream_never_sent_are_refused(client: Client, event_id: str) -> None:
    answer = client.get("/api/hub/stream", headers={b"Last-Event-ID": event_id.encode("latin-1")})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")


@pytest.mark.parametrize("weight", ["1e999", "inf", "-inf", "nan", "-1", "2", "abc", "", "0.5;q=0.1", "\u0661"])
@pytest.mark.parametrize("header", ["Accept", "Accept-Encoding"])
@pytest.mark.parametrize("path", ["/api/hub/market", "/api/hub/sql?q=SELECT+1"])
def test_weights_that_are_none_are_ignored(client: Client, path: str, header: str, weight: str) -> None:
    kind = "text/csv" if header == "Accept" else "gzip"
    answer = client.get(path, headers={header.encode(): f"{kind};q={weight}".encode()})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("If-None-Match", '"' * 5_000),
        ("X-Request-Id", "x" * 5_000),
        ("Accept", "," * 5_000),
        ("Accept", ";;;"),
        ("Content-Type", "application/\xff"),
    ],
)
def test_other_nonsense_is_ignored(client: Client, name: str, value: str) -> None:
    answer = client.get("/api/hub/market", headers={name.encode(): value.encode("latin-1")})
    assert answer.status_code in {200, 406}
