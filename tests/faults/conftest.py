"""One Hub and one Dagster instance for all combinations, homes to start from, and the count of what became of them."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from localhub.testing import HubServer
from tests.faults import chain
from tests.faults.matrix_report import COMBINATION
from tests.faults.witness import Versions
from tests.faults.world import MINUTE_MS, SCENES, World, all_succeeded, installation, keep_landings

OpenWorld = Callable[..., World]
Settle = Callable[[World], None]


@pytest.fixture(scope="session")
def hub_server(tmp_path_factory: pytest.TempPathFactory) -> HubServer:
    """A Hub that keeps its port, so that homes made with it can be copied; each test starts it over its own files."""
    return HubServer(tmp_path_factory.mktemp("hub"))


@pytest.fixture(scope="session")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(scope="session")
def seeded(
    tmp_path_factory: pytest.TempPathFactory, hub_server: HubServer, instance: dg.DagsterInstance
) -> tuple[Path, dict[str, Versions]]:
    """A home that has run for three ticks, with its journal, and all that upstream had said by then."""
    folder = tmp_path_factory.mktemp("seeded")
    with (
        pytest.MonkeyPatch.context() as patch,
        installation(folder, hub_server, instance=instance, now_ms=SCENES["first"]) as world,
    ):
        keep_landings(patch, world.journal)
        for _ in range(3):
            assert all_succeeded(world.light_tick())
            world.clock.advance(MINUTE_MS)
        return folder, {name: world.served(name) for name in ("market", "ohlc")}


@pytest.fixture
def open_world(
    tmp_path: Path,
    hub_server: HubServer,
    instance: dg.DagsterInstance,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[OpenWorld]:
    """A world in the state before one of the `SCENES`, with all waiting taken out."""
    with ExitStack() as stack:

        def enter(scene: str, *, hurry: dict[str, Any] | None = None) -> World:
            said: dict[str, Versions] = {}
            folder = tmp_path / f"world {len(list(tmp_path.glob('world *')))}"
            if scene == "first":
                folder.mkdir()
            else:
                seed, said = request.getfixturevalue("seeded")
                shutil.copytree(seed, folder)
            world = stack.enter_context(installation(folder, hub_server, instance=instance, now_ms=SCENES[scene]))
            world.said_before = said
            if scene == "roll":
                world.heal_gap()
            keep_landings(monkeypatch, world.journal)
            chain.hurried(monkeypatch, world.clock, **(hurry or {}))
            return world

        yield enter


@pytest.fixture
def settle(request: pytest.FixtureRequest) -> Settle:
    """Recover, compare everything, and count the combination with its outcome."""

    def settled(world: World) -> None:
        world.health()
        world.recover()
        findings = world.findings()
        request.node.user_properties.append((COMBINATION, (len(findings.lost), len(findings.doubled))))
        assert findings.clean, str(findings)

    return settled
