"""Datasets of installed packages: what the registry takes, what it refuses, and how commands end then."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from textwrap import dedent

import pytest

from datahub_assets.datasets.registry import DATASETS, GROUP, PACKAGES, packages_of
from datahub_assets.domain.errors import DatasetInvalid
from tests.datasets.foreign import INCIDENTS, INSTALLED, RECEIPTS

ROOT = Path(__file__).parents[2]
SPEC = "from dataclasses import replace\nfrom field_incidents.spec import SPEC as OTHER\n"
TWIN = """
    from dataclasses import replace
    from datahub_assets.datasets.market.spec import MARKET
    SPEC = replace(MARKET, name='twin', cache_table='cached_twin')
"""


def test_own_packages_come_first_and_market_before_all() -> None:
    assert list(DATASETS) == ["market", "ohlc", "listings", "news", "blocks", "network"]
    packages = ("market", "candles", "listings", "news", "blocks", "network")
    assert list(PACKAGES) == [f"datahub_assets.datasets.{package}" for package in packages]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, beside that of the two datasets."""
    for folder in (INSTALLED, tmp_path):
        monkeypatch.syspath_prepend(str(folder))
    return tmp_path


def package(folder: Path, name: str, spec: str) -> EntryPoint:
    """A distribution that brings a dataset with this module `spec`."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").touch()
    (folder / name / "spec.py").write_text(dedent(spec))
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {name}\n")
    return EntryPoint(name=name, value=name, group=GROUP)


@pytest.mark.usefixtures("path")
def test_installed_packages_come_after_by_name() -> None:
    points = [EntryPoint(name=one, value=f"field_{one}", group=GROUP) for one in ("receipts", "incidents")]
    assert list(packages_of(points).items())[len(DATASETS) :] == [
        ("field_incidents", INCIDENTS),
        ("field_receipts", RECEIPTS),
    ]


@pytest.mark.parametrize(
    ("name", "spec", "told"),
    [
        ("field_absent", "", "leads to no dataset: field_absent.spec.SPEC: AttributeError"),
        ("field_broken", "1 / 0", "leads to no dataset: field_broken.spec.SPEC: ZeroDivisionError: division by zero"),
        ("field_other", "SPEC = 'a dataset'", "leads to no dataset: field_other.spec.SPEC is a str"),
        ("field_wrong", f"{SPEC}SPEC = replace(OTHER, name='sql')", "dataset 'sql': the name 'sql' means something"),
        (
            "field_twin",
            TWIN,
            "dataset 'twin' of field_twin has the same repo_name, source_asset, hub_asset as that of datahub_assets.",
        ),
    ],
)
def test_what_is_no_dataset_is_refused_with_who_brings_it(path: Path, name: str, spec: str, told: str) -> None:
    with pytest.raises(DatasetInvalid) as caught:
        packages_of([package(path, name, spec)])
    assert told in str(caught.value)
    assert name in str(caught.value)


def test_one_code_means_one_thing(path: Path) -> None:
    other = f"""
        {SPEC.splitlines()[0]}
        {SPEC.splitlines()[1]}
        from datahub_assets.datasets.filters import Filter, Unknown
        word = Filter(parameter='headline', column='headline', doc='x', unknown=Unknown('unknown_symbol', 'headline'))
        SPEC = replace(OTHER, series='headline', filters=(word,))
    """
    with pytest.raises(DatasetInvalid, match="has the same code 'unknown_symbol' for another thing as that of"):
        packages_of([package(path, "field_words", other)])


def test_an_entry_point_without_a_package_is_refused() -> None:
    with pytest.raises(DatasetInvalid, match=r"'gone' of an installed package leads to no dataset: .*No module named"):
        packages_of([EntryPoint(name="gone", value="field_gone", group=GROUP)])


def run(*command: str, path: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, INSTALLED, path))), **environ}
    return subprocess.run([sys.executable, "-m", *command], env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command",
    [
        *(("datahub_assets", name) for name in ("up", "status", "settings", "datasets", "--help")),
        ("api", "serve"),
    ],
    ids=" ".join,
)
def test_a_broken_package_ends_commands_with_plain_lines(tmp_path: Path, command: tuple[str, ...]) -> None:
    package(tmp_path, "field_wrong", f"{SPEC}SPEC = replace(OTHER, name='sql', default_limit=0)")
    done = run(*command, path=tmp_path, DATAHUB_HOME=str(tmp_path / "home"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "the entry point 'field_wrong' of field_wrong: dataset 'sql': the name 'sql' means something" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home").exists()


def test_a_variable_of_two_settings_ends_commands_with_plain_lines(tmp_path: Path) -> None:
    package(
        tmp_path,
        "field_greedy",
        """
        from dataclasses import replace
        from pydantic import Field
        from datahub_assets.datasets.settings_base import DatasetSettings, env
        from field_incidents.spec import SPEC as OTHER

        class Greedy(DatasetSettings):
            coins: str = Field("", validation_alias=env("DATAHUB_COINS"), description="coins to throw")

        names = dict.fromkeys(("name", "source_asset", "cache_table", "hub_asset", "repo_name"), "greedy")
        SPEC = replace(OTHER, settings=Greedy, **names)
        """,
    )
    done = run("datahub_assets", "status", path=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "datahub: the variable DATAHUB_COINS is a setting of the dataset 'market' and of the dataset 'greedy': give it "
        "another name in one of them\n"
    )


def test_commands_know_installed_datasets(tmp_path: Path) -> None:
    listed = run("datahub_assets", "datasets", path=tmp_path).stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["dataset", *DATASETS, "incidents", "receipts"]
    assert listed[-2].split() == ["incidents", "Incidents", "field-incidents", "field_incidents"]
    told = run("datahub_assets", "settings", path=tmp_path).stdout
    assert "FIELD_INCIDENTS_URL  [http://127.0.0.1:9]\n    where incidents are told" in told
    wrong = run("datahub_assets", "status", path=tmp_path, FIELD_RECEIPTS_URL="ftp://register")
    assert (wrong.returncode, wrong.stderr.split(":")[1]) == (2, " FIELD_RECEIPTS_URL='ftp")
