"""What counts as one client's address."""

import ipaddress
from typing import Final

_IPV6_SUBSCRIBER_BITS: Final = 64
"""A network of this size is the least a subscriber gets (RFC 6177), so an address within it costs nothing to change."""


def parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An IP address, an IPv4 address mapped to IPv6 as IPv4; None for anything else."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found


def subscriber(address: str) -> str:
    """The key by which clients are counted: an IPv4 address, an IPv6 /64 network, or the text as it is."""
    found = parse(address)
    if isinstance(found, ipaddress.IPv6Address) and not found.is_loopback:
        return str(ipaddress.ip_network((found, _IPV6_SUBSCRIBER_BITS), strict=False))
    return address if found is None else str(found)


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own loopback."""
    found = parse(address)
    return found is not None and found.is_loopback
