"""The largest request body, since Dagster reads a body whole into memory."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from datahub_assets.ops.dagster_web.problems import Problem


class _TooLarge(Exception):
    """More came than may."""


class BodyLimit:
    """ASGI middleware that answers 413 to a request whose body has more than `limit` bytes, announced or not."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body counted, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        problem = Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "body_too_large",
            f"A request to Dagster has at most {self._limit} bytes.",
        )
        announced = Headers(scope=scope).get("content-length", "0")
        is_announced = announced.isdecimal() and int(announced) > self._limit
        if is_announced or not await self._is_passed_on(scope, receive, send):
            await problem(scope, receive, send)

    async def _is_passed_on(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Pass the request on; False when its body was too large, and nothing was answered."""
        received = 0
        is_too_large = False

        async def count() -> Message:
            nonlocal received, is_too_large
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                is_too_large = True
                raise _TooLarge
            return message

        async def pass_on(message: Message) -> None:
            if not is_too_large:  # what the application makes of the exception
                await send(message)

        try:
            await self._app(scope, count, pass_on)
        except _TooLarge:
            return False
        return not is_too_large
