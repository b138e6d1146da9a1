"""Whether the servers of the stack answer, asked as their callers do; never through a proxy."""

from collections.abc import Container, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.ops.commands import advice, datasets
from datahub_assets.ops.commands.advice import CheckFailed
from datahub_assets.ops.dagster.web.access import needs_login
from datahub_assets.ops.supervise import home_lock, stack
from datahub_assets.settings import Settings
from datahub_system.net import clients

_TIMEOUT_S: Final = 10.0
_AGENT: Final = {"User-Agent": "crypto-data-hub doctor"}
_TOLD: Final = (
    *(HTTPStatus.OK, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN),
    *(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
)
"""Answers of which the API says itself what they mean."""


def api(settings: Settings) -> str:
    """The API's own health."""
    health: dict[str, Any] = _get(f"{stack.api_url(settings)}/api/health", good=(200, 503)).json()
    if health["status"] != "ok":
        raise CheckFailed(f"{health['status']}: {'; '.join(health.get('reasons', []))}")
    return f"{stack.api_url(settings)} is ok"


def api_rows(settings: Settings) -> str:
    """The newest row of each dataset, asked for as a caller would."""
    headers = {"Authorization": f"Bearer {settings.owner_token()}"}
    told, empty = [], []
    for spec in settings.collected:
        query = urlencode({**datasets.query_of_stored(spec, settings), "limit": 1, "columns": spec.time})
        answer = _get(f"{stack.api_url(settings)}/api/hub/{spec.name}?{query}", headers=headers, good=_TOLD)
        if answer.status_code != HTTPStatus.OK:
            raise _not_served(answer, spec, settings)
        rows = answer.json()
        told += [f"{spec.name}: newest row of {rows[0][spec.time]}"] if rows else []
        empty += [] if rows else [spec.name]
    if empty:
        raise CheckFailed(f"it answers, without rows of {', '.join(empty)}", fix=advice.to_get_rows(settings))
    return ", ".join(told)


def _not_served(answer: httpx.Response, spec: DatasetSpec, settings: Settings) -> CheckFailed:
    """What the API's refusal of one dataset means to the owner."""
    problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    said = problem.get("detail", "") if isinstance(problem, dict) else ""
    seen = f"{spec.name}: it answers HTTP {answer.status_code}" + (f": {said}" if said else "")
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        return CheckFailed(seen, fix="the API takes tokens that the Hub of HF_ENDPOINT knows; see `hub account`")
    if answer.status_code == HTTPStatus.FORBIDDEN:
        return CheckFailed(seen, fix="DATAHUB_ALLOWED_USERS names the accounts that may use the API")
    return CheckFailed(seen, fix=advice.to_get_rows(settings))


def fix(settings: Settings, *names: str) -> str:
    """What to do about a server of the stack that does not answer."""
    if home_lock.holder(settings.home) is None:
        return advice.START
    return "see " + " and ".join(str(settings.home / "logs" / name) for name in names)


def dagster(settings: Settings) -> str:
    """Dagster's UI."""
    url = stack.dagster_url(settings)
    headers = {"Authorization": f"Bearer {settings.owner_token()}"} if needs_login(settings) else {}
    version = _get(f"{url}/server_info", headers=headers).json()["dagster_webserver_version"]
    return f"{url}, version {version}"


def _get(url: str, *, headers: Mapping[str, str] = _AGENT, good: Container[int] = (200,)) -> httpx.Response:
    """Ask a process of the stack, never through a proxy."""
    return _well(clients.get(url, headers={**_AGENT, **headers}, timeout=_TIMEOUT_S, direct=True), url, good)


def _well(answer: httpx.Response, asked: str, good: Container[int]) -> httpx.Response:
    if answer.status_code not in good:
        raise CheckFailed(f"{asked.split('?', maxsplit=1)[0]} answers HTTP {answer.status_code}")
    return answer
