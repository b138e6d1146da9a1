"""What changed between two commits."""

import polars as pl
import pytest

from tests.api.conftest import Client
from tests.api.history.conftest import URL, History


def test_a_difference_is_what_a_join_finds(client: Client, history: History) -> None:
    key = ["symbol", "interval", "timestamp"]
    commits = [sha for sha, _ in history.commits]
    frames = {
        sha: pl.DataFrame(client.get(f"{URL}&columns=*&revision={sha}").json(), infer_schema_length=None)
        for sha in commits
    }
    for earlier, later in [(commits[0], commits[1]), (commits[1], commits[5]), (commits[4], commits[2])]:
        found = client.get(f"/api/hub/diff?dataset=ohlc&from={earlier}&to={later}").json()
        old, new = frames[earlier], frames[later]
        added, removed = new.join(old, on=key, how="anti"), old.join(new, on=key, how="anti")
        both = old.join(new, on=key, suffix="_new")
        changed = both.filter(
            pl.col("close").ne_missing(pl.col("close_new")) | (pl.col("closed") != pl.col("closed_new"))
        )
        assert found["counts"] == {"added": added.height, "changed": changed.height, "removed": removed.height}
        assert found["added"] == added.sort(key).to_dicts()
        assert found["removed"] == removed.sort(key).to_dicts()
        assert [change["after"]["close"] for change in found["changed"]] == changed.sort(key)["close_new"].to_list()
        assert [change["before"]["close"] for change in found["changed"]] == changed.sort(key)["close"].to_list()
        assert (found["from"]["revision"], found["to"]["revision"]) == (earlier, later)


def test_a_commit_differs_from_itself_in_nothing(client: Client, history: History) -> None:
    sha = history.commits[2][0]
    answer = client.get(f"/api/hub/diff?dataset=ohlc&from={sha}&to={sha}")
    assert answer.json()["counts"] == {"added": 0, "changed": 0, "removed": 0}
    assert answer.headers["cache-control"].endswith("immutable")


def test_a_difference_is_asked_for_between_times(client: Client, history: History) -> None:
    listed = client.get("/api/hub/revisions?dataset=ohlc").json()["revisions"]
    one, two = listed[4], listed[1]
    ends = {"dataset": "ohlc", "from_as_of": one["at"], "to_as_of": two["at"]}
    found = client.get("/api/hub/diff", params=ends)
    named = client.get(f"/api/hub/diff?dataset=ohlc&from={one['revision']}&to={two['revision']}")
    assert found.content == named.content
    assert (found.headers["cache-control"], found.headers["x-revision"]) == ("private, no-cache", two["revision"])


@pytest.mark.parametrize(
    ("ends", "named"),
    [
        ("", "from_as_of"),
        ("&from=main&from_as_of=2026-11-22", "from_as_of"),
        ("&from=main&to=main&to_as_of=2026-11-22", "to_as_of"),
        ("&from_as_of=yesterday", "from_as_of"),
    ],
)
def test_the_ends_of_a_difference_are_named_once(client: Client, history: History, ends: str, named: str) -> None:
    answer = client.get(f"/api/hub/diff?dataset=ohlc{ends}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    assert named in answer.json()["detail"]


def test_a_difference_is_of_the_commit_it_leads_to(client: Client, history: History) -> None:
    (one, _), (two, _), (three, _) = history.commits[:3]
    urls = [f"/api/hub/diff?dataset=ohlc&from={earlier}&to={three}" for earlier in (one, two)]
    answers = [client.get(url) for url in urls]
    assert [answer.headers["x-revision"] for answer in answers] == [three, three]
    assert answers[0].headers["etag"] != answers[1].headers["etag"]
    assert [answer.json()["from"]["revision"] for answer in answers] == [one, two]


def test_a_long_difference_is_cut_and_says_so(client: Client, history: History) -> None:
    found = client.get(f"/api/hub/diff?dataset=ohlc&from={history.commits[0][0]}&limit=2").json()
    assert found["truncated"]
    assert len(found["added"]) == 2
    assert found["counts"]["added"] > 2
