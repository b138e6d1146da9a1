"""Which proxy a request goes through, as the environment says. The only reader of these variables; pure.

`HTTP_PROXY` and `HTTPS_PROXY` are for URLs of their scheme, `ALL_PROXY` for those without a variable of their own, and
`NO_PROXY` lists what is reached without one (`no_proxy` says how). As in curl, a name in lower case wins over the same
in upper case. Whatever the variables say, this machine is never reached through a proxy.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote, unquote

from datahub_system.net import no_proxy
from datahub_system.net.addresses import comparable, host_and_port, is_name, is_this_machine
from datahub_system.net.no_proxy import Exemption

VARIABLES: Final = tuple(
    name for role in ("http", "https", "all", "no") for name in (f"{role}_proxy", f"{role}_proxy".upper())
)
"""All that are read here, in both cases."""
VALID: Final = "must be http://host:port or http://user:password@host:port, or so with https, socks5 or socks5h"

_SCHEMES: Final = {"http": "http", "https": "https", "socks5": "socks5", "socks5h": "socks5h", "socks": "socks5h"}
"""As written and as understood: what desktops write as `socks` speaks version 5 today."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1", "127.0.0.0/8")


class UnusableProxy(ValueError):
    """A proxy that cannot be used: the variable, its value without credentials, what is wrong and what is valid."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy: its URL with user and password in it, the same without them, and the variable that named it."""

    url: str = field(repr=False)
    shown: str
    variable: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"proxy {self.shown} ({self.variable})"


@dataclass(frozen=True, slots=True)
class Proxies:
    """What the environment says; without arguments: no proxy at all. `unreadable` are entries of NO_PROXY."""

    http: Proxy | None = None
    https: Proxy | None = None
    exemptions: tuple[Exemption, ...] = ()
    unreadable: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Proxies":
        """Read the variables.

        Raises:
            UnusableProxy: a proxy that would be used has no host, a port that is none, or a scheme nobody speaks.
        """
        _, listed = _variable(environ, "no")
        exemptions, unreadable = no_proxy.read(listed)
        others = tuple(entry for entry in unreadable if entry != "*")
        if len(others) < len(unreadable):
            return cls(unreadable=others)
        return cls(_proxy(environ, "http"), _proxy(environ, "https"), exemptions, others)

    def of(self, scheme: str, host: str, port: int | None = None) -> Proxy | None:
        """The proxy for a URL of these parts, None where it is reached directly; without a port, that of the scheme.

        Names that cannot be hosts, such as those that end in a number, use no proxy. `datasets` 5.2 makes one of a Hub
        at an address, `datasets-server.127.0.0.1`, and sends the Hub's token there.
        """
        proxy = {"http": self.http, "https": self.https}.get(scheme)
        at = comparable(host)
        if proxy is None or is_this_machine(host) or (isinstance(at, str) and not is_name(at)):
            return None
        port = port or _DEFAULT_PORTS[scheme]
        return None if any(entry.covers(at, port) for entry in self.exemptions) else proxy

    def for_url(self, scheme: str, host: str, port: int | None = None) -> str | None:
        """As `of`, but the proxy's URL with the credentials that open it."""
        proxy = self.of(scheme, host, port)
        return None if proxy is None else proxy.url

    def with_direct(self, *hosts: str) -> "Proxies":
        """The same, and these hosts (addresses or names) are reached directly too."""
        foreign = [host for host in hosts if not is_this_machine(host)]  # which is reached directly anyway
        more = [entry for entry in map(no_proxy.exemption, foreign) if entry is not None]
        return replace(self, exemptions=tuple(dict.fromkeys([*self.exemptions, *more])))

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown: the credentials of the proxies, in the forms in which they may turn up."""
        return tuple(dict.fromkeys(s for proxy in (self.http, self.https) if proxy is not None for s in proxy.secrets))

    @property
    def warning(self) -> str | None:
        """One line about the entries of NO_PROXY that could not be read, None when all could."""
        if not self.unreadable:
            return None
        return (
            f"NO_PROXY: cannot read {', '.join(map(_printable, self.unreadable))}, ignored; entries look like "
            "example.com, example.com:8080, 10.0.0.1, 10.0.0.0/8, fd00::/8, [fd00::1]:8080 or *"
        )

    def environment(self) -> dict[str, str]:
        """Variables that say the same to programs and libraries which read them each in a way of their own.

        Loopback is spelt out, as most of them would use the proxy for it, and names come in both cases. Empty without a
        proxy: then there is nothing to exempt either.
        """
        said = {f"{role}_proxy": proxy.url for role, proxy in (("http", self.http), ("https", self.https)) if proxy}
        if said:
            said["no_proxy"] = ",".join(dict.fromkeys([*_LOOPBACK, *map(str, self.exemptions)]))
        return {**said, **{name.upper(): value for name, value in said.items()}}


def _variable(environ: Mapping[str, str], role: str) -> tuple[str, str]:
    """Name and value of a variable, empty when unset. Lower case wins even when empty: it switches a proxy off."""
    lower = f"{role}_proxy"
    if lower in environ:
        return lower, environ[lower].strip()
    return lower.upper(), environ.get(lower.upper(), "").strip()


def _proxy(environ: Mapping[str, str], scheme: str) -> Proxy | None:
    for role in (scheme, "all"):
        name, value = _variable(environ, role)
        if value:
            return _read(name, value)
    return None


def _read(name: str, value: str) -> Proxy:
    """Take a proxy's URL apart and put it together anew, so that every client finds the same in it."""
    written, found, rest = value.partition("://")
    if not found:
        written, rest = "http", value
    scheme = _SCHEMES.get(written.lower())
    if scheme is None:
        raise UnusableProxy(f"{name}={_hidden(value)}: unknown scheme; {VALID}")
    credentials, _, place = rest.rpartition("@")  # the last one: passwords are often written as they are
    parts = host_and_port(re.split(r"[/?#]", place, maxsplit=1)[0])
    if parts is None:
        raise UnusableProxy(f"{name}={_hidden(value)}: no usable host and port; {VALID}")
    host, port = str(parts[0]), parts[1]
    shown = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    if not credentials:
        return Proxy(f"{scheme}://{shown}", f"{scheme}://{shown}", name)
    user, _, password = (unquote(part) for part in credentials.partition(":"))
    opening = f"{quote(user, safe='')}:{quote(password, safe='')}@"
    secrets = (opening, f"{credentials}@", quote(password, safe=""), password)
    return Proxy(f"{scheme}://{opening}{shown}", f"{scheme}://{shown}", name, tuple(filter(None, secrets)))


def _hidden(value: str) -> str:
    """A value that cannot be used, without what is or may be a password: all before an @, and a port that is none."""
    scheme = re.match(r"[A-Za-z0-9+.-]*://|", value)
    start = scheme[0] if scheme else ""
    _, at, place = value[len(start) :].rpartition("@")
    place = re.sub(r"(?s):(?![0-9]*(?:[/?#]|$)).*", ":***", place)
    return _printable(start + ("***@" if at else "") + place)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
