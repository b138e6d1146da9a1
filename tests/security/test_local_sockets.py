"""The sockets of the running product, where another user of the machine can neither find nor replace them."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from datahub_assets.ops.dagster import runtime_folder
from datahub_assets.ops.errors import OpsError
from datahub_assets.ops.warm.protocol import Launch, ask
from tests.e2e.stack import ROOT, free_ports
from tests.ops.warm_server import Server
from tests.security.strangers import STRANGER, given_away, mode, needs_root


def test_sockets_are_in_a_home_with_a_short_path(short: Path, temporary: Path) -> None:
    with runtime_folder.held(short) as folder:
        assert folder == short / "run"
        assert mode(folder) == 0o700
        assert list(temporary.iterdir()) == []
    assert not (short / "run").exists()


def test_other_homes_have_them_in_a_folder_nobody_can_guess(elsewhere: Path, temporary: Path) -> None:
    seen = set()
    for _ in range(3):
        with runtime_folder.held(elsewhere) as folder:
            assert folder.parent == temporary
            assert mode(folder) == 0o700
            assert runtime_folder.located(elsewhere) == folder
            assert mode(elsewhere / "run.path") == 0o600
            seen.add(folder.name)
        assert list(temporary.iterdir()) == []
        assert list(elsewhere.iterdir()) == []
    assert len(seen) == 3


def test_a_link_in_place_of_the_sockets_folder_is_refused_and_its_target_left_alone(short: Path) -> None:
    target = short / "target"
    target.mkdir(mode=0o755)
    (short / "home").mkdir()
    (short / "home" / "run").symlink_to(target)
    refused = pytest.raises(OpsError, match=rf"{short}/home/run is a link made by .*, not a folder: remove it")
    with refused, runtime_folder.held(short / "home"):
        pass
    assert mode(target) == 0o755


@needs_root
def test_a_sockets_folder_of_another_user_is_refused(short: Path) -> None:
    (short / "run").mkdir(mode=0o777)
    given_away(short / "run")
    with pytest.raises(OpsError, match=rf"{short}/run belongs to .*uid {STRANGER}"), runtime_folder.held(short):
        pass


@needs_root
@pytest.mark.parametrize("left", [0o700, 0o755])
def test_a_sockets_folder_root_left_to_a_user_is_named(short: Path, left: int) -> None:
    (short / "run").mkdir(mode=left)
    given_away(short).chmod(0o755)
    done = as_stranger(
        "from pathlib import Path; from datahub_assets.ops.dagster import runtime_folder\n"
        f"with runtime_folder.held(Path({str(short)!r})): pass"
    )
    assert f"OpsError: {short}/run belongs to root: an `up` that root ran has left it" in done.stderr


def test_what_others_put_into_an_open_sockets_folder_is_gone_before_it_is_used(short: Path) -> None:
    (short / "run").mkdir()
    (short / "run").chmod(0o777)
    bind(short / "run" / "code.sock")
    with runtime_folder.held(short) as folder:
        assert list(folder.iterdir()) == []
        assert mode(folder) == 0o700


@needs_root
@pytest.mark.parametrize("fit", [0o700, 0o755])
def test_a_temporary_folder_in_which_others_can_rename_is_not_used(
    elsewhere: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, fit: int
) -> None:
    temporary.chmod(0o777)
    with pytest.raises(OpsError, match=f"others can replace what is in {temporary}"), runtime_folder.held(elsewhere):
        pass
    with tempfile.TemporaryDirectory(prefix="run-", dir="/tmp") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        Path(runtime).chmod(fit)
        with runtime_folder.held(elsewhere) as folder:
            assert folder.parent == Path(runtime)
        given_away(Path(runtime))
        with pytest.raises(OpsError, match=rf"{runtime} belongs to .*uid {STRANGER}"), runtime_folder.held(elsewhere):
            pass


def test_a_file_system_without_permissions_holds_no_sockets(
    short: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (short / "run").mkdir()
    (short / "run" / "note").touch()
    (short / "run").chmod(0o777)
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    with runtime_folder.held(short) as folder:
        assert folder.parent == temporary
        assert mode(folder) == 0o700


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


HOLDS = (
    "import socket, time; from datahub_assets.ops.dagster import dagster_home, runtime_folder\n"
    "from datahub_assets.settings import Settings\n"
    "settings = Settings.from_env()\n"
    "with runtime_folder.held(settings.home) as folder:\n"
    "    dagster_home.write(settings)\n"
    "    socket.socket(socket.AF_UNIX).bind(str(dagster_home.code_socket(settings)))\n"
    "    print(folder, flush=True); time.sleep(600)"
)


def killed_in(folder: Path, temporary: Path) -> Path:
    """The sockets' folder that a process left which was killed while it had one."""
    environ = {**os.environ, "DATAHUB_HOME": str(folder), "TMPDIR": str(temporary)}
    with subprocess.Popen([sys.executable, "-c", HOLDS], env=environ, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().decode().strip())
        process.kill()
    assert (left / "code.sock").is_socket()
    return left


