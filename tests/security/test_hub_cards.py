"""Cards that somebody else wrote: read in bounded time, into what JSON can say."""

import pytest
import yaml

from localhub.protocol.card import read_card
from localhub.protocol.yaml_block import _Loader
from tests.security.hub_requests import readme


@pytest.mark.parametrize(
    "value",
    [
        "1" + ":1" * 31_000,
        "-1" + ":59" * 30,
        "1" + ":1" * 31_000 + ".5",
        "1" * 60_000,
        "+" + "9" * 80,
        "1." + "1" * 60_000,
        "0x" + "f" * 60_000,
        "0b" + "1" * 60_000,
        "0" + "7" * 60_000,
        "1" + "_" * 60_000 + "1",
        "1" * 60_000 + "e+5",
        "." + "5" * 60_000,
        "2001-01-01" + " " * 60_000 + "12:00:00",
        "2001-01-01T12:00:00." + "1" * 60_000,
        "2001-01-01 12:00:00" + "\t" * 60_000 + "Z",
    ],
    ids=lambda value: value[:24],
)
def test_long_numbers_and_times_are_refused_before_they_are_computed(value: str) -> None:
    for block in (f"a: {value}\n", f"- {value}\n", f"{{a: [{value}]}}\n"):
        error = read_card(readme(block)).error
        assert error is not None
        assert "more than 80 characters" in error
    assert read_card(readme(f'a: "{value}"\n')).data == {"a": value}


def test_long_texts_that_are_no_numbers_are_read() -> None:
    texts = ["0123456789abcdef" * 8, "https://example.org/" + "1" * 100, "1 of " + "word " * 30 + "end", "9" * 79 + "g"]
    card = read_card(readme("".join(f"k{number}: {text}\n" for number, text in enumerate(texts))))
    assert list(card.data.values()) == texts
    assert read_card(readme("a: 1" + ":1" * 9 + "\nb: 2001-12-14 21:59:43.1 -05:00\nc: 1e3\n")).error is None


def test_numbers_as_keys_cannot_be_chosen_to_collide() -> None:
    """Python's hash of an integer is its rest modulo 2**61 - 1: such keys in a dict cost the square of their number."""

    assert yaml.load("{1: {2: 3}, 2.5: a}", Loader=_Loader) == {"1": {"2": 3}, "2.5": "a"}  # noqa: S506 - a SafeLoader
    block = "{" + "".join(f"0x{number * (2**61 - 1):x}," for number in range(1, 3001)) + "}\n"
    assert len(read_card(readme(block)).data) == 3000


def test_cards_hold_what_json_can_say() -> None:
    card = read_card(readme("day: 2024-01-02\nsize: .inf\n1: {null: yes}\nnested: [{a: [1, 2.5]}]\n"))
    assert card.error is None
    assert card.data == {"day": "2024-01-02", "size": None, "1": {"null": True}, "nested": [{"a": [1, 2.5]}]}
