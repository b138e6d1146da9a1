"""New commits as they come, as server-sent events."""

from functools import partial
from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, Request, get
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter
from litestar.types import ASGIApp, Receive, Scope, Send

from api.access.admission import address_of
from api.access.auth import Authenticator
from api.access.url_tokens import SECURITY
from api.caching.descriptions import DESCRIBE
from api.caching.revisions import EACH_COMMIT
from api.engine.engine import Engine
from api.history.narrowing_parameters import asking_for
from api.http.context import RequestContext, principal_of
from api.http.openapi import QUERIED, problems
from api.stream.changes import Interest
from api.stream.feed import MOST_OF_ONE, Feed
from api.stream.server_sent_events import MEDIA_TYPE, EventStream
from api.stream.subscribers import ask_interest, describe_stream, events_for, position_of
from datahub_assets.datasets.registry import DATASETS


class ServerSentEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event of the stream; `data` is JSON text."""

    data: str = ""
    event: str = "message"
    id: str = ""
    retry: int = 0


_EVENTS: Final = ResponseSpec(
    ServerSentEvent, description="server-sent events, each of this form", media_type=MEDIA_TYPE, generate_examples=False
)


_DESCRIPTION: Final = f"""\
`ready` names the commits to begin with, then there is a `commit` for each new one with the rows it changed.

The data of a `commit` are shaped as the answers of `/api/hub/diff`; the id is the commit, or `{EACH_COMMIT}` when
several datasets are followed. `restart` says that what changed cannot be told, and rows must be read anew. Every 15 s
without an event there is a comment. A client that reads too slowly is disconnected, and can go on with `Last-Event-ID`.
A stream ends within five minutes of its token being revoked, within a second where it is a client token. An account
may have {MOST_OF_ONE} streams open at once.

A parameter narrows down the datasets that have such a filter; of the others all rows are told.
"""
_NARROWING: Final = asking_for(tuple(DATASETS.values()))


class StreamController(Controller):
    """What is new."""

    path = "/api/hub/stream"
    tags = ["Live"]
    security = SECURITY

    @get(
        summary="Follow new commits",
        description=_DESCRIPTION,
        dependencies={"narrowing": Provide(_NARROWING, sync_to_thread=False), "asked": Provide(ask_interest)},
        responses={200: _EVENTS, **QUERIED, **problems(429)},
        opt={DESCRIBE: describe_stream},
    )
    async def follow(
        self,
        request: Request[Any, Any, Any],
        *,
        engine: NamedDependency[Engine],
        feed: NamedDependency[Feed],
        authenticator: NamedDependency[Authenticator],
        asked: NamedDependency[Interest],
        last_event_id: Annotated[
            str | None,
            HeaderParameter(name="Last-Event-ID", description="the last event's id: what came after it is sent first"),
        ] = None,
    ) -> ASGIApp:
        """Events as they come; all that is wrong with a request is told before the first of them."""
        since = position_of(last_event_id, asked, engine)
        principal, header = principal_of(request), RequestContext.of(request.scope).authorization
        address = address_of(request)

        async def stream(scope: Scope, receive: Receive, send: Send) -> None:
            with feed.place(principal.name):
                refused = partial(authenticator.refused, header, address=address)
                await EventStream(events_for(feed, asked, since=since), refused=refused)(scope, receive, send)

        return stream
