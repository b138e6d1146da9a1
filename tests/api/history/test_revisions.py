"""Any revision can be read: by commit, tag, branch or time, and pages stay on theirs."""

from datetime import UTC, datetime
from typing import Any

import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from localhub.testing import HubServer
from tests.api.conftest import Client, serving, until
from tests.api.history.conftest import INFO, URL, History
from tests.api.workers import HOUR_MS, NOW_MS, Workers, candles, prices


def test_every_commit_can_be_read(client: Client, history: History) -> None:
    for sha, count in reversed(history.commits):
        answer = client.get(f"{URL}&revision={sha}")
        assert answer.headers["x-revision"] == sha
        rows = answer.json()
        assert len(rows) == count
        assert [row["closed"] for row in rows] == [True] * (count - 1) + [False]
    assert client.get(f"{URL}&revision=main").headers["x-revision"] == history.commits[-1][0]


def test_dataset_info_of_older_commits(client: Client, history: History) -> None:
    sha, count = history.commits[2]
    one = client.get(f"/api/hub/dataset-info?dataset=ohlc&revision={sha}")
    assert (one.json()["ohlc"]["revision"], one.json()["ohlc"]["rows"]) == (sha, count)
    assert one.headers["cache-control"].endswith("immutable")
    both = client.get(f"/api/hub/dataset-info?revision=market@{history.market},ohlc@{sha}")
    assert both.headers["x-revision"] == f"market@{history.market},ohlc@{sha}"
    for vague in (f"market@{history.market},junk", f"market@{history.market},market@{history.market}", "market@,"):
        refused = client.get(f"/api/hub/dataset-info?revision={vague}")
        assert (refused.status_code, refused.json()["code"]) == (404, "revision_unknown")
    assert "immutable" not in both.headers["cache-control"], "of datasets that come later it tells as well"
    assert client.get(f"/api/hub/dataset-info?revision={both.headers['x-revision']}").json() == both.json()
    mixed = client.get(f"/api/hub/dataset-info?revision={sha}").json()
    assert (mixed["ohlc"]["revision"], mixed["market"]["revision"]) == (sha, history.market)
    assert client.get("/api/hub/dataset-info?revision=nothing").status_code == 404
    assert client.get(f"/api/hub/dataset-info?revision=nothing@{sha}").status_code == 404


def test_revisions_are_listed_newest_first(client: Client, history: History) -> None:
    listed = client.get("/api/hub/revisions?dataset=ohlc").json()
    shas = [entry["revision"] for entry in listed["revisions"]]
    assert shas[: len(history.commits)] == [sha for sha, _ in reversed(history.commits)]
    assert listed["refs"] == {"main": history.commits[-1][0]}
    assert listed["revisions"][0]["refs"] == ["main"]
    paged = client.get(f"/api/hub/revisions?dataset=ohlc&limit=2&before={shas[1]}").json()["revisions"]
    assert [entry["revision"] for entry in paged] == shas[2:4]


@pytest.mark.parametrize("before", ["0" * 40, "nothing", ""])
def test_there_is_nothing_before_what_is_unknown(client: Client, before: str) -> None:
    answer = client.get("/api/hub/revisions", params={"dataset": "ohlc", "before": before})
    assert (answer.status_code, answer.json()["code"]) == (404, "revision_unknown")
    assert repr(before) in answer.json()["detail"]


def test_before_a_commit_of_another_dataset_is_unknown(client: Client, history: History) -> None:
    url = f"/api/hub/revisions?before={history.market}&dataset="
    assert client.get(f"{url}ohlc").status_code == 404
    assert len(client.get(f"{url}market").json()["revisions"]) > 0


def test_before_the_first_commit_there_is_nothing(client: Client) -> None:
    first = client.get("/api/hub/revisions?dataset=ohlc&limit=1000").json()["revisions"][-1]["revision"]
    assert client.get(f"/api/hub/revisions?dataset=ohlc&before={first}").json()["revisions"] == []
    newest = client.get("/api/hub/revisions?dataset=ohlc&before=main&limit=1").json()["revisions"][0]["revision"]
    assert newest == client.get("/api/hub/revisions?dataset=ohlc&limit=2").json()["revisions"][1]["revision"]


def test_the_list_of_revisions_is_not_sent_twice(client: Client, workers: Workers) -> None:
    url = "/api/hub/revisions?dataset=market"
    first = client.get(url)
    held = {"If-None-Match": first.headers["etag"]}
    again = client.get(url, headers=held)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert client.get(f"{url}&limit=1", headers=held).status_code == 200
    assert client.head(url).headers["etag"] == first.headers["etag"]
    sha = workers.publish(MARKET, prices(at_ms=NOW_MS + HOUR_MS))
    until(lambda: client.get(url, headers=held).status_code == 200)
    assert client.get(url).json()["revisions"][0]["revision"] == sha


