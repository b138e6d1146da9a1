"""What makes a receipt as it is told a row of the dataset."""

from collections.abc import Mapping

from datahub_assets.domain import fields


def receipt(item: Mapping[str, object], now_ms: int) -> dict[str, object]:
    """The columns of a receipt."""
    return {
        "register": fields.name_of("register", item.get("register")),
        "number": fields.there("number", fields.count("number", item.get("number"))),
        "stamped_at": fields.stamp("stamped_at", item.get("stamped_at"), now_ms=now_ms),
        "amount": fields.signed("amount", item.get("amount")),
        "settled": fields.there("settled", fields.flag("settled", item.get("settled"))),
    }
