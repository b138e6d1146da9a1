"""The walk of a request that docs/architecture.md tells is the one it takes, and a short one."""

import asyncio
from pathlib import Path
from typing import Any

from api.asgi import create_app_with
from api.engine.create import create_engine
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.settings import Settings
from localhub.testing import HubServer
from tests.api.workers import Workers
from tests.walks import DOCUMENT, Call, modules, told, walked

MOST_MODULES = 15
WAIT_S = 20.0


async def asked(app: Any, token: str, query: str) -> list[Any]:
    """What is sent in answer to a request for candles."""
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    headers = {"host": "127.0.0.1", "accept-encoding": "gzip", "authorization": f"Bearer {token}"}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/api/hub/ohlc",
        "raw_path": b"/api/hub/ohlc",
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 7860),
    }
    await app(scope, receive, send)
    return sent


def walks(hub: HubServer, home: Path) -> tuple[list[Call], list[Call]]:
    """What a request passes when it is asked for the first time, and what when it is asked again."""
    environ = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "DATAHUB_HOME": str(home), "DATAHUB_POLL_S": "3600"}
    settings = Settings.from_env(environ)
    engine = create_engine(settings)
    app, token = create_app_with(settings, engine), hub.token

    async def run() -> tuple[list[Call], list[Call]]:
        async with app.lifespan(), asyncio.timeout(WAIT_S):
            await asyncio.to_thread(engine.refresh, OHLC.name)
            await asked(app, token, "symbol=BTCUSDT&interval=1h&limit=4")  # what is done once a process is done
            found: list[list[Call]] = []
            for _ in range(2):
                with walked() as calls:
                    sent = await asked(app, token, "symbol=BTCUSDT&interval=1h&limit=5")
                assert sent[0]["status"] == 200
                found.append(calls)
            return found[0], found[1]

    return asyncio.run(run())


def test_a_request_takes_the_steps_that_are_told(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    cold, again = walks(hub, tmp_path)
    steps = told("One request, from socket to bytes")
    assert all(steps), "each step names what it does"
    places = [min(cold.index(call) for call in step) for step in steps]
    assert places == sorted(places), "in this order"
    assert all(call in cold for step in steps for call in step)
    assert modules(cold) == [step[0][0] for step in steps], "and passes nothing else"
    assert len(steps) <= MOST_MODULES
    repeated = [call for step in steps[:3] for call in step]
    assert all(call in again for call in repeated)
    assert not any(call in again for step in steps[6:10] for call in step), "which ends there when it is repeated"
    told_of_again = ("api/access/admission.py", "Admission.passes_at_once"), ("api/engine/dataset.py", "Dataset.serves")
    assert all(call in again and f"`{call[1]}`" in DOCUMENT.read_text() for call in told_of_again)
    assert set(modules(again)) - {path for step in steps[:4] for path, _ in step} == {
        *(path for path, _ in told_of_again),
        "api/access/auth.py",
    }, "and needs no more than these"