def test_as_of_is_the_last_commit_before_a_time(client: Client, history: History) -> None:
    listed = client.get("/api/hub/revisions?dataset=ohlc").json()["revisions"]
    for entry in listed[:-1]:
        assert client.get("/api/hub/ohlc", params=_as_of(entry["at"])).headers["x-revision"] == entry["revision"]
    at = [datetime.fromisoformat(entry["at"]) for entry in listed]
    between = round((at[1].timestamp() + at[0].timestamp()) / 2 * 1000)
    assert client.get("/api/hub/ohlc", params=_as_of(str(between))).headers["x-revision"] == listed[1]["revision"]
    future = datetime(2100, 1, 1, tzinfo=UTC).isoformat()
    assert client.get("/api/hub/ohlc", params=_as_of(future)).headers["x-revision"] == history.commits[-1][0]


def _as_of(time: str) -> dict[str, str]:
    return {"symbol": "BTCUSDT", "as_of": time}


def test_tags_and_branches_are_revisions(client: Client, history: History, hub: HubServer, workers: Workers) -> None:
    from huggingface_hub import HfApi

    HfApi(endpoint=hub.url, token=hub.token).create_tag(
        "local/crypto-ohlc-data", tag="v1", revision=history.commits[0][0], repo_type="dataset"
    )
    before = client.get("/api/hub/market").headers["x-revision"]
    until(lambda: client.get(f"{URL}&revision=v1").status_code == 200)
    assert client.get(f"{URL}&revision=v1").headers["x-revision"] == history.commits[0][0]
    assert client.get("/api/hub/market").headers["x-revision"] == before


def test_pages_stay_on_their_commit_while_new_ones_come(hub: HubServer, tmp_path: Any, workers: Workers) -> None:
    with serving(hub, tmp_path) as client:
        first = client.get("/api/hub/ohlc?symbol=BTCUSDT&limit=20")
        pinned, head = first.headers["x-revision"], first.headers["x-revision"]
        seen = first.json()
        link: str | None = first.links["next"]["url"]
        step = 0
        while link is not None:
            step += 1
            workers.publish(OHLC, candles(("BTCUSDT",), count=3, until_ms=NOW_MS + (6 + step) * HOUR_MS))
            until(lambda: client.get("/api/hub/ohlc?symbol=BTCUSDT&limit=1").headers["x-revision"] != head)  # noqa: B023
            head = client.get("/api/hub/ohlc?symbol=BTCUSDT&limit=1").headers["x-revision"]
            page = client.get(link)
            assert page.headers["x-revision"] == pinned
            seen = page.json() + seen
            link = page.links["next"]["url"] if "next" in page.links else None
        assert seen == client.get(f"{URL}&revision={pinned}").json()


def test_a_cursor_belongs_to_its_query(client: Client) -> None:
    first = client.get("/api/hub/ohlc?symbol=BTCUSDT&limit=20")
    link = first.links["next"]["url"]
    assert client.get(link.replace("limit=20", "limit=5")).status_code == 200
    for other in (link.replace("BTCUSDT", "ETHUSDT"), link + "&order=desc", link + "&closed_only=true"):
        assert client.get(other).json()["code"] == "invalid_cursor"
    assert client.get(link + "&as_of=2020-01-01").status_code in {400, 404}
    assert client.get(f"{link}&revision={first.headers['x-revision']}").status_code == 200


def test_sql_at_a_time_reads_the_datasets_there_were(client: Client, history: History) -> None:
    before_all = client.get("/api/hub/revisions?dataset=market").json()["revisions"][-1]["at"]
    at_ms = round(datetime.fromisoformat(before_all).timestamp() * 1000) - 1
    found = client.get("/api/hub/sql", params={"q": "SELECT count(*) AS n FROM ohlc", "as_of": str(at_ms)})
    assert found.status_code == 200, found.text
    assert "market@" not in found.headers["x-revision"]
    missing = client.get("/api/hub/sql", params={"q": "SELECT count(*) FROM Market", "as_of": str(at_ms)})
    assert (missing.status_code, missing.json()["code"]) == (404, "revision_unknown")
    assert "market has no commit at or before that time" in missing.json()["detail"]
    assert client.get(INFO, params={"as_of": str(at_ms)}).json().keys() == {"ohlc"}
    assert client.get(INFO, params={"as_of": "2001-01-01"}).status_code == 404
