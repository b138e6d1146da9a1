"""The source asset of the dataset of receipts."""

from datahub_assets.datasets.items import check_items
from datahub_assets.defs.source_assets import SourceRun, asset_of
from datahub_assets.sources.ask import ask_json
from datahub_assets.sources.fetched import Fetched
from field_receipts.rows import receipt
from field_receipts.settings import ReceiptSettings
from field_receipts.spec import SPEC


@asset_of(SPEC, description="Receipts as the registers tell them, checked and landed on disk.")
def source_asset(run: SourceRun) -> Fetched:
    """Ask for all receipts."""
    url = run.settings.of(ReceiptSettings).receipts_url
    answer = ask_json(f"{url}/receipts", clock=run.clock, not_before_ms=run.not_before_ms)
    return answer.fetched(check_items(SPEC, answer.items(), receipt, named="register", now_ms=answer.now_ms))
