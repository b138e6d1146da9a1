"""How the hub is: status, health, metrics, kinds of errors. Open to all."""

import asyncio

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from api.engine.engine import Engine
from api.health.schemas import Status
from api.health.service import HubHealth, SystemHealth, hub_health, system_health
from api.health.status import status_of
from api.http.metrics import CONTENT_TYPE, Metrics
from api.http.openapi import OPEN
from api.http.problems import ErrorKind, catalogue
from datahub_assets.settings import Settings

_HUB_DOWN = {**OPEN, 503: ResponseSpec(HubHealth, description="nothing can be served", generate_examples=False)}


_SYSTEM_DOWN = {**OPEN, 503: ResponseSpec(SystemHealth, description="nothing can be served", generate_examples=False)}


_NO_STORE = {"Cache-Control": "no-store"}


class StatusController(Controller):
    """How the hub is. Open to all."""

    tags = ["Status"]

    @get("/api/hub/status", summary="The hub in brief", responses=OPEN)
    async def status(self, engine: NamedDependency[Engine], settings: NamedDependency[Settings]) -> Response[Status]:
        """Whether each dataset is there, how many rows it has, and where it is."""
        return Response(status_of(engine, settings), headers=_NO_STORE)

    @get("/api/hub/health", summary="Health of the hub's data", responses=_HUB_DOWN)
    async def hub(self, engine: NamedDependency[Engine], settings: NamedDependency[Settings]) -> Response[HubHealth]:
        """`ok` or `degraded` with the reasons; 503 only when nothing can be served."""
        health = hub_health(engine, settings)
        return Response(health, status_code=_code(health.status), headers=_NO_STORE)

    @get("/api/health", summary="Health of the system", responses=_SYSTEM_DOWN)
    async def system(
        self, engine: NamedDependency[Engine], settings: NamedDependency[Settings]
    ) -> Response[SystemHealth]:
        """The data, the last runs of the workers, the disk."""
        health = await asyncio.to_thread(system_health, engine, settings)
        return Response(health, status_code=_code(health.status), headers=_NO_STORE)

    @get("/api/hub/errors", summary="All kinds of errors", responses=OPEN)
    async def errors(self) -> Response[list[ErrorKind]]:
        """Every code a problem may carry, with what to do about it; `/errors` is the same as a page.

        The drop-in endpoints answer with the codes of the APIs they stand in for.
        """
        return Response(catalogue(), headers={"Cache-Control": "public, max-age=3600"})

    @get("/metrics", summary="Metrics for Prometheus", media_type="text/plain", responses=OPEN)
    async def metrics(self, metrics: NamedDependency[Metrics]) -> Response[bytes]:
        """Requests, cache, age of what is served, what the workers last did."""
        return Response(await asyncio.to_thread(metrics.text), media_type=CONTENT_TYPE, headers=_NO_STORE)


def _code(status: str) -> int:
    return 503 if status == "unavailable" else 200
