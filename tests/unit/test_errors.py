"""The error tree: each concrete error says whether trying again may help, and has a code of its own."""

import pytest

from datahub_assets.domain import errors
from datahub_assets.domain.errors import DataHubError, HubRateLimited, SourceRateLimited, Terminal, Transient

ALL = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, DataHubError)]
CONCRETE = [error for error in ALL if not error.__subclasses__()]


@pytest.mark.parametrize("error", CONCRETE)
def test_a_concrete_error_is_either_transient_or_terminal(error: type[DataHubError]) -> None:
    assert issubclass(error, Transient) != issubclass(error, Terminal)


def test_codes_are_unique() -> None:
    codes = [error.code for error in ALL]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("error", ALL)
def test_the_tree_in_the_docstring_is_the_tree(error: type[DataHubError]) -> None:
    line = next(
        line for line in (errors.__doc__ or "").splitlines() if line.strip("│├└─ ").split(" ")[0] == error.__name__
    )
    for mixin in (Transient, Terminal):
        assert (f"({mixin.__name__})" in line) == (issubclass(error, mixin))


@pytest.mark.parametrize("error", [SourceRateLimited, HubRateLimited])
def test_a_rate_limit_may_say_how_long(error: type[SourceRateLimited | HubRateLimited]) -> None:
    assert error("slow down", retry_after_s=7).retry_after_s == 7
    assert error("slow down").retry_after_s is None
