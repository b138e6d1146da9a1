"""What makes an incident as it is told a row of the dataset."""

from collections.abc import Mapping

from datahub_assets.domain import fields


def incident(item: Mapping[str, object], now_ms: int) -> dict[str, object]:
    """The columns of an incident."""
    return {
        "incident_id": fields.name_of("id", item.get("id")),
        "timestamp": fields.stamp("noticed_at", item.get("noticed_at"), now_ms=now_ms),
        "headline": fields.text("headline", item.get("headline")),
        "severity": fields.text("severity", item.get("severity")),
        "services": fields.texts("services", item.get("services")),
        "affected": fields.count("affected", item.get("affected")),
    }
