"""A checked query of a drop-in endpoint that answers with what a dataset holds at a commit."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from litestar import Request

from api.caching.answers import JSON_VARY, Answer, Answers, MakeJson
from api.caching.descriptions import Description
from api.engine.engine import Engine
from api.engine.snapshot import Snapshot
from api.http.reading import RevisionChoice


@dataclass(frozen=True, slots=True)
class DropInQuery:
    """What is asked, of which dataset, at which commit.

    Attributes:
        normal: the query in its normal form, which names all that `make` depends on besides the snapshot.
        make: makes the answer.
        check: raises what `make` would about values that are asked for; blocks. None where it raises nothing.
        vary: the headers an answer depends on.
        lasts: whether the same words mean the same query later.
    """

    dataset: str
    normal: msgspec.Struct
    choice: RevisionChoice
    make: MakeJson
    check: Callable[[Snapshot], None] | None = None
    vary: str = JSON_VARY
    lasts: bool = True

    async def answer(self, request: Request[Any, Any, Any]) -> Answer:
        """The answer; 304 when the caller has it already. Raises as `Answers.json_of_commit`."""
        answers = Answers.of(request.app)
        return await answers.json_of_commit(
            request,
            self.dataset,
            self.normal,
            choice=self.choice,
            make=self.make,
            vary=self.vary,
            lasts=self.lasts,
        )


async def describe_drop_in(request: Request[Any, Any, Any], engine: Engine, asked: DropInQuery) -> Description:
    """The commit that is meant. Raises as `Dataset.commit`, `Dataset.at` and `DropInQuery.check`."""
    dataset = engine.dataset(asked.dataset)
    commit = await dataset.commit(asked.choice)
    if asked.check is not None:
        check = partial(asked.check, await dataset.at(commit))
        await Answers.of(request.app).threads.large(request.receive, check)
    return Description(commit.sha)
