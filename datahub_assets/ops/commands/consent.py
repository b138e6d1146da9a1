"""The one question of `up`: may it create public repos in this account? Asked on a terminal, once, and remembered."""

import json
from collections.abc import Callable
from pathlib import Path

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubNotFound, HubRateLimited, HubUnavailable, SettingsError
from datahub_assets.ops.errors import NotAgreed
from datahub_assets.settings import Settings
from datahub_assets.stores.hub.account import hub_without_cache
from datahub_assets.stores.hub.client import Hub

Ask = Callable[[str], bool]
"""Puts a yes-or-no question to the person at the terminal."""


def _answer_path(settings: Settings) -> Path:
    return settings.home / "public-repos.json"


def make_sure(settings: Settings, *, ask: Ask | None, hub: Hub | None = None) -> None:
    """Before public repos are first created on a Hub that is not ours, have a person agree.

    Args:
        settings: with a token of their own; the embedded Hub needs no consent.
        ask: None when nobody is at a terminal: a server that was given HF_TOKEN was given it for this.
        hub: the Hub to look at; by default that of the settings.

    Raises:
        NotAgreed: the answer was no.
        SettingsError: there is no token for that Hub.        HubRefused: the Hub does not accept the token.
    """
    if settings.embedded_hub:
        return
    if settings.hf_token is None:
        raise SettingsError(
            f"HF_TOKEN=unset: HF_ENDPOINT={settings.hf_endpoint} needs a token that may write there; unset HF_ENDPOINT "
            "too to use the embedded Hub of this machine"
        )
    hub = hub or hub_without_cache(settings)
    try:
        repos = [hub.repo_id(spec) for spec in settings.collected]
        missing = [hub.repo_id(spec) for spec in settings.collected if not _exists(hub, spec)]
    except (HubUnavailable, HubRateLimited):  # it cannot be asked whether they exist, so the person is
        owner = settings.hf_username or "the token's account"
        repos = missing = [f"{owner}/{spec.repo_name}" for spec in settings.collected]
    if ask is None or not missing or _agreed(settings, missing):
        return
    question = f"Create these public datasets on {settings.hub_endpoint}: {', '.join(missing)}?"
    if not ask(question):
        raise NotAgreed(
            "nothing was started. Set HF_USERNAME to publish to another account, or unset HF_TOKEN to use the "
            "embedded Hub of this machine"
        )
    _answer_path(settings).write_text(json.dumps({"endpoint": settings.hub_endpoint, "repos": repos}), encoding="utf-8")


def _exists(hub: Hub, spec: DatasetSpec) -> bool:
    try:
        hub.head(spec)
    except HubNotFound:
        return False
    return True


def _agreed(settings: Settings, repos: list[str]) -> bool:
    path = _answer_path(settings)
    if not path.is_file():
        return False
    answer = json.loads(path.read_text(encoding="utf-8"))
    return answer["endpoint"] == settings.hub_endpoint and set(repos) <= set(answer["repos"])
