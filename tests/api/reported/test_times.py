"""Times as programs and people write them: all of RFC 3339, what ISO 8601 allows besides, and how long ago it was."""

from urllib.parse import parse_qs, urlsplit

import pytest

from api.http import reading
from datahub_assets.domain.times import HOUR_MS, iso_short, iso_to_ms
from tests.api.conftest import Client
from tests.api.workers import NOW_MS

ROWS = "/api/hub/ohlc?symbol=BTCUSDT&interval=1h&order=asc"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-22t10:00:00z", "2026-11-22T10:00:00Z"),
        ("2026-11-22T10:00:00z", "2026-11-22T10:00:00Z"),
        ("2026-11-22 10:00:00z", "2026-11-22T10:00:00Z"),
        ("20261122t100000z", "2026-11-22T10:00:00Z"),
        ("2026-w47-7t10:00:00z", "2026-11-22T10:00:00Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T23:59:60.250Z", "2017-01-01T00:00:00.250Z"),
        ("20161231T235960Z", "2017-01-01T00:00:00Z"),
        ("2017-01-01T08:59:60+09:00", "2017-01-01T00:00:00Z"),
        ("2026-11-21T24:00:00", "2026-11-22T00:00:00Z"),
        ("2026-11-21T24:00:00Z", "2026-11-22T00:00:00Z"),
        ("2026-11-21T24:00", "2026-11-22T00:00:00Z"),
        ("2026-12-31T24:00:00.000+01:00", "2026-12-31T23:00:00Z"),
        ("20261121T240000Z", "2026-11-22T00:00:00Z"),
    ],
)
def test_each_way_means_a_moment(written: str, meant: str) -> None:
    found = reading.parse_time("start", written)
    assert found is not None
    assert iso_short(found) == meant


@pytest.mark.parametrize(
    "written",
    [
        *("2026-11-21T24:00:01Z", "2026-11-21T24:30:00Z", "2026-11-21T25:00:00Z", "2026-11-21T23:60:00Z"),
        *("2026-11-21T23:59:61Z", "2026-11-21T23:59:600Z", "-1y", "-h", "+1h", "-1.5h", "NOW", "now-1h", "- 1h"),
    ],
)
def test_what_is_no_moment_is_refused_with_what_would_be(client: Client, written: str) -> None:
    answer = client.get(ROWS, params={"start": written})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    assert "2025-11-25T10:30:00Z" in answer.json()["detail"]
    assert "`-1h`" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("written", "before_ms"),
    [
        ("now", 0),
        ("-90s", 90_000),
        ("-90m", 5_400_000),
        ("-1h", HOUR_MS),
        ("-7d", 168 * HOUR_MS),
        ("-2w", 336 * HOUR_MS),
    ],
)
def test_how_long_ago_it_was(monkeypatch: pytest.MonkeyPatch, written: str, before_ms: int) -> None:
    monkeypatch.setattr(reading, "now_ms", lambda: NOW_MS + 7)
    assert reading.parse_time("start", written) == NOW_MS - before_ms
    assert reading.is_relative(written)


def hours_before_noon(*hours: int) -> list[str]:
    return [iso_short(NOW_MS - one * HOUR_MS) for one in hours]


def test_it_is_reckoned_anew_each_time_and_kept_by_nobody(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{ROWS}&start=-3h"
    sha = client.get(url).headers["x-revision"]
    for pinned in ("", f"&revision={sha}"):
        monkeypatch.setattr(reading, "now_ms", lambda: NOW_MS)
        first = client.get(url + pinned)
        assert [row["timestamp"] for row in first.json()] == [
            iso_short(NOW_MS - hours * HOUR_MS) for hours in (3, 2, 1, 0)
        ]
        monkeypatch.setattr(reading, "now_ms", lambda: NOW_MS + HOUR_MS)
        later = client.get(url + pinned)
        assert [row["timestamp"] for row in later.json()] == [
            iso_short(NOW_MS - hours * HOUR_MS) for hours in (2, 1, 0)
        ]
        assert "immutable" not in later.headers["cache-control"]
        assert later.headers["etag"] != first.headers["etag"]


def test_its_pages_are_of_one_moment(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "now_ms", lambda: NOW_MS)
    first = client.get(f"{ROWS}&start=-3h&limit=2")
    monkeypatch.setattr(reading, "now_ms", lambda: NOW_MS + HOUR_MS)
    url = first.links["next"]["url"]
    assert parse_qs(urlsplit(url).query)["start"] == [iso_short(NOW_MS - 3 * HOUR_MS)]
    rows = [*first.json(), *client.get(url).json()]
    assert [row["timestamp"] for row in rows] == hours_before_noon(3, 2, 1, 0)


def test_as_of_takes_it_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = client.get(ROWS).headers["x-revision"]
    moment = iso_to_ms(client.get("/api/hub/revisions?dataset=ohlc").json()["revisions"][0]["at"])
    monkeypatch.setattr(reading, "now_ms", lambda: moment + 2 * HOUR_MS)
    assert client.get(f"{ROWS}&as_of=-1h").headers["x-revision"] == earlier
