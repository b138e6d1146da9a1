"""Which lines of a run a terminal shows."""

import subprocess
import sys

import pytest

from datahub_assets.ops.dagster.run_output import RunLines

RUN = "market_prices_job - 0b0aa3cb-2a4c-4d5e-8f16-6b3e0a1b2c3d"


@pytest.mark.parametrize(
    ("level", "said", "shown"),
    [
        ("INFO", "market_prices - fetched 250 coins", "market_prices - fetched 250 coins"),
        ("WARNING", "market_prices - set aside a row", "warning: market_prices - set aside a row"),
        ("DEBUG", "77 - market_prices - STEP_START - Started execution of step", None),
        ("ERROR", "77 - market_prices - STEP_FAILURE - Execution of step failed.", None),
        ("ERROR", "77 - RUN_FAILURE - Execution of run failed. Steps failed: ['market_prices'].", None),
        ("ERROR", "77 - RUN_FAILURE - The run's process is gone.", "error: The run's process is gone."),
    ],
)
def test_the_terminal_shows_what_runs_say_themselves(level: str, said: str, shown: str | None) -> None:
    assert RunLines()(f"2026-01-01 00:00:00 +0000 - dagster - {level} - {RUN} - {said}") == shown


def test_the_terminal_shows_no_traces() -> None:
    assert RunLines()("Traceback (most recent call last):") is None


REAL = """
import dagster as dg

@dg.resource
def tool(_):
    raise OSError("no such tool")

@dg.asset
def unexpected():
    raise RuntimeError("boom\\nand more of it")

@dg.asset(deps=[unexpected])
def after(): ...

@dg.asset
def ours(context):
    context.log.error("cache_full: no room")
    raise dg.Failure("cache_full: no room", allow_retries=False)

@dg.asset(required_resource_keys={"tool"})
def tooled(): ...

def run(*assets, **resources):
    job = dg.Definitions(list(assets), resources=resources).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        job.execute_in_process(instance=instance, raise_on_error=False)

run(unexpected, after, ours)
run(tooled, tool=tool)
"""


def test_a_failure_nobody_foresaw_is_told_once_and_those_of_ours_not_again() -> None:
    done = subprocess.run([sys.executable, "-c", REAL], capture_output=True, text=True, check=True)
    show = RunLines()
    shown = [said for line in (done.stdout + done.stderr).splitlines() if (said := show(line)) is not None]
    assert sorted(line for line in shown if line.startswith("error: ")) == [
        'error: Execution of run for "__ASSET_JOB" failed. An exception was thrown during execution.',
        "error: after - Dependencies for step after failed: ['unexpected']. Not executing.",
        "error: ours - cache_full: no room",
        "error: tooled - OSError: no such tool",
        "error: unexpected - RuntimeError: boom",
    ]
    assert not any("File " in line or "Error occurred" in line for line in shown)
