"""Questions whose answers are JSON documents: the drop-ins, coverage, and what the datasets are."""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from tests.consistency.held import SPECS, Held
from tests.consistency.parsing import Row, epoch_ms
from tests.consistency.questions import DocumentQuestion, newest_of_each

_KLINE = (
    *("timestamp", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trade_count"),
    *("taker_buy_volume", "taker_buy_quote_volume"),
)
_FINEST_FIRST = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")
_COIN = {
    "id": "coin_id", "name": "name", "current_price": "price", "market_cap": "market_cap",
    "market_cap_rank": "market_cap_rank", "fully_diluted_valuation": "fully_diluted_valuation",
    "total_volume": "volume_24h", "high_24h": "high_24h", "low_24h": "low_24h", "price_change_24h": "price_change_24h",
    "price_change_percentage_24h": "change_24h", "circulating_supply": "circulating_supply",
    "total_supply": "total_supply", "max_supply": "max_supply", "ath": "ath", "atl": "atl", "ath_date": "ath_date",
    "atl_date": "atl_date", "last_updated": "timestamp",
}  # fmt: skip
_COIN_TIMES = ("ath_date", "atl_date", "last_updated")
_GAP_TIMES = ("first_time", "last_time", "first_seen", "asked_at", "healed_at")
_GAP_FIELDS = (*_GAP_TIMES, "missing", "cause", "asks")


def document_questions() -> list[DocumentQuestion]:
    """All of them."""
    return [*_of_binance(), *_of_coingecko(), *_of_coins(), *_of_coverage(), *_of_info()]


def _of_binance() -> Iterator[DocumentQuestion]:
    def asked(
        params: dict[str, str], chosen: Callable[[list[Row]], list[Row]], *, path: str = "klines"
    ) -> DocumentQuestion:
        def expected(held: Held) -> list[list[Any]]:
            mine = (params["symbol"], params["interval"])
            return [_kline(row) for row in chosen([r for r in held.ohlc if (r["symbol"], r["interval"]) == mine])]

        return DocumentQuestion(f"/binance/api/v3/{path}", params, ("ohlc",), expected, read=_as_it_is)

    since, until = epoch_ms("2025-12-31T20:00:00Z"), epoch_ms("2026-01-01T00:00:00Z")
    yield asked({"symbol": "BTCUSDT", "interval": "1h"}, _as_it_is)
    yield asked({"symbol": "ETHUSDT", "interval": "4h", "limit": "5"}, lambda rows: rows[-5:])
    yield asked({"symbol": "ETHUSDT", "interval": "4h", "limit": "5"}, lambda rows: rows[-5:], path="uiKlines")
    yield asked(
        {"symbol": "ETHUSDT", "interval": "1h", "startTime": str(since), "endTime": str(until)},
        lambda rows: [row for row in rows if since <= row["timestamp"] <= until],
    )
    yield asked(
        {"symbol": "BTCUSDT", "interval": "1h", "startTime": str(since), "limit": "2"},
        lambda rows: [row for row in rows if row["timestamp"] >= since][:2],
    )
    yield DocumentQuestion(
        "/binance/api/v3/exchangeInfo",
        {},
        ("ohlc",),
        lambda held: sorted({row["symbol"] for row in held.ohlc}),
        read=lambda document: [pair["symbol"] for pair in document["symbols"]],
    )
    for symbol in ("BTCUSDT", "ETHUSDT"):
        yield DocumentQuestion(
            "/binance/api/v3/ticker/price",
            {"symbol": symbol},
            ("ohlc",),
            lambda held, symbol=symbol: _price_of_pair(held, symbol),  # type: ignore[misc]
            read=_as_it_is,
        )
        yield DocumentQuestion(
            "/binance/api/v3/ticker/24hr",
            {"symbol": symbol, "type": "MINI"},
            ("ohlc",),
            lambda held, symbol=symbol: _day_of_pair(held, symbol),  # type: ignore[misc]
            read=_as_it_is,
        )


def _price_of_pair(held: Held, symbol: str) -> Row:
    mine = [row for row in held.ohlc if row["symbol"] == symbol]
    newest = max(mine, key=lambda row: (row["timestamp"], -_FINEST_FIRST.index(row["interval"])))
    return {"symbol": symbol, "price": f"{newest['close']:.8f}"}


def _day_of_pair(held: Held, symbol: str) -> Row:
    hours = [row for row in held.ohlc if (row["symbol"], row["interval"]) == (symbol, "1h")]
    day = [row for row in hours if row["timestamp"] > hours[-1]["timestamp"] - 86_400_000]
    numbers = {
        "openPrice": day[0]["open"],
        "highPrice": max(row["high"] for row in day),
        "lowPrice": min(row["low"] for row in day),
        "lastPrice": day[-1]["close"],
        "volume": math.fsum(row["volume"] for row in day),
        "quoteVolume": math.fsum(row["quote_volume"] for row in day),
    }
    return {
        "symbol": symbol,
        **{name: f"{value:.8f}" for name, value in numbers.items()},
        "openTime": day[0]["timestamp"],
        "closeTime": min(day[-1]["close_time"], day[-1]["ingested_at"]),
        "firstId": None,
        "lastId": None,
        "count": sum(row["trade_count"] for row in day),
    }


def _kline(row: Row) -> list[Any]:
    values = [row[name] for name in _KLINE]
    return [*(f"{value:.8f}" if isinstance(value, float) else value for value in values), "0"]


def _of_coingecko() -> Iterator[DocumentQuestion]:
    def read_coin(coin: Row) -> Row:
        assert coin["symbol"] == coin["symbol"].lower()
        return {
            field: epoch_ms(coin[field]) if field in _COIN_TIMES and coin[field] is not None else coin[field]
            for field in _COIN
        }

    def written(row: Row) -> Row:
        return {field: row[column] for field, column in _COIN.items()}

    def asked(params: dict[str, str], chosen: Callable[[list[Row]], list[Row]]) -> DocumentQuestion:
        return DocumentQuestion(
            "/coingecko/api/v3/coins/markets",
            {"vs_currency": "usd", **params},
            ("market",),
            lambda held: [written(row) for row in chosen(newest_of_each(held.market))],
            read=lambda document: [read_coin(coin) for coin in document],
        )

    yield asked({}, _as_it_is)
    yield asked({"per_page": "2", "page": "2"}, lambda rows: rows[2:4])
    yield asked(
        {"ids": "ripple,bitcoin"}, lambda rows: [row for row in rows if row["coin_id"] in {"ripple", "bitcoin"}]
    )
    yield asked({"order": "id_asc"}, lambda rows: sorted(rows, key=lambda row: str(row["coin_id"])))
    extras = ("include_market_cap", "include_24hr_vol", "include_24hr_change", "include_last_updated_at")
    yield DocumentQuestion(
        "/coingecko/api/v3/simple/price",
        {"ids": "bitcoin,tether", "vs_currencies": "usd", **dict.fromkeys(extras, "true")},
        ("market",),
        _simple_prices,
        read=_as_it_is,
    )


def _of_coins() -> Iterator[DocumentQuestion]:
    yield DocumentQuestion(
        "/coingecko/api/v3/coins/list",
        {},
        ("market",),
        lambda held: sorted(
            (row["coin_id"], row["symbol"].lower(), row["name"]) for row in newest_of_each(held.market)
        ),
        read=lambda document: [(coin["id"], coin["symbol"], coin["name"]) for coin in document],
    )
    yield DocumentQuestion(
        "/coingecko/api/v3/search",
        {"query": "IT"},
        ("market",),
        lambda held: [
            row["coin_id"]
            for row in newest_of_each(held.market)
            if any("it" in row[column].lower() for column in ("coin_id", "symbol", "name"))
        ],
        read=lambda document: [coin["id"] for coin in document["coins"]],
    )
    yield DocumentQuestion(
        "/coingecko/api/v3/coins/bitcoin",
        {},
        ("market",),
        lambda held: [_of_coin(held, "bitcoin")[-1][name] for name in ("name", "price", "market_cap", "timestamp")],
        read=lambda document: [
            document["name"],
            *(document["market_data"][field]["usd"] for field in ("current_price", "market_cap")),
            epoch_ms(document["last_updated"]),
        ],
    )
    asked = {"vs_currency": "usd", "days": "1"}
    yield DocumentQuestion(
        "/coingecko/api/v3/coins/bitcoin/market_chart", asked, ("market",), _chart, read=lambda found: found["prices"]
    )
    yield DocumentQuestion("/coingecko/api/v3/coins/bitcoin/ohlc", asked, ("market",), _candles, read=_as_it_is)


def _of_coin(held: Held, coin_id: str) -> list[Row]:
    return [row for row in held.market if row["coin_id"] == coin_id]


def _chart(held: Held) -> list[list[Any]]:
    since = max(row["timestamp"] for row in held.market) - 86_400_000
    steps: dict[int, list[Any]] = {}
    rows = [[row["timestamp"], row["price"]] for row in _of_coin(held, "bitcoin") if row["timestamp"] >= since]
    for row in rows:
        steps.setdefault(row[0] // 300_000, row)
    points = list(steps.values())
    return points if points[-1:] == rows[-1:] else [*points, rows[-1]]


def _candles(held: Held) -> list[list[Any]]:
    step = 1_800_000
    end = (max(row["timestamp"] for row in held.market) // step + 1) * step
    steps: dict[int, list[float]] = defaultdict(list)
    for row in _of_coin(held, "bitcoin"):
        if row["timestamp"] >= end - 86_400_000:
            steps[(row["timestamp"] // step + 1) * step].append(row["price"])
    return [[at, told[0], max(told), min(told), told[-1]] for at, told in steps.items()]


def _simple_prices(held: Held) -> dict[str, Row]:
    return {
        row["coin_id"]: {
            "usd": row["price"],
            "usd_market_cap": row["market_cap"],
            "usd_24h_vol": row["volume_24h"],
            "usd_24h_change": row["change_24h"],
            "last_updated_at": row["timestamp"] // 1000,
        }
        for row in newest_of_each(held.market)
        if row["coin_id"] in {"bitcoin", "tether"}
    }


def _of_coverage() -> Iterator[DocumentQuestion]:
    for dataset, columns in (("market", ("coin_id",)), ("ohlc", ("symbol", "interval"))):
        yield DocumentQuestion(
            "/api/hub/coverage",
            {"dataset": dataset},
            (dataset,),
            lambda held, dataset=dataset, columns=columns: _coverage(held, dataset, columns),  # type: ignore[misc]
            read=_read_coverage,
        )


def _coverage(held: Held, dataset: str, columns: tuple[str, ...]) -> dict[str, Any]:
    of_series = defaultdict(list)
    for row in getattr(held, dataset):
        of_series[tuple(row[name] for name in columns)].append(row)
    gaps = [line for line in held.ledger("gaps") if line["dataset"] == dataset]
    missing: dict[str, int] = defaultdict(int)
    for line in gaps:
        missing[line["series"]] += line["missing"] if line["healed_at"] is None else 0
    series = {}
    for name, rows in of_series.items():
        named = json.dumps(dict(zip(columns, name, strict=True)), separators=(",", ":"))
        times = [row["timestamp"] for row in rows]
        series[name] = {
            "rows": len(rows),
            "expected": len(rows) + missing[named] if dataset == "ohlc" else None,
            "forming": sum(row.get("closed") is False for row in rows),
            "oldest": min(times),
            "newest": max(times),
            "gaps": [{field: line[field] for field in _GAP_FIELDS} for line in gaps if line["series"] == named],
        }
    return {"missing": sum(missing.values()), "series": series}


def _read_coverage(document: Any) -> dict[str, Any]:
    series = {}
    for one in document["series"]:
        name = tuple(one[key] for key in ("series", "interval") if key in one)
        gaps = [{field: gap[field] for field in _GAP_FIELDS} for gap in one["gaps"]]
        for gap in gaps:
            gap.update({field: gap[field] and epoch_ms(gap[field]) for field in _GAP_TIMES})
        times = {end: epoch_ms(one[end]) for end in ("oldest", "newest")}
        series[name] = {**{field: one[field] for field in ("rows", "expected", "forming")}, **times, "gaps": gaps}
    assert len(series) == len(document["series"]), "a series is told of twice"
    return {"missing": document["missing"], "series": series}


def _of_info() -> Iterator[DocumentQuestion]:
    for dataset in SPECS:
        yield DocumentQuestion(
            "/api/hub/dataset-info",
            {"dataset": dataset},
            (dataset,),
            lambda held, dataset=dataset: _info(held, dataset),  # type: ignore[misc]
            read=_read_info,
        )


def _info(held: Held, dataset: str) -> dict[str, Any]:
    commit, spec = held.commits[dataset], SPECS[dataset]
    groups = defaultdict(list)
    for row in getattr(held, dataset):
        groups[None if spec.group is None else row[spec.group]].append(row)
    return {
        "rows": sum(map(len, groups.values())),
        "size": sum(commit.sizes.values()),
        "files": commit.sizes,
        "coverage": {
            group: (len(rows), min(row["timestamp"] for row in rows), max(row["timestamp"] for row in rows))
            for group, rows in groups.items()
        },
    }


def _read_info(document: Any) -> dict[str, Any]:
    (one,) = document.values()
    coverage = {
        part["group"]: (part["rows"], epoch_ms(part["oldest"]), epoch_ms(part["newest"])) for part in one["coverage"]
    }
    files = {file["path"]: file["size"] for file in one["files"]}
    return {"rows": one["rows"], "size": one["size"], "files": files, "coverage": coverage}


def _as_it_is(value: Any) -> Any:
    return value
