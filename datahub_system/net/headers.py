"""Which headers of a request have one value: of two, one program may act on the first and another on the last."""

from collections.abc import Iterable
from typing import Final

ONLY_ONCE: Final = frozenset(
    {
        *(b"authorization", b"host", b"content-length", b"content-type", b"transfer-encoding"),
        *(b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest"),
    }
)
"""Their names in lower case. A server may have more of its own."""


def repeated(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The name of the first header of `ONLY_ONCE` that comes a second time; None when none does.

    Args:
        headers: names in lower case and values, as an ASGI scope has them.
    """
    seen: set[bytes] = set()
    for name, _ in headers:
        if name in seen:
            return name.decode("ascii")
        if name in ONLY_ONCE:
            seen.add(name)
    return None
