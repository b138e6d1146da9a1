"""The archive's two hosts in one: files below `/data/spot/`, their list at `/bucket`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from xml.sax.saxutils import escape

from tests.fakes.archive.market import ROOT, FileOf, keys
from tests.fakes.archive.spoiled import Made, Spoil, finished, spoil
from tests.fakes.binance import FakeBinance
from tests.fakes.candles import LENGTHS_MS, Listing
from tests.fakes.faults import Breakage
from tests.fakes.server import Answer, Request
from tests.fakes.upstream import Upstream

_CHECKSUM: Final = ".CHECKSUM"
_DOCTYPE: Final = (
    b'<?xml version="1.0"?>\n<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>\n'
)
_NOT_FOUND: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.'
    b"</Message></Error>"
)


class FakeArchive(Upstream):
    """The archive of a fake exchange's market, and its clock. A list has pages of `page_size` keys."""

    commands = (
        *Upstream.commands, "spoil", "mend", "remake", "remove", "rename_unpadded", "replace", "forget_pair",
        "set_page_size",
    )  # fmt: skip

    def __init__(self, exchange: FakeBinance, *, port: int = 0, latency_s: float = 0.0, page_size: int = 1000) -> None:
        super().__init__(clock=exchange.clock, port=port, latency_s=latency_s)
        self.exchange = exchange
        self.page_size = page_size
        self.forgotten: dict[str, Listing] = {}
        self._spoils: dict[str, list[tuple[str, Spoil]]] = {}
        self._removed: set[str] = set()
        self._unpadded: set[str] = set()
        self._replaced: dict[str, int] = {}
        self._made: dict[str, Made] = {}

    @property
    def list_url(self) -> str:
        """Where the list is."""
        return f"{self.url}/bucket"

    def own_faults(self) -> Mapping[str, Callable[..., Breakage]]:
        """A list with a document type, one that ends nowhere, and one in which nothing follows."""
        return {"doctype": _doctype, "endless": _endless, "no_list": _no_list}

    def spoil(self, name: str, kind: str, **details: Any) -> None:
        """Let the file of this name (`BTCUSDT-1h-2024-11.zip`) be wrong in this way, see `spoiled`."""
        self._spoils.setdefault(name, []).append((kind, spoil(kind, details)))
        self._made.pop(name, None)

    def mend(self) -> None:
        """Let all files be what they should be, under the names they should have, and the exchange know its pairs."""
        for name in self._spoils:
            self._made.pop(name, None)
        for wrong in (self._spoils, self._removed, self._unpadded, self._replaced):
            wrong.clear()
        self.exchange.listings.update(self.forgotten)
        self.forgotten.clear()

    def remake(self) -> None:
        """Make all files anew of what the exchange has now; once made they stay as they are."""
        self._made.clear()

    def remove(self, name: str) -> None:
        """No such file, in the list neither."""
        self._removed.add(name)

    def rename_unpadded(self, name: str) -> None:
        """The month in the monthly file's name has no leading zero."""
        self._unpadded.add(name)

    def replace(self, name: str, *, times: int = 1) -> None:
        """The file is being replaced: the next so many requests for its CHECKSUM get the earlier one."""
        self._replaced[name] = times

    def forget_pair(self, symbol: str) -> None:
        """The exchange does not know the pair any more; the archive keeps its files."""
        self.forgotten[symbol] = self.exchange.listings.pop(symbol)

    def set_page_size(self, *, keys: int) -> None:
        """So many keys are on a page of the list."""
        self.page_size = keys

    def route(self, request: Request) -> Answer:
        """A file, a CHECKSUM or a page of the list."""
        if request.path == "/bucket":
            return self._listed(request.params)
        return self._file(request.path.removeprefix("/"))

    @property
    def listings(self) -> dict[str, Listing]:
        """The pairs it has files of."""
        return {**self.exchange.listings, **self.forgotten}

    def _file(self, key: str) -> Answer:
        name = key.removesuffix(_CHECKSUM).rpartition("/")[2]
        of = FileOf.parse(key.removesuffix(_CHECKSUM))
        if of is None or not self._is_there(name, of):
            return Answer(404, _NOT_FOUND, content_type="application/xml")
        made = self._finished(name, of)
        if made is None:
            return Answer(404, _NOT_FOUND, content_type="application/xml")
        if not key.endswith(_CHECKSUM):
            return Answer(body=made.zipped, content_type="application/zip")
        if self._replaced.get(name, 0) > 0:
            self._replaced[name] -= 1
            return Answer(body=f"{'1' * 64}  {name}".encode(), content_type="binary/octet-stream")
        if made.checksum is None:
            return Answer(404, _NOT_FOUND, content_type="application/xml")
        return Answer(body=made.checksum, content_type="binary/octet-stream")

    def _is_there(self, name: str, of: FileOf) -> bool:
        padded = f"{of.symbol}-{of.interval}-{of.start:%Y-%m}.zip"
        return name not in self._removed and (padded in self._unpadded) is not of.is_padded

    def _finished(self, name: str, of: FileOf) -> Made | None:
        if name not in self._made:
            listing = self.listings.get(of.symbol)
            rows = [] if listing is None else of.rows(listing, now_ms=self.clock.now_ms())
            if not rows:
                return None
            self._made[name] = finished(Made(of, name, rows), self._spoils.get(name, []))
        return self._made[name]

    def _listed(self, params: Mapping[str, str]) -> Answer:
        prefix, marker, delimiter = params.get("prefix", ""), params.get("marker", ""), params.get("delimiter")
        found = [f"{prefix}{symbol}/" for symbol in sorted(self.listings)]
        if not delimiter:
            found = [key for key in sorted(self._keys(prefix)) if key.startswith(prefix)]
        elif prefix != f"{ROOT}monthly/klines/":
            found = []
        after = [one for one in found if one > marker]
        page = after[: self.page_size]
        entry = "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>" if delimiter else (
            "<Contents><Key>{}</Key><LastModified>2025-01-02T03:04:05.000Z</LastModified><ETag>&quot;0&quot;</ETag>"
            "<Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )  # fmt: skip
        is_cut = len(after) > len(page)
        next_marker = f"<NextMarker>{escape(page[-1])}</NextMarker>" if is_cut and delimiter else ""
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>data.binance.vision</Name><Prefix>{escape(prefix)}</Prefix><Marker>{escape(marker)}</Marker>"
            f"{next_marker}<MaxKeys>1000</MaxKeys><IsTruncated>{str(is_cut).lower()}</IsTruncated>"
            + "".join(entry.format(escape(one)) for one in page)
            + "</ListBucketResult>"
        )
        return Answer(body=body.encode(), content_type="application/xml")

    def _keys(self, prefix: str) -> list[str]:
        """The keys of one pair and interval, which any prefix that is asked for names."""
        parts = prefix.removeprefix(ROOT).split("/")
        listing = self.listings.get(parts[2]) if len(parts) > 3 else None
        if listing is None or parts[3] not in LENGTHS_MS:
            return []
        found: list[str] = []
        for key in keys(parts[2], listing, parts[3], kind=parts[0], now_ms=self.clock.now_ms()):
            folder, _, name = key.rpartition("/")
            if name in self._removed:
                continue
            shown = name.replace("-0", "-") if name in self._unpadded else name
            found.extend((f"{folder}/{shown}", f"{folder}/{shown}{_CHECKSUM}"))
        return found


def _doctype() -> Breakage:
    return lambda answer: replace(answer, body=_DOCTYPE + answer.body.partition(b"\n")[2])


def _endless() -> Breakage:
    """It says that more follows, and the next page is the same."""

    def endless(answer: Answer) -> Answer:
        body = answer.body.replace(b"<IsTruncated>false", b"<IsTruncated>true")
        return replace(answer, body=body.replace(b"<Marker>", b"<NextMarker>-</NextMarker><Marker>"))

    return endless


def _no_list() -> Breakage:
    return lambda answer: replace(answer, body=b"<Error><Code>AccessDenied</Code></Error>")
