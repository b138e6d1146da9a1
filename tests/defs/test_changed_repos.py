"""What others did to a repo on the Hub is found by the chains, and told by their checks."""

from dataclasses import replace

from huggingface_hub import HfApi

from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.data_files import is_sealed, is_small
from datahub_assets.domain.times import DAY_MS, MINUTE_MS
from tests.defs.conftest import Bench, on_hub, verdicts


def test_what_the_hub_lost_is_found_out(bench: Bench) -> None:
    bench.run(MARKET)
    hub = bench.hub
    api = HfApi(endpoint=bench.server.url, token=bench.datahub.settings.owner_token())
    path = next(path for path in hub.files(MARKET, revision="main") if "/live/" in path)
    api.delete_file(path, hub.repo_id(MARKET), repo_type="dataset")
    with bench.datahub.cache() as cache:  # as if that commit had been ours
        seen = cache.repo(MARKET).load()
        assert seen is not None
        files = {name: file for name, file in seen.files.items() if name != path}
        cache.repo(MARKET).save(replace(seen, head=hub.head(MARKET), files=files))
    bench.coingecko.hold()
    result = bench.run(MARKET)
    passed, description = verdicts(result)["hub_equals_cache"]
    assert not passed
    assert "20 rows are not on the Hub" in (description or "")


def test_lost_rows_fail_the_check_while_they_are_gone_and_not_once_they_are_back(bench: Bench) -> None:
    bench.run(MARKET)
    bench.clock.advance(MINUTE_MS)
    hub = bench.hub
    api = HfApi(endpoint=bench.server.url, token=bench.datahub.settings.owner_token())
    path = next(path for path in hub.files(MARKET, revision="main") if "/live/" in path)
    api.delete_file(path, hub.repo_id(MARKET), repo_type="dataset")
    result = bench.run(MARKET)
    assert result.success
    assert verdicts(result)["rows_never_shrink"] == (True, None), "the cache had them"
    assert on_hub(bench, MARKET) == 40

    with bench.datahub.cache() as cache:
        cache.table(MARKET).delete("commit_id IS NOT NULL")
    for path in [path for path in hub.files(MARKET, revision="main") if "/live/" in path]:
        api.delete_file(path, hub.repo_id(MARKET), repo_type="dataset")
    for _ in range(4):
        bench.clock.advance(MINUTE_MS)
        passed, description = verdicts(bench.run(MARKET))["rows_never_shrink"]
        assert not passed, "new rows do not make up for those that are gone"
        assert "40 rows that were there are gone" in (description or "")
    assert on_hub(bench, MARKET) > 40


def test_a_card_a_person_rewrote_fails_no_check(bench: Bench) -> None:
    bench.run(MARKET)
    bench.server.commit(bench.hub.repo_id(MARKET), {"README.md": b"# My notes\n"})
    for ticks in (2, 3):
        bench.clock.advance(MINUTE_MS)
        result = bench.run(MARKET)
        assert result.success
        assert verdicts(result)["rows_never_shrink"] == (True, None)
        assert bench.status(MARKET)["rows"] == on_hub(bench, MARKET) == 20 * ticks


def test_a_damaged_sealed_file_is_named_and_rows_go_out_without_it(bench: Bench) -> None:
    bench.run(MARKET)
    bench.clock.advance(DAY_MS)
    assert bench.run(MARKET).success
    (path,) = (path for path in bench.hub.files(MARKET, revision="main") if is_sealed(MARKET, path))
    bench.server.commit(bench.hub.repo_id(MARKET), {path: b"PAR1"})
    bench.clock.advance(MINUTE_MS)
    result = bench.run(MARKET)
    assert result.success
    assert verdicts(result)["hub_equals_cache"] == (True, None)
    passed, description = verdicts(result)["files_readable"]
    assert not passed
    assert (description or "").startswith("1 files are damaged, and readers fail on them; put back an earlier version")
    assert (description or "").endswith(path)


def test_a_copy_of_a_file_is_named_left_alone_and_not_counted(bench: Bench, spec: DatasetSpec) -> None:
    bench.run(spec)
    hub = bench.hub
    path = next(path for path in hub.files(spec, revision="main") if is_small(spec, path))
    extra = f"{path.rpartition('/')[0]}/extra.parquet"
    content = hub.read(spec, path, revision="main")
    bench.server.commit(hub.repo_id(spec), {extra: content, "data/notes.txt": b"mine", "data/broken.parquet": b"PAR1"})
    for tick in (1, 2):
        before = on_hub(bench, spec)
        bench.clock.advance(60 * MINUTE_MS)
        result = bench.run(spec)
        assert result.success
        passed, description = verdicts(result)["no_foreign_files"]
        assert not passed
        assert "2 files below data/ are not of this dataset" in (description or "")
        assert (description or "").endswith(
            f"delete them on the Hub: {', '.join(sorted([extra, 'data/broken.parquet']))}"
        )
        assert on_hub(bench, spec) - before == (20 if spec is MARKET else 2), f"tick {tick}: copies are not counted"
        assert verdicts(result)["rows_never_shrink"] == (True, None)
        assert hub.read(spec, extra, revision="main") == content

    api = HfApi(endpoint=bench.server.url, token=bench.datahub.settings.owner_token())
    for gone in (extra, "data/broken.parquet"):
        api.delete_file(gone, hub.repo_id(spec), repo_type="dataset")
    bench.clock.advance(60 * MINUTE_MS)
    result = bench.run(spec)
    assert all(passed for passed, _ in verdicts(result).values())
    said = [entry.user_message for entry in bench.instance.all_logs(result.run_id)]
    assert not any("lost files" in line for line in said), "nothing of ours is gone"
