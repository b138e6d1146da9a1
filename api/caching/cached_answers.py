"""Answers that need not be computed again: the caller holds them (304), or they are in the response cache."""

from typing import Any

from litestar import Request, Response

from api.caching.repeated_requests import RepeatableAnswer
from api.caching.response_cache import CachedResponse, ResponseCache
from api.engine.dataset import Dataset
from api.http.compression import said_of
from api.http.etags import Validator
from api.http.metrics import Metrics


class CachedAnswers:
    """Looks for finished answers, and keeps them."""

    def __init__(self, cache: ResponseCache, metrics: Metrics) -> None:
        self._cache = cache
        self._metrics = metrics

    def find(self, request: Request[Any, Any, Any], validator: Validator) -> Response[bytes] | None:
        """The 304 or the answer, when there is one."""
        unchanged = validator.unchanged(request)
        if unchanged is not None:
            return unchanged
        answer = self._cache.get(validator.etag.encode())
        (self._metrics.miss if answer is None else self._metrics.hit).inc()
        return None if answer is None else _sent(request, answer, validator)

    def find_of(
        self, request: Request[Any, Any, Any], validator: Validator, *, dataset: Dataset, sha: str, newest: bool
    ) -> Response[bytes] | None:
        """As `find`, for a GET of one commit of one dataset.

        If it names that commit, or means the `newest` whichever that is, the same words are answered without coming
        here again.
        """
        if newest or validator.immutable:
            hot = RepeatableAnswer(validator.etag.encode(), None if validator.immutable else dataset, sha)
            request.scope["state"]["hot"] = hot
        return self.find(request, validator)

    def keep(
        self,
        request: Request[Any, Any, Any],
        validator: Validator,
        body: bytes,
        *,
        media_type: str,
        coding: str = "",
        **more: str,
    ) -> Response[bytes]:
        """Keep a body that was made just now, in that content coding ("" for none), and answer with it.

        `more` are headers of its own.
        """
        headers = validator.headers | more | said_of(coding)
        answer = CachedResponse(etag=validator.etag.encode(), body=body, headers=headers, media_type=media_type)
        self._cache.put(answer)
        return _sent(request, answer, validator)


def _sent(request: Request[Any, Any, Any], answer: CachedResponse, validator: Validator) -> Response[bytes]:
    return validator.unchanged(request, exists=True) or Response(
        answer.body, status_code=200, headers=answer.headers | validator.lifetime, media_type=answer.media_type
    )
