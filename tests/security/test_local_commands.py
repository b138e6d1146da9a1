"""Commands in the home of another user: refused in one line, and nothing is opened or made there."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from datahub_assets.cli import main
from datahub_assets.domain.errors import CacheError
from datahub_assets.stores.cache.cache import Cache
from datahub_system.files.private import UnsafePath
from tests.e2e.stack import ROOT
from tests.security.strangers import STRANGER, given_away, mode, needs_root

READING = [("status",), ("doctor",), ("token",), ("token", "list"), ("token", "remove", "laptop"), ("quarantine",)]
READING += [("history", "status"), ("history", "verify"), ("token", "revoke", "laptop")]
WRITING = [("up",), ("cache", "rebuild", "--yes"), ("hub", "squash", "--yes"), ("token", "add", "laptop")]
WRITING += [("history", "fill", "--from", "2024-11")]


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
    others = {("settings",), ("datasets",), ("localhub",), ("cache",), ("hub",), ("history",)}
    values = {"--yes", "laptop", "--from", "2024-11"}
    named = {tuple(word for word in command if word not in values) for command in READING + WRITING}
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
