"""Lists in pages: the `cursor` a page starts after, and the `Link` header that leads to the next."""

import base64
import binascii
from typing import TypeVar

from localhub.app.requests.site import Call
from localhub.errors import bad_request

T = TypeVar("T")

MAX_LIMIT = 10_000
_MAX_DIGITS = 9


def limit(call: Call, *, default: int) -> int:
    """The page size asked for, at most `MAX_LIMIT`; the default if none is.

    Raises:
        HubError: 400 for one that is no number, or 0.
    """
    size = _number(call.query("limit", str(default)), "limit")
    if size == 0:
        raise bad_request("The `limit` is at least 1")
    return min(size, MAX_LIMIT)


def cursor(call: Call) -> str:
    """The place the page starts after, as `next_link` wrote it; "" for the first page."""
    try:
        return base64.b64decode(call.query("cursor").encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise bad_request("The `cursor` is not one this server gave out") from error


def next_link(call: Call, after: str) -> dict[str, str]:
    """The header leading to the page that starts after `after`."""
    token = base64.urlsafe_b64encode(after.encode()).decode()
    url = call.request.url.include_query_params(cursor=token)
    return {"Link": f'<{url}>; rel="next"'}


def by_offset(call: Call, items: list[T], *, default_limit: int) -> tuple[list[T], dict[str, str]]:
    """One page of a list that is short enough to be made whole each time, and its link."""
    start = _number(cursor(call) or "0", "cursor")
    end = start + limit(call, default=default_limit)
    return items[start:end], next_link(call, str(end)) if end < len(items) else {}


def _number(text: str, what: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _MAX_DIGITS:
        raise bad_request(f"The `{what}` is not a number")
    return int(text)
