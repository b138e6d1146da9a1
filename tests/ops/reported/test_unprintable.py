"""Commands whose standard output lacks characters that they print."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from datahub_assets.ops.supervise import environment
from datahub_assets.settings import Settings

ENCODINGS = ({"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1:strict"}, {"LC_ALL": "C", "PYTHONUTF8": "0"})


def printed(
    *arguments: str, environ: dict[str, str], module: str = "datahub_assets"
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda one: next(iter(one.values())))
@pytest.mark.parametrize(
    ("arguments", "code", "shown"),
    [
        (("status",), 1, b"nothing has been published yet"),
        (("settings",), 0, b"DATAHUB_COINS"),
        (("up", "--help"), 0, b"DATAHUB_COINS"),
        (("quarantine",), 1, b"no cache"),
    ],
)
def test_what_cannot_be_shown_is_replaced(
    tmp_path: Path, encoding: dict[str, str], arguments: tuple[str, ...], code: int, shown: bytes
) -> None:
    environ = {**encoding, "DATAHUB_HOME": str(tmp_path / "datos–ñ")}
    done = printed(*arguments, environ=environ)
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    assert shown in done.stdout + done.stderr


def test_a_home_whose_name_is_no_text_is_shown(tmp_path: Path) -> None:
    done = printed("status", environ={"DATAHUB_HOME": os.fsdecode(bytes(tmp_path) + b"/\xff"), "PYTHONUTF8": "1"})
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"nothing has been published yet" in done.stdout


def test_the_embedded_hub_prints_names_that_ascii_lacks() -> None:
    done = printed("token", "--help", environ={"PYTHONIOENCODING": "ascii"}, module="localhub")
    assert (done.returncode, done.stderr) == (0, b"")


def test_processes_of_the_stack_write_what_their_reader_reads() -> None:
    settings = Settings.from_env({})
    of_shell = {"PYTHONIOENCODING": "ascii", "PATH": os.environ["PATH"]}
    assert environment.build(settings, of_shell).of()["PYTHONIOENCODING"] == "utf-8"
