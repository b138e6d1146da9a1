"""Questions to the endpoints of rows, and to SQL."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from tests.consistency.held import LEDGERS, Held
from tests.consistency.parsing import Row, epoch_ms
from tests.consistency.questions import RowsQuestion, chosen, newest_of_each, within

MIDNIGHT = "2026-01-01T00:00:00Z"
BEFORE, AFTER = "2025-12-31T23:58:00Z", "2026-01-01T00:02:00Z"
DAY_BEFORE = "2025-12-31T03:00:00Z"
Rows = Callable[[Held], list[Row]]


def rows_questions() -> list[RowsQuestion]:
    """All of them."""
    return [*_of_market(), *_of_ohlc(), *_of_sql()]


def _of_market() -> Iterator[RowsQuestion]:
    shown = MARKET.shown_columns

    def asked(params: dict[str, str], rows: Rows, *columns: str, backward: bool = False) -> RowsQuestion:
        names = columns or MARKET.column_names
        params = params if columns == shown else {**params, "columns": ",".join(columns) if columns else "*"}
        return RowsQuestion(
            "/api/hub/market", params, ("market",), lambda held: chosen(rows(held), *names), backward=backward
        )

    def of(*coins: str) -> Rows:
        return lambda held: [row for row in held.market if row["coin_id"] in coins]

    yield asked({}, lambda held: newest_of_each(held.market), *shown)
    yield asked({"limit": "4"}, lambda held: newest_of_each(held.market))
    yield asked({"order": "asc", "limit": "4"}, lambda held: newest_of_each(held.market)[::-1], "coin_id", "price")
    yield asked({"symbols": "BTC,ETH"}, lambda held: newest_of_each(of("bitcoin", "ethereum")(held)))
    yield asked({"coin_ids": "solana,ripple"}, lambda held: newest_of_each(of("solana", "ripple")(held)))
    yield asked({"max_age": "25"}, lambda held: newest_of_each(held.market, max_age_ms=25_000), "coin_id", "timestamp")
    yield asked(
        {"start": BEFORE, "end": AFTER, "limit": "9"},
        lambda held: within(held.market, epoch_ms(BEFORE), epoch_ms(AFTER)),
    )
    yield asked({"start": "2025-01-01", "limit": "50"}, lambda held: held.market)
    yield asked(
        {"start": "2025-12-31", "order": "desc", "limit": "10"}, lambda held: held.market[::-1], "timestamp", "coin_id"
    )
    yield asked(
        {"end": AFTER, "limit": "25"},
        lambda held: within(held.market, None, epoch_ms(AFTER)),
        "name", "timestamp", "atl_date", "market_cap_rank", "max_supply",
        backward=True,
    )  # fmt: skip
    yield asked(
        {"start": str(epoch_ms(BEFORE)), "symbols": "BTC,SOL"},
        lambda held: within(of("bitcoin", "solana")(held), epoch_ms(BEFORE), None),
    )
    yield asked({"start": "2030-01-01"}, lambda held: [], "timestamp", "price", "symbol")


def _of_ohlc() -> Iterator[RowsQuestion]:
    shown = OHLC.shown_columns

    def asked(params: dict[str, str], rows: Rows, *columns: str, backward: bool = False) -> RowsQuestion:
        names = columns or OHLC.column_names
        params = params if columns == shown else {**params, "columns": ",".join(columns) if columns else "*"}
        return RowsQuestion(
            "/api/hub/ohlc", params, ("ohlc",), lambda held: chosen(rows(held), *names), backward=backward
        )

    def of(interval: str, *symbols: str) -> Rows:
        return lambda held: [row for row in held.ohlc if row["interval"] == interval and row["symbol"] in symbols]

    btc, both = ("BTCUSDT",), ("BTCUSDT", "ETHUSDT")
    yield asked({"symbol": "BTCUSDT"}, of("1h", *btc), *shown)
    yield asked({"symbol": "ETHUSDT,BTCUSDT", "limit": "25"}, of("1h", *both), backward=True)
    yield asked({"symbol": "BTCUSDT", "limit": "17"}, of("1h", *btc), "timestamp", "close", backward=True)
    yield asked(
        {"symbol": "ETHUSDT", "interval": "4h", "order": "desc", "limit": "19"},
        lambda held: of("4h", "ETHUSDT")(held)[::-1],
    )
    yield asked(
        {"symbol": "BTCUSDT,ETHUSDT", "interval": "1d", "start": "2025-12-15", "limit": "16"},
        lambda held: within(of("1d", *both)(held), epoch_ms("2025-12-15T00:00:00Z"), None),
    )
    yield asked(
        {"symbol": "ETHUSDT", "start": DAY_BEFORE, "end": MIDNIGHT, "limit": "11"},
        lambda held: within(of("1h", "ETHUSDT")(held), epoch_ms(DAY_BEFORE), epoch_ms(MIDNIGHT)),
    )
    yield asked(
        {"symbol": "BTCUSDT,ETHUSDT", "closed_only": "true"},
        lambda held: [row for row in of("1h", *both)(held) if row["closed"]],
        "symbol", "timestamp", "closed", "trade_count", "ingested_at",
    )  # fmt: skip


def _of_sql() -> Iterator[RowsQuestion]:
    def asked(sql: str, expected: Rows, params: list[object] | None = None) -> RowsQuestion:
        values = {} if params is None else {"params": json.dumps(params)}
        return RowsQuestion("/api/hub/sql", {"q": sql, **values}, ("market", "ohlc"), expected)

    # Only what does not depend on the order in which rows are added up: no sums of floats, no first().
    yield asked(
        "SELECT * FROM market ORDER BY timestamp, coin_id", lambda held: chosen(held.market, *MARKET.column_names)
    )
    yield asked(
        'SELECT * FROM ohlc ORDER BY timestamp, symbol, "interval"', lambda held: chosen(held.ohlc, *OHLC.column_names)
    )
    yield asked(
        "SELECT coin_id, count(*) AS n, min(price) AS low, max(price) AS high, max(timestamp) AS newest "
        "FROM market GROUP BY coin_id ORDER BY coin_id",
        _by_coin,
    )
    yield asked(
        'SELECT "interval", closed, count(*) AS n, CAST(sum(trade_count) AS BIGINT) AS trades '
        'FROM ohlc GROUP BY "interval", closed ORDER BY "interval", closed',
        _by_interval,
    )
    yield asked(
        "SELECT symbol, timestamp, close FROM ohlc "
        "WHERE \"interval\" = '1h' AND symbol = ? AND timestamp >= CAST(? AS TIMESTAMPTZ) ORDER BY timestamp DESC",
        lambda held: chosen(_hours_since(held, "BTCUSDT", DAY_BEFORE)[::-1], "symbol", "timestamp", "close"),
        ["BTCUSDT", DAY_BEFORE],
    )
    yield asked(
        "SELECT (SELECT count(*) FROM market) AS prices, (SELECT count(*) FROM ohlc) AS candles",
        lambda held: [{"prices": len(held.market), "candles": len(held.ohlc)}],
    )
    for name in LEDGERS:
        yield asked(f"SELECT * FROM {name} ORDER BY ALL", lambda held, name=name: _in_order(held.ledger(name)))  # type: ignore[misc]  # noqa: S608


def _by_coin(held: Held) -> list[Row]:
    found = defaultdict(list)
    for row in held.market:
        found[row["coin_id"]].append(row)
    return [
        {
            "coin_id": name,
            "n": len(rows),
            "low": min(row["price"] for row in rows),
            "high": max(row["price"] for row in rows),
            "newest": max(row["timestamp"] for row in rows),
        }
        for name, rows in sorted(found.items())
    ]


def _by_interval(held: Held) -> list[Row]:
    found = defaultdict(list)
    for row in held.ohlc:
        found[row["interval"], row["closed"]].append(row["trade_count"])
    return [
        {"interval": name, "closed": closed, "n": len(trades), "trades": sum(trades)}
        for (name, closed), trades in sorted(found.items())
    ]


def _hours_since(held: Held, symbol: str, start: str) -> list[Row]:
    rows = [row for row in held.ohlc if row["interval"] == "1h" and row["symbol"] == symbol]
    return within(rows, epoch_ms(start), None)


def _in_order(rows: list[Row]) -> list[Row]:
    """By all columns, the first one first, missing values last."""
    return sorted(
        rows, key=lambda row: [(value is None, value) if value is not None else (True,) for value in row.values()]
    )
