"""Who a token stands for: the owner, whose token is a file, and the others, whose tokens are kept only as hashes."""

import hashlib
import hmac
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datahub_system.clock import now_ms
from localhub.errors import conflict
from localhub.names import check_namespace
from localhub.store.disk.secretfile import secret_in

Role = Literal["read", "write"]


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The account behind a request: `user` is also the namespace it owns, `role` what this token may do there."""

    user: str
    role: Role
    token_name: str
    created_ms: int


def new_token() -> str:
    """A fresh token in the Hub's form: `hf_` and 34 letters and digits."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return "hf_" + "".join(secrets.choice(alphabet) for _ in range(34))


def digest(token: str) -> str:
    """What is stored of a token: its SHA-256 in hex. Tokens are random, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def owner_token(path: Path) -> str:
    """The owner's token out of its file, which is first written (mode 600, durably) if it is missing.

    Raises:
        ValueError: the file is there and empty.
    """
    return secret_in(path, make=new_token)


class Owner:
    """The account that exists from the start and may write to its own namespace."""

    def __init__(self, user: str, token: str) -> None:
        self.user = check_namespace(user)
        self._digest = digest(token)
        self._caller = Caller(user=user, role="write", token_name="owner", created_ms=0)  # noqa: S106 - a label, no secret

    def recognise(self, token_digest: str) -> Caller | None:
        """The owner if this is their token's digest."""
        return self._caller if hmac.compare_digest(self._digest, token_digest) else None


def add_token(con: sqlite3.Connection, *, name: str, user: str, role: Role) -> str:
    """Make a token for `user`; returns it, for the only time.

    Raises:
        HubError: 400 for an impossible name, 409 if `user` has a token of that name.
    """
    check_namespace(name)
    check_namespace(user)
    if con.execute("SELECT 1 FROM tokens WHERE user = ? AND name = ?", (user, name)).fetchone():
        raise conflict(f"There is a token '{name}' already")
    token = new_token()
    con.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?)", (digest(token), user, name, role, now_ms()))
    return token


def revoke_token(con: sqlite3.Connection, name: str) -> bool:
    """Forget the tokens of that name; False if there are none."""
    return con.execute("DELETE FROM tokens WHERE name = ?", (name,)).rowcount > 0


def all_tokens(con: sqlite3.Connection) -> list[Caller]:
    """Every token but the owner's, oldest first."""
    return [_caller(row) for row in con.execute("SELECT * FROM tokens ORDER BY created_ms, name")]


def find_caller(con: sqlite3.Connection, owner: Owner, token: str) -> Caller | None:
    """The account a token stands for, None for an unknown one."""
    token_digest = digest(token)
    known = owner.recognise(token_digest)
    if known is not None:
        return known
    row = con.execute("SELECT * FROM tokens WHERE digest = ?", (token_digest,)).fetchone()
    return None if row is None else _caller(row)


def user_exists(con: sqlite3.Connection, owner: Owner, user: str) -> bool:
    """Whether some token belongs to this user."""
    return user == owner.user or con.execute("SELECT 1 FROM tokens WHERE user = ?", (user,)).fetchone() is not None


def _caller(row: sqlite3.Row) -> Caller:
    return Caller(user=row["user"], role=row["role"], token_name=row["name"], created_ms=row["created_ms"])