@pytest.mark.parametrize("name", ["d" * 120, "50%", "home"])
def test_what_a_killed_up_left_is_removed_by_the_next_start(short: Path, temporary: Path, name: str) -> None:
    left = killed_in(short / name, temporary)
    with runtime_folder.held(short / name) as folder:
        assert list(folder.iterdir()) == []
        assert left == folder or not left.exists()
    assert list(temporary.iterdir()) == []
    assert not (short / name / "run").exists()
    if name != "home":
        assert (short / name / "dagster").is_dir(), "the databases, to which there was a link, stay"


@needs_root
@pytest.mark.parametrize("planted", ["a link", "a folder"])
def test_what_took_the_place_of_a_killed_ups_folder_is_left_alone(short: Path, temporary: Path, planted: str) -> None:
    left = killed_in(short / "50%", temporary)
    shutil.rmtree(left)
    target = short / "target"
    target.mkdir()
    bind(target / "code.sock")
    if planted == "a link":
        left.symlink_to(target)
    else:
        target.rename(left)
    given_away(left)
    with runtime_folder.held(short / "50%") as folder:
        assert folder != left
    assert (left / "code.sock").is_socket()


@needs_root
def test_the_warm_server_and_its_launcher_talk_to_no_other_user(short: Path) -> None:
    server = Server(short, "tests.ops.warm_server_process")
    try:
        for path in (short, server.path):
            path.chmod(0o777)  # so that file permissions are not what protects it
        launch = Launch("r", (f"open({str(short / 'taken')!r}, 'w')",))
        done = as_stranger(
            "from pathlib import Path; from datahub_assets.ops.warm.protocol import Launch, ask\n"
            f"ask(Path({str(server.path)!r}), {launch!r}, timeout_s=5)"
        )
        assert re.search("ConnectionResetError|BrokenPipeError", done.stderr)
        assert "belongs to uid 65534" in server.until("belongs to")
        assert not (short / "taken").exists()
    finally:
        server.end()
    theirs = short / "theirs"
    with subprocess.Popen(stranger_command(
        f"import socket, time; s = socket.socket(socket.AF_UNIX); s.bind({str(theirs)!r}); s.listen()\n"
        "print('ready', flush=True); time.sleep(600)"
    ), cwd=ROOT, stdout=subprocess.PIPE) as impostor:  # fmt: skip
        assert impostor.stdout is not None
        assert impostor.stdout.readline() == b"ready\n"
        with pytest.raises(PermissionError, match=f"belongs to uid {STRANGER}"):
            ask(theirs, Launch("r", ("secret arguments",)), timeout_s=5)
        impostor.kill()


def stranger_command(code: str) -> list[str]:
    become = f"import os; os.setgroups([]); os.setresgid(*[{STRANGER}] * 3); os.setresuid(*[{STRANGER}] * 3)\n"
    # What is imported may lie where only root can read.
    early = "import datahub_assets.ops.dagster.runtime_folder, datahub_assets.ops.warm.protocol\n"
    return [sys.executable, "-c", f"{early}{become}{code}"]


def as_stranger(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(stranger_command(code), cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_the_warm_server_removes_nothing_but_a_socket(short: Path) -> None:
    (short / "important").write_text("work of a week")
    code = (
        "import sys; from pathlib import Path; from datahub_assets.ops.warm.server import WarmServer\n"
        "WarmServer(Path(sys.argv[1]), lambda _: 0).serve()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, short / "important"], cwd=ROOT, capture_output=True, check=False, timeout=60
    )
    assert done.returncode != 0
    assert (short / "important").read_text() == "work of a week"


ENDS = (
    "import os, signal, sys, time; from pathlib import Path\n"
    "from datahub_assets.ops.commands import up; from datahub_assets.settings import Settings\n"
    "signal.signal(signal.SIGTERM, signal.SIG_DFL)  # one that was ignored when the tests began stays so\n"
    "up._run = lambda settings: os.kill(os.getpid(), signal.SIGTERM) or [time.sleep(0.01) for _ in range(3000)]\n"
    "up.up(Settings.from_env())"
)


def test_a_stop_before_anything_runs_leaves_no_folder(elsewhere: Path, temporary: Path) -> None:
    ports = dict(zip(("API", "DAGSTER", "LOCALHUB"), map(str, free_ports(3)), strict=True))
    environ = {**os.environ, "DATAHUB_HOME": str(elsewhere), "TMPDIR": str(temporary)}
    environ |= {f"DATAHUB_{name}_PORT": port for name, port in ports.items()}
    done = subprocess.run(
        [sys.executable, "-c", ENDS], env=environ, cwd=ROOT, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 128 + signal.SIGTERM, done.stderr.decode()
    assert list(temporary.glob("datahub-*")) == []
    assert not (elsewhere / "run.path").exists()
