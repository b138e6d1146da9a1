"""The asset checks every dataset has: when they are asked and what follows."""

from collections.abc import Collection, Iterator
from typing import Any

import dagster as dg

from datahub_assets.datasets.ledgers import gaps_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs import chain
from datahub_assets.defs.checks import read_back, rules
from datahub_assets.defs.resources import KEY, DataHubResource
from datahub_assets.domain.errors import HubContentInvalid, HubError
from datahub_assets.domain.files.data_files import is_foreign
from datahub_assets.stores.publish import chain_facts, losses
from datahub_assets.stores.publish.publisher import MOST_ROWS

Verdicts = Iterator[dg.AssetCheckResult]
ROWS_NOTE = "most_rows"
_NAMED_FILES = 10


def cache_checks(spec: DatasetSpec) -> dg.AssetChecksDefinition:
    """What waits for the Hub is fit to be published; blocking, as a commit is for good."""
    key = chain.cache_key(spec)
    all_rules = rules.of(spec)

    @dg.multi_asset_check(
        name=f"{spec.cache_table}_checks",
        specs=[
            dg.AssetCheckSpec(rule.name, asset=key, blocking=True, description=rule.description) for rule in all_rules
        ],
        required_resource_keys={KEY},
        pool=chain.group(spec),
    )
    def checks(context: dg.AssetCheckExecutionContext) -> Verdicts:
        datahub: DataHubResource = context.resources.datahub
        with datahub.cache() as cache:
            waiting = cache.unpublished(spec, limit=MOST_ROWS).frame  # what the next commit carries
        for rule in all_rules:
            broken = rule.broken(waiting, datahub.clock())
            yield _verdict(key, rule.name, problems=broken, metadata={"rows_checked": waiting.height})

    return checks


def hub_checks(spec: DatasetSpec) -> dg.AssetChecksDefinition:
    """What the Hub holds is what was sent; nothing is published anymore when these are asked."""
    key = chain.hub_key(spec)
    specs = [
        dg.AssetCheckSpec(
            "rows_never_shrink", asset=key, description="The dataset has no fewer rows than it ever had."
        ),
        dg.AssetCheckSpec(
            "hub_equals_cache", asset=key, description="The last commit, read back, holds what was sent."
        ),
        dg.AssetCheckSpec(
            "no_foreign_files", asset=key, description="Below data/ there are only the files that publishing writes."
        ),
        dg.AssetCheckSpec("files_readable", asset=key, description="No sealed file of the dataset is damaged."),
    ]
    if gaps_of(spec) is not None:
        specs.append(
            dg.AssetCheckSpec(
                "no_gaps_unasked", asset=key, description="Upstream was asked for all gaps of what is collected."
            )
        )

    @dg.multi_asset_check(
        name=f"{spec.hub_asset}_checks", specs=specs, required_resource_keys={KEY}, pool=chain.group(spec)
    )
    def checks(context: dg.AssetCheckExecutionContext) -> Verdicts:
        datahub: DataHubResource = context.resources.datahub
        yield _rows_never_shrink(spec, datahub)
        yield _hub_equals_cache(spec, datahub)
        yield _no_foreign_files(spec, datahub)
        yield _files_readable(spec, datahub)
        if gaps_of(spec) is not None:
            yield _no_gaps_unasked(spec, datahub)

    return checks


def _rows_never_shrink(spec: DatasetSpec, datahub: DataHubResource) -> dg.AssetCheckResult:
    """Against the most rows this repo ever had, and what others took: new rows do not make up for a loss."""
    with datahub.cache() as cache:
        seen = cache.repo(spec).load()
        most = cache.note(spec, ROWS_NOTE, default={"repo": None, "rows": 0})
        before = most["rows"] if seen is not None and most["repo"] == seen.repo else 0
        rows = None if seen is None else seen.rows
        owed = 0 if seen is None else losses.owed(spec, repo=seen.repo, cache=cache)
        if seen is not None and rows is not None and rows >= before:
            cache.set_note(spec, ROWS_NOTE, {"repo": seen.repo, "rows": rows})
    problems = [f"{rows:,} rows, and there were {before:,}"] if rows is not None and rows < before else []
    if owed:
        problems.append(f"{owed:,} rows that were there are gone, and the cache has them no more")
    told = "not counted yet" if rows is None else rows
    return _verdict(
        chain.hub_key(spec), "rows_never_shrink", problems=problems, metadata={"rows": told, "most_rows": before}
    )


