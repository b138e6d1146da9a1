"""Lines of processes: split, secrets blotted out, rotated."""

from pathlib import Path

import pytest

from datahub_assets.ops.supervise import logs
from datahub_assets.ops.supervise.logs import FailureNotice, LineSplitter, LogFile, Redactor, plain


def test_lines_are_whole_however_the_bytes_come() -> None:
    splitter = LineSplitter()
    assert list(splitter.feed("fünf".encode()[:2])) == []
    assert list(splitter.feed("fünf".encode()[2:] + b"\r\nsix\nsev")) == ["fünf", "six"]
    assert list(splitter.flush()) == ["sev"]
    assert list(splitter.flush()) == []


def test_an_endless_line_is_cut() -> None:
    splitter = LineSplitter()
    lines = [line for _ in range(40) for line in splitter.feed(b"x" * 10_000)]
    assert lines
    assert max(map(len, lines)) < 100_000


def test_secrets_are_blotted_out_also_those_learned_later() -> None:
    redact = Redactor(["hf_abcdef", "hf_abcdefghij", None, "", "x"])
    assert redact("a hf_abcdefghij b hf_abcdef c x") == "a *** b *** c x"
    redact.learn("learned-later")
    assert redact("learned-later") == "***"


def test_colours_are_for_terminals() -> None:
    assert plain("\x1b[34mINFO\x1b[0m ok") == "INFO ok"


def test_logs_rotate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_FILE_BYTES", 2000)
    log = LogFile(tmp_path, "api")
    for number in range(1000):
        log.write(f"line {number}")
    log.close()
    files = list(tmp_path.iterdir())
    assert len(files) == 5
    assert all(file.stat().st_size <= 2000 for file in files)
    assert (tmp_path / "api.log").read_text().splitlines()[-1].endswith("Z api | line 999")


def test_a_full_disk_loses_lines_says_so_once_a_minute_and_the_log_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    times = iter([0.0, *[1.0] * 998, 59.9, 60.0])
    notice = FailureNotice(tmp_path, said.append, clock=lambda: next(times))
    first, second = (LogFile(tmp_path, name, on_failure=notice) for name in ("api", "hub"))
    for log in (first, second):
        log.path.symlink_to("/dev/full")
    for number in range(500):
        first.write(f"line {number}")
        second.write(f"line {number}")
    assert said == [f"lines of the logs are being lost, no space left in {tmp_path}: free some"]
    second.write("a minute later")
    assert len(said) == 2
    first.path.unlink()
    first.write("there is room again")
    first.write("and again")
    lines = first.path.read_text().splitlines()
    assert lines[0] == "--- 500 lines could not be written ---"
    assert [line.split(" | ")[1] for line in lines[1:]] == ["there is room again", "and again"]
    first.close()
    second.close()
    out, err = capsys.readouterr()
    assert (out, err) == ("", "")


def test_a_log_that_cannot_be_opened_is_told_with_the_reason(tmp_path: Path) -> None:
    said: list[str] = []
    log = LogFile(tmp_path, "api", on_failure=FailureNotice(tmp_path, said.append, clock=lambda: 0.0))
    log.path.mkdir()
    log.write("lost")
    log.close()
    assert said == [f"lines of the logs are being lost, {tmp_path}: Is a directory"]
