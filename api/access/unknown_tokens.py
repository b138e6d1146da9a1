"""How many unknown tokens the Hub may be asked about: from each client address and in all, a minute and at once."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from api.engine.hub.call_budget import Budget
from api.http.errors import TooManyUnknownTokens
from datahub_system.net.addresses import is_loopback, subscriber

_PER_ADDRESS: Final = 20
_TOTAL: Final = 100
"""Per minute. Larger than what one address may use, so that one stranger's made-up tokens lock nobody else out."""
_WAITING: Final = 128
_WAITING_PER_ADDRESS: Final = 8
"""Look-ups that run or wait at once: so few of one address that it takes nobody else's place."""
_REMEMBERED: Final = 10_000
_LONGEST_NAME: Final = 64


class UnknownTokenLimit:
    """Budgets of unknown tokens, and places for those being looked up. For use from one thread.

    An address of this machine has no share of its own: it is that of a proxy, behind which all clients have the same.
    For them there is only what there is in all, unless the proxy is trusted to name its clients.

    Args:
        per_address, total: unknown tokens a minute; None for as many as come, where the Hub is this machine's own.
    """

    def __init__(
        self,
        *,
        per_address: int | None = _PER_ADDRESS,
        total: int | None = _TOTAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_address = per_address
        self._clock = clock
        self._total = None if total is None else Budget(total, clock=clock)
        self._budgets: OrderedDict[str, Budget] = OrderedDict()
        self._waiting: Counter[str | None] = Counter()

    @contextmanager
    def admitted(self, address: str | None) -> Iterator[None]:
        """Count an unknown token that came from there; it is looked up as long as the block runs.

        Raises:
            TooManyUnknownTokens: it is one too many.
        """
        origin = _origin(address)
        self._refuse_waiting(origin)
        self._take(origin)
        self._waiting[origin] += 1
        try:
            yield
        finally:
            self._waiting[origin] -= 1
            if not self._waiting[origin]:
                del self._waiting[origin]

    def _refuse_waiting(self, origin: str | None) -> None:
        if origin is not None and self._waiting[origin] >= _WAITING_PER_ADDRESS:
            raise _too_many_at_once(f"{_WAITING_PER_ADDRESS} unknown tokens from this address")
        if self._waiting.total() >= _WAITING:
            raise _too_many_at_once(f"{_WAITING} unknown tokens")

    def _take(self, origin: str | None) -> None:
        if origin is not None and self._per_address is not None and not self._budget(origin, self._per_address).take():
            raise _too_many("from this address")
        if self._total is not None and not self._total.take():
            raise _too_many("from all clients together")

    def _budget(self, origin: str, per_minute: int) -> Budget:
        budget = self._budgets.get(origin)
        if budget is None:
            budget = self._budgets[origin] = Budget(per_minute, clock=self._clock)
        self._budgets.move_to_end(origin)
        if len(self._budgets) > _REMEMBERED:
            self._budgets.popitem(last=False)
        return budget


def _origin(address: str | None) -> str | None:
    """What counts as one client; None for those that cannot be told apart."""
    return subscriber(address[:_LONGEST_NAME]) if address and not is_loopback(address) else None


def _too_many(whence: str) -> TooManyUnknownTokens:
    return TooManyUnknownTokens(f"too many unknown tokens came in {whence}; try again", headers={"Retry-After": "10"})


def _too_many_at_once(which: str) -> TooManyUnknownTokens:
    return TooManyUnknownTokens(f"{which} are being looked up; try again", headers={"Retry-After": "1"})
