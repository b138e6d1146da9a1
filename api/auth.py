"""Decides whose a bearer token is: the server's own, or one the Hub's whoami accepts.

Tokens are never kept, logged or shown.

Routes and status codes are `guards`' and `errors`' business.
"""

import asyncio
import hashlib
import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from api.engine.hub import Account
from api.errors import TokenMissing, TokenRefused
from api.newcomers import Newcomers
from datahub_assets.domain.errors import HubError, HubRefused

TOKEN_FORM: Final = re.compile(rb"(?:hf_|api_org_)[A-Za-z0-9._-]{8,1000}")
_ACCEPTED_FOR_S: Final = 300.0
_STALE_FOR_S: Final = 24 * 3600.0
"""A token the Hub accepted once goes on working this long while the Hub cannot be asked."""
_ASK_AGAIN_S: Final = 30.0
_REFUSED_FOR_S: Final = 60.0
_REMEMBERED: Final = 10_000
_ASKED_AT_ONCE: Final = 4
_OWNER_REREAD_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: the account's name, and a digest that tells tokens apart without being one."""

    name: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What the Hub said of a token, when, and until when that is not asked again."""

    account: Account | None
    at_s: float
    good_until_s: float


class Authenticator:
    """Tokens to principals. `recall` answers from memory only, `authenticate` may ask the Hub."""

    def __init__(
        self,
        *,
        owner_token: Callable[[], str | None],
        whoami: Callable[[str], Account],
        allowed_users: Collection[str] = (),
        newcomers: Newcomers | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._owner_token = owner_token
        self._whoami = whoami
        self._allowed = frozenset(allowed_users)
        self._newcomers = newcomers or Newcomers(clock=clock)
        self._clock = clock
        self._verdicts: OrderedDict[bytes, _Verdict] = OrderedDict()
        self._threads = ThreadPoolExecutor(_ASKED_AT_ONCE, thread_name_prefix="whoami")
        self._asking: dict[bytes, asyncio.Task[_Verdict]] = {}
        self._owner_digest: bytes | None = None
        self._owner_read_s = -_OWNER_REREAD_S

    def recall(self, header: bytes | None) -> Principal | None:
        """The principal of an `Authorization` header if it is known to be good now, without asking anyone."""
        token = _bearer(header)
        if token is None:
            return None
        digest = _digest(token)
        if self._is_owner(digest):
            return Principal("owner", digest)
        verdict = self._verdicts.get(digest)
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
        known = self.recall(header)
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

    async def _verdict(self, token: str, digest: bytes, *, address: str | None) -> _Verdict:
        verdict = self._verdicts.get(digest)
        if verdict is not None and self._clock() < verdict.good_until_s:
            return verdict
        task = self._asking.get(digest)
        if task is None:
            if verdict is None or verdict.account is None:
                self._newcomers.admit(address)
            task = self._asking[digest] = asyncio.create_task(self._ask(token, digest, stale=verdict))
            task.add_done_callback(lambda _: self._asking.pop(digest, None))
        return await asyncio.shield(task)

    async def _ask(self, token: str, digest: bytes, *, stale: _Verdict | None) -> _Verdict:
        try:
            loop = asyncio.get_running_loop()
            account: Account | None = await loop.run_in_executor(self._threads, self._whoami, token)
        except HubRefused:
            account = None
        except HubError:
            if stale is None or stale.account is None or self._clock() - stale.at_s > _STALE_FOR_S:
                raise
            return self._remember(digest, replace(stale, good_until_s=self._clock() + _ASK_AGAIN_S))
        now_s = self._clock()
        lasting_s = _REFUSED_FOR_S if account is None else _ACCEPTED_FOR_S
        return self._remember(digest, _Verdict(account=account, at_s=now_s, good_until_s=now_s + lasting_s))

    def _remember(self, digest: bytes, verdict: _Verdict) -> _Verdict:
        self._verdicts[digest] = verdict
        self._verdicts.move_to_end(digest)
        while len(self._verdicts) > _REMEMBERED:
            self._verdicts.popitem(last=False)
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
