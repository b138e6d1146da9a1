"""What the README claims: its settings table is the settings table, and its snippets run against a running stack."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from datahub_assets.settings_table import setting_rows
from tests.e2e.stack import ROOT, Stack

pytestmark = pytest.mark.timeout(300)

README = (ROOT / "README.md").read_text(encoding="utf-8")
DATAHUB = str(Path(sys.executable).parent / "datahub")


def _snippets(language: str) -> list[str]:
    tour = README.split("## A tour")[1].split("## What is in the datasets")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", tour, flags=re.MULTILINE | re.DOTALL)


def _run(stack: Stack, command: list[str], snippet: str) -> str:
    text = (
        snippet.replace(".venv/bin/datahub", DATAHUB)
        .replace(":7860", f":{stack.api_port}")
        .replace(":7870", f":{stack.hub_port}")
    )
    environment = {**stack.environment, "HF_HOME": str(stack.home.parent / "hf"), "PATH": os.environ["PATH"]}
    done = subprocess.run([*command, text], env=environment, cwd=ROOT, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.parametrize("snippet", _snippets("sh"))
def test_shell_snippets_run(stack: Stack, snippet: str) -> None:
    told = _run(stack, ["bash", "-euc"], snippet)
    assert ("dhc_" if "token add" in snippet else '"symbol"') in told


@pytest.mark.parametrize("snippet", _snippets("python"))
def test_python_snippets_run(stack: Stack, snippet: str) -> None:
    assert _run(stack, [sys.executable, "-c"], snippet)


@pytest.mark.skipif(shutil.which("node") is None, reason="the JavaScript snippets need node")
@pytest.mark.parametrize("snippet", _snippets("js"))
def test_javascript_snippets_run(stack: Stack, snippet: str) -> None:
    assert _run(stack, ["node", "-e"], snippet)


def test_the_settings_table_is_the_settings() -> None:
    table = README.split("## Settings")[1].split("|---|---|---|\n")[1].split("\n\n")[0].splitlines()
    assert table == [f"| `{row.variable}` | {row.default} | {row.description} |" for row in setting_rows()]
