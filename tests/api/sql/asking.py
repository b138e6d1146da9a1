"""A statement, sent to the SQL endpoint."""

from typing import Any

from tests.api.conftest import Client

URL = "/api/hub/sql"


def post(client: Client, sql: str, **body: Any) -> Any:
    return client.post(URL, json={"sql": sql, **body})
