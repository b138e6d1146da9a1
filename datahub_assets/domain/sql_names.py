"""Names in SQL text."""


def quoted(name: str) -> str:
    """The name as an identifier, for SQLite and DuckDB alike; values are never written into SQL text but bound."""
    return '"' + name.replace('"', '""') + '"'
