"""Which missing blocks to ask for again, by the ledger of gaps; and what became of each question."""

from collections.abc import Mapping, Sequence

from datahub_assets.datasets.blocks.client.fetch import MOST_BLOCKS
from datahub_assets.stores.cache.series_gaps import Question, SeriesGaps


def numbers(questions: Sequence[Question]) -> dict[str, list[int]]:
    """By chain, the numbers these questions are about, as many as one fetch asks for at most."""
    found: dict[str, list[int]] = {}
    for question in questions:
        (chain,) = question.series
        wanted = found.setdefault(chain, [])
        room = MOST_BLOCKS - len(wanted)
        wanted += range(question.gap.first_time, min(question.gap.last_time + 1, question.gap.first_time + room))
    return found


def record(
    ledger: SeriesGaps, questions: Sequence[Question], came: Mapping[str, Mapping[int, bool]], *, now_ms: int
) -> None:
    """Note what was answered. A gap of which some blocks came, and others were not asked for yet, goes on being due."""
    for question in questions:
        (chain,) = question.series
        gap, told = question.gap, came.get(chain, {})
        answers = [told[number] for number in range(gap.first_time, gap.last_time + 1) if number in told]
        is_whole = len(answers) == gap.missing(1)
        if answers and (is_whole or not any(answers)):
            ledger.record_asked(question, answered=any(answers), now_ms=now_ms)
