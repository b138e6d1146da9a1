"""Items of an upstream become rows, or are set aside with the reason: of datasets the product does not know."""

from dataclasses import replace
from typing import Any

import pytest

from datahub_assets.datasets.items import check_items
from datahub_assets.domain import fields
from datahub_assets.domain.fields import BadField
from datahub_assets.domain.times import YEAR_1_MS, YEAR_9999_MS
from tests.datasets.foreign import INCIDENTS, RECEIPTS

NOW_MS = 1_763_985_600_000
ITEM = {
    "id": "inc-1", "noticed_at": "2025-11-24T11:59:00Z", "headline": "Delays", "severity": "minor",
    "services": ["api", "wallet"], "affected": 12,
}  # fmt: skip
RECEIPT = {"register": "north", "number": 7, "stamped_at": "2025-11-24T11:59:00Z", "amount": 1.5, "settled": True}


def check(*items: object) -> Any:
    from field_incidents.rows import incident

    return check_items(INCIDENTS, items, incident, named="id", now_ms=NOW_MS)


def test_an_item_becomes_a_row_with_where_it_came_from_and_when() -> None:
    checked = check(ITEM)
    assert checked.rejected == ()
    (row,) = checked.frame.rows(named=True)
    assert {name: row[name] for name in ("incident_id", "services", "affected", "provider")} == {
        "incident_id": "inc-1", "services": ["api", "wallet"], "affected": 12, "provider": "statuspage",
    }  # fmt: skip
    assert checked.frame.select(time=INCIDENTS.time_ms()).item() == NOW_MS - 60_000
    assert row["ingested_at"].timestamp() * 1000 == NOW_MS
    assert checked.frame.schema == INCIDENTS.polars_schema()


def test_of_two_items_with_one_key_the_later_counts() -> None:
    assert check(ITEM, {**ITEM, "affected": 13}, {**ITEM, "id": "inc-2"}).frame["affected"].to_list() == [13, 12]


@pytest.mark.parametrize(
    ("item", "subject", "reason"),
    [
        ("a text", "?", "item is not an object but a str"),
        ({**ITEM, "id": " "}, "?", "id is missing: ' '"),
        ({**ITEM, "noticed_at": None}, "inc-1", "noticed_at is missing: None"),
        ({**ITEM, "noticed_at": "2025-11-24T11:59:00"}, "inc-1", "noticed_at is not an ISO time with its zone"),
        ({**ITEM, "noticed_at": "2025-11-24T12:06:00Z"}, "inc-1", "noticed_at is too far ahead"),
        ({**ITEM, "services": "api"}, "inc-1", "services is not a list: 'api'"),
        ({**ITEM, "services": ["api", None]}, "inc-1", "services is missing: None"),
        ({**ITEM, "services": [1]}, "inc-1", "services is not a text: 1"),
        ({**ITEM, "affected": -1}, "inc-1", "affected must not be negative: -1"),
    ],
)
def test_what_cannot_be_used_is_set_aside_by_name(item: object, subject: str, reason: str) -> None:
    checked = check(item, {**ITEM, "id": "inc-2"})
    (rejected,) = checked.rejected
    assert (rejected.dataset, rejected.subject) == ("incidents", subject)
    assert rejected.reason.startswith(reason)
    assert checked.frame["incident_id"].to_list() == ["inc-2"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"number": None}, "number is missing: None"),
        ({"settled": "yes"}, "settled is neither true nor false: 'yes'"),
        ({"settled": None}, "settled is missing: None"),
        ({"amount": "1.5"}, "amount is not a number: '1.5'"),
    ],
)
def test_a_receipt_that_lacks_something_is_set_aside(changes: dict[str, object], reason: str) -> None:
    from field_receipts.rows import receipt

    checked = check_items(RECEIPTS, [RECEIPT, {**RECEIPT, **changes}], receipt, named="register", now_ms=NOW_MS)
    assert [one.reason for one in checked.rejected] == [reason]
    assert checked.frame.height == 1


def test_what_is_there_is_given_on() -> None:
    assert fields.there("number", 0) == 0
    assert fields.there("settled", fields.flag("settled", False)) is False
    with pytest.raises(BadField, match="number is missing"):
        fields.there("number", None)


@pytest.mark.parametrize("name", ["register", "number", "stamped_at", "settled"])
@pytest.mark.parametrize("lacking", [True, False])
def test_what_every_row_needs_is_asked_for_whatever_the_reader_lets_pass(name: str, lacking: bool) -> None:
    def read(item: Any, _now_ms: int) -> dict[str, object]:
        return dict(item)

    good = {**RECEIPT, "number": 8, "stamped_at": NOW_MS}
    wrong: dict[str, object] = {**good, name: None}
    if lacking:
        del wrong[name]
    checked = check_items(RECEIPTS, [wrong, good], read, named="register", now_ms=NOW_MS)
    assert [one.reason for one in checked.rejected] == [f"{name} is missing: None"]
    assert checked.frame["number"].to_list() == [8]


@pytest.mark.parametrize("time_ms", [YEAR_9999_MS + 1, YEAR_1_MS - 1, 1 << 62, 1 << 70, NOW_MS * 1000])
def test_a_time_of_no_calendar_is_set_aside(time_ms: int) -> None:
    items = [{**RECEIPT, "number": 8, "stamped_at": at_ms} for at_ms in (time_ms, YEAR_9999_MS)]
    checked = check_items(RECEIPTS, items, lambda item, _: dict(item), named="register", now_ms=NOW_MS)
    assert [one.reason for one in checked.rejected] == [f"stamped_at is in none of the years 1 to 9999: {time_ms}"]
    assert checked.frame.select(RECEIPTS.time_ms()).to_series().to_list() == [YEAR_9999_MS]


def test_a_group_the_dataset_does_not_have_is_set_aside() -> None:
    grouped = replace(RECEIPTS, series=None, group="register", groups=("north", "south"))
    items = [{**RECEIPT, "register": name, "stamped_at": NOW_MS} for name in ("west", "south")]
    checked = check_items(grouped, items, lambda item, _: dict(item), named="register", now_ms=NOW_MS)
    assert [one.reason for one in checked.rejected] == ["register is none of north, south: 'west'"]
    assert checked.frame["register"].to_list() == ["south"]
