"""freqtrade's own downloader of Binance's archive, against loopback: `freqtrade_fetch.py URL FIRST_MS LAST_MS PAIRS`.

Runs in an environment of its own. It takes daily zips, five columns of twelve, and no CHECKSUM; one pair after the
other, as `freqtrade download-data` does. What it downloads is kept in memory and not written. Prints one line of JSON.
"""

import asyncio
import json
import sys
import time

from freqtrade.enums import CandleType
from freqtrade.exchange import binance_public_data as archive


def main() -> None:
    url, first_ms, last_ms, symbols = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4].split(",")
    theirs = archive.binance_vision_ohlcv_zip_url
    archive.binance_vision_ohlcv_zip_url = lambda *args: theirs(*args).replace("https://data.binance.vision", url)
    started, rows = time.perf_counter(), 0
    for symbol in symbols:
        frame = asyncio.run(
            archive.download_archive_ohlcv(
                CandleType.SPOT, symbol, "1m", since_ms=first_ms, until_ms=last_ms, markets={symbol: {"id": symbol}}
            )
        )
        rows += len(frame)
    print(json.dumps({"rows": rows, "elapsed_s": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