def _hub_equals_cache(spec: DatasetSpec, datahub: DataHubResource) -> dg.AssetCheckResult:
    severity = dg.AssetCheckSeverity.ERROR
    with datahub.cache() as cache:
        try:
            sample = read_back.compare(spec, cache=cache, hub=datahub.hub(cache))
        except HubError as error:
            if not isinstance(error, HubContentInvalid):  # nothing is known to be wrong; the next tick looks again
                severity = dg.AssetCheckSeverity.WARN
            sample = read_back.Sample(problems=[f"could not be read back: {error}"])
    return _verdict(
        chain.hub_key(spec),
        "hub_equals_cache",
        problems=sample.problems,
        metadata={"rows_compared": sample.rows, "files_read": sample.files, "commit": sample.commit or "none yet"},
        severity=severity,
    )


def _no_foreign_files(spec: DatasetSpec, datahub: DataHubResource) -> dg.AssetCheckResult:
    """At the head as last seen. Publishing leaves them alone: they may be all that somebody has of something."""
    with datahub.cache() as cache:
        seen = cache.repo(spec).load()
    foreign = [path for path in (seen.files if seen else ()) if is_foreign(spec, path)]
    why = (
        "below data/ are not of this dataset, and readers get their rows as well, so that keys come twice; delete them "
        "on the Hub"
    )
    return _of_files(spec, "no_foreign_files", foreign, why=why, counted="foreign_files")


def _files_readable(spec: DatasetSpec, datahub: DataHubResource) -> dg.AssetCheckResult:
    """At the head as last seen. Publishing goes on without them, and readers fail on them."""
    with datahub.cache() as cache:
        seen = cache.repo(spec).load()
    why = "are damaged, and readers fail on them; put back an earlier version of them on the Hub, or delete them there"
    return _of_files(spec, "files_readable", seen.unreadable if seen else (), why=why, counted="damaged_files")


def _of_files(spec: DatasetSpec, check: str, paths: Collection[str], *, why: str, counted: str) -> dg.AssetCheckResult:
    """The verdict on files that should not be there, or not like this."""
    told = f"{len(paths)} files {why}: {', '.join(sorted(paths)[:_NAMED_FILES])}"
    problems = [told] if paths else []
    return _verdict(chain.hub_key(spec), check, problems=problems, metadata={counted: len(paths)})


def _no_gaps_unasked(spec: DatasetSpec, datahub: DataHubResource) -> dg.AssetCheckResult:
    """Of series that are still collected: about the others upstream is not asked any more."""
    with datahub.cache() as cache:
        gaps = chain_facts.open_gaps(cache, spec, followed=datahub.settings.of(spec.settings).follows) or {}
        everywhere = chain_facts.open_gaps(cache, spec) or {}
    unasked = gaps.get("not_fetched", 0)
    problems = [f"{unasked} gaps were not asked for successfully yet"] if unasked else []
    return _verdict(
        chain.hub_key(spec),
        "no_gaps_unasked",
        problems=problems,
        metadata={
            **{f"gaps_{cause}": count for cause, count in gaps.items()},
            "gaps_of_series_not_collected": sum(everywhere.values()) - sum(gaps.values()),
        },
        severity=dg.AssetCheckSeverity.WARN,
    )


def _verdict(
    key: dg.AssetKey,
    name: str,
    *,
    problems: list[str],
    metadata: dict[str, Any],
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=name,
        passed=not problems,
        severity=severity,
        description="; ".join(problems) or None,
        metadata=metadata,
    )
