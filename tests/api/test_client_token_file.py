"""The client tokens as the API sees them: the file as it is, and nothing of a file that is not to be trusted."""

import asyncio
import hashlib
import logging
from pathlib import Path
from typing import Any

import pytest

from api.access.auth import Authenticator
from api.access.client_tokens import CHECKED_S, ClientTokens
from api.access.unknown_tokens import UnknownTokenLimit
from api.engine.hub.reader import Account
from api.http.errors import TokenRefused, TooManyUnknownTokens
from datahub_system.files import client_tokens

MADE = "2026-01-01T00:00:00.000Z"


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def nobody(token: str) -> Account:
    raise AssertionError("the Hub was asked about a client token")


def authenticator(path: Path, clock: Clock, **more: Any) -> Authenticator:
    find = ClientTokens(path, clock=clock).find
    return Authenticator(owner_token=lambda: None, whoami=nobody, find_client=find, clock=clock, **more)


def test_the_file_is_looked_at_now_and_then_and_read_when_it_changed(tmp_path: Path) -> None:
    path, clock = tmp_path / "client-tokens.json", Clock()
    tokens = ClientTokens(path, clock=clock)
    assert tokens.find(digest("dhc_x")) is None
    made = client_tokens.add(path, "laptop", in_url=False, made=MADE)
    assert tokens.find(digest(made)) is None, "not looked at again so soon"
    found = tokens.find(digest(made), at_once=True)
    assert found is not None
    assert found.name == "laptop"
    client_tokens.remove(path, "laptop")
    assert tokens.find(digest(made)) is not None
    clock.now_s += CHECKED_S
    assert tokens.find(digest(made)) is None


def test_only_hashes_are_in_memory(tmp_path: Path) -> None:
    """What is compared are hashes, so that no time it takes tells of a token."""
    path = tmp_path / "client-tokens.json"
    made = client_tokens.add(path, "laptop", in_url=False, made=MADE)
    tokens = ClientTokens(path)
    assert tokens.find(digest(made)) is not None
    assert list(tokens._by_digest) == [digest(made)]
    assert made not in repr(vars(tokens))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"tokens": [1]}', '{"tokens": [{"name": "a", "sha256": "zz"}]}'])
def test_a_file_that_is_none_opens_nothing_and_is_told_once(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    path, clock = tmp_path / "client-tokens.json", Clock()
    made = client_tokens.add(path, "laptop", in_url=False, made=MADE)
    tokens = ClientTokens(path, clock=clock)
    assert tokens.find(digest(made)) is not None
    path.write_text(content)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            clock.now_s += CHECKED_S
            assert tokens.find(digest(made)) is None
    assert len(caplog.records) == 1
    assert "no client token is accepted" in caplog.text


def test_others_can_not_write_to_the_file_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / "client-tokens.json"
    made = client_tokens.add(path, "laptop", in_url=False, made=MADE)
    path.chmod(0o666)
    assert ClientTokens(path).find(digest(made)) is not None
    assert path.stat().st_mode & 0o022 == 0


def test_unknown_ones_are_counted_and_the_hub_is_not_asked(tmp_path: Path) -> None:
    path, clock = tmp_path / "client-tokens.json", Clock()
    made = client_tokens.add(path, "laptop", in_url=False, made=MADE)
    auth = authenticator(path, clock, unknown_tokens=UnknownTokenLimit(per_address=3, total=6, clock=clock))

    def ask(token: str) -> str:
        return asyncio.run(auth.authenticate(f"Bearer {token}".encode(), address="192.0.2.1")).name

    for number in (0, 0, 0, 0, 1, 2):
        with pytest.raises(TokenRefused):
            ask(f"dhc_guess{number}")
    with pytest.raises(TooManyUnknownTokens):
        ask("dhc_guess3")
    assert ask(made) == "client:laptop"


def test_allowed_users_are_of_the_hub(tmp_path: Path) -> None:
    path, clock = tmp_path / "client-tokens.json", Clock()
    made = client_tokens.add(path, "laptop", in_url=False, made=MADE)
    auth = authenticator(path, clock, allowed_users=("acme",))
    principal = auth.known_principal(f"Bearer {made}".encode())
    assert principal is not None
    assert principal.name == "client:laptop"


def test_what_was_wrong_is_got_over_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock = tmp_path / "client-tokens.json", Clock()
    made = client_tokens.add(path, "laptop", in_url=False, made=MADE)
    good, tokens = path.read_bytes(), ClientTokens(path, clock=clock)
    with monkeypatch.context() as patch:
        patch.setattr(
            "api.access.client_tokens.load", lambda _: (_ for _ in ()).throw(OSError(24, "Too many open files"))
        )
        assert [tokens.find(digest(made), at_once=True) for _ in range(3)] == [None] * 3
    assert tokens.find(digest(made), at_once=True) is not None, "the file was right all along"
    path.write_bytes(b"\xff\xfe not UTF-8")
    assert tokens.find(digest(made), at_once=True) is None
    path.write_bytes(good)
    assert tokens.find(digest(made), at_once=True) is not None
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 2, "each trouble once"
