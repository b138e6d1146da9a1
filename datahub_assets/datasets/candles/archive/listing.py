"""The listing of the archive's bucket, as S3 answers it: XML in pages of 1,000 keys, each begun after a marker.

ListObjects: docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from xml.etree import ElementTree as ET

from datahub_assets.domain.errors import SourceMalformed

MOST_BYTES: Final = 4 * 2**20
"""A page of 1,000 keys has about 350 KB."""
_MOST_PAGES: Final = 200
_DECLARATION: Final = re.compile(r"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)

Ask = Callable[[Mapping[str, str]], Awaitable[bytes]]
"""Gets a page of the listing by its parameters."""


async def keys(ask: Ask, prefix: str) -> tuple[str, ...]:
    """All keys that begin so, sorted.

    Raises:
        SourceError: a page could not be had, or is no page of a listing.
    """
    return await _all(ask, {"prefix": prefix}, "Contents", "Key")


async def folders(ask: Ask, prefix: str) -> tuple[str, ...]:
    """The names of the folders right below a prefix that ends with a slash, sorted.

    Raises:
        SourceError: as `keys`.
    """
    found = await _all(ask, {"delimiter": "/", "prefix": prefix}, "CommonPrefixes", "Prefix")
    return tuple(name.removeprefix(prefix).removesuffix("/") for name in found)


async def _all(ask: Ask, question: Mapping[str, str], entry: str, field: str) -> tuple[str, ...]:
    found: list[str] = []
    marker = ""
    for _ in range(_MOST_PAGES):
        root = _root(await ask({**question, **({"marker": marker} if marker else {})}))
        page = [text for one in root.iterfind(f"{{*}}{entry}/{{*}}{field}") if (text := one.text)]
        found.extend(page)
        if root.findtext("{*}IsTruncated", "").strip() != "true":
            return tuple(found)
        following = root.findtext("{*}NextMarker") or max(page, default="")
        if following <= marker:
            raise SourceMalformed(f"the archive's listing does not go on after {marker or question['prefix']!r}")
        marker = following
    raise SourceMalformed(f"the archive's listing of {question['prefix']!r} has more than {_MOST_PAGES} pages")


def _root(content: bytes) -> ET.Element:
    """The root of a page; nothing is expanded or loaded on its behalf."""
    try:
        text = content.decode()
        if _DECLARATION.search(text):
            raise SourceMalformed("the archive's listing declares a document type, which no listing does")
        root = ET.fromstring(text)  # noqa: S314 - without declarations there are no entities to expand
    except (UnicodeDecodeError, ET.ParseError, ValueError) as error:
        raise SourceMalformed(f"the archive's listing is no XML: {error}: {content[:80]!r}") from error
    if root.tag.rpartition("}")[2] != "ListBucketResult":
        raise SourceMalformed(f"the archive's listing is no listing but <{root.tag[:80]}>")
    return root
