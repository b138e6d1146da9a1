"""One Hub and one Dagster instance for all combinations, homes to start from, and the count of what became of them."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from localhub.testing import HubServer
from tests.faults import chain
from tests.faults.matrix_report import COMBINATION
from tests.faults.subjects import GROUPS
from tests.faults.world import (
    MINUTE_MS,
    SCENES,
    AnswersHeard,
    World,
    all_succeeded,
    installation,
    keep_landings,
)

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


Seed = tuple[Path, AnswersHeard]


@pytest.fixture(scope="session")
def seeded(
    tmp_path_factory: pytest.TempPathFactory, hub_server: HubServer, instance: dg.DagsterInstance
) -> Callable[[str], Seed]:
    """A home of a group that has run for three ticks, with its journal, and all that upstreams had said by then."""

    @cache
    def seed(group: str) -> Seed:
        folder = tmp_path_factory.mktemp(f"seeded-{group}")
        with (
            pytest.MonkeyPatch.context() as patch,
            installation(
                folder, hub_server, instance=instance, now_ms=SCENES["first"], datasets=GROUPS[group]
            ) as world,
        ):
            keep_landings(patch, world.journal)
            for _ in range(3):
                assert all_succeeded(world.light_tick())
                world.clock.advance(MINUTE_MS)
            return folder, world.heard

    return seed


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

        def enter(scene: str, *, group: str = "prices", hurry: dict[str, Any] | None = None) -> World:
            heard: AnswersHeard = {}
            folder = tmp_path / f"world {len(list(tmp_path.glob('world *')))}"
            if scene == "first":
                folder.mkdir()
            else:
                seed, heard = request.getfixturevalue("seeded")(group)
                shutil.copytree(seed, folder)
            world = stack.enter_context(
                installation(folder, hub_server, instance=instance, now_ms=SCENES[scene], datasets=GROUPS[group])
            )
            world.heard.update({name: list(answers) for name, answers in heard.items()})
            if scene == "roll":
                world.change()
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
