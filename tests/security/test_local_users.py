"""Another user of this machine can neither read what the product keeps, nor put anything of theirs in its place."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl
import psutil
import pytest

from datahub_assets.datasets.registry import DATASETS
from datahub_assets.domain.rows import Checked
from datahub_assets.ops.dagster import dagster_home
from datahub_assets.ops.errors import OpsError
from datahub_assets.ops.supervise import home
from datahub_assets.settings import Settings
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.landing import land
from datahub_system.files.home import open_home
from datahub_system.files.private import UnsafePath, private_folder
from localhub.store.disk.secretfile import secret_in
from localhub.store.home import Home, only_server
from tests.e2e.stack import ROOT, Stack, free_ports
from tests.fakes import FakeBinance, FakeCoinGecko
from tests.security.strangers import STRANGER, given_away, mode, needs_root


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
            "DATAHUB_DATASETS": "market,ohlc", "DATAHUB_HISTORY_CANDLES": "10", "TMPDIR": str(temporary),
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
