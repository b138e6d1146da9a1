"""A file is written whole or not at all."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

import pytest

from datahub_system.files.whole import write_whole


def cut_short(file: BinaryIO) -> None:
    file.write(b"ne")
    raise OSError("no more")


def test_what_was_there_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "told"
    target.write_bytes(b"old")
    write_whole(target, lambda file: file.write(b"new"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"told": b"new"}


@pytest.mark.parametrize("by_several", [False, True])
def test_what_was_there_stays_when_the_writing_fails(tmp_path: Path, *, by_several: bool) -> None:
    target = tmp_path / "told"
    target.write_bytes(b"old")
    with pytest.raises(OSError, match="no more"):
        write_whole(target, cut_short, by_several=by_several)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"told": b"old"}


def test_another_who_writes_the_same_file_is_not_disturbed(tmp_path: Path) -> None:
    target = tmp_path / "told"

    def write(file: BinaryIO) -> None:
        file.write(b"fir")
        write_whole(target, lambda other: other.write(b"second, and longer"), by_several=True)
        file.write(b"st")

    write_whole(target, write, by_several=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"told": b"first"}


def test_content_and_name_are_on_the_disk_in_that_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, synced = os.fsync, []

    def fsync(handle: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        synced.append(("folder" if is_folder else "file", (tmp_path / "told").exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(tmp_path / "told", lambda file: file.write(b"content"))
    assert synced == [("file", False), ("folder", True)]
