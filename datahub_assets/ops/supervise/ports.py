"""Whether our address and ports are free, checked before anything starts."""

import errno
import socket
from typing import NamedTuple

from datahub_assets.domain.errors import SettingsError
from datahub_assets.ops.errors import PortTaken
from datahub_assets.ops.supervise import stack
from datahub_assets.settings import Settings


class Wanted(NamedTuple):
    """A place one of our servers listens at.

    Attributes:
        setting: that moves the port.
    """

    setting: str
    host: str
    port: int


def wanted(settings: Settings) -> list[Wanted]:
    """Every place `up` will listen at."""
    places = [
        Wanted("DATAHUB_API_PORT", settings.bind_host, settings.api_port),
        Wanted("DATAHUB_DAGSTER_PORT", settings.dagster_host, settings.dagster_port),
    ]
    hub = Wanted("DATAHUB_LOCALHUB_PORT", stack.hub_host(settings), settings.localhub_port)
    return [*places, hub] if settings.embedded_hub else places


def check_free(settings: Settings) -> None:
    """Make sure that every port is free.

    Raises:
        SettingsError: an address is none of this machine's.
        PortTaken: one line per port that cannot, naming the port and the setting that moves it.
    """
    _check_host("DATAHUB_BIND_HOST", settings.bind_host)
    _check_host("DATAHUB_DAGSTER_HOST", settings.dagster_host)
    named: dict[int, str] = {}
    problems = []
    for setting, host, port in wanted(settings):
        if port in named:
            problems.append(
                f"port {port} is given to both {named[port]} and {setting}; set one of them to another port"
            )
            continue
        named[port] = setting
        problem = _problem(host, port)
        if problem:
            problems.append(f"port {port} {problem}; set {setting} to a free port")
    if problems:
        raise PortTaken("\n".join(problems))


def _check_host(setting: str, host: str) -> None:
    """Refuse an address at which no port at all can be listened on (the system chooses one for port 0)."""
    try:
        host.encode("ascii")  # of other letters `bind` makes errors of many types
        with _socket_for(host) as probe:
            probe.bind((host, 0))
    except (OSError, UnicodeEncodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it has letters that no address has"
        raise SettingsError(
            f"{setting}={host!r}: cannot be listened on ({reason}); "
            "it must be an address of this machine: 127.0.0.1 for itself only, 0.0.0.0 for every network it is in"
        ) from error


def _problem(host: str, port: int) -> str | None:
    with _socket_for(host) as probe:
        # As the servers do it: a port in TIME_WAIT after a restart is free, one with a listener is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reasons = {errno.EADDRINUSE: "is taken by another process", errno.EACCES: "needs more rights than you have"}
            return reasons.get(error.errno or 0, f"cannot be listened on at {host} ({error.strerror})")
    return None


def _socket_for(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
