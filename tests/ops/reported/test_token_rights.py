"""A token that may not write: whose it is and where, and advice that helps. To wait does not."""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import dagster as dg
import pytest

from datahub_assets.domain.errors import HubRefused, HubUnavailable, SourceUnavailable
from datahub_assets.ops.commands import advice
from datahub_assets.ops.supervise import home_lock
from datahub_assets.stores.hub import rights
from datahub_assets.stores.hub.rights import TokenRights
from datahub_assets.stores.worker_status import WorkerStatusFile
from tests.ops.cli import datahub
from tests.ops.conftest import System, settings_of

PORTS = {"DATAHUB_API_PORT": "1", "DATAHUB_DAGSTER_PORT": "1"}
HUB = "https://hub.example"


def ticked(system: System) -> None:
    with suppress(dg.Failure):
        system.tick()


def failures(system: System, **environ: str) -> dict[str, str]:
    """What doctor finds wrong: by check what it saw and what to do, as one text."""
    lines = datahub("doctor", env={**system.environ, **PORTS, **environ}).output
    found = re.findall(r"^FAIL  (.+?): (.*)\n +fix: (.+)$", lines, flags=re.MULTILINE)
    return {name: f"{seen} | {fix}" for name, seen, fix in found}


@pytest.mark.parametrize(
    ("role", "username", "why", "fix"),
    [
        (
            "read",
            None,
            "role read) may only read, and not write to datasets of bob",
            "make a token with the role write",
        ),
        ("write", "alice", "may not write to datasets of alice: bob does not belong to it", "unset HF_USERNAME"),
    ],
    ids=["read only", "another's account"],
)
def test_status_and_doctor_name_token_and_account(
    system: System, role: str, username: str | None, why: str, fix: str
) -> None:
    system.environ["HF_TOKEN"] = system.server.add_user("bob", role=role)  # type: ignore[arg-type]
    if username is not None:
        system.environ["HF_USERNAME"] = username
    ticked(system)
    shown = datahub("status", env=system.environ)
    assert shown.exit_code == 1
    assert f"the token may not write to {username or 'bob'}/crypto-market-data on {system.server.url}" in shown.output
    (line,) = [line for line in shown.output.splitlines() if line.startswith("HF_TOKEN (token ")]
    assert "of bob, role" in line
    assert why in line
    assert fix in line
    with home_lock.held(system.settings.home):  # as if `up` ran: else the advice is to start it
        found = failures(system)
    assert why in found["hub account"]
    for check in ("hub account", "publish and read back", "datasets"):
        assert fix in found[check], check
        assert "wait" not in found[check], check


def test_a_token_the_hub_does_not_know(system: System) -> None:
    system.environ.update(HF_TOKEN="hf_of_nobody_at_all", HF_USERNAME="alice")
    ticked(system)
    with home_lock.held(system.settings.home):
        found = failures(system)
    for check in ("hub account", "publish and read back", "datasets"):
        assert f"make a token with the role write at {system.server.url}/settings/tokens" in found[check], check
        assert "wait" not in found[check], check


def test_who_may_write_is_told_so(system: System) -> None:
    system.tick()
    output = datahub("doctor", env={**system.environ, **PORTS}).output
    assert re.search(
        r"^ok    hub account: .* \(token '.+' of alice, role write\); datasets belong to alice$", output, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("answer", "namespace", "why"),
    [
        ({"auth": {"accessToken": {"displayName": "ci", "role": "read"}}}, "bob", "(token 'ci' of bob, role read)"),
        ({"orgs": [{"name": "org", "roleInOrg": "read"}]}, "org", "bob has the role read there"),
        ({"orgs": [{"name": "org", "roleInOrg": "write"}]}, "other", "bob does not belong to it"),
        ({"orgs": [{"name": "org", "roleInOrg": "write"}]}, "org", None),
        ({"orgs": [{"name": "org"}], "auth": {"accessToken": {"role": "fineGrained"}}}, "org", None),
        ({"auth": None, "orgs": None}, "bob", None),
        ({"auth": {"accessToken": "x"}, "orgs": ["org"]}, "bob", None),
    ],
)
def test_what_the_hub_says_of_a_token(answer: Mapping[str, object], namespace: str, why: str | None) -> None:
    found = rights.refusal(rights.told({"name": "bob", **answer}), namespace=namespace, endpoint=HUB)
    assert found is None if why is None else found is not None and why in found.why


def test_a_fine_grained_token_that_was_refused_is_told_what_it_lacks() -> None:
    token = TokenRights("bob", role="fineGrained")
    assert rights.refusal(token, namespace="bob", endpoint=HUB) is None
    found = rights.after_refusal(token, namespace="bob", endpoint=HUB)
    assert "role fineGrained" in found.why
    assert f"write access to the contents and settings of all datasets of bob at {HUB}/settings/tokens" in found.fix


@pytest.mark.parametrize(
    ("code", "begins"),
    [
        (None, "wait for the first tick"),
        (HubUnavailable.code, "wait: what failed for now (market)"),
        (SourceUnavailable.code, "wait: what failed for now (market)"),
        (HubRefused.code, "waiting does not help"),
        ("source_rejected", "waiting does not help"),
        ("unexpected", "waiting does not help"),
    ],
)
def test_waiting_is_advised_where_it_helps_only(tmp_path: Path, code: str | None, begins: str) -> None:
    settings = settings_of(tmp_path)
    assert advice.to_get_rows(settings) == advice.START
    if code is not None:
        WorkerStatusFile(tmp_path).failed("market", code=code, message="so it was", now_ms=0)
    with home_lock.held(tmp_path):
        told = advice.to_get_rows(settings)
    assert told.startswith(begins)
    assert "so it was" in told or not begins.startswith("waiting")


def test_servers_that_do_not_run_are_to_be_started(system: System) -> None:
    assert {failures(system)[name].partition(" | ")[2] for name in ("api", "api with token", "dagster")} == {
        advice.START
    }
    with home_lock.held(system.settings.home):
        assert "api.log" in failures(system)["api"]
