"""Months of candles from Binance's public archive and its REST: `CandleHistory`, by what it asks, `Upstream`.

source                  what whoever fills history asks
wanted                  which pairs are meant
month_reader            one source after the other, for what the ones before lack
held                    what is there of a month so far
outcome                 rows, verdicts, gaps and corrections of a reading
known_faults            months whose monthly files are wrong
upstream                all that is asked, by any thread
names                   what the archive's files are called
listing                 the listing of the archive's bucket
download                a file, checked against its CHECKSUM
unzip                   the one CSV of a zip, within bounds
csv_rows                lines become rows, by the live check
placing                 rows on the grid, in their time, once
"""

from datahub_assets.datasets.candles.archive.source import CandleHistory
from datahub_assets.datasets.candles.archive.upstream import Upstream

__all__ = ["CandleHistory", "Upstream"]
