"""Dagster's UI behind its guard as `datahub up` starts it, over an empty workspace, and what browsers send to it."""

import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx

ROOT = Path(__file__).parents[2]
STOP_LIMIT_S = 20.0
TOKEN = "hf_the-owners-token-of-these-tests"

FETCH = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty", "accept": "*/*"}
SCRIPT = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script", "accept": "*/*"}
TYPED = {
    "sec-fetch-site": "none",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "accept": "text/html,*/*",
}
LINKED = TYPED | {"sec-fetch-site": "cross-site"}
IMAGE = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image", "accept": "image/*"}
JSON = {"content-type": "application/json"}
UPGRADE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol": "graphql-ws",
}


def limit(key: str) -> str:
    """A mutation that can be seen afterwards: the limit of a pool."""
    return f'mutation {{ setConcurrencyLimit(concurrencyKey: "{key}", limit: 3) }}'


class DagsterUi:
    """The process, and an HTTP client for it. Leaving it stops the process, which has to end well."""

    def __init__(self, home: Path, **environ: str) -> None:
        (home / "dagster").mkdir(parents=True)
        (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        workspace = home / "dagster" / "workspace.yaml"
        workspace.write_text("load_from: []\n")
        self.log = home / "dagster.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "datahub_assets.ops.dagster.web", "-w", str(workspace), "--port", "0"],
                cwd=ROOT,
                env={
                    **{name: value for name, value in os.environ.items() if not name.startswith(("HF_", "DATAHUB_"))},
                    "DATAHUB_HOME": str(home),
                    "DAGSTER_HOME": str(home / "dagster"),
                    **environ,
                },
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("Dagster's UI listens on "), line + self.log.read_text()
        self.port = int(line.rpartition(":")[2])
        self.host = f"127.0.0.1:{self.port}"
        self.origin = f"http://{self.host}"
        self.client = httpx.Client(base_url=self.origin, timeout=60, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.stop()

    def stop(self) -> float:
        """SIGTERM, and how many seconds it took to end."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(STOP_LIMIT_S) == 0, self.log.read_text()
        finally:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
        return time.monotonic() - began

    def graphql(self, query: str, **headers: str) -> Any:
        """What the UI's own fetch is answered."""
        given = {**FETCH, "origin": self.origin, **headers}
        return self.client.post("/graphql", json={"query": query}, headers=given).raise_for_status().json()["data"]

    def limits(self, **headers: str) -> set[str]:
        """The keys that `limit` has set."""
        found = self.graphql("{ instance { concurrencyLimits { concurrencyKey } } }", **headers)
        return {one["concurrencyKey"] for one in found["instance"]["concurrencyLimits"]}

    def assets(self) -> set[str]:
        """The keys of all assets that were reported."""
        found = self.graphql("{ assetsOrError { ... on AssetConnection { nodes { key { path } } } } }")
        return {"/".join(node["key"]["path"]) for node in found["assetsOrError"]["nodes"]}

    def handshake(self, **headers: str) -> int:
        """The status that opening a WebSocket is answered with; 101 when it is open."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", "/graphql", headers={**UPGRADE, **headers})
            return connection.getresponse().status
        finally:
            connection.close()


def sent(ui: DagsterUi, *headers: tuple[str, str], method: str = "GET") -> httpx.Response:
    return ui.client.request(method, "/server_info", headers=headers)
