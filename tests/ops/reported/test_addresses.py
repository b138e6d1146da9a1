"""Addresses with colons and paths with spaces, in what is asked and in what is printed."""

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from datahub_assets.ops.commands.doctor.checks import checks, findings
from datahub_assets.ops.commands.up import welcome
from datahub_assets.ops.supervise import environment, stack
from tests.ops.conftest import settings_of

LOOPBACK_6 = ("::1", "::", "0:0:0:0:0:0:0:1")


class _Healthy(BaseHTTPRequestHandler):
    """Answers as the API's health and Dagster's version do."""

    def do_GET(self) -> None:
        body = json.dumps({"status": "ok", "dagster_webserver_version": "1"}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@pytest.fixture
def port_6() -> Iterator[str]:
    with _Server(("::1", 0), _Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield str(server.server_port)
        server.shutdown()


@pytest.mark.parametrize("host", LOOPBACK_6)
def test_doctor_asks_servers_at_ipv6_addresses(tmp_path: Path, port_6: str, host: str) -> None:
    hosts = {"DATAHUB_BIND_HOST": host, "DATAHUB_DAGSTER_HOST": host}
    settings = settings_of(tmp_path, **hosts, DATAHUB_API_PORT=port_6, DATAHUB_DAGSTER_PORT=port_6)
    seen = {check.name: check.look() for check in checks(settings) if check.name in {"api", "dagster"}}
    reached = stack.reachable_host(settings.bind_host)
    assert seen["api"] == f"http://[{reached}]:{port_6} is ok"
    assert seen["dagster"].startswith(f"http://[{reached}]:{port_6}, ")


@pytest.mark.parametrize("host", LOOPBACK_6)
def test_up_listens_at_them_and_prints_urls_that_work(tmp_path: Path, host: str) -> None:
    settings = settings_of(tmp_path, DATAHUB_BIND_HOST=host, DATAHUB_DAGSTER_HOST=host)
    printed = "\n".join(welcome(settings))
    assert f"http://[{stack.reachable_host(settings.bind_host)}]:7860/docs" in printed
    assert f"http://[{stack.reachable_host(settings.dagster_host)}]:3000" in printed
    hub = stack.localhub(settings, environment.build(settings, {})).argv
    assert hub[hub.index("--webhook-url") + 1].startswith("http://[")


@pytest.mark.parametrize("host", ["[::1]", "http://127.0.0.1", "my host"])
def test_a_host_that_is_none_is_a_finding_and_no_traceback(tmp_path: Path, host: str) -> None:
    settings = settings_of(tmp_path, DATAHUB_BIND_HOST=host, DATAHUB_DATASETS="ohlc")
    asked = {finding.check: finding.ok for finding in findings(settings) if finding.check in {"api", "api with token"}}
    assert asked == {"api": False, "api with token": False}


def test_the_printed_command_reads_a_token_whose_path_has_spaces(tmp_path: Path) -> None:
    home = tmp_path / "my data's; $HOME"
    home.mkdir()
    (home / "token").write_text("hf_of_the_owner\n")
    (command,) = [line.strip() for line in welcome(settings_of(home)) if "curl" in line]
    done = subprocess.run(
        ["sh", "-c", f'curl() {{ printf "%s\\n" "$@"; }}; {command}'], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[:2] == ["-H", "Authorization: Bearer hf_of_the_owner"]
