"""The commit budget: shared by the datasets, kept across restarts, shrinking after a 429 and slow to recover."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS, SECOND_MS
from datahub_assets.settings import Settings
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.commit_budget import DEFAULT_PAUSE_MS, LEAST_SHARE, CommitLimits
from datahub_assets.stores.hub.account import hub_of
from localhub.testing import HubServer
from tests.stores.world import START_MS, Site, assert_settled, candles, market

HOURS = 6
BOTH = (MARKET, OHLC)
DEFAULTS = CommitLimits(publish_interval_s=60, commits_per_hour=120, with_own=True, datasets=BOTH)


def limited(interval_s: int, commits_per_hour: int) -> CommitLimits:
    return CommitLimits(interval_s, commits_per_hour, datasets=BOTH)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache.open(tmp_path / "cache.sqlite3") as opened:
        yield opened


def commit(cache: Cache, at_ms: int, *, spec=MARKET) -> None:  # type: ignore[no-untyped-def]
    sha = f"{at_ms:020d}{spec.name:>20}"
    cache.repo(spec).add_commit(repo="r", sha=sha, at_ms=at_ms, rows=1, size=1)


def wait(cache: Cache, now_ms: int, *, limits: CommitLimits = DEFAULTS, spec=MARKET) -> int:  # type: ignore[no-untyped-def]
    return cache.budget.wait(spec, limits=limits, now_ms=now_ms).ms


def limits_of(**variables: str) -> CommitLimits:
    return CommitLimits.of(Settings.from_env({f"DATAHUB_{name}": value for name, value in variables.items()}))


def on_hugging_face(**variables: str) -> CommitLimits:
    named = {f"DATAHUB_{name}": value for name, value in variables.items()}
    return CommitLimits.of(Settings.from_env({"HF_TOKEN": "hf_x", **named}))


ALL = tuple(DATASETS.values())


def test_a_hub_that_counts_no_commits_has_no_budget_unless_the_settings_say_so() -> None:
    assert limits_of() == CommitLimits(60, None, datasets=ALL)
    assert limits_of(COMMITS_PER_HOUR="7", DATASETS="ohlc") == CommitLimits(60, 7, datasets=(OHLC,))


def test_on_hugging_face_datasets_have_their_own_intervals_and_the_budget_is_enough_for_all() -> None:
    limits = on_hugging_face()
    assert limits == CommitLimits(60, 126, with_own=True, datasets=ALL)
    assert [limits.interval_s(spec) for spec in BOTH] == [60, 60]
    assert limits.interval_s(DATASETS["listings"]) == 3600
    assert limits.stretch(126) == 1
    assert limits.told().endswith("; 126 an hour over all")


def test_an_interval_of_the_settings_holds_for_all() -> None:
    limits = on_hugging_face(PUBLISH_INTERVAL_S="300")
    assert {limits.interval_s(spec) for spec in ALL} == {300}


def test_without_a_budget_commits_keep_their_distance_alone(cache: Cache) -> None:
    limits = CommitLimits(60, None, datasets=BOTH)
    for second in range(200):
        commit(cache, START_MS + second * SECOND_MS)
    assert wait(cache, START_MS + 259 * SECOND_MS, limits=limits) == 0
    assert cause(cache, START_MS + 200 * SECOND_MS, limits) == "the publish interval of 60 s"


def test_the_first_commit_need_not_wait(cache: Cache) -> None:
    assert wait(cache, START_MS) == 0


@pytest.mark.parametrize(("limits", "spacing_s"), [(DEFAULTS, 60), (limited(300, 120), 300), (limited(60, 24), 300)])
def test_commits_keep_the_wished_distance_or_the_even_share(cache: Cache, limits: CommitLimits, spacing_s: int) -> None:
    commit(cache, START_MS)
    assert 0 < wait(cache, START_MS, limits=limits) <= spacing_s * SECOND_MS
    assert wait(cache, START_MS + (spacing_s - 16) * SECOND_MS, limits=limits) > 0
    assert wait(cache, START_MS + spacing_s * SECOND_MS, limits=limits) == 0


@pytest.mark.parametrize(("own_s", "spacing_s"), [(0, 60), (30, 60), (900, 900)])
def test_a_dataset_may_want_a_longer_distance_than_the_setting(cache: Cache, own_s: int, spacing_s: int) -> None:
    spec = replace(MARKET, publish_interval_s=own_s)
    commit(cache, START_MS)
    assert wait(cache, START_MS + (spacing_s - 16) * SECOND_MS, spec=spec) > 0
    assert wait(cache, START_MS + spacing_s * SECOND_MS, spec=spec) == 0
    told = cache.budget.wait(spec, limits=DEFAULTS, now_ms=START_MS).cause
    assert told == f"the publish interval of {spacing_s} s"


def cause(cache: Cache, now_ms: int, limits: CommitLimits) -> str:
    return cache.budget.wait(MARKET, limits=limits, now_ms=now_ms).cause


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (DEFAULTS, "the publish interval of 60 s"),
        (limited(300, 120), "the publish interval of 300 s"),
        (limited(60, 24), "the commit budget of 24 an hour"),
    ],
)
def test_it_is_said_whether_the_interval_or_the_budget_asks_to_wait(
    cache: Cache, limits: CommitLimits, said: str
) -> None:
    commit(cache, START_MS)
    assert cause(cache, START_MS + SECOND_MS, limits) == said


def test_it_is_said_when_the_hour_is_used_up_and_when_the_hub_asks_for_a_pause(cache: Cache) -> None:
    for second in range(4):
        commit(cache, START_MS + second * SECOND_MS, spec=OHLC)
    assert cause(cache, START_MS + MINUTE_MS, limited(1, 4)) == "the commit budget of 4 an hour"
    cache.budget.refused(retry_after_s=3600, now_ms=START_MS + MINUTE_MS)
    assert cause(cache, START_MS + MINUTE_MS, limited(1, 4)) == "the pause the Hub asked for"
    commit(cache, START_MS + HOUR_MS)
    later = cause(cache, START_MS + HOUR_MS + 5 * MINUTE_MS, limited(1, 4))
    assert later == "the commit budget of 2 an hour (4 until the Hub refused some)"


def test_a_tick_that_is_a_little_early_is_not_skipped(cache: Cache) -> None:
    commit(cache, START_MS)
    assert wait(cache, START_MS + 55 * SECOND_MS) == 0


def test_the_other_dataset_has_its_own_distance_but_shares_the_hour(cache: Cache) -> None:
    limits = limited(1, 4)
    for quarter in range(4):
        commit(cache, START_MS + quarter * 10 * MINUTE_MS)
    now_ms = START_MS + 31 * MINUTE_MS
    assert wait(cache, now_ms, limits=limits, spec=OHLC) == START_MS + HOUR_MS - now_ms
    assert wait(cache, START_MS + HOUR_MS, limits=limits, spec=OHLC) == 0


@pytest.mark.parametrize("limits", [DEFAULTS, limited(60, 30), limited(1, 7), limited(300, 120)])
def test_hours_of_ticks_never_passes_the_budget_and_uses_it(cache: Cache, limits: CommitLimits) -> None:
    allowed = limits.commits_per_hour or 0
    landed: list[int] = []
    for tick in range(HOURS * 60):
        for number, spec in enumerate((MARKET, OHLC)):
            now_ms = START_MS + tick * MINUTE_MS + number * 7 * SECOND_MS + (tick * 7919 % 9) * SECOND_MS
            if wait(cache, now_ms, limits=limits, spec=spec) == 0:
                commit(cache, now_ms, spec=spec)
                landed.append(now_ms)
    one_too_many = zip(landed, landed[allowed:], strict=False)
    assert all(after - before >= HOUR_MS for before, after in one_too_many)
    possible = min(allowed, 2 * 3600 // max(60, limits.publish_interval_s)) * HOURS
    assert len(landed) >= 0.75 * possible


def test_a_429_pauses_then_halves_and_the_budget_comes_back_slowly(cache: Cache) -> None:
    cache.budget.refused(retry_after_s=600, now_ms=START_MS)
    assert wait(cache, START_MS) == 600 * SECOND_MS
    assert wait(cache, START_MS + 600 * SECOND_MS) == 0
    strain = cache.budget.strain()
    assert strain.share_at(START_MS) == pytest.approx(0.5)
    assert strain.share_at(START_MS + 2 * HOUR_MS) == pytest.approx(0.7)
    assert strain.share_at(START_MS + 24 * HOUR_MS) == 1

    commit(cache, START_MS + HOUR_MS)
    assert wait(cache, START_MS + HOUR_MS + 60 * SECOND_MS) > 0, "half the budget, twice the distance"


def test_again_and_again_a_429_leaves_a_tenth(cache: Cache) -> None:
    for minute in range(10):
        strain = cache.budget.refused(retry_after_s=None, now_ms=START_MS + minute * MINUTE_MS)
    assert strain.share == pytest.approx(LEAST_SHARE)
    assert strain.paused_until == START_MS + 9 * MINUTE_MS + DEFAULT_PAUSE_MS


def test_an_endless_retry_after_is_cut_to_an_hour(cache: Cache) -> None:
    cache.budget.refused(retry_after_s=1e9, now_ms=START_MS)
    assert wait(cache, START_MS) == HOUR_MS
    assert wait(cache, START_MS + HOUR_MS) == 0


def test_a_clock_that_was_ahead_stops_nothing(site: Site) -> None:
    """For one tick the machine believed to be hours ahead, and the Hub refused something at that time, too."""
    site.limits = DEFAULTS
    ahead = START_MS + 8 * HOUR_MS
    for spec, fetch in ((MARKET, market), (OHLC, candles)):
        site.tick(spec, fetch(START_MS), now_ms=ahead)
        with Cache.open(site.cache_path) as cache:
            cache.budget.refused(retry_after_s=3000, now_ms=ahead)
        later = START_MS + MINUTE_MS
        assert site.tick(spec, fetch(later), now_ms=later).commit is not None
        assert site.tick(spec, fetch(later + 1000), now_ms=later + 1000).commit is None, "the interval holds as ever"


def test_the_budget_survives_a_restart(tmp_path: Path) -> None:
    with Cache.open(tmp_path / "cache.sqlite3") as cache:
        cache.budget.refused(retry_after_s=60, now_ms=START_MS)
    with Cache.open(tmp_path / "cache.sqlite3") as cache:
        assert wait(cache, START_MS) == 60 * SECOND_MS


def test_ticks_coalesce_when_the_budget_is_short(site: Site) -> None:
    site.limits = limited(300, 120)
    commits = 0
    for minute in range(11):
        now_ms = START_MS + minute * MINUTE_MS
        published = site.tick(OHLC, candles(now_ms), now_ms=now_ms)
        commits += published.commit is not None
        if published.commit is None:
            assert published.reason is not None
            assert published.reason.startswith("the publish interval of 300 s allows the next commit in ")
            assert "rows wait" in published.reason
    assert commits == 3
    assert_settled(OHLC, site, candles(START_MS + 10 * MINUTE_MS))


def test_a_publish_that_is_not_allowed_does_not_ask_the_hub(site: Site, server: HubServer) -> None:
    site.limits = DEFAULTS
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    server.faults.seen.clear()
    site.tick(MARKET, market(START_MS + 20_000), now_ms=START_MS + 20_000)
    assert server.faults.seen == []


def test_whoami_is_asked_once_and_again_for_another_token(tmp_path: Path, server: HubServer) -> None:
    tokens = [server.add_user("first-who"), server.add_user("second-who")]
    with Cache.open(tmp_path / "cache.sqlite3") as cache:
        for token, name, asked in [(0, "first-who", 1), (0, "first-who", 0), (1, "second-who", 1)]:
            settings = Settings.from_env({"HF_TOKEN": tokens[token], "HF_ENDPOINT": server.url})
            server.faults.seen.clear()
            assert hub_of(settings, cache).namespace == name
            assert server.faults.seen.count("GET /api/whoami-v2") == asked
        named = Settings.from_env({"HF_TOKEN": tokens[0], "HF_ENDPOINT": server.url, "HF_USERNAME": "an-org"})
        assert hub_of(named, cache).namespace == "an-org"
        assert hub_of(Settings.from_env({"DATAHUB_HOME": str(tmp_path)}), cache).namespace == "local"
        stored = repr(cache.database.rows("SELECT * FROM hub_facts"))
        assert not any(token in stored for token in tokens)
