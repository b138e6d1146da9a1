"""How the project's errors become Dagster's: transient ones ask for a retry, others fail at once."""

import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs.resources import DataHubResource
from datahub_assets.domain.errors import DataHubError, HubError, HubRateLimited, SourceRateLimited, Transient
from datahub_assets.stores.publish import retries
from datahub_assets.stores.step_log import StepLog

MAX_RETRIES = 2
FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 15.0
"""A longer wait is the next tick's business."""


@contextmanager
def raised_for_dagster(
    context: dg.AssetExecutionContext, datahub: DataHubResource, *, spec: DatasetSpec, jitter: float | None = None
) -> Iterator[logging.Logger]:
    """Run the body of an asset; its errors go to the worker status, and to Dagster by their type.

    Gives the log for its lines: a warning that each run would give is told once.

    Raises:
        dg.RetryRequested: a transient error, worth another try within this run.
        dg.Failure: any other error of the project; not retried.
    """
    began = time.monotonic()
    step = StepLog(
        datahub.status,
        chain=spec.name,
        step=context.asset_key.to_user_string(),
        log=context.log,
        clock=datahub.clock,
    )
    is_done = False
    try:
        yield step.logger
        is_done = True
    except DataHubError as error:
        datahub.status.failed(spec.name, code=error.code, message=str(error), now_ms=datahub.clock())
        wait_s = retry_wait_s(
            error,
            attempt=context.retry_number,
            jitter=random.random() if jitter is None else jitter,  # noqa: S311 - no secret
            took_s=time.monotonic() - began,
        )
        if wait_s is None or context.retry_number >= MAX_RETRIES:
            step.logger.error("%s: %s", error.code, error)  # noqa: TRY400 - the trace is in the failure
            raise failure(error) from error
        subject = {"subject": f"{error.code}: {error}"}
        step.logger.warning("%s: %s; again in %.0f s", error.code, error, wait_s, extra=subject)
        raise dg.RetryRequested(max_retries=MAX_RETRIES, seconds_to_wait=wait_s) from error
    except Exception as error:
        datahub.status.failed(spec.name, code="unexpected", message=repr(error), now_ms=datahub.clock())
        raise
    finally:
        step.close_step(complete=is_done)


def retry_wait_s(error: DataHubError, *, attempt: int, jitter: float, took_s: float = 0.0) -> float | None:
    """Seconds until it is worth trying again within the same run; None when it is not.

    Args:
        error: what went wrong; its type says whether trying again can help.
        attempt: retries made already.      jitter: from 0 to 1.
        took_s: how long it took to fail. What a slow Hub did not take, the next run publishes.
    """
    if not isinstance(error, Transient) or (isinstance(error, HubError) and took_s > retries.PROMPT_S):
        return None
    asked_s = error.retry_after_s if isinstance(error, SourceRateLimited | HubRateLimited) else None
    wait_s = FIRST_WAIT_S * 2.0**attempt * (0.5 + jitter) if asked_s is None else asked_s + jitter
    return wait_s if wait_s <= LONGEST_WAIT_S else None


def failure(error: DataHubError) -> dg.Failure:
    """The failure a person sees in the UI: code, message, and no stack of ours to dig through."""
    return dg.Failure(
        description=f"{error.code}: {error}",
        metadata={"code": error.code, "transient": isinstance(error, Transient)},
        allow_retries=False,
    )
