"""`…_history`: a partition for each month of each group, started from Dagster's backfill page or by hand.

A partition that is green was built once; what is done the ledger of sources says, and asked again it fetches nothing.
"""

from typing import cast

import dagster as dg

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs import chain
from datahub_assets.defs.error_mapping import failure
from datahub_assets.defs.history import history_runs
from datahub_assets.defs.history.history_sources import OpenSource
from datahub_assets.defs.resources import KEY, DataHubResource
from datahub_assets.domain.errors import DataHubError
from datahub_assets.domain.history import Month
from datahub_assets.stores.fill import filling, tellings
from datahub_assets.stores.fill.wishes import Wish, first_month

GROUP_DIMENSION = "group"
MONTH_DIMENSION = "month"
_FORMAT = "%Y-%m"


def partitions(spec: DatasetSpec) -> dg.PartitionsDefinition[str]:
    """The months since the dataset's first, of each group."""
    months = dg.TimeWindowPartitionsDefinition(
        start=str(first_month(spec)), fmt=_FORMAT, cron_schedule="0 0 1 * *", timezone="UTC"
    )
    if spec.group is None:
        return months
    return dg.MultiPartitionsDefinition(
        {GROUP_DIMENSION: dg.StaticPartitionsDefinition(list(spec.groups)), MONTH_DIMENSION: months}
    )


def wish_of(spec: DatasetSpec, key: str) -> Wish:
    """What a partition stands for: a month of a group, of the series of the settings."""
    if isinstance(key, dg.MultiPartitionKey):
        group, month = key.keys_by_dimension[GROUP_DIMENSION], key.keys_by_dimension[MONTH_DIMENSION]
    else:
        group, month = "", key
    return Wish(spec.name, str(Month.parse(month)), str(Month.parse(month)), (group,))


def history_asset(spec: DatasetSpec, *, open_source: OpenSource) -> dg.AssetsDefinition:
    """The asset."""

    @dg.asset(
        key=chain.history_key(spec),
        partitions_def=partitions(spec),
        description=f"{spec.title} of a month that is over, merged with what the Hub has of it. Fetches what the "
        "ledger of sources does not tell as done, and leaves it to the chain to commit.",
        kinds={"huggingface", "parquet"},
        group_name=chain.group(spec),
        pool=history_runs.POOL,
        required_resource_keys={KEY},
    )
    def history(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare class only
        history_runs.begin(context, dataset=spec.name)
        datahub: DataHubResource = context.resources.datahub
        wish = wish_of(spec, cast("str", context.partition_key))
        try:
            with history_runs.opened_fill(wish, datahub=datahub, open_source=open_source, log=context.log) as fill:
                filled = filling.build_once(fill)
        except DataHubError as error:
            raise failure(error) from error
        problems = tellings.problems(filled)
        if problems:
            raise dg.Failure(description="\n".join(problems), allow_retries=False)
        return dg.MaterializeResult(
            metadata={"rows_fetched": filled.rows, "bad_files": "\n".join(tellings.bad_files(filled)) or "none"}
        )

    return history
