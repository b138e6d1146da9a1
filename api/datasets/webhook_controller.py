"""The Hub's webhook: a new commit is looked at at once instead of at the next poll."""

import hmac
from typing import Any

from litestar import Controller, Request, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from api.engine.engine import Engine
from api.engine.poller import Poller
from api.http.errors import InvalidWebhook
from api.http.openapi import problems
from datahub_assets.settings import Settings


class WebhookController(Controller):
    """What the Hub calls."""

    tags = ["Hub"]

    @post(
        "/api/hub/webhook",
        summary="Notify of a new commit",
        status_code=202,
        responses={
            202: ResponseSpec(None, description="the Hub's head is being looked at"),
            **problems(400, 403, 408, 413),
        },
    )
    async def webhook(
        self,
        request: Request[Any, Any, Any],
        engine: NamedDependency[Engine],
        poller: NamedDependency[Poller],
        settings: NamedDependency[Settings],
    ) -> Response[None]:
        """Needs the header `X-Webhook-Secret`. What the body says is a hint only: the head is read from the Hub."""
        secret = settings.webhook_secret
        given = request.headers.get("x-webhook-secret", "").encode()
        if secret is None or not hmac.compare_digest(given, secret.get_secret_value().encode()):
            raise InvalidWebhook(
                "the header X-Webhook-Secret is missing or wrong, or this server has no webhook secret"
            )
        body = await request.body()
        named = [name for name, dataset in engine.datasets.items() if dataset.repo_id.encode() in body]
        for name in named or engine.specs:
            poller.wake(name)
        return Response(None, status_code=202)
