"""Decides whose a bearer token is: the server's own, or one the Hub's whoami accepts.

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
from typing import Final

from api.access.unknown_tokens import UnknownTokenLimit
from api.engine.hub.reader import Account
from api.http.context import Principal
from api.http.errors import TokenMissing, TokenRefused
from api.http.token_form import TOKEN_FORM
from datahub_assets.domain.errors import DataHubError, HubError, HubRefused

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
_OWNER_REREAD_S: Final = 1.0
_OWNER_CHECKED_S: Final = 10.0
"""How often an answer that goes on looks whether the server's own token is still the same."""


@dataclass(frozen=True, slots=True)
class _TokenVerdict:
    """What the Hub said of a token, when, and until when that is not asked again."""

    account: Account | None
    at_s: float
    good_until_s: float


class Authenticator:
    """Tokens to principals. `known_principal` answers from memory only, `authenticate` may ask the Hub."""

    def __init__(
        self,
        *,
        owner_token: Callable[[], str | None],
        whoami: Callable[[str], Account],
        allowed_users: Collection[str] = (),
        unknown_tokens: UnknownTokenLimit | None = None,
        accepted_for_s: float = ACCEPTED_FOR_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._owner_token = owner_token
        self._whoami = whoami
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
        token = _bearer(header)
        if token is None:
            return None
        digest = _digest(token)
        if self._is_owner(digest):
            return Principal("owner", digest)
        verdict = self._accepted.get(digest)
        if verdict is None or verdict.account is None or self._clock() >= verdict.good_until_s:
            return None
        return self._admit(verdict.account, digest, raising=False)

    async def authenticate(self, header: bytes | None, *, address: str | None = None) -> Principal:
        """The principal of an `Authorization` header that came from a client's address, None where there is none.

        Raises:
            TokenMissing: there is no bearer token.        TokenRefused: it is not one that may read here.
            TooManyUnknownTokens: the Hub may not be asked about it now.
            HubError: the Hub cannot be asked about a token that is not known.
        """
        known = self.known_principal(header)
        if known is not None:
            return known
        token = _bearer(header)
        if token is None:
            raise TokenMissing
        if not TOKEN_FORM.fullmatch(token):
            raise TokenRefused("this is not a Hugging Face token, which looks like hf_…")
        digest = _digest(token)
        verdict = await self._verdict(token.decode("ascii"), digest, address=address)
        if verdict.account is None:
            raise TokenRefused("neither this server nor the Hub knows this token")
        principal = self._admit(verdict.account, digest, raising=True)
        assert principal is not None  # noqa: S101 - it raised otherwise
        return principal

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
        """How long a header's token needs not be asked about; the server's own is compared now and then."""
        digest = _digest(_bearer(header) or b"")
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


def _bearer(header: bytes | None) -> bytes | None:
    """The token of `Authorization: Bearer …`; the scheme's case does not matter (RFC 9110, 11.1)."""
    if header is None or header[:7].lower() != b"bearer ":
        return None
    return header[7:].strip() or None


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
