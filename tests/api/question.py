"""One question about candles that the tests of HTTP ask, and the media types it can be answered in."""

URL = "/api/hub/ohlc?symbol=BTCUSDT&interval=1h&limit=20&columns=timestamp,symbol,close,trade_count,closed"
MEDIA_TYPES = {
    "json": "application/json",
    "columns": "application/vnd.datahub.columns+json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
