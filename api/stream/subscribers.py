"""One subscriber of the datasets: what it asked for, where it continues, and the events it is sent."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Final

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from api.caching.descriptions import Description
from api.caching.revisions import EACH_COMMIT
from api.engine.engine import Engine
from api.history.narrowing import Narrowing, check_narrowing
from api.http.errors import InvalidParameter
from api.http.parameters import DATASET_NAMES, WordList
from api.http.reading import words
from api.stream.changes import CommitChange, Interest
from api.stream.feed import Feed
from api.stream.schemas import Restart
from api.stream.server_sent_events import HEARTBEAT, MEDIA_TYPE, event
from datahub_assets.domain.errors import DataHubError
from datahub_assets.domain.hub_files import FULL_SHA

HEARTBEAT_S: Final = 15.0
_RECONNECT: Final = b"retry: 3000\n\n"
_VALID_ID: Final = f"an id this stream sent: a 40-hex commit, or {EACH_COMMIT}"


async def ask_interest(
    *,
    engine: NamedDependency[Engine],
    narrowing: NamedDependency[Narrowing],
    dataset: Annotated[
        WordList, QueryParameter(description=f"{DATASET_NAMES}, comma-separated; all of them by default")
    ] = None,
) -> Interest:
    """A validated subscription; without names of datasets it is for all of them.

    Raises:
        UnknownDataset, DatasetNotReady, UnknownValue, InvalidParameter: said by name.
    """
    datasets = words(dataset)
    if datasets:
        snapshots = [engine.dataset(name).current for name in datasets]
    else:
        snapshots = [known.current for known in engine.datasets.values() if known.is_ready]
    if narrowing.given:
        where = "the datasets that are followed"
        await asyncio.to_thread(check_narrowing, snapshots, narrowing, where=where)
    # In the specs' order, so that an id names the same commits however the caller listed their datasets.
    followed = tuple(name for name in engine.specs if not datasets or name in datasets)
    return Interest(followed, narrowing)


async def describe_stream(request: Request[Any, Any, Any], engine: Engine, asked: Interest) -> Description:
    """Events are of no commit: there is one for each that comes."""
    del request, engine, asked
    return Description(media_type=MEDIA_TYPE)


def position_of(event_id: str | None, interest: Interest, engine: Engine) -> dict[str, str]:
    """The commit of each followed dataset an event id names; those it does not name begin with the newest commit.

    A lone sha may be of any dataset; if it is of none that is known, it stands for all.

    Raises:
        InvalidParameter: it is no such id.
    """
    if not event_id:
        return {}
    named = {name: sha for name, _, sha in (part.rpartition("@") for part in event_id.split(","))}
    is_mixed = "" in named and len(named) > 1
    if is_mixed or not all(FULL_SHA.fullmatch(sha) for sha in named.values()):
        raise InvalidParameter.of("Last-Event-ID", event_id, valid=_VALID_ID)
    lone = named.pop("", None)
    if lone is None:
        return {name: sha for name, sha in named.items() if name in interest.datasets}
    found = [name for name in interest.datasets if _has(engine, name, lone)]
    return dict.fromkeys(found[:1] or interest.datasets, lone)


async def events_for(feed: Feed, interest: Interest, *, since: Mapping[str, str]) -> AsyncIterator[bytes]:
    """The events of one follower, from where it was on; comments in between when there are none."""
    with feed.listening(interest) as listener:
        now = {name: sha for name, sha in feed.state.items() if name in interest.datasets}
        at = {**now, **since}
        yield _RECONNECT + event("ready", msgspec.json.encode(at), event_id=_event_id(at, interest))
        for name in [name for name in since if since[name] != now.get(name)]:
            async for chunk in _caught_up(feed, interest, name, at=at, until=now.get(name)):
                yield chunk
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    change = await listener.queue.get()
            except TimeoutError:
                yield HEARTBEAT
                continue
            if change is None:
                return
            at[change.spec.name] = change.later.sha
            text = await feed.text(change, interest)
            if text is not None:
                yield event(_kind(change), text, event_id=_event_id(at, interest))


async def _caught_up(
    feed: Feed, interest: Interest, name: str, *, at: dict[str, str], until: str | None
) -> AsyncIterator[bytes]:
    """The changes of one dataset that a subscriber missed, or an event that they cannot be determined."""
    if until is None:
        return
    try:
        async for change in feed.missed(name, at[name], until):
            at[name] = change.later.sha
            text = await feed.text(change, interest)
            if text is not None:
                yield event(_kind(change), text, event_id=_event_id(at, interest))
    except DataHubError as error:
        reason = f"what changed since {at[name]} cannot be told: {error.code}"
        at[name] = until
        restart = Restart(dataset=name, revision=until, reason=reason)
        yield event("restart", msgspec.json.encode(restart), event_id=_event_id(at, interest))


def _kind(change: CommitChange) -> str:
    return "commit" if change.found is not None else "restart"


def _event_id(at: Mapping[str, str], interest: Interest) -> str:
    """Names the commits a follower knows; as `X-Revision` does."""
    if len(interest.datasets) == 1:
        return at.get(interest.datasets[0], "")
    return ",".join(f"{name}@{at[name]}" for name in interest.datasets if name in at)


def _has(engine: Engine, name: str, sha: str) -> bool:
    try:
        engine.dataset(name).find(revision=sha)
    except DataHubError:
        return False
    return True
