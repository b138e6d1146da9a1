"""A fake CoinGecko API: /coins/list and /coins/markets, with the real one's paging, silent caps and shapes of error.

Behaviour after the published OpenAPI document and recorded answers of the live service.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.fakes.clock import Clock
from tests.fakes.coins import Item, coins, item, ranked
from tests.fakes.faults import Breakage
from tests.fakes.server import Answer, Request
from tests.fakes.upstream import Upstream

_MAX_PER_PAGE: Final = 250
_DEFAULT_PER_PAGE: Final = 100
_LIMIT_MESSAGE: Final = (
    "You've exceeded the Rate Limit. Please visit https://www.coingecko.com/en/api/pricing to subscribe to our API "
    "plans for higher rate limits."
)


class FakeCoinGecko(Upstream):
    """The service, with `coin_count` coins. `hold` keeps all numbers as they are though the clock runs."""

    commands = (*Upstream.commands, "set_coin", "remove_coin", "replay", "hold", "release", "reference")

    def __init__(
        self, *, clock: Clock | None = None, port: int = 0, latency_s: float = 0.0, coin_count: int = 300
    ) -> None:
        super().__init__(clock=clock, port=port, latency_s=latency_s)
        self.coins = {coin.coin_id: coin for coin in coins(coin_count)}
        self.changes: dict[str, Item] = {}
        self.replayed: list[object] | None = None
        self.held_ms: int | None = None

    def own_faults(self) -> Mapping[str, Callable[..., Breakage]]:
        """429 with Retry-After; 404 and 500 in this service's other two shapes."""
        return {"rate_limited": _rate_limited, "not_found": _not_found, "internal_error": _internal_error}

    def set_coin(self, coin_id: str, **fields: Any) -> None:
        """Answer with these fields for a coin, whatever they hold; an unknown coin is new and has only these."""
        self.changes.setdefault(coin_id, {}).update(fields)

    def remove_coin(self, coin_id: str) -> None:
        """Forget a coin."""
        self.coins.pop(coin_id, None)
        self.changes.pop(coin_id, None)

    def replay(self, *, items: list[object] | None) -> None:
        """Answer from these items only, as they are; None: from the walks again."""
        self.replayed = items

    def hold(self, *, at_ms: int | None = None) -> None:
        """From now on nothing moves."""
        self.held_ms = self.clock.now_ms() if at_ms is None else at_ms

    def release(self) -> None:
        """Numbers follow the clock again."""
        self.held_ms = None

    def reference(self, *, full_precision: bool = True) -> list[Any]:
        """All items as they are now, for comparisons, without HTTP, paging or faults."""
        if self.replayed is not None:
            return list(self.replayed)
        at_ms = self.clock.now_ms() if self.held_ms is None else self.held_ms
        items = {name: item(coin, at_ms, full_precision=full_precision) for name, coin in self.coins.items()}
        for coin_id, fields in self.changes.items():
            items[coin_id] = {**items.get(coin_id, {"id": coin_id}), **fields}
        return ranked(list(items.values()))

    def route(self, request: Request) -> Answer:
        """Answer /ping, /coins/list and /coins/markets, under any prefix."""
        if request.path.endswith("/ping"):
            return Answer.of({"gecko_says": "(V3) To the Moon!"})
        if request.path.endswith("/coins/list"):
            return self._list()
        if request.path.endswith("/coins/markets"):
            return self._markets(request.params)
        return Answer.of({"error": "Incorrect path. Please check https://www.coingecko.com/api/"}, status=404)

    def _list(self) -> Answer:
        named = [one for one in self.reference() if isinstance(one, dict)]
        return Answer.of([{name: one.get(name) for name in ("id", "symbol", "name")} for one in named])

    def _markets(self, params: Mapping[str, str]) -> Answer:
        if not params.get("vs_currency"):
            return Answer.of({"error": "Missing parameter vs_currency"}, status=422)
        if params["vs_currency"] != "usd":
            return Answer.of({"error": "invalid vs_currency"}, status=422)
        try:
            per_page = min(int(params.get("per_page", _DEFAULT_PER_PAGE)), _MAX_PER_PAGE)
            page = int(params.get("page", 1))
        except ValueError:
            return Answer.of({"status": {"error_code": 400, "error_message": "Invalid paging"}}, status=400)
        items = self.reference(full_precision=params.get("precision") == "full")
        if "ids" in params:
            wanted = set(params["ids"].split(","))
            items = [one for one in items if isinstance(one, dict) and one.get("id") in wanted]
        if page < 1 or per_page < 1:
            return Answer.of([])
        return Answer.of(items[(page - 1) * per_page : page * per_page])


def _rate_limited(retry_after_s: float | None = 7) -> Breakage:
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    body = {"status": {"error_code": 429, "error_message": _LIMIT_MESSAGE}}
    return lambda _: Answer.of(body, status=429, headers=headers)


def _not_found() -> Breakage:
    return lambda _: Answer.of({"error": "Could not find coin with the given id"}, status=404)


def _internal_error() -> Breakage:
    return lambda _: Answer.of({"status": 500, "error": "Internal Server Error"}, status=500)
