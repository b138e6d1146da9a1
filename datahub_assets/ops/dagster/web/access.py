"""Who may reach Dagster's UI, by the address it listens on and the settings."""

from datahub_assets.settings import Settings
from datahub_system.net.addresses import is_loopback
from datahub_system.net.hosts import OwnHosts


def needs_login(settings: Settings) -> bool:
    """Whether the UI asks for the token: others reach its address, or the users of this machine are not to."""
    host = settings.dagster_host
    return settings.dagster_login or not (host.lower() == "localhost" or is_loopback(host))


def own_hosts(settings: Settings) -> OwnHosts:
    """The names the UI answers to.

    `DATAHUB_ALLOWED_HOSTS` counts only where there is a login. It is set for the API, which asks everybody for a token;
    `*` there would otherwise let any web page drive Dagster by DNS rebinding, and a name would put it on the network
    through a reverse proxy on this machine.
    """
    return OwnHosts([settings.dagster_host, *(settings.allowed_hosts if needs_login(settings) else ())])


def remedy(settings: Settings) -> str:
    """What to do about a name that is refused and should not be, as `HostCheck` wants it."""
    if needs_login(settings):
        return "add the name to DATAHUB_ALLOWED_HOSTS"
    return (
        "set DATAHUB_DAGSTER_LOGIN=true, or DATAHUB_DAGSTER_HOST to an address of this machine's network: then Dagster "
        "asks for the token, and DATAHUB_ALLOWED_HOSTS counts"
    )
