"""What a contestant can be asked, whoever it is; how it is started and how it asks lives in `peers` and `product`."""

from typing import Protocol

from benchmarks.made.questions import Bulk, Daily, Newest
from benchmarks.measuring.load import Server


class Contestant(Protocol):
    """A running server with the bytes of the request for each question, in the form that suits it best."""

    @property
    def name(self) -> str:
        """Who it is, as the table says it."""

    @property
    def server(self) -> Server:
        """Where it listens."""

    def newest(self, question: Newest) -> bytes:
        """Request for the newest candles of one series, newest or oldest first, as JSON objects."""

    def daily(self, question: Daily) -> bytes:
        """Request for the daily aggregate, by SQL, as JSON objects in order of the day."""

    def bulk(self, question: Bulk) -> bytes | None:
        """Request for many rows in the question's format, in any order; None: it does not speak that format."""
