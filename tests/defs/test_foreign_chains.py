"""Datasets the product does not know, as chains: their definitions, and a run from their upstream to the Hub."""

from collections.abc import Iterator
from importlib import import_module

import dagster as dg
import pytest
from huggingface_hub import HfApi

from datahub_assets.datasets.ledgers import parts_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs import chain
from datahub_assets.defs.jobs import chain_definitions
from datahub_assets.defs.resources import KEY, DataHubResource
from datahub_assets.settings import Settings
from tests.dataset_settings import changed
from tests.datasets.field_service import INCIDENTS as TOLD_INCIDENTS
from tests.datasets.field_service import RECEIPTS as TOLD_RECEIPTS
from tests.datasets.field_service import REGISTERS, FieldService
from tests.datasets.foreign import INCIDENTS, RECEIPTS
from tests.defs.conftest import Bench
from tests.fakes import Clock

ROWS = {"incidents": TOLD_INCIDENTS, "receipts": TOLD_RECEIPTS * len(REGISTERS)}
CACHE_CHECKS = {"columns_and_types", "key_unique", "not_ahead", "numbers_plausible"}
HUB_CHECKS = {"rows_never_shrink", "hub_equals_cache", "no_foreign_files", "files_readable"}


@pytest.fixture
def service(clock: Clock) -> Iterator[FieldService]:
    with FieldService(clock=clock) as service:
        yield service


@pytest.fixture(params=[INCIDENTS, RECEIPTS], ids=lambda spec: str(spec.name))
def spec(request: pytest.FixtureRequest) -> DatasetSpec:
    return request.param  # type: ignore[no-any-return]


def definitions(spec: DatasetSpec, datahub: DataHubResource) -> dg.Definitions:
    source = import_module(f"field_{spec.name}.asset").source_asset
    chains = chain_definitions(spec, source=source, settings=datahub.settings)
    return dg.Definitions.merge(chains, dg.Definitions(resources={KEY: datahub}, executor=dg.in_process_executor))


def with_settings(settings: Settings, spec: DatasetSpec, *, url: str) -> Settings:
    return changed(settings, spec.settings, **{f"{spec.name}_url": url})


def test_a_chain_is_made_of_the_spec_alone(spec: DatasetSpec) -> None:
    settings = with_settings(Settings.from_env({}), spec, url="http://127.0.0.1:9")
    repository = definitions(spec, DataHubResource(settings)).get_repository_def()
    graph = repository.asset_graph
    assert graph.get_all_asset_keys() == set(chain.keys(spec))
    checks: dict[dg.AssetKey, set[str]] = {}
    for check in graph.asset_check_keys:
        checks.setdefault(check.asset_key, set()).add(check.name)
    source, cached, published = chain.keys(spec)
    assert checks == {source: {"all_rows_accepted"}, cached: CACHE_CHECKS, published: HUB_CHECKS}
    assert repository.get_job(chain.job_name(spec)).tags["dagster/max_runtime"] == "600"
    assert repository.get_sensor_def(chain.sensor_name(spec)).minimum_interval_seconds == 60


def test_a_run_brings_its_rows_to_the_hub(bench: Bench, service: FieldService, spec: DatasetSpec) -> None:
    settings = with_settings(bench.datahub.settings, spec, url=service.url)
    datahub = DataHubResource(settings, clock=bench.clock.now_ms)
    with datahub.cache() as cache:
        for part in parts_of(spec):
            cache.table(part).create()
    job = definitions(spec, datahub).resolve_job_def(chain.job_name(spec))
    result = job.execute_in_process(instance=bench.instance, raise_on_error=False)
    assert result.success
    assert {e.check_name: e.description for e in result.get_asset_check_evaluations() if not e.passed} == {}
    (landed,) = [e for e in result.get_asset_materialization_events() if e.asset_key == chain.source_key(spec)]
    facts = {name: value.value for name, value in landed.materialization.metadata.items()}
    assert (facts["dagster/row_count"], facts["rejected"]) == (ROWS[spec.name], 0)
    assert "['" not in str(facts["preview"]), "lists are shown as people write them"
    (told,) = [e for e in result.get_asset_materialization_events() if e.asset_key == chain.hub_key(spec)]
    assert told.materialization.metadata["rows_published"].value == ROWS[spec.name]
    files = HfApi(endpoint=bench.server.url).list_repo_files(bench.hub.repo_id(spec), repo_type="dataset")
    assert [path for path in files if path.startswith("data/")]
