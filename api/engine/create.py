"""The engine on the Hub that the settings name."""

from collections.abc import Callable

from api.engine.engine import Engine
from api.engine.hub.reader import HubReader
from datahub_assets.domain.errors import HubRefused
from datahub_assets.settings import Settings


def create_engine(settings: Settings) -> Engine:
    """The engine on the Hub the settings name."""
    hub = HubReader(settings.hub_endpoint, token=settings.owner_token)
    return Engine(
        hub=hub,
        root=settings.snapshots_path,
        endpoint=settings.hub_endpoint,
        owner=settings.known_namespace,
        namespace=_namespace(settings, hub),
    )


def _namespace(settings: Settings, hub: HubReader) -> Callable[[], str]:
    """Whose the datasets are where the settings do not say: the token's own account's."""

    def namespace() -> str:
        token = settings.owner_token()
        if token is None:
            raise HubRefused("without a token HF_USERNAME must say whose datasets are served")
        return hub.whoami(token).name

    return namespace
