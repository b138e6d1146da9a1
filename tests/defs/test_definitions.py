"""All definitions at a glance: what a person sees in Dagster, and nothing that hides behind a typo."""

import dagster as dg
import pytest
from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy

from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.definitions import build
from datahub_assets.domain.errors import DatasetInvalid
from datahub_assets.settings import Settings

ASSETS = {
    "market_prices": ("market_prices", []),
    "sqlite_cache/cached_market_data": ("market_prices", ["market_prices"]),
    "hf_dataset/crypto_market_data": ("market_prices", ["sqlite_cache/cached_market_data"]),
    "ohlc_candles": ("ohlc_candles", []),
    "sqlite_cache/cached_ohlc": ("ohlc_candles", ["ohlc_candles"]),
    "hf_dataset/crypto_ohlc_data": ("ohlc_candles", ["ohlc_candles_history", "sqlite_cache/cached_ohlc"]),
    "ohlc_candles_history": ("ohlc_candles", []),
}
TWO = {"DATAHUB_DATASETS": "market,ohlc"}
HISTORIES = {"ohlc_candles_history"}
CACHE_CHECKS = {"columns_and_types", "key_unique", "not_ahead", "numbers_plausible"}
HUB_CHECKS = {"rows_never_shrink", "hub_equals_cache", "no_foreign_files", "files_readable"}
CHECKS = {
    "market_prices": {"all_rows_accepted"},
    "sqlite_cache/cached_market_data": CACHE_CHECKS,
    "hf_dataset/crypto_market_data": HUB_CHECKS,
    "ohlc_candles": {"all_rows_accepted"},
    "sqlite_cache/cached_ohlc": CACHE_CHECKS,
    "hf_dataset/crypto_ohlc_data": {*HUB_CHECKS, "no_gaps_unasked"},
}


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    return build(Settings.from_env(TWO)).get_repository_def()


def test_assets_groups_and_lineage(repository: dg.RepositoryDefinition) -> None:
    graph = repository.asset_graph
    found = {
        key.to_user_string(): (
            graph.get(key).group_name,
            sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
        )
        for key in graph.get_all_asset_keys()
    }
    assert found == ASSETS


def test_checks_and_which_of_them_stop_a_publish(repository: dg.RepositoryDefinition) -> None:
    graph = repository.asset_graph
    found: dict[str, set[str]] = {}
    for check in graph.asset_check_keys:
        found.setdefault(check.asset_key.to_user_string(), set()).add(check.name)
        assert graph.get_check_spec(check).blocking == check.asset_key.to_user_string().startswith("sqlite_cache/")
    assert found == CHECKS


def test_every_live_asset_has_a_freshness_policy_and_its_chains_pool(repository: dg.RepositoryDefinition) -> None:
    for key in repository.asset_graph.get_all_asset_keys():
        node = repository.asset_graph.get(key)
        if key.to_user_string() in HISTORIES:
            assert (node.freshness_policy, node.pools) == (None, {"history"})
            continue
        policy = node.freshness_policy
        assert isinstance(policy, TimeWindowFreshnessPolicy)
        windows = (policy.warn_window, policy.fail_window)
        assert [window and window.to_timedelta().total_seconds() for window in windows] == [180, 600]
        assert node.pools == {node.group_name}


def test_jobs_sensors_and_schedules(repository: dg.RepositoryDefinition) -> None:
    jobs = {"market_prices_job", "ohlc_candles_job", "hub_maintenance"}
    jobs |= {"ohlc_candles_history_commit_job", "ohlc_candles_history_fill_job"}
    assert {name for name in repository.job_names if not name.startswith("__")} == jobs
    sensors = {s.name: (s.minimum_interval_seconds, s.default_status.value) for s in repository.sensor_defs}
    assert sensors == {
        "market_prices_sensor": (60, "RUNNING"),
        "ohlc_candles_sensor": (60, "RUNNING"),
        "ohlc_candles_history_commit_sensor": (10, "RUNNING"),
        "ohlc_candles_history_fill_sensor": (10, "RUNNING"),
        "run_retention_sensor": (600, "RUNNING"),
    }
    assert {s.name: s.default_status.value for s in repository.schedule_defs} == {"hub_maintenance_schedule": "STOPPED"}


def test_a_chain_runs_in_one_process_under_its_own_tag(repository: dg.RepositoryDefinition) -> None:
    job = repository.get_job("ohlc_candles_job")
    assert job.executor_def.name == "in_process"
    assert job.tags["datahub/chain"] == "ohlc"
    assert float(job.tags["dagster/max_runtime"]) >= 600


def test_history_has_a_partition_for_each_month_of_each_group(repository: dg.RepositoryDefinition) -> None:
    history = repository.asset_graph.get(dg.AssetKey("ohlc_candles_history")).partitions_def
    assert isinstance(history, dg.MultiPartitionsDefinition)
    keys = {one.name: one.partitions_def.get_partition_keys() for one in history.partitions_defs}
    assert (keys["group"][0], keys["month"][0], len(keys["group"])) == ("1m", "2017-08", 12)


def test_the_tick_follows_the_setting_unless_the_dataset_wants_fewer() -> None:
    repository = build(Settings.from_env({"DATAHUB_TICK_S": "5"})).get_repository_def()
    assert repository.get_sensor_def("ohlc_candles_sensor").minimum_interval_seconds == 5
    assert repository.get_sensor_def("exchange_listings_sensor").minimum_interval_seconds == 300


def test_all_datasets_are_collected_unless_some_are_chosen() -> None:
    repository = build(Settings.from_env({})).get_repository_def()
    keys = {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}
    assert keys >= {spec.source_asset for spec in DATASETS.values()}
    chosen = build(Settings.from_env({"DATAHUB_DATASETS": "ohlc"})).get_repository_def()
    found = {key.to_user_string() for key in chosen.asset_graph.get_all_asset_keys()}
    assert found == {name for name, (group, _) in ASSETS.items() if group == "ohlc_candles"}


def test_a_package_without_its_source_asset_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datahub_assets.definitions.PACKAGES", {"datahub_assets.datasets.candles": MARKET})
    with pytest.raises(DatasetInvalid, match=r"candles\.asset\.source_asset must be the asset 'market_prices'"):
        build(Settings.from_env({"DATAHUB_DATASETS": "market"}))


def test_no_secret_can_be_read_from_what_dagster_stores(repository: dg.RepositoryDefinition) -> None:
    secret = "hf_" + "s" * 30
    repository = build(Settings.from_env({"HF_TOKEN": secret, "COINGECKO_API_KEY": secret})).get_repository_def()
    for name in ("market_prices_job", "ohlc_candles_job"):
        job = repository.get_job(name)
        assert secret not in repr(job.get_job_snapshot())
        assert secret not in repr(repository.get_top_level_resources())
