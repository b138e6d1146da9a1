"""Who may reach Dagster's UI, by the address it listens on."""

from datahub_assets.settings import Settings
from datahub_net.addresses import is_loopback
from datahub_net.hosts import OwnHosts


def needs_login(host: str) -> bool:
    """Whether a UI that listens on this address can be reached from other machines, and so asks for the token."""
    return host.lower() != "localhost" and not is_loopback(host)


def own_hosts(host: str, settings: Settings) -> OwnHosts:
    """The names the UI answers to.

    `DATAHUB_ALLOWED_HOSTS` counts only where there is a login. It is set for the API, which asks everybody for a token;
    `*` there would otherwise let any web page drive Dagster by DNS rebinding, and a name would put it on the network
    through a reverse proxy on this machine.
    """
    return OwnHosts([host, *(settings.allowed_hosts if needs_login(host) else ())])


def remedy(host: str) -> str:
    """What to do about a name that is refused and should not be, as `HostCheck` wants it."""
    if needs_login(host):
        return "add the name to DATAHUB_ALLOWED_HOSTS"
    return "set DATAHUB_DAGSTER_HOST to an address of this machine's network: then Dagster asks for the token"
