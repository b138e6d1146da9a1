"""How often we may commit: the Hub's hourly quota over all datasets, kept in the cache across restarts.

All datasets share one budget. Where it is not enough for the intervals they have, all of them get longer by the same
factor, instead of racing for it. After a 429 the budget
halves and comes back slowly.
"""

from dataclasses import asdict, dataclass
from typing import Final, Self

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS, SECOND_MS
from datahub_assets.settings import HUGGING_FACE, HUGGING_FACE_COMMITS, Settings
from datahub_assets.stores.cache import repo_state
from datahub_assets.stores.cache.database import Database

USUAL_INTERVAL_S: Final = 60
LEAST_SHARE: Final = 0.1
RECOVERY_PER_HOUR: Final = 0.1
DEFAULT_PAUSE_MS: Final = 5 * MINUTE_MS
"""Pause after a 429 that names none."""
LONGEST_PAUSE_MS: Final = HOUR_MS
_STRAIN: Final = "strain"
_SLACK_SHARE: Final = 0.25
_SLACK_LIMIT_MS: Final = 15 * SECOND_MS


@dataclass(frozen=True, slots=True)
class CommitLimits:
    """What the settings allow.

    Attributes:
        publish_interval_s: least seconds between two commits to a dataset.
        commits_per_hour: over all datasets; None: as many as there are.
        with_own: datasets that name a longer interval of their own keep it.
        datasets: those that share the commits.
    """

    publish_interval_s: int
    commits_per_hour: int | None
    with_own: bool = False
    datasets: tuple[DatasetSpec, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits of these settings; those of huggingface.co, which counts commits, unless they say others."""
        counts = settings.hub_endpoint == HUGGING_FACE
        own, chosen = settings.publish_interval_s, settings.commits_per_hour
        return cls(
            publish_interval_s=USUAL_INTERVAL_S if own is None else own,
            commits_per_hour=HUGGING_FACE_COMMITS if chosen is None and counts else chosen,
            with_own=own is None and counts,
            datasets=settings.collected,
        )

    def interval_s(self, spec: DatasetSpec) -> int:
        """Least seconds between two commits to this dataset."""
        return max(self.publish_interval_s, spec.publish_interval_s) if self.with_own else self.publish_interval_s

    def stretch(self, allowed: int) -> float:
        """By how much all intervals must be longer, 1 or more, so that so many commits an hour are enough for all."""
        return max(1.0, sum(HOUR_MS / SECOND_MS / self.interval_s(spec) for spec in self.datasets) / allowed)

    def told(self) -> str:
        """The limits on one line, for people."""
        of_all = "no limit" if self.commits_per_hour is None else f"{self.commits_per_hour} an hour over all"
        each = ", ".join(f"{spec.name} {self.interval_s(spec)} s" for spec in self.datasets)
        return f"least time between commits: {each}; {of_all}"


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """What 429s of the Hub demand: the share of the budget to use, since when, and until when to pause (ms)."""

    share: float = 1.0
    since: int = 0
    paused_until: int = 0

    def share_at(self, now_ms: int) -> float:
        """The share at this time: it recovers a little every hour."""
        hours = max(0, now_ms - self.since) / HOUR_MS
        return min(1.0, self.share + RECOVERY_PER_HOUR * hours)


@dataclass(frozen=True, slots=True)
class Wait:
    """How long from now until a dataset may be committed to (ms, 0 for at once), and what asks for it, in words."""

    ms: int
    cause: str


@dataclass(frozen=True, slots=True)
class CommitBudget:
    """The budget of all datasets, as one cache has noted its use."""

    database: Database

    def strain(self) -> QuotaUse:
        """What the Hub's refusals have taught so far."""
        known = repo_state.fact(self.database, _STRAIN)
        return QuotaUse() if known is None else QuotaUse(**known)

    def refused(self, *, retry_after_s: float | None, now_ms: int) -> QuotaUse:
        """The Hub said 429: halve the budget and keep still for as long as it wishes."""
        pause_ms = (
            DEFAULT_PAUSE_MS if retry_after_s is None else min(LONGEST_PAUSE_MS, round(retry_after_s * SECOND_MS))
        )
        with self.database.transaction():
            share = max(LEAST_SHARE, self.strain().share_at(now_ms) / 2)
            after = QuotaUse(share=share, since=now_ms, paused_until=now_ms + pause_ms)
            repo_state.set_fact(self.database, _STRAIN, asdict(after))
        return after

    def commits_since(self, since_ms: int, *, spec: DatasetSpec | None = None) -> int:
        """How many of our commits landed after this time, over all datasets or to one."""
        if spec is None:
            return int(self.database.scalar("SELECT count(*) FROM commits WHERE at > ?", (since_ms,)))
        return int(
            self.database.scalar("SELECT count(*) FROM commits WHERE at > ? AND dataset = ?", (since_ms, spec.name))
        )

    def wait(self, spec: DatasetSpec, *, limits: CommitLimits, now_ms: int) -> Wait:
        """The longest of what this dataset's next commit has to wait for."""
        # What lies in the future was noted by a clock that was ahead: it must not keep publishing waiting until then.
        known = self.strain()
        whole = limits.commits_per_hour
        allowed = None if whole is None else max(1, int(whole * known.share_at(now_ms)))
        pause_ms = known.paused_until - now_ms if known.since <= now_ms else 0
        spacing = _spacing(spec, limits, allowed)
        last = self.database.scalar("SELECT max(at) FROM commits WHERE dataset = ? AND at <= ?", (spec.name, now_ms))
        spacing_ms = 0 if last is None else last + spacing.ms - now_ms
        waits = [Wait(pause_ms, "the pause the Hub asked for"), Wait(spacing_ms, spacing.cause)]
        if allowed is not None:
            quota_ms = self._quota_wait_ms(allowed=allowed, now_ms=now_ms)
            waits.append(Wait(quota_ms, _budget_in_words(limits, allowed)))
        longest = max(waits, key=lambda one: one.ms)
        return Wait(max(0, longest.ms), longest.cause)

    def _quota_wait_ms(self, *, allowed: int, now_ms: int) -> int:
        """Time until fewer than `allowed` commits lie within the past hour."""
        nth = self.database.scalar(
            "SELECT at FROM commits WHERE at > ? AND at <= ? ORDER BY at DESC LIMIT 1 OFFSET ?",
            (now_ms - HOUR_MS, now_ms, allowed - 1),
        )
        return 0 if nth is None else int(nth) + HOUR_MS - now_ms


def _spacing(spec: DatasetSpec, limits: CommitLimits, allowed: int | None) -> Wait:
    """Least time between two commits to a dataset: its interval, stretched until the budget is enough for all.

    Ticks do not come to the second. Some slack keeps one that is a little early from being skipped.
    """
    wished_s = limits.interval_s(spec)
    stretch = 1.0 if allowed is None else limits.stretch(allowed)
    whole_ms = round(wished_s * SECOND_MS * stretch)
    short = allowed is not None and stretch > 1
    cause = _budget_in_words(limits, allowed) if short else f"the publish interval of {wished_s} s"
    return Wait(whole_ms - min(_SLACK_LIMIT_MS, int(whole_ms * _SLACK_SHARE)), cause)


def _budget_in_words(limits: CommitLimits, allowed: int | None) -> str:
    words = f"the commit budget of {allowed} an hour"
    whole = limits.commits_per_hour
    return words if allowed == whole else f"{words} ({whole} until the Hub refused some)"
