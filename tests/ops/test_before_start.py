"""What `up` makes sure of before it starts anything: the home, the ports, the environment, Dagster's files."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.defs.run_limits import run_limit_s
from datahub_assets.domain.errors import SettingsError
from datahub_assets.ops.commands.up import up, welcome
from datahub_assets.ops.dagster import dagster_home, runtime_folder
from datahub_assets.ops.errors import AlreadyRunning, OpsError, PortTaken
from datahub_assets.ops.supervise import environment, home_lock, ports, stack
from tests.ops.conftest import settings_of

SECRET = "hf_averysecrettoken"


def test_a_home_is_held_once_and_free_afterwards(tmp_path: Path) -> None:
    assert home_lock.holder(tmp_path) is None
    with home_lock.held(tmp_path):
        assert home_lock.holder(tmp_path) == os.getpid()
        with pytest.raises(AlreadyRunning, match=rf"pid {os.getpid()}.*DATAHUB_HOME"), home_lock.held(tmp_path):
            pass
    assert home_lock.holder(tmp_path) is None
    with home_lock.held(tmp_path):
        pass


def test_a_killed_holder_leaves_the_home_free(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from datahub_assets.ops.supervise import home_lock as homelock\n"
        "with homelock.held(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert home_lock.holder(tmp_path) == other.pid
        other.kill()
        other.wait()
    with home_lock.held(tmp_path):
        pass


def test_a_taken_port_is_named_with_the_setting_that_moves_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"port {port} is taken by another process; set DATAHUB_API_PORT"):
            ports.check_free(settings_of(tmp_path, DATAHUB_API_PORT=str(port)))


@pytest.mark.parametrize("setting", ["DATAHUB_BIND_HOST", "DATAHUB_DAGSTER_HOST"])
@pytest.mark.parametrize("host", ["1.2.3", "192.0.2.7", "a..b", "[::1]", "h\u00f6st"])  # no resolver is asked
def test_an_address_that_is_not_ours_is_named_with_its_setting(tmp_path: Path, host: str, setting: str) -> None:
    with pytest.raises(SettingsError) as caught:
        ports.check_free(settings_of(tmp_path, **{setting: host}))
    message = str(caught.value)
    assert message.startswith(f"{setting}={host!r}")
    assert "127.0.0.1" in message
    assert "_PORT" not in message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_address_that_is_ours_passes(tmp_path: Path, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        api, dagster = (str(server.getsockname()[1]) for server in (first, second))
    ports.check_free(
        settings_of(
            tmp_path, HF_TOKEN=SECRET, DATAHUB_BIND_HOST=host, DATAHUB_API_PORT=api, DATAHUB_DAGSTER_PORT=dagster
        )
    )


def test_each_port_is_tried_at_its_own_address(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, DATAHUB_BIND_HOST="192.0.2.7", DATAHUB_DAGSTER_HOST="127.0.0.2")
    assert ports.wanted(settings) == [
        ("DATAHUB_API_PORT", "192.0.2.7", 7860),
        ("DATAHUB_DAGSTER_PORT", "127.0.0.2", 3000),
        ("DATAHUB_LOCALHUB_PORT", "127.0.0.1", 7870),
    ]
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"port {port} is taken by another process; set DATAHUB_DAGSTER_PORT"):
            ports.check_free(settings_of(tmp_path, DATAHUB_DAGSTER_HOST="127.0.0.2", DATAHUB_DAGSTER_PORT=str(port)))


def test_one_port_for_two_servers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PortTaken, match="port 7860 is given to both DATAHUB_API_PORT and DATAHUB_DAGSTER_PORT"):
        ports.check_free(settings_of(tmp_path, DATAHUB_DAGSTER_PORT="7860"))


def test_the_embedded_hubs_port_matters_only_when_it_runs(tmp_path: Path) -> None:
    assert "DATAHUB_LOCALHUB_PORT" in {place.setting for place in ports.wanted(settings_of(tmp_path))}
    assert "DATAHUB_LOCALHUB_PORT" not in {
        place.setting for place in ports.wanted(settings_of(tmp_path, HF_TOKEN=SECRET))
    }


def test_each_process_sees_only_the_secrets_it_needs(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, HF_TOKEN=SECRET, COINGECKO_API_KEY="cg_secret", DATAHUB_WEBHOOK_SECRET="wh_secret")
    environ = {"HF_TOKEN": SECRET, "COINGECKO_API_KEY": "cg_secret", "DATAHUB_WEBHOOK_SECRET": "wh_secret"}
    environments = environment.build(settings, {**environ, "PATH": "/bin"})
    specs = stack.processes(settings, environments=environments, workspace=tmp_path / "workspace.yaml")
    seen = {spec.name: {name for name, secret in environ.items() if secret in spec.env.values()} for spec in specs}
    assert seen == {
        "code": {"HF_TOKEN", "COINGECKO_API_KEY"},
        "runs": {"HF_TOKEN", "COINGECKO_API_KEY"},
        "daemon": set(),
        "dagster": set(),
        "api": {"HF_TOKEN", "DATAHUB_WEBHOOK_SECRET"},
    }
    for spec in specs:
        assert not any(secret in word for word in spec.argv for secret in (SECRET, "cg_secret", "wh_secret"))
        assert SECRET not in repr(spec)


@pytest.mark.parametrize(
    ("environ", "secrets"),
    [
        ({"DATAHUB_DAGSTER_HOST": "localhost"}, set()),
        ({"DATAHUB_DAGSTER_HOST": "0.0.0.0"}, {SECRET}),  # noqa: S104 - not bound
        ({"DATAHUB_DAGSTER_LOGIN": "true"}, {SECRET}),
    ],
)
def test_dagsters_ui_gets_the_token_where_it_asks_for_it(
    tmp_path: Path, environ: dict[str, str], secrets: set[str]
) -> None:
    settings = settings_of(tmp_path, HF_TOKEN=SECRET, **environ)
    environments = environment.build(settings, {"HF_TOKEN": SECRET})
    specs = {s.name: s for s in stack.processes(settings, environments=environments, workspace=tmp_path)}
    assert {SECRET} & set(specs["dagster"].env.values()) == secrets
    assert ("log in" in "\n".join(welcome(settings))) is bool(secrets)


def test_the_embedded_hub_and_the_api_share_a_made_up_webhook_secret(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    environments = environment.build(settings, {})
    specs = {s.name: s for s in stack.processes(settings, environments=environments, workspace=tmp_path)}
    secret = specs["hub"].env["DATAHUB_WEBHOOK_SECRET"]
    assert len(secret) > 30
    assert specs["api"].env["DATAHUB_WEBHOOK_SECRET"] == secret
    assert "http://127.0.0.1:7860/api/hub/webhook" in specs["hub"].argv
    assert environment.build(settings, {}).secret["DATAHUB_WEBHOOK_SECRET"] != secret


@pytest.mark.parametrize(("days", "words"), [(None, ["7"]), ("30", ["30"]), ("0", [])])
def test_the_embedded_hub_is_told_how_much_history_to_keep(tmp_path: Path, days: str | None, words: list[str]) -> None:
    settings = settings_of(tmp_path, **({} if days is None else {"DATAHUB_KEEP_HISTORY_DAYS": days}))
    argv = stack.localhub(settings, environment.build(settings, {})).argv
    assert [value for option, value in pairwise(argv) if option == "--keep-history-days"] == words


def test_children_report_to_nobody_and_ignore_logins_on_disk(tmp_path: Path) -> None:
    base = environment.build(settings_of(tmp_path / "a"), {}).base
    assert base["HF_HUB_DISABLE_TELEMETRY"] == base["DO_NOT_TRACK"] == base["HF_HUB_DISABLE_IMPLICIT_TOKEN"] == "1"
    assert base["DAGSTER_DISABLE_TELEMETRY"] == "yes"
    assert Path(base["DAGSTER_HOME"]).is_absolute()
    assert "HF_ENDPOINT" not in base  # it would say that the embedded Hub is not used


@pytest.mark.parametrize("launcher", ["warm", "default"])
def test_dagster_accepts_what_is_written_for_it(tmp_path: Path, launcher: str) -> None:
    settings = settings_of(tmp_path, DATAHUB_RUN_LAUNCHER=launcher)
    dagster_home.write(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        name = type(instance.run_launcher).__name__
        assert name == {"warm": "WarmRunLauncher", "default": "DefaultRunLauncher"}[launcher]
        assert instance.run_coordinator.dequeue_interval_seconds == 1  # type: ignore[attr-defined]
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds == run_limit_s(OHLC, settings)
        limits = instance.get_concurrency_config()
        assert limits.pool_config.default_pool_limit == 1
        assert limits.run_queue_config is not None
        assert limits.run_queue_config.tag_concurrency_limits[0]["key"] == "datahub/chain"
    assert list(settings.dagster_home.glob("*.partial")) == []


@pytest.mark.parametrize("name", ["50%", "a%20b", "what?", "c#"])
def test_a_home_whose_name_is_no_url_holds_dagsters_databases_all_the_same(tmp_path: Path, name: str) -> None:
    settings = settings_of(tmp_path / "in" / name)
    for _ in range(2):
        with runtime_folder.held(settings.home):
            dagster_home.write(settings)
            assert not set("%?#") & set(str(dagster_home.code_socket(settings)))
            with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
                assert instance.get_runs() == []
                assert list(instance.all_instigator_state()) == []
    databases = {path.name for path in (settings.dagster_home / "storage").iterdir()}
    assert {"runs.db", "schedules.db", "event_log.db"} <= databases
    assert [path.name for path in (tmp_path / "in").iterdir()] == [name], "nothing beside it"


def test_a_home_whose_name_is_no_url_says_what_stands_in_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    refused = pytest.raises(OpsError, match=r"DATAHUB_HOME=.*50%.*nowhere.*No such file or directory")
    with refused, runtime_folder.held(tmp_path / "50%"):
        pass
    with pytest.raises(OpsError, match=r"nothing runs on DATAHUB_HOME=.*50%.*`datahub up`"):
        dagster_home.write(settings_of(tmp_path / "50%"))


def test_the_limit_of_a_run_grows_with_what_there_is_to_fetch(tmp_path: Path) -> None:
    assert run_limit_s(OHLC, settings_of(tmp_path)) == 720
    assert run_limit_s(MARKET, settings_of(tmp_path)) == 600
    everything = settings_of(tmp_path, DATAHUB_SYMBOLS="all:USDT", DATAHUB_HISTORY_CANDLES="100000")
    assert run_limit_s(OHLC, everything) > 3600


def deep_home(tmp_path: Path) -> Path:
    """One whose path is too long for a socket."""
    return tmp_path / ("d" * 90) / ("e" * 90)


def test_sockets_fit_however_long_the_homes_path_is(tmp_path: Path) -> None:
    deep = deep_home(tmp_path)
    for settings in (settings_of(tmp_path), settings_of(deep)):
        with runtime_folder.held(settings.home) as folder:
            for path in (dagster_home.code_socket(settings), dagster_home.warm_socket(settings)):
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.bind(str(path))
                assert path.parent == folder
                assert path.parent.stat().st_mode & 0o777 == 0o700
        assert not folder.exists()
    with runtime_folder.held(deep) as one, runtime_folder.held(deep / "f") as other:
        assert one != other


def test_what_somebody_else_put_beside_the_sockets_is_left_alone(tmp_path: Path) -> None:
    with runtime_folder.held(tmp_path) as folder:
        note = folder / "note"
        note.write_text("mine")
    assert note.read_text() == "mine"


def test_up_leaves_no_folder_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = deep_home(tmp_path)
    home.mkdir(parents=True)
    (home / "logs").write_text("no place for logs, so that nothing can be started")
    with contextlib.ExitStack() as free:
        taken = [free.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        numbers = [str(server.getsockname()[1]) for server in taken]
    names = ("DATAHUB_API_PORT", "DATAHUB_DAGSTER_PORT", "DATAHUB_LOCALHUB_PORT")
    settings = settings_of(home, **dict(zip(names, numbers, strict=True)))
    with tempfile.TemporaryDirectory(prefix="up-") as temporary:
        monkeypatch.setattr("tempfile.tempdir", temporary)
        with pytest.raises(OSError, match="logs"):
            up(settings)
        assert list(Path(temporary).iterdir()) == []
    assert not (home / "run.path").exists()
    assert (home / "dagster" / "workspace.yaml").read_text().count(temporary) == 1, "it was there while it was needed"
