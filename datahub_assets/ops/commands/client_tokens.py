"""What `datahub token add`, `list` and `remove` do: the client tokens of the API."""

from collections.abc import Iterator
from contextlib import contextmanager

from datahub_assets.domain.times import iso
from datahub_assets.ops.errors import OpsError
from datahub_assets.settings import Settings
from datahub_system.clock import now_ms
from datahub_system.files import client_tokens
from datahub_system.files.private import UnsafePath


class NoSuchToken(OpsError):
    """There is no client token of that name."""

    code = "no_such_token"


FROM_URL_TOO, IN_HEADERS = "headers and URLs", "headers"


def add(settings: Settings, name: str, *, in_url: bool) -> str:
    """Make a token and return it, for the only time.

    Raises:
        OpsError: the name is taken or none, or the file cannot be used.        UnsafePath: it is another user's.
    """
    with _told():
        return client_tokens.add(settings.client_tokens_path, name, in_url=in_url, made=iso(now_ms()))


def remove(settings: Settings, name: str) -> None:
    """End a token. Raises as `add`; NoSuchToken where there is none of that name."""
    with _told():
        client_tokens.remove(settings.client_tokens_path, name)


def lines(settings: Settings) -> list[str]:
    """A line for each token, oldest first: name, when it was made, where it may be sent. Raises as `add`."""
    with _told():
        known = client_tokens.load(settings.client_tokens_path)
    return [f"{one.name}\t{one.made}\t{FROM_URL_TOO if one.in_url else IN_HEADERS}" for one in known]


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except UnsafePath:
        raise
    except client_tokens.NoSuchClientToken as error:
        raise NoSuchToken(str(error)) from None
    except (client_tokens.ClientTokensError, OSError) as error:
        raise OpsError(str(error)) from None
