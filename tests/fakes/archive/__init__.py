"""A stand-in for the exchange's public archive: the files of the fake exchange's market, their CHECKSUMs, their list.

with FakeBinance(clock=clock) as binance, FakeArchive(binance) as archive:
    archive.spoil("BTCUSDT-1h-2024-11.zip", "checksum_missing")
"""

from tests.fakes.archive.fake import FakeArchive

__all__ = ["FakeArchive"]
