"""Decides whose a token is: the server's own, a client's of this server, or one the Hub's whoami accepts.

Tokens are never kept, logged or shown.
"""

import asyncio
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, Protocol

from api.access.client_tokens import CHECKED_S
from api.access.credentials import CLIENT_PREFIX, SentToken, TokenPlace, sent_token
from api.access.unknown_tokens import UnknownTokenLimit
from api.engine.hub.reader import Account
from api.http.context import Principal
from api.http.errors import TokenMissing, TokenRefused
from api.http.token_form import TOKEN_FORM
from datahub_assets.domain.errors import DataHubError, HubError, HubRefused
from datahub_system.files.client_tokens import ClientToken

ACCEPTED_FOR_S: Final = 300.0
"""How long a token goes on working here after the Hub stopped accepting it, at most."""
_STALE_FOR_S: Final = 3600.0
"""How long a token goes on working after the Hub last accepted it, while the Hub cannot be asked.

Long enough for most outages, and to restart or repair a Hub. A token that is revoked meanwhile, or whose bearer keeps
this server from asking, is over within the hour.
"""
_ASK_AGAIN_S: Final = 30.0
_REFUSED_FOR_S: Final = 60.0
_REMEMBERED: Final = 10_000
_ASKED_AT_ONCE: Final = 4
_COMMONEST: Final = b"Bearer "
_OWNER_REREAD_S: Final = 1.0
_OWNER_CHECKED_S: Final = 10.0
"""How often an answer that goes on looks whether the server's own token is still the same."""

_ONLY_CLIENT_TOKENS: Final = {
    TokenPlace.BASIC: "HTTP Basic takes only client tokens of this server, as password or as user: `datahub token add "
    "NAME` makes one; other tokens go into the header `Authorization: Bearer <token>`",
    TokenPlace.URL: "a token in the URL has to be a client token of this server that was made for it: `datahub token "
    "add NAME --url` makes one; other tokens go into the header `Authorization: Bearer <token>`",
}


@dataclass(frozen=True, slots=True)
class _TokenVerdict:
    """What the Hub said of a token, when, and until when that is not asked again."""

    account: Account | None
    at_s: float
    good_until_s: float


class FindClient(Protocol):
    """How client tokens are found, see `ClientTokens.find`."""

    def __call__(self, digest: bytes, *, at_once: bool = False) -> ClientToken | None:
        """The token with that hash."""


