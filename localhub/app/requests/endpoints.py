"""Makes endpoints of functions over a Call: reads the body, opens a transaction, does the work in a thread."""

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from localhub.app.requests import access
from localhub.app.requests.bodies import Body, read_body
from localhub.app.requests.site import Call, Site, site_of

Work = Callable[[Call], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


def reads(takes: Body | None = None) -> Callable[[Work], Endpoint]:
    """An endpoint that looks at one state of the store. A body it does not take is not read."""

    def make(work: Work) -> Endpoint:
        @wraps(work)
        async def endpoint(request: Request) -> Response:
            site, body = site_of(request), await _body(request, takes)

            def run() -> Response:
                with site.home.database.read() as con:
                    return work(Call(site=site, con=con, request=request, body=body))

            return await site.in_thread(run)

        return endpoint

    return make


def writes(takes: Body | None = None) -> Callable[[Work], Endpoint]:
    """An endpoint that changes the store, all or (when it raises) nothing; its events go out once that is durable.

    The token is looked at before the write lock is taken, so that strangers cannot keep others waiting for it.
    """

    def make(work: Work) -> Endpoint:
        @wraps(work)
        async def endpoint(request: Request) -> Response:
            site = site_of(request)
            await site.in_thread(_require_token, site, request)
            body = b"" if takes is None else await read_body(request, takes)

            def run() -> Response:
                with site.home.database.write() as con:
                    call = Call(site=site, con=con, request=request, body=body)
                    response = work(call)
                for event in call.events:
                    site.announce(event)
                return response

            return await site.in_thread(run)

        return endpoint

    return make


async def _body(request: Request, takes: Body | None) -> bytes:
    if takes is None:
        return b""
    if takes.token:
        site = site_of(request)
        await site.in_thread(_require_token, site, request)
    return await read_body(request, takes)


def _require_token(site: Site, request: Request) -> None:
    with site.home.database.read() as con:
        access.require_token(site, con, request)
