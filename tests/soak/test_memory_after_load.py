"""What fifty clients at once made the API take, it gives back: the benchmark's own load, with its target asserted."""

import pytest

from benchmarks.mixed.run import mixed_load
from benchmarks.rows.mixed import MEMORY_RATIO, served


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_quiet_minutes_after_a_mixed_load_memory_is_as_before() -> None:
    with served() as server:
        seen = mixed_load(server, duration_s=60, quiet_s=120, seed=1)
    assert sum(len(told.seconds) for told in seen.seen.values()) > 0, "there was no load"
    assert not any(seen.noticed.failed.values())
    assert seen.after_mb <= MEMORY_RATIO * seen.before_mb, f"at most it was {seen.peak_mb:.0f} MiB"
