"""The Hub as the settings name it, with the account remembered."""

import hashlib
from typing import Final

from datahub_assets.settings import Settings
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub.client import Hub

_FACT: Final = "account"


def hub_without_cache(settings: Settings) -> Hub:
    """The Hub of these settings where a cache may be missing or broken: it is asked itself whose datasets are meant."""
    return Hub(settings.hub_endpoint, settings.owner_token(), settings.hf_username)


def hub_of(settings: Settings, cache: Cache) -> Hub:
    """The Hub of these settings, and whose datasets are meant.

    Each run is a new process, and of all calls the Hub limits `whoami` hardest; so its answer is kept in the cache, by
    endpoint and fingerprint of the token.

    Raises:
        HubRefused: the token is not valid.        HubUnavailable: the Hub could not be asked.
    """
    token = settings.owner_token()
    namespace = settings.known_namespace
    hub = Hub(settings.hub_endpoint, token, namespace)
    if namespace is not None or token is None:
        return hub
    asked_by = hashlib.sha256(f"{settings.hub_endpoint} {token}".encode()).hexdigest()
    known = cache.fact(_FACT)
    if known is None or known["asked_by"] != asked_by:
        known = {"asked_by": asked_by, "name": hub.namespace}
        cache.set_fact(_FACT, known)
    return Hub(settings.hub_endpoint, token, known["name"])