class Authenticator:
    """Tokens to principals. `known_principal` asks nobody, `authenticate` may ask the Hub.

    `find_client` finds client tokens by their hash, as `ClientTokens.find`. `allowed_users` narrows down accounts of
    the Hub; client tokens are made by whoever runs this server.
    """

    def __init__(
        self,
        *,
        owner_token: Callable[[], str | None],
        whoami: Callable[[str], Account],
        find_client: FindClient | None = None,
        allowed_users: Collection[str] = (),
        unknown_tokens: UnknownTokenLimit | None = None,
        accepted_for_s: float = ACCEPTED_FOR_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._owner_token = owner_token
        self._whoami = whoami
        self._find_client = find_client or _no_client
        self._allowed = frozenset(allowed_users)
        self._unknown_tokens = unknown_tokens or UnknownTokenLimit(clock=clock)
        self._accepted_for_s = accepted_for_s
        self._clock = clock
        # Apart from each other, so that no number of made-up tokens makes this forget, or wait with, a good one.
        self._accepted: OrderedDict[bytes, _TokenVerdict] = OrderedDict()
        self._refused: OrderedDict[bytes, _TokenVerdict] = OrderedDict()
        self._known_threads = ThreadPoolExecutor(_ASKED_AT_ONCE, thread_name_prefix="whoami-known")
        self._unknown_threads = ThreadPoolExecutor(_ASKED_AT_ONCE, thread_name_prefix="whoami-unknown")
        self._asking: dict[bytes, asyncio.Task[_TokenVerdict]] = {}
        self._owner_digest: bytes | None = None
        self._owner_read_s = -_OWNER_REREAD_S

    def known_principal(self, header: bytes | None) -> Principal | None:
        """The principal of an `Authorization` header if it is known to be good now, without asking anyone."""
        if header is not None and header.startswith(_COMMONEST):  # which needs no closer look
            sent: SentToken | None = SentToken(header[len(_COMMONEST) :].strip(), TokenPlace.BEARER)
        else:
            sent = sent_token(header)
        if sent is None:
            return None
        digest = _digest(sent.value)
        if sent.value.startswith(CLIENT_PREFIX):
            client = self._find_client(digest)
            return None if client is None or not _may_come(client, sent.place) else _client_principal(client, digest)
        if sent.place is not TokenPlace.BEARER:
            return None
        if self._is_owner(digest):
            return Principal("owner", digest)
        verdict = self._accepted.get(digest)
        if verdict is None or verdict.account is None or self._clock() >= verdict.good_until_s:
            return None
        return self._admit(verdict.account, digest, raising=False)

    async def authenticate(self, header: bytes | None, *, address: str | None = None) -> Principal:
        """The principal of an `Authorization` header that came from a client's address, None where there is none.

        Raises:
            TokenMissing: there is no token.        TokenRefused: it is not one that may read here, or not in this way.
            TooManyUnknownTokens: no more unknown tokens are looked up now.
            HubError: the Hub cannot be asked about a token that is not known.
        """
        known = self.known_principal(header)
        if known is not None:
            return known
        sent = sent_token(header)
        if sent is None:
            raise TokenMissing
        digest = _digest(sent.value)
        if sent.value.startswith(CLIENT_PREFIX):
            return self._client(sent, digest, address=address)
        if sent.place is not TokenPlace.BEARER:
            raise TokenRefused(_ONLY_CLIENT_TOKENS[sent.place])
        if not TOKEN_FORM.fullmatch(sent.value):
            raise TokenRefused("this is neither a Hugging Face token (hf_…) nor a client token of this server (dhc_…)")
        verdict = await self._verdict(sent.value.decode("ascii"), digest, address=address)
        if verdict.account is None:
            raise TokenRefused("neither this server nor the Hub knows this token")
        principal = self._admit(verdict.account, digest, raising=True)
        assert principal is not None  # noqa: S101 - it raised otherwise
        return principal

    def _client(self, sent: SentToken, digest: bytes, *, address: str | None) -> Principal:
        """Whose client token it is, by the file as it is now: one that was just made works at once."""
        client = self._find_client(digest, at_once=True)
        if client is None:
            verdict = self._refused.get(digest)
            now_s = self._clock()
            if verdict is None or now_s >= verdict.good_until_s:
                with self._unknown_tokens.admitted(address):
                    self._remember(digest, _TokenVerdict(None, now_s, now_s + _REFUSED_FOR_S))
            raise TokenRefused("this server has no such client token; it may have been removed")
        if not _may_come(client, sent.place):
            raise TokenRefused(
                f"the client token {client.name} was not made for URLs: send it in the header `Authorization`, or make "
                "one with `datahub token add NAME --url`"
            )
        return _client_principal(client, digest)

    async def refused(self, header: bytes | None, *, address: str | None = None) -> DataHubError:
        """Wait until an accepted `Authorization` header is no longer accepted; return the reason.

        For answers that go on for long. The token is asked about when its verdict ends, as at a request; a Hub that
        does not answer leaves the verdict as it was.
        """
        while True:
            await asyncio.sleep(self._good_for_s(header))
            try:
                await self.authenticate(header, address=address)
            except DataHubError as error:
                return error

    def _good_for_s(self, header: bytes | None) -> float:
        """How long a header's token needs not be asked about; those of this server are compared now and then."""
        sent = sent_token(header) or SentToken(b"", TokenPlace.BEARER)
        if sent.value.startswith(CLIENT_PREFIX):
            return CHECKED_S
        digest = _digest(sent.value)
        verdict = self._accepted.get(digest)
        if self._is_owner(digest) or verdict is None:
            return min(_OWNER_CHECKED_S, self._accepted_for_s)
        return max(0.0, verdict.good_until_s - self._clock())

    async def _verdict(self, token: str, digest: bytes, *, address: str | None) -> _TokenVerdict:
        verdict = self._accepted.get(digest) or self._refused.get(digest)
        if verdict is not None and self._clock() < verdict.good_until_s:
            return verdict
        task = self._asking.get(digest)
        if task is None:
            is_known = verdict is not None and verdict.account is not None
            asking = self._ask(token, digest, stale=verdict) if is_known else self._ask_unknown(token, digest, address)
            task = self._asking[digest] = asyncio.create_task(asking)
            task.add_done_callback(lambda _: self._asking.pop(digest, None))
        return await asyncio.shield(task)

    async def _ask_unknown(self, token: str, digest: bytes, address: str | None) -> _TokenVerdict:
        with self._unknown_tokens.admitted(address):
            return await self._ask(token, digest, stale=None)

    async def _ask(self, token: str, digest: bytes, *, stale: _TokenVerdict | None) -> _TokenVerdict:
        threads = self._unknown_threads if stale is None else self._known_threads
        try:
            account: Account | None = await asyncio.get_running_loop().run_in_executor(threads, self._whoami, token)
        except HubRefused:
            account = None
        except HubError:
            if stale is None or self._clock() >= stale.at_s + _STALE_FOR_S:
                raise
            good_until_s = min(self._clock() + self._ask_again_s, stale.at_s + _STALE_FOR_S)
            return self._remember(digest, replace(stale, good_until_s=good_until_s))
        now_s = self._clock()
        valid_s = _REFUSED_FOR_S if account is None else self._accepted_for_s
        return self._remember(digest, _TokenVerdict(account=account, at_s=now_s, good_until_s=now_s + valid_s))

    @property
    def _ask_again_s(self) -> float:
        return min(_ASK_AGAIN_S, self._accepted_for_s)

    def _remember(self, digest: bytes, verdict: _TokenVerdict) -> _TokenVerdict:
        here, other = (self._refused, self._accepted) if verdict.account is None else (self._accepted, self._refused)
        other.pop(digest, None)
        here[digest] = verdict
        here.move_to_end(digest)
        while len(here) > _REMEMBERED:
            here.popitem(last=False)
        return verdict

    def _admit(self, account: Account, digest: bytes, *, raising: bool) -> Principal | None:
        if self._allowed and self._allowed.isdisjoint({account.name, *account.organisations}):
            if raising:
                raise TokenRefused(f"the account {account.name} may not use this server")
            return None
        return Principal(account.name, digest)

    def _is_owner(self, digest: bytes) -> bool:
        now_s = self._clock()
        if now_s - self._owner_read_s >= _OWNER_REREAD_S:  # the token's file may appear after the server started
            token = self._owner_token()
            self._owner_digest = _digest(token.encode("ascii")) if token else None
            self._owner_read_s = now_s
        return self._owner_digest is not None and hmac.compare_digest(digest, self._owner_digest)


def _no_client(digest: bytes, *, at_once: bool = False) -> ClientToken | None:  # noqa: ARG001 - as `FindClient`
    """Where there are no client tokens."""
    return None


def _may_come(client: ClientToken, place: TokenPlace) -> bool:
    return client.in_url or place is not TokenPlace.URL


def _client_principal(client: ClientToken, digest: bytes) -> Principal:
    """Under a name that no account of a Hub has."""
    return Principal(f"client:{client.name}", digest)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
