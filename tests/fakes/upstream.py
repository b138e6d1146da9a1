"""What both fakes share: a server, a clock, latency, a log of requests, planned faults, and the control door.

The door is `POST /_control/{command}` with the keyword arguments as JSON, for a fake that runs in another process.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.fakes.clock import Clock
from tests.fakes.faults import COMMON, Breakage, FaultPlan
from tests.fakes.server import Answer, LoopbackServer, Request

DOOR: Final = "/_control/"


class Upstream(LoopbackServer):
    """A fake service. Subclasses answer in `route`, add their own faults, and name what the door may command.

    `listener` hears each request with the answer that was given, broken ones as they were broken.
    """

    commands: tuple[str, ...] = (
        "fail", "recover", "set_latency", "set_clock", "advance_clock", "counts", "requested", "forget_requests",
    )  # fmt: skip

    def __init__(self, *, clock: Clock | None = None, port: int = 0, latency_s: float = 0.0) -> None:
        super().__init__(self._handle, port=port)
        self.clock = clock or Clock()
        self.latency_s = latency_s
        self.requests: list[Request] = []
        self.faults = FaultPlan({**COMMON, **self.own_faults()})
        self.listener: Callable[[Request, Answer], None] | None = None

    def own_faults(self) -> Mapping[str, Callable[..., Breakage]]:
        """Faults that only this service has."""
        return {}

    def route(self, request: Request) -> Answer:
        """The answer of a service in good health."""
        raise NotImplementedError

    def fail(
        self,
        kind: str,
        *,
        times: int | None = 1,
        path: str = "",
        where: Mapping[str, str] | None = None,
        **details: Any,
    ) -> None:
        """Let the next `times` requests fail that contain `path` and have the query parameters `where`."""
        self.faults.add(kind, times=times, path=path, where=where or {}, details=details)

    def recover(self) -> None:
        """Be in good health again."""
        self.faults.clear()

    def set_latency(self, *, seconds: float) -> None:
        """Answer every request so much later."""
        self.latency_s = seconds

    def set_clock(self, *, at_ms: int | None = None) -> None:
        """Stand still at a time; None: run with the machine's clock."""
        if at_ms is None:
            self.clock.run()
        else:
            self.clock.stop(at_ms)

    def advance_clock(self, *, by_ms: int) -> None:
        """Move the clock on."""
        self.clock.advance(by_ms)

    def requested(self, *, path: str = "") -> list[dict[str, str]]:
        """Query parameters of every request so far whose path contains `path`, oldest first."""
        return [dict(request.params) for request in self.requests if path in request.path]

    def counts(self) -> dict[str, int]:
        """How many requests came, and how many at once at most."""
        return {"requests": len(self.requests), "peak_in_flight": self.peak_in_flight}

    def forget_requests(self) -> None:
        """Start counting anew."""
        self.requests.clear()
        self.peak_in_flight = 0

    def _handle(self, request: Request) -> Answer:
        if request.path.startswith(DOOR):
            return self._command(request.path.removeprefix(DOOR), request.body)
        self.requests.append(request)
        breakage = self.faults.breakage(request)
        answer = self.route(request).later(self.latency_s).dated(self.clock.now_ms())
        given = answer if breakage is None else breakage(answer)
        if self.listener is not None:
            self.listener(request, given)
        return given

    def _command(self, name: str, body: bytes) -> Answer:
        if name not in self.commands:
            return Answer.of({"error": f"unknown command {name!r}; known: {', '.join(self.commands)}"}, status=404)
        try:
            return Answer.of({"result": getattr(self, name)(**json.loads(body or b"{}"))})
        except (TypeError, ValueError, KeyError) as error:
            return Answer.of({"error": f"{name}: {error!r}"}, status=400)
