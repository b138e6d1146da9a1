"""The API's URL as clients spell it, behind a proxy and below a path, in what is printed."""

from pathlib import Path

import pytest

from datahub_assets.domain.errors import SettingsError
from datahub_assets.ops.commands.up import welcome
from tests.ops.cli import datahub
from tests.ops.conftest import settings_of

PUBLIC = "https://data.example.com/hub"


@pytest.mark.parametrize("given", [PUBLIC, f"{PUBLIC}/"])
def test_up_prints_the_urls_that_clients_use(tmp_path: Path, given: str) -> None:
    printed = "\n".join(welcome(settings_of(tmp_path, DATAHUB_PUBLIC_URL=given)))
    assert f"API       {PUBLIC}  (docs: {PUBLIC}/docs)  (on this machine: http://127.0.0.1:7860)" in printed
    assert f'"{PUBLIC}/api/hub/market?' in printed


def test_without_one_the_address_here_is_printed(tmp_path: Path) -> None:
    printed = "\n".join(welcome(settings_of(tmp_path)))
    assert "API       http://127.0.0.1:7860  (docs: http://127.0.0.1:7860/docs)\n" in printed
    assert "on this machine" not in printed


def test_status_names_it(tmp_path: Path) -> None:
    assert (
        f", API {PUBLIC}" in datahub("status", env={"DATAHUB_HOME": str(tmp_path), "DATAHUB_PUBLIC_URL": PUBLIC}).output
    )


@pytest.mark.parametrize(
    "given", ["data.example.com/hub", "ftp://data.example.com", f"{PUBLIC}?a=b", "https://me:pw@x.example"]
)
def test_what_is_no_url_is_refused(given: str) -> None:
    with pytest.raises(SettingsError, match="DATAHUB_PUBLIC_URL"):
        settings_of(Path("data"), DATAHUB_PUBLIC_URL=given)
