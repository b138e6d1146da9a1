"""A checked query of a drop-in endpoint that answers with what a dataset holds at a commit."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, Response

from api.caching.computed_answers import Compute, DropInAnswers
from api.caching.descriptions import Description
from api.caching.revision_choice import RevisionChoice
from api.caching.revisions import commit_at
from api.engine.engine import Engine
from api.engine.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class DropInQuery:
    """What is asked, of which dataset, at which commit.

    Attributes:
        normal: the query in its normal form, which names all that `compute` depends on besides the snapshot.
        compute: makes the answer.
        check: raises what `compute` would about values that are asked for; blocks. None where it raises nothing.
    """

    dataset: str
    normal: msgspec.Struct
    choice: RevisionChoice
    compute: Compute
    check: Callable[[Snapshot], None] | None = None

    async def answer(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """The answer; 304 when the caller has it already. Raises as `DropInAnswers.answer`."""
        answers = DropInAnswers.of(request.app)
        return await answers.answer(request, self.dataset, self.normal, choice=self.choice, compute=self.compute)


async def describe_drop_in(request: Request[Any, Any, Any], engine: Engine, asked: DropInQuery) -> Description:
    """The commit that is meant. Raises as `commit_at`, `Dataset.at` and `DropInQuery.check`."""
    del request
    dataset = engine.dataset(asked.dataset)
    commit = await commit_at(dataset, asked.choice)
    if asked.check is not None:
        await asyncio.to_thread(asked.check, await dataset.at(commit))
    return Description(commit.sha)
