"""A stand-in for the services the two installed datasets ask: incidents as told, receipts by number."""

from datetime import UTC, datetime
from typing import Any, Final

from tests.fakes.clock import Clock
from tests.fakes.server import Answer, Request
from tests.fakes.upstream import Upstream

MINUTE_MS: Final = 60_000
INCIDENTS: Final = 250
"""So many share a few times, so that pages part rows of one time."""
STAMPS: Final = 7
RECEIPTS: Final = 1_500
"""Of each register, the last ones not settled yet; they lie in two ranges of a thousand."""
FIRST_NUMBER: Final = 100_200
UNSETTLED: Final = 5
REGISTERS: Final = ("north", "south")


class FieldService(Upstream):
    """Tells the same until a test changes it. Times lie in the hours before `clock`'s time at the start."""

    def __init__(self, *, clock: Clock) -> None:
        super().__init__(clock=clock)
        now_ms = clock.now_ms() // 1000 * 1000
        self.incidents: dict[str, dict[str, Any]] = {
            name: {
                "id": name,
                "noticed_at": _iso(now_ms - (1 + number % STAMPS) * MINUTE_MS),
                "headline": f"Delay {number}",
                "severity": "major" if number % 10 == 0 else "minor",
                "services": ["wallet", "api"] if number % 3 == 0 else ["api"],
                "affected": number,
            }
            for number in range(INCIDENTS)
            for name in [f"inc-{number:06d}"]
        }
        self.receipts: dict[tuple[str, int], dict[str, Any]] = {
            (register, FIRST_NUMBER + place): {
                "register": register,
                "number": FIRST_NUMBER + place,
                "stamped_at": _iso(now_ms - (RECEIPTS - place) * 10_000),
                "amount": place / 4,
                "settled": place < RECEIPTS - UNSETTLED,
            }
            for register in REGISTERS
            for place in range(RECEIPTS)
        }

    def route(self, request: Request) -> Answer:
        """Everything there is."""
        if request.path.endswith("/incidents"):
            return Answer.of(list(self.incidents.values()))
        if request.path.endswith("/receipts"):
            return Answer.of(list(self.receipts.values()))
        return Answer.of({"error": "not here"}, status=404)


def _iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat().replace("+00:00", "Z")
