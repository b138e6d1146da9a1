"""Certificate authorities that a variable names and that cannot be used."""

import os
import ssl
import subprocess
import sys
from pathlib import Path

import certifi
import pytest

from datahub_assets.domain.errors import SettingsError
from datahub_assets.settings import Settings
from datahub_system import certificates
from tests.ops.cli import datahub

FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(autouse=True)
def _none_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in certificates.VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("variable", certificates.VARIABLES)
@pytest.mark.parametrize("command", [("status",), ("doctor",), ("up",), ("history", "status")], ids=" ".join)
def test_commands_name_the_variable_and_the_path(tmp_path: Path, variable: str, command: tuple[str, ...]) -> None:
    missing = tmp_path / "missing.pem"
    told = datahub(*command, env={variable: str(missing), "DATAHUB_HOME": str(tmp_path / "home")})
    assert told.exit_code == 2
    lines = told.output.splitlines()
    assert len(lines) == 1, told.output
    assert lines[0].startswith(f"datahub: {variable}={missing}: ")
    assert "no such f" in lines[0]
    assert "must name" in lines[0]


@pytest.mark.parametrize("module", [("api", "serve"), ("datahub_assets.ops.dagster.web", "-w", __file__)])
def test_processes_of_the_stack_name_them_too(tmp_path: Path, module: tuple[str, ...]) -> None:
    environ = {"PATH": os.environ["PATH"], "SSL_CERT_FILE": str(tmp_path / "gone.pem"), "DATAHUB_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", *module], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"SSL_CERT_FILE={tmp_path / 'gone.pem'}: no such file")


@pytest.mark.parametrize("variable", FILES)
def test_what_is_no_certificate_is_refused(tmp_path: Path, variable: str) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a certificate")
    with pytest.raises(SettingsError, match=f"^{variable}={text}: it holds no certificates in PEM form"):
        Settings.from_env({variable: str(text)})


def test_a_file_where_a_folder_must_be_and_the_other_way_round(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^SSL_CERT_DIR=.*: it is no folder"):
        Settings.from_env({"SSL_CERT_DIR": certifi.where()})
    with pytest.raises(SettingsError, match=r"^SSL_CERT_FILE=.*: it is a folder"):
        Settings.from_env({"SSL_CERT_FILE": str(tmp_path)})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("variable", certificates.VARIABLES)
def test_what_may_not_be_read_is_refused(tmp_path: Path, variable: str) -> None:
    closed = tmp_path / "closed"
    closed.mkdir() if variable == "SSL_CERT_DIR" else closed.touch()
    closed.chmod(0)
    with pytest.raises(SettingsError, match=f"^{variable}={closed}: permission denied"):
        Settings.from_env({variable: str(closed)})


def test_what_is_usable_is_used_and_the_first_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def default() -> ssl.SSLContext:
        raise AssertionError("a variable is set")

    Settings.from_env({"SSL_CERT_DIR": str(tmp_path), "SSL_CERT_FILE": certifi.where()})
    for variable in reversed(FILES):
        monkeypatch.setenv(variable, certifi.where())
        assert certificates.tls_context(default).get_ca_certs()
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "missing"))
    assert certificates.tls_context(default).get_ca_certs(), "what is not used may be missing"
    monkeypatch.setenv("SSL_CERT_FILE", " ")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    assert not certificates.tls_context(default).get_ca_certs(), "a folder is as good as a file there"
