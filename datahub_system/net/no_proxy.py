"""The entries of NO_PROXY: what each one exempts from the proxy. Which variable they come from is read in `proxies`.

example.com, .example.com, *.example.com    the host and every host below it, whichever of the three is written
10.1.2.3, fd00::1, [fd00::1]                the address
10.0.0.0/8, fd00::/8                        the addresses of the network; a name is not resolved to see where it is
example.com:8080, [fd00::1]:8080            any of the above but a network, on this port only
"""

import re
from dataclasses import dataclass
from ipaddress import ip_network

from datahub_system.net.addresses import Address, Network, host_and_port, network


@dataclass(frozen=True, slots=True)
class Exemption:
    """One entry: a network (of a single address, mostly) or a domain, on all ports or on one."""

    what: Network | str
    port: int | None = None

    def covers(self, host: Address | str, port: int | None) -> bool:
        """Whether a host, as `addresses.comparable` gives it, is reached without a proxy by this entry."""
        if self.port is not None and self.port != port:
            return False
        if isinstance(self.what, str):
            return isinstance(host, str) and (host == self.what or host.endswith(f".{self.what}"))
        return not isinstance(host, str) and host in self.what

    def __str__(self) -> str:
        """The form that most programs understand."""
        text = str(self.what)
        if not isinstance(self.what, str) and self.what.prefixlen == self.what.max_prefixlen:
            text = str(self.what.network_address)
        if self.port is None:
            return text
        return f"[{text}]:{self.port}" if ":" in text else f"{text}:{self.port}"


def read(value: str) -> tuple[tuple[Exemption, ...], tuple[str, ...]]:
    """The entries of a list, separated by commas or spaces, and those that cannot be read; `*` is not for here."""
    entries = {word: exemption(word) for word in re.split(r"[\s,]+", value) if word}
    unreadable = tuple(word for word, found in entries.items() if found is None)
    return tuple(dict.fromkeys(found for found in entries.values() if found is not None)), unreadable


def exemption(entry: str) -> Exemption | None:
    """One entry; None when it cannot be read."""
    if "/" in entry:
        found = network(entry)
        return None if found is None else Exemption(found)
    parts = host_and_port(entry.removeprefix("*" if entry.startswith("*.") else "").removeprefix("."))
    if parts is None:
        return None
    host, port = parts
    return Exemption(host if isinstance(host, str) else ip_network(host), port)
