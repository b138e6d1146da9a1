"""What a token may do on a Hub, as the Hub's `whoami` tells it: whose it is, its role, and where its account belongs.

Roles are those of huggingface.co: a token's `read`, `write` or `fineGrained`; in an organisation `read`, `contributor`,
`write` or `admin` (docs/hub/security-tokens and organizations-security there). A Hub may leave any of it out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

READ = "read"
FINE_GRAINED = "fineGrained"


@dataclass(frozen=True, slots=True)
class TokenRights:
    """A token's account, its own name and role (None: not told), and its account's role in each organisation."""

    account: str
    token: str | None = None
    role: str | None = None
    organisations: Mapping[str, str | None] = field(default_factory=dict)

    def __str__(self) -> str:
        named = f"token {self.token!r}" if self.token else "token"
        return f"{named} of {self.account}" + (f", role {self.role}" if self.role else "")


@dataclass(frozen=True, slots=True)
class WriteRefusal:
    """Why a token may not write somewhere, and what a person can do about it."""

    why: str
    fix: str


def told(whoami: Mapping[str, Any]) -> TokenRights:
    """The rights in an answer of `whoami`; what has another shape counts as not told."""
    auth = whoami.get("auth")
    token = auth.get("accessToken") if isinstance(auth, dict) else None
    token = token if isinstance(token, dict) else {}
    organisations = whoami.get("orgs")
    return TokenRights(
        account=str(whoami["name"]),
        token=_text(token.get("displayName")),
        role=_text(token.get("role")),
        organisations={
            str(one["name"]): _text(one.get("roleInOrg"))
            for one in (organisations if isinstance(organisations, list) else [])
            if isinstance(one, dict) and "name" in one
        },
    )


def refusal(rights: TokenRights, *, namespace: str, endpoint: str) -> WriteRefusal | None:
    """Why this token may not write to the datasets of an account or organisation; None where nothing speaks against it.

    Args:
        namespace: who owns the datasets.        endpoint: URL of the Hub, where tokens are made.
    """
    tokens = f"{endpoint}/settings/tokens"
    if rights.role == READ:
        return WriteRefusal(
            f"HF_TOKEN ({rights}) may only read, and not write to datasets of {namespace}",
            f"make a token with the role write at {tokens}, set HF_TOKEN to it and start again",
        )
    if namespace != rights.account and namespace not in rights.organisations:
        return WriteRefusal(
            f"HF_TOKEN ({rights}) may not write to datasets of {namespace}: {rights.account} does not belong to it",
            f"unset HF_USERNAME to publish as {rights.account}, or use a token of {namespace}, and start again",
        )
    if namespace != rights.account and rights.organisations[namespace] == READ:
        return WriteRefusal(
            f"HF_TOKEN ({rights}) may not write to datasets of {namespace}: {rights.account} has the role read there",
            f"have an admin of {namespace} give {rights.account} the role write, or unset HF_USERNAME and start again",
        )
    return None


def after_refusal(rights: TokenRights, *, namespace: str, endpoint: str) -> WriteRefusal:
    """As `refusal`, once the Hub has refused: a fine-grained token lacks what it does not tell."""
    known = refusal(rights, namespace=namespace, endpoint=endpoint)
    if known is not None:
        return known
    needs = f"write access to the contents and settings of all datasets of {namespace}"
    return WriteRefusal(
        f"{endpoint} refused HF_TOKEN ({rights}) for datasets of {namespace}",
        f"give the token {needs} at {endpoint}/settings/tokens"
        if rights.role == FINE_GRAINED
        else f"HF_TOKEN needs {needs}; see what the Hub says of it, and {endpoint}/settings/tokens",
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
