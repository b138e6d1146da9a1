"""Slips are told as slips, with what was probably meant; what is closed to callers is told as that."""

import pytest

from tests.api.conftest import Client


@pytest.mark.parametrize(
    ("statement", "meant"),
    [
        ("SELECT * FROM candles", None),
        ("SELECT * FROM Markets", "market"),
        ("SELECT * FROM ohlcv", "ohlc"),
        ("FROM prices SELECT 1", None),
        ("SELECT * FROM market JOIN olhc USING (symbol)", "ohlc"),
        ("DESCRIBE marekt", "market"),  # of which DuckDB does not say where it stands
        ("SELECT (SELECT count(*) FROM 币安) AS n", None),
    ],
)
def test_a_table_that_is_not_there_is_a_bad_statement(client: Client, statement: str, meant: str | None) -> None:
    answer = client.get("/api/hub/sql", params={"q": statement})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "sql_unknown_table")
    assert "tables: " in problem["detail"]
    assert "market" in problem["detail"].split("tables: ")[1]
    assert ("did you mean" in problem["detail"]) == (meant is not None)
    if meant is not None:
        assert f"did you mean {meant!r}" in problem["detail"]
    assert problem.get("position", 1) > 0


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM 'market.parquet'",
        'SELECT * FROM "https://example.org/x.csv"',
        "SELECT * FROM duckdb_settings",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM pg_tables",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM read_csv('x')",
    ],
)
def test_what_is_closed_to_callers_is_refused(client: Client, statement: str) -> None:
    answer = client.get("/api/hub/sql", params={"q": statement})
    assert (answer.status_code, answer.json()["code"]) == (403, "sql_rejected")


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ({"symbols": "BITCOIN"}, "BTC"),
        ({"symbols": "bitcoin"}, "BTC"),
        ({"symbols": "Ethereum,BTC"}, "ETH"),
        ({"coin_ids": "BTC"}, "bitcoin"),
        ({"coin_ids": "eth"}, "ethereum"),
        ({"coin_ids": "Tether"}, "tether"),
        ({"coin_ids": "bitcon"}, "bitcoin"),
    ],
)
def test_another_name_of_a_coin_suggests_the_one_that_is_taken(
    client: Client, asked: dict[str, str], meant: str
) -> None:
    answer = client.get("/api/hub/market", params=asked)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_symbol")
    assert meant in answer.json()["valid"]
