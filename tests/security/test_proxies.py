"""The whole product behind a proxy: upstreams are reached through it, and it hears nothing of what stays here."""

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from localhub.testing import HubServer
from tests.api.process import process, serving_process
from tests.api.workers import Workers, candles, prices
from tests.e2e.stack import ROOT, Stack
from tests.fakes import Clock, FakeBinance, FakeCoinGecko
from tests.fakes.proxy import HttpProxy, SocksProxy

USER, PASSWORD = "joe", "hunter22-of-the-proxy"
AUTHORIZATION = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
FAR = ("coingecko.test", "binance.test")


@dataclass(frozen=True)
class Behind:
    """A running stack, the proxy before its upstreams, and the proxy's URL with what opens it."""

    stack: Stack
    proxy: HttpProxy
    url: str


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    clock = Clock()
    clock.run()
    with (
        HttpProxy(authorization=AUTHORIZATION) as proxy,
        FakeCoinGecko(clock=clock) as coingecko,
        FakeBinance(clock=clock) as binance,
    ):
        url = proxy.url.replace("://", f"://{USER}:{PASSWORD}@")
        upstreams = {
            "COINGECKO_BASE_URL": f"http://coingecko.test:{coingecko.port}/api/v3",
            "COINGECKO_API_KEY": "CG-the-key-of-coingecko",
            "BINANCE_BASE_URLS": f"http://binance.test:{binance.port}",
            "HTTP_PROXY": url, "HTTPS_PROXY": url, "ALL_PROXY": "socks4://is.not.used",
            "NO_PROXY": "10.0.0.0/8,fd00::/8,[fd00::1]:8080,what?ever,.corp.example",
            "DATAHUB_DATASETS": "market,ohlc",
            "DATAHUB_COINS": "5", "DATAHUB_SYMBOLS": "BTCUSDT", "DATAHUB_INTERVALS": "1h",
            "DATAHUB_HISTORY_CANDLES": "10",
        }  # fmt: skip
        with Stack(tmp_path_factory.mktemp("behind") / "home", upstreams=upstreams) as stack:
            yield Behind(stack, proxy, url)


def has_rows(stack: Stack) -> bool:
    status = stack.get("/api/hub/status")
    return all(status[name]["records"] for name in ("market_dataset", "ohlc_dataset"))


@pytest.mark.timeout(240)
def test_what_is_fetched_through_the_proxy_is_published_and_served(behind: Behind) -> None:
    stack, proxy = behind.stack, behind.proxy
    stack.wait_for(lambda: has_rows(stack), "rows of both datasets in the API")
    assert stack.get("/api/hub/market")
    assert stack.get("/api/hub/ohlc", symbol="BTCUSDT", interval="1h")
    assert proxy.hosts == set(FAR)
    ours = {stack.api_port, stack.dagster_port, stack.hub_port}
    assert not ours & {port for _, port in proxy.asked}
    token = (stack.home / "token").read_text().strip()
    assert token.encode() not in proxy.heard
    assert b"Bearer" not in proxy.heard


def test_no_log_has_the_password_and_the_unreadable_entry_is_named_once(behind: Behind) -> None:
    stack = behind.stack
    logs = {path.name: path.read_text(errors="replace") for path in (stack.home / "logs").glob("*.log*")}
    logs["up"] = stack.log(10_000)
    assert {"api.log", "hub.log", "daemon.log"} <= set(logs)
    assert not [name for name, text in logs.items() if PASSWORD in text or AUTHORIZATION in text]
    named = {name: text.count("what?ever") for name, text in logs.items() if "what?ever" in text}
    assert named == {"up": 1}


def datahub(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "datahub_assets.cli", command],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.timeout(240)
def test_doctor_and_status_ask_the_stack_directly(behind: Behind) -> None:
    stack, proxy = behind.stack, behind.proxy
    stack.wait_for(lambda: has_rows(stack), "rows of both datasets in the API")
    done = datahub("doctor", stack.environment)
    for check in (
        "coingecko",
        "binance",
        "hub account",
        "publish and read back",
        "datasets",
        "api with token",
        "dagster",
    ):
        assert re.search(rf"^ok    {check}:", done.stdout, re.MULTILINE), done.stdout
    assert "NO_PROXY: cannot read what?ever, ignored" in done.stderr
    assert "rows on the Hub" in datahub("status", stack.environment).stdout
    assert proxy.hosts == set(FAR)
    assert (stack.home / "token").read_text().strip().encode() not in proxy.heard


@pytest.mark.timeout(240)
def test_doctor_names_the_proxy_by_which_an_upstream_was_not_reached(behind: Behind) -> None:
    stack, proxy = behind.stack, behind.proxy
    wrong = f"http://{USER}:other-{PASSWORD}@127.0.0.1:{proxy.port}"
    done = datahub("doctor", {**stack.environment, "HTTP_PROXY": wrong})
    for check in ("coingecko", "binance"):
        line = next(line for line in done.stdout.splitlines() if line.startswith(f"FAIL  {check}:"))
        assert f"through the proxy {proxy.url} (HTTP_PROXY)" in line
        assert "HTTP 407" in line
    assert re.search("^ok    publish and read back:", done.stdout, re.MULTILINE), done.stdout
    assert PASSWORD not in done.stdout + done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("command", ["up", "status", "doctor"])
@pytest.mark.parametrize(
    ("variable", "value", "shown"),
    [
        (
            "HTTPS_PROXY",
            f"ftp://{USER}:{PASSWORD}@proxy:21",
            "HTTPS_PROXY=ftp://***@proxy:21: unknown scheme; must be http",
        ),
        ("ALL_PROXY", "http://proxy:99999", "ALL_PROXY=http://proxy:99999: no usable host and port; must be http"),
    ],
)
def test_an_unusable_proxy_stops_the_start_with_one_line(
    tmp_path: Path, command: str, variable: str, value: str, shown: str
) -> None:
    environment = {**os.environ, "DATAHUB_HOME": str(tmp_path / "home"), variable: value}
    done = datahub(command, environment)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"datahub: {shown}")
    assert done.stderr.count("\n") == 1
    assert PASSWORD not in done.stderr
    assert not (tmp_path / "home").exists()


def test_an_unusable_proxy_stops_the_api_with_one_line(tmp_path: Path) -> None:
    with process({"DATAHUB_HOME": str(tmp_path), "ALL_PROXY": "socks4://proxy:1080"}, "serve") as started:
        said, _ = started.communicate(timeout=60)
        assert started.returncode == 2
    assert said.startswith("ALL_PROXY=socks4://proxy:1080: unknown scheme")
    assert said.count("\n") == 1


@pytest.mark.timeout(120)
def test_the_api_serves_with_a_socks_proxy_and_asks_its_hub_directly(tmp_path: Path) -> None:
    with HubServer(tmp_path / "hub") as server, SocksProxy() as proxy:
        workers = Workers(tmp_path / "workers", endpoint=server.url, token=server.token)
        workers.publish(OHLC, candles())
        workers.publish(MARKET, prices())
        workers.close()
        unusual = "fd00::/8,[fd00::1]:8080,10.0.0.0/8"
        with serving_process(server, tmp_path / "home", ALL_PROXY=proxy.url, NO_PROXY=unusual) as url:
            token = {"Authorization": f"Bearer {server.token}"}
            assert httpx.get(f"{url}/api/hub/market", headers=token).is_success
        assert proxy.asked == []
