"""Checked queries whose answer is one JSON object, computed from snapshots."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response

from api.caching.answers import Answers
from api.caching.conditional import json_of
from api.caching.descriptions import Description
from api.caching.revisions import revision_name
from api.engine.engine import Engine
from api.engine.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class SnapshotsQuery:
    """The snapshots that are meant, and what is made of them.

    Attributes:
        compute: makes the answer; blocks.
        check: raises what `compute` would about values that are asked for; blocks. None where it raises nothing.
        compared_to: the snapshot that the one of `snapshots` is compared to.
        immutable: whether the commits were named in full.
    """

    snapshots: Sequence[Snapshot]
    compute: Callable[[], Any]
    check: Callable[[], None] | None = None
    compared_to: Snapshot | None = None
    immutable: bool = False

    async def answer(self, request: Request[Any, Any, Any]) -> Response[Any]:
        """The answer; 304 if the caller has it. Raises as `compute`."""
        return await json_of(
            request, self.snapshots, self.compute, compared_to=self.compared_to, immutable=self.immutable
        )


async def describe_snapshots(request: Request[Any, Any, Any], engine: Engine, asked: SnapshotsQuery) -> Description:
    """The commits of the snapshots. Raises as `SnapshotsQuery.check`."""
    del engine
    if asked.check is not None:
        await Answers.of(request.app).threads.large(request.receive, asked.check)
    return Description(
        revision_name(asked.snapshots), compared_to=None if asked.compared_to is None else asked.compared_to.sha
    )
