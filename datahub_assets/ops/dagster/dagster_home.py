"""Dagster's home on this machine: dagster.yaml and the workspace, derived from the settings.

Every value that differs from Dagster's own default says why beside it.
"""

from pathlib import Path
from typing import Any

import yaml

from datahub_assets.defs.run_limits import CHAIN_TAG, run_limit_s
from datahub_assets.ops.dagster import runtime_folder
from datahub_assets.ops.errors import OpsError
from datahub_assets.settings import Settings
from datahub_system.files.private import UnsafePath, private_folder
from datahub_system.files.whole import write_whole

LOCATION = "datahub"
CODE_MODULE = "datahub_assets.definitions"


def instance_config(settings: Settings) -> dict[str, Any]:
    """What dagster.yaml says."""
    config: dict[str, Any] = {
        **_storage(_storage_folder(settings)),
        "telemetry": {"enabled": False},
        "run_coordinator": {
            "module": "dagster._core.run_coordinator.queued_run_coordinator",
            "class": "QueuedRunCoordinator",
            "config": {
                "dequeue_interval_seconds": 1,  # the default of 5 s is half of what a tick may take
                # A code server that is being restarted costs a run a few seconds, not its life.
                "max_user_code_failure_retries": 10,
                "user_code_failure_retry_delay": 3,
            },
        },
        "concurrency": {
            # One run a chain at a time, whoever started it: by tag for our jobs, by pool for assets started by hand.
            "runs": {
                "max_concurrent_runs": len(settings.collected) + 2,
                "tag_concurrency_limits": [{"key": CHAIN_TAG, "value": {"applyLimitPerUniqueValue": True}, "limit": 1}],
            },
            "pools": {"granularity": "run", "default_limit": 1},
        },
        "run_monitoring": {
            "enabled": True,
            "poll_interval_seconds": 10,
            "start_timeout_seconds": 60,
            "cancel_timeout_seconds": 30,
            "max_runtime_seconds": max(run_limit_s(spec, settings) for spec in settings.collected),
            # A crashed run is not resumed: the next tick takes up what it left, from the landing files and the outbox.
            "max_resume_run_attempts": 0,
        },
        "retention": {
            # A tick a minute fills SQLite: what ran is kept in the runs, what was skipped interests nobody for long.
            "sensor": {"purge_after_days": {"skipped": 1, "success": 7, "failure": 7, "started": 7}},
            "schedule": {"purge_after_days": {"skipped": 1, "success": 7, "failure": 7, "started": 7}},
        },
        # Capturing stdout costs two processes a step; what steps have to say goes to the event log.
        "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"},
        "auto_materialize": {"enabled": False},  # the sensors decide; the asset daemon would only use CPU
        "freshness": {"enabled": True},
    }
    if settings.run_launcher == "warm":
        config["run_launcher"] = {
            "module": "datahub_assets.ops.warm.launcher",
            "class": "WarmRunLauncher",
            "config": {"socket": str(warm_socket(settings))},
        }
    return config


def _storage(folder: Path) -> dict[str, Any]:
    """SQLite, with the events of all runs in one file.

    Dagster's own layout makes a file of 200 KiB for each run and leaves it there, emptied, when the run is deleted:
    with two runs a minute more than half a gigabyte a day, for ever. It also costs half as much CPU again.
    """
    sqlite = "dagster._core.storage"
    return {
        "run_storage": {
            "module": f"{sqlite}.runs.sqlite.sqlite_run_storage",
            "class": "SqliteRunStorage",
            "config": {"base_dir": str(folder)},
        },
        "event_log_storage": {
            "module": f"{sqlite}.event_log.sqlite.consolidated_sqlite_event_log",
            "class": "ConsolidatedSqliteEventLogStorage",
            "config": {"base_dir": str(folder)},
        },
        "schedule_storage": {
            "module": f"{sqlite}.schedules.sqlite.sqlite_schedule_storage",
            "class": "SqliteScheduleStorage",
            "config": {"base_dir": str(folder)},
        },
    }


def workspace_config(settings: Settings) -> dict[str, Any]:
    """The workspace of `datahub up`: the code server it starts, on a Unix socket."""
    return {"load_from": [{"grpc_server": {"socket": str(code_socket(settings)), "location_name": LOCATION}}]}


def write(settings: Settings) -> Path:
    """Write dagster.yaml and workspace.yaml to Dagster's home and return the workspace's path.

    Raises:
        OpsError: the home is somebody else's, or its path is no URL and nothing runs on it (see `runtime_folder`).
    """
    home = settings.dagster_home.resolve()
    try:
        private_folder(home)
        _link_storage(settings)
    except UnsafePath as error:
        raise OpsError(str(error)) from error
    _write(home / "dagster.yaml", instance_config(settings))
    workspace = home / "workspace.yaml"
    _write(workspace, workspace_config(settings))
    return workspace


def code_socket(settings: Settings) -> Path:
    """Where the code server listens."""
    return runtime_folder.located(settings.home) / runtime_folder.CODE


def warm_socket(settings: Settings) -> Path:
    """Where the warm server listens."""
    return runtime_folder.located(settings.home) / runtime_folder.WARM


def _storage_folder(settings: Settings) -> Path:
    """Where Dagster's databases lie; a link to it where Dagster, which makes a URL of the path, would go elsewhere."""
    folder = settings.dagster_home.resolve() / "storage"
    if runtime_folder.fits_url(folder):
        return folder
    return runtime_folder.located(settings.home) / runtime_folder.STORAGE


def _link_storage(settings: Settings) -> None:
    """Make the link, if one is needed, in the folder that only this user can enter."""
    folder, link = settings.dagster_home.resolve() / "storage", _storage_folder(settings)
    if link != folder:
        private_folder(folder)
        link.unlink(missing_ok=True)
        link.symlink_to(folder)


def _write(path: Path, config: dict[str, Any]) -> None:
    """Replace the file in one step: a running daemon may be reading it."""
    text = "# Written by `datahub up` from the settings; changes here are lost.\n" + yaml.safe_dump(
        config, sort_keys=False
    )
    write_whole(path, lambda file: file.write(text.encode()))
