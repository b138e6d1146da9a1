"""What `datahub doctor` asks of the registers."""

from typing import Final

from datahub_assets.sources.ask import probe
from field_receipts.settings import ReceiptSettings

FIX: Final = "FIELD_RECEIPTS_URL names the host"


def look(settings: ReceiptSettings) -> str:
    """Whether they answer, and how fast."""
    return probe(f"{settings.receipts_url}/receipts")
