"""Another user of this machine: can neither read what the product keeps, nor put anything of theirs in its place.

Their user is 65534 here, whose files only root can make: those tests need root and say so when it is missing.
"""

import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import polars as pl
import psutil
import pytest
from click.testing import CliRunner

from datahub_assets.cli import main
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.domain.errors import CacheError
from datahub_assets.domain.rows import Checked
from datahub_assets.ops.dagster import dagster_home, runtime_folder
from datahub_assets.ops.errors import OpsError
from datahub_assets.ops.supervise import home
from datahub_assets.ops.warm.protocol import Launch, ask
from datahub_assets.settings import Settings
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.landing import land
from datahub_system.files.home import open_home
from datahub_system.files.private import UnsafePath, private_folder
from localhub.store.disk.secretfile import secret_in
from localhub.store.home import Home, only_server
from tests.e2e.stack import ROOT, Stack, free_ports
from tests.fakes import FakeBinance, FakeCoinGecko
from tests.ops.warm_server import Server

STRANGER = 65_534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def given_away(path: Path) -> Path:
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
    return path


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path, for sockets in it."""
    with tempfile.TemporaryDirectory(prefix="dh-") as name:
        yield Path(name)


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The temporary folder, shared by all as /tmp is, with nothing in it."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with tempfile.TemporaryDirectory(prefix="tmp-") as name:
        Path(name).chmod(0o1777)
        monkeypatch.setattr("tempfile.tempdir", name)
        yield Path(name)


@pytest.fixture
def wide_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture(params=["long", "50%", "what?", "c#"])
def elsewhere(request: pytest.FixtureRequest, short: Path) -> Path:
    """A home whose own path cannot hold the sockets."""
    return short / ("d" * 120 if request.param == "long" else request.param)


# ---------------------------------------------------------------- the home


def test_a_home_is_made_for_its_user_alone_with_all_that_is_missing_above(tmp_path: Path, wide_umask: None) -> None:
    assert home.make(tmp_path / "a" / "b" / "home") == []
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/home")] == [0o700] * 3


@pytest.mark.parametrize("before", [0o755, 0o775, 0o777, 0o750, 0o711])
@pytest.mark.parametrize("holds", [(), ("up.lock", "cache.sqlite3", "cache.sqlite3-wal", "hub", "worker-status.json")])
def test_a_wider_home_is_closed_and_that_is_said_once(tmp_path: Path, before: int, holds: tuple[str, ...]) -> None:
    for name in holds:
        (tmp_path / name).touch()
    tmp_path.chmod(before)
    (note,) = home.make(tmp_path)
    assert f"(mode {before:o})" in note
    assert str(tmp_path) in note
    assert mode(tmp_path) == 0o700
    assert home.make(tmp_path) == []


def test_a_folder_that_is_more_than_a_home_keeps_its_mode_and_the_start_says_so(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    tmp_path.chmod(0o755)
    for _ in range(2):
        (note,) = home.make(tmp_path)
        assert "can be read by other users (mode 755)" in note
        assert f"chmod 700 {tmp_path}" in note
        (tmp_path / "up.lock").touch()
    assert mode(tmp_path) == 0o755


def test_a_folder_in_which_others_can_replace_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    tmp_path.chmod(0o777)
    with pytest.raises(OpsError, match=r"can be written by other users \(mode 777\): choose a folder of its own"):
        home.make(tmp_path)
    assert mode(tmp_path) == 0o777


@pytest.mark.parametrize("holds", [(), ("up.lock",)])
def test_a_folder_all_users_share_is_no_home(tmp_path: Path, holds: tuple[str, ...]) -> None:
    for name in holds:
        (tmp_path / name).touch()
    tmp_path.chmod(0o1777)
    with pytest.raises(OpsError, match=rf"a folder all users share: choose .*{tmp_path}/datahub"):
        home.make(tmp_path)
    assert mode(tmp_path) == 0o1777


@needs_root
def test_a_home_of_another_user_is_refused_to_root_too(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    given_away(theirs)
    with pytest.raises(OpsError, match=rf"{theirs} belongs to .*uid {STRANGER}.*runs as .*uid 0.*run it as its owner"):
        home.make(theirs)
    assert mode(theirs) == 0o755
    assert list(theirs.iterdir()) == []


@needs_root
@pytest.mark.parametrize("empty", [True, False])
def test_a_home_behind_another_users_link_is_refused(tmp_path: Path, *, empty: bool) -> None:
    ours = tmp_path / "ours"
    ours.mkdir(mode=0o755)
    if not empty:
        (ours / "thesis.tex").touch()
    (tmp_path / "link").symlink_to(ours)
    given_away(tmp_path / "link")
    with pytest.raises(OpsError, match=rf"the link {tmp_path}/link belongs to .*uid {STRANGER}"):
        home.make(tmp_path / "link")
    assert mode(ours) == 0o755


def test_our_own_link_to_a_home_is_followed_but_not_to_change_the_folder(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir(mode=0o755)
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    (note,) = home.make(tmp_path / "home")
    assert f"chmod 700 {tmp_path}/disk" in note
    assert mode(tmp_path / "disk") == 0o755


@needs_root
def test_a_user_may_keep_the_home_in_a_volume_of_roots() -> None:
    code = (
        "import os, sys; from pathlib import Path; from datahub_assets.ops.supervise import home\n"
        f"os.setgroups([]); os.setresgid({STRANGER}, {STRANGER}, {STRANGER})\n"
        f"os.setresuid({STRANGER}, {STRANGER}, {STRANGER})\n"
        "print(home.make(Path(sys.argv[1])))"
    )
    with tempfile.TemporaryDirectory(prefix="volume-") as name:
        Path(name).chmod(0o755)
        volume = Path(name) / "volume"
        volume.mkdir()
        os.chown(volume, 0, STRANGER)
        volume.chmod(0o2775)
        done = subprocess.run(
            [sys.executable, "-c", code, volume], capture_output=True, text=True, cwd=ROOT, check=True
        )
        assert "belongs to root (uid 0): what is made in it from now on is yours alone" in done.stdout


def test_a_file_system_without_permissions_is_told_and_does_not_stop_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o777)

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    for ignores in (lambda *_: None, refused):
        monkeypatch.setattr(os, "fchmod", ignores)
        (note,) = home.make(tmp_path)
        assert "its file system keeps no permissions" in note


def test_a_home_below_a_folder_anybody_can_rename_in_is_told(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (note,) = open_home(tmp_path / "open" / "home")
    assert note.startswith(f"{tmp_path}/open, above DATAHUB_HOME=")


@needs_root
def test_logs_of_another_user_are_refused_in_one_line(short: Path) -> None:
    (short / "logs").mkdir()
    given_away(short / "logs")
    ports = dict(zip(("API", "DAGSTER", "LOCALHUB"), free_ports(3), strict=True))
    environ = {
        **os.environ,
        "DATAHUB_HOME": str(short),
        **{f"DATAHUB_{name}_PORT": str(p) for name, p in ports.items()},
    }
    done = subprocess.run(
        [sys.executable, "-m", "datahub_assets.cli", "up"],
        env=environ, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"datahub: the folder {short}/logs belongs to")
    assert len(done.stderr.splitlines()) == 1
    assert {entry.name for entry in short.iterdir()} == {"logs", "dagster", "up.lock"}


READING = [("status",), ("doctor",), ("token",), ("token", "list"), ("token", "revoke", "laptop"), ("quarantine",)]
WRITING = [("up",), ("cache", "rebuild", "--yes"), ("hub", "squash", "--yes"), ("token", "add", "laptop")]


def datahub(at: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "datahub_assets.cli", *command],
        env={**os.environ, "DATAHUB_HOME": str(at)}, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def foreign_database(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    return path


def everything(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """What is below a folder, with what would show a change."""
    found = [folder, *folder.rglob("*")]
    return {path: (path.lstat().st_mode, path.lstat().st_size, path.lstat().st_mtime_ns) for path in found}


@needs_root
@pytest.mark.parametrize("command", READING + WRITING, ids=" ".join)
@pytest.mark.parametrize("victim", ["missing", "a database"])
def test_commands_refuse_another_users_home_in_one_line(tmp_path: Path, command: tuple[str, ...], victim: str) -> None:
    (tmp_path / "of-root").mkdir()
    target = tmp_path / "of-root" / "victim.db"
    if victim == "a database":
        foreign_database(target)
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    (theirs / "cache.sqlite3").symlink_to(target)
    (theirs / "token").write_text("hf_chosenbyastranger")
    for path in (theirs, theirs / "cache.sqlite3", theirs / "token"):
        given_away(path)
    before = everything(tmp_path)
    done = datahub(theirs, *command)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert f"datahub: the folder {theirs} belongs to" in line
    assert everything(tmp_path) == before


def test_every_command_that_opens_the_home_is_among_them() -> None:
    others = {("settings",), ("localhub",), ("cache",), ("hub",)}
    named = {tuple(word for word in command if word not in {"--yes", "laptop"}) for command in READING + WRITING}
    found: set[tuple[str, ...]] = {(name,) for name in main.commands}
    for name, group in main.commands.items():
        found |= {(name, below) for below in getattr(group, "commands", ())}
    assert found - others == named


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_commands_that_read_make_no_home_and_change_none(tmp_path: Path, command: tuple[str, ...]) -> None:
    datahub(tmp_path / "above" / "home", *command)
    assert list(tmp_path.iterdir()) == []
    at = tmp_path / "home"
    at.mkdir()
    at.chmod(0o755)
    datahub(at, *command)
    assert list(at.iterdir()) == []
    assert mode(at) == 0o755


@needs_root
@pytest.mark.parametrize("command", [("status",), ("quarantine",), ("hub", "squash", "--yes")], ids=" ".join)
@pytest.mark.parametrize("exists", [True, False])
def test_no_command_opens_a_cache_that_is_another_users_link(
    tmp_path: Path, command: tuple[str, ...], *, exists: bool
) -> None:
    """As somebody could leave it in a home that was open to others."""
    at, target = tmp_path / "home", tmp_path / "victim.db"
    at.mkdir()
    if exists:
        foreign_database(target)
    before = target.read_bytes() if exists else None
    (at / "cache.sqlite3").symlink_to(target)
    given_away(at / "cache.sqlite3")
    done = datahub(at, *command)
    assert done.returncode == 1
    if exists or command[0] == "hub":
        assert f"the link {at}/cache.sqlite3 belongs to" in done.stderr
    assert (target.read_bytes() if target.exists() else None) == before


@needs_root
@pytest.mark.parametrize("name", ["cache.sqlite3", "cache.sqlite3-wal", "cache.sqlite3-shm", "cache.sqlite3-journal"])
@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_cache_of_another_user_is_not_opened(tmp_path: Path, name: str, kind: str) -> None:
    target = tmp_path / "target"
    if kind == "link":
        (tmp_path / name).symlink_to(target)
    else:
        (tmp_path / name).touch()
    given_away(tmp_path / name)
    with pytest.raises(CacheError, match=rf"the {kind} {tmp_path}/{name} belongs to .*uid {STRANGER}"):
        Cache.open(tmp_path / "cache.sqlite3")
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@needs_root
def test_the_catalogue_of_snapshots_is_not_opened_through_another_users_link(tmp_path: Path) -> None:
    from api.engine.hub.catalog import Catalog

    (tmp_path / "catalog.sqlite3").symlink_to(tmp_path / "target")
    given_away(tmp_path / "catalog.sqlite3")
    with pytest.raises(UnsafePath, match=f"the link .* belongs to .*uid {STRANGER}"):
        Catalog(tmp_path / "catalog.sqlite3")
    assert not (tmp_path / "target").exists()


def test_a_cache_is_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cache.sqlite3")
    with pytest.raises(CacheError, match=r"cache\.sqlite3 of .* is no file: move it away"):
        Cache.open(tmp_path / "cache.sqlite3")


def test_our_own_link_to_a_cache_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "cache.sqlite3").symlink_to(tmp_path / "disk" / "cache.sqlite3")
    for _ in range(2):
        Cache.open(tmp_path / "cache.sqlite3").close()
        assert (tmp_path / "disk" / "cache.sqlite3").stat().st_size > 0


def test_every_command_makes_files_for_its_user_alone(monkeypatch: pytest.MonkeyPatch, wide_umask: None) -> None:
    assert CliRunner().invoke(main, ["settings"]).exit_code == 0
    assert os.umask(0) == 0o077


# ---------------------------------------------------------------- parts of the home, each on its own


@needs_root
def test_the_hub_refuses_a_folder_or_a_secret_of_another_user(tmp_path: Path) -> None:
    theirs = tmp_path / "hub"
    theirs.mkdir()
    given_away(theirs)
    with pytest.raises(UnsafePath, match=f"uid {STRANGER}"):
        Home(theirs)
    with pytest.raises(UnsafePath, match=f"uid {STRANGER}"), only_server(theirs):
        pass
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "hub.sqlite3").symlink_to(tmp_path / "target")
    given_away(ours / "hub.sqlite3")
    with pytest.raises(UnsafePath, match=rf"the link {ours}/hub.sqlite3 belongs to .*uid {STRANGER}"):
        Home(ours)
    assert not (tmp_path / "target").exists()
    token = tmp_path / "token"
    token.write_text("chosen-by-a-stranger")
    given_away(token)
    with pytest.raises(UnsafePath, match=rf"the file {token} belongs to .*uid {STRANGER}"):
        secret_in(token, make=lambda: "ours")


def test_a_secret_others_can_write_is_taken_from_them(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("ours")
    token.chmod(0o666)
    assert secret_in(token, make=lambda: "never") == "ours"
    assert mode(token) == 0o644


def test_the_hub_and_the_api_alone_close_their_folders(tmp_path: Path) -> None:
    from api.engine.hub.catalog import Catalog

    for name in ("hub", "snapshots"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    Home(tmp_path / "hub").close()
    Catalog(tmp_path / "snapshots" / "catalog.sqlite3").close()
    Catalog(tmp_path / "new" / "snapshots" / "catalog.sqlite3").close()
    assert [mode(tmp_path / name) for name in ("hub", "snapshots", "new", "new/snapshots")] == [0o700] * 4


def test_the_cache_and_what_is_landed_are_closed_without_up_too(tmp_path: Path, wide_umask: None) -> None:
    tmp_path.chmod(0o755)
    with Cache.open(tmp_path / "cache.sqlite3"):
        assert {path.name: mode(path) for path in tmp_path.iterdir()} == {
            f"cache.sqlite3{end}": 0o600 for end in ("", "-wal", "-shm")
        }
    spec = DATASETS["market"]
    empty = Checked(frame=pl.DataFrame(schema=spec.polars_schema()), rejected=())
    (tmp_path / "landing" / "market").mkdir(parents=True)
    landed = land(tmp_path / "landing", spec, empty, now_ms=0)
    assert mode(landed.parent) == 0o700


def test_dagsters_home_is_closed(tmp_path: Path) -> None:
    settings = Settings.from_env({"DATAHUB_HOME": str(tmp_path / "h")})
    settings.dagster_home.mkdir(parents=True)
    settings.dagster_home.chmod(0o755)
    dagster_home.write(settings)
    assert mode(settings.dagster_home) == 0o700


@needs_root
def test_dagsters_home_of_another_user_is_refused(tmp_path: Path) -> None:
    settings = Settings.from_env({"DATAHUB_HOME": str(tmp_path)})
    settings.dagster_home.mkdir()
    given_away(settings.dagster_home)
    with pytest.raises(OpsError, match=rf"{settings.dagster_home} belongs to"):
        dagster_home.write(settings)


def test_no_link_is_followed_to_change_a_mode(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert private_folder(tmp_path / "link") == 0o755
    assert mode(tmp_path / "target") == 0o755


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    with pytest.raises(OSError, match=r"logs"):
        private_folder(tmp_path / "logs")


# ---------------------------------------------------------------- the sockets


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
def test_a_sockets_folder_root_left_to_a_user_is_named(short: Path) -> None:
    (short / "run").mkdir()
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


# ---------------------------------------------------------------- the whole product


@pytest.mark.timeout(300)
def test_nothing_of_a_running_product_is_open_to_others_and_a_kill_leaves_nothing_for_long(
    short: Path, temporary: Path, wide_umask: None
) -> None:
    """A whole start in a home that needs the temporary folder, then SIGKILL, then a start that cleans up."""
    path = short / "50%"
    with FakeCoinGecko() as coingecko, FakeBinance() as binance:
        upstreams = {
            "COINGECKO_BASE_URL": f"{coingecko.url}/api/v3", "BINANCE_BASE_URLS": binance.url,
            "DATAHUB_COINS": "5", "DATAHUB_SYMBOLS": "BTCUSDT", "DATAHUB_INTERVALS": "1h",
            "DATAHUB_HISTORY_CANDLES": "10", "TMPDIR": str(temporary),
        }  # fmt: skip
        with Stack(path, upstreams=upstreams) as stack:
            stack.wait_for(lambda: stack.get("/api/hub/market"), "rows in the API")
            (folder,) = temporary.glob("datahub-*")
            assert {entry.name for entry in folder.iterdir()} >= {"code.sock", "warm.sock", "storage"}
            seen = [path, *path.rglob("*"), *temporary.iterdir(), *folder.iterdir()]
            names = {entry.name for entry in seen}
            assert {
                "cache.sqlite3",
                "token",
                "hub.sqlite3",
                "api.log",
                "runs.db",
                "dagster.yaml",
                "catalog.sqlite3",
            } <= names
            # SQLite's files beside a database come and go.
            assert [
                str(one) for one in seen if os.path.lexists(one) and not one.is_symlink() and mode(one) & 0o077
            ] == []
            assert home.make(path) == [], "each name at the top of the home is known as the product's"
            path.chmod(0o755)
            assert "yours alone now" in home.make(path)[0]
            killed = kill_hard(stack)
            psutil.wait_procs(killed, timeout=60)
            assert folder.is_dir()
            stack.start()
            stack.wait_for(lambda: not folder.exists(), "removal of what the killed one left")
    assert list(temporary.glob("datahub-*")) == []
    assert not (path / "run.path").exists()


def open_to_others(path: Path) -> bool:
    """Whether others may do anything with it; a link has no mode of its own, and some files come and go."""
    try:
        return not path.is_symlink() and bool(mode(path) & 0o077)
    except FileNotFoundError:
        return False


def kill_hard(stack: Stack) -> list[psutil.Process]:
    """SIGKILL `up`; returns the processes it leaves, which end by themselves."""
    assert stack.process is not None
    children = psutil.Process(stack.process.pid).children(recursive=True)
    stack.process.send_signal(signal.SIGKILL)
    stack.process.wait(timeout=20)
    return children
