"""Hosts as URLs and settings spell them, made comparable, and what counts as one client's address.

Pure text: no name is resolved.
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import inet_aton
from typing import Final

import idna

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_LOOPBACK_NAMES: Final = frozenset(
    {"localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"}
)
_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_OLD_ADDRESS: Final = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}")
_MAPPED_BITS: Final = 96
"""The bits before an IPv4 address that is mapped into IPv6."""
_LAST_PORT: Final = 65535
_SUBSCRIBER_BITS: Final = 64
"""An IPv6 network of this size is the least a subscriber gets (RFC 6177): an address in it costs nothing to change."""


def comparable(host: str) -> Address | str:
    """An address (one mapped into IPv6 as IPv4), or a name in lower-case ASCII without a dot at its end.

    Brackets and the zone of an IPv6 address are left out.
    """
    text = _unbracketed(host).removesuffix(".").lower()
    return literal(text) or _old_address(text) or _ascii(text)


def literal(host: str) -> Address | None:
    """The IP address that a host is in standard notation, one mapped into IPv6 as IPv4; None for anything else."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def at(host: str, port: int) -> str:
    """`host:port` as URLs spell it, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def subscriber(address: str) -> str:
    """The key by which clients are counted: an IPv4 address, an IPv6 /64 network, or the text as it is."""
    found = literal(address)
    if isinstance(found, IPv6Address) and not found.is_loopback:
        return str(ip_network((found, _SUBSCRIBER_BITS), strict=False))
    return address if found is None else str(found)


def is_loopback(host: str) -> bool:
    """Whether a host is an address that only this machine can reach."""
    found = literal(host)
    return found is not None and found.is_loopback


def is_this_machine(host: str) -> bool:
    """Whether a host is loopback or the unspecified address, in any spelling that a connection would take for it.

    Known by the text alone: 127.0.0.0/8 (127.1 and 0x7f000001 too), ::1, the same mapped into IPv6, 0.0.0.0, ::,
    localhost and what lies below it (RFC 6761), and the names that /etc/hosts usually has for it.
    """
    found = comparable(host)
    if isinstance(found, str):
        return found in _LOOPBACK_NAMES or found.endswith(".localhost")
    return found.is_loopback or found.is_unspecified


def is_name(text: str) -> bool:
    """Whether this, as `comparable` gives it, can be the name of a host; one that ends in a number cannot."""
    return _NAME.fullmatch(text) is not None and not text.rpartition(".")[2].isdigit()


def network(text: str) -> Network | None:
    """`10.0.0.0/8`, `fd00::/8`, `[fd00::]/8`; bits behind the length do not matter. None when it is no network."""
    address, _, length = text.rpartition("/")
    if not (length.isascii() and length.isdigit()):
        return None
    try:
        found = ip_network(f"{_unbracketed(address)}/{length}", strict=False)
    except ValueError:
        return None
    mapped = getattr(found.network_address, "ipv4_mapped", None)
    if mapped is not None and found.prefixlen >= _MAPPED_BITS:
        return IPv4Network((mapped, found.prefixlen - _MAPPED_BITS))
    return found


def host_and_port(text: str) -> tuple[Address | str, int | None] | None:
    """`host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address; None when it is none of these.

    The host is `comparable`; the port is None where none is given.
    """
    bracketed = re.fullmatch(r"(\[[^\[\]]*\])(?::([0-9]*))?", text)
    if bracketed:
        written, port = bracketed[1], bracketed[2] or ""
    elif text.count(":") > 1:
        written, port = f"[{text}]", ""
    else:
        written, _, port = text.partition(":")
    host = comparable(written)
    if isinstance(host, str) and not is_name(host):
        return None
    if written.startswith("[") and not (isinstance(host, IPv6Address) or ":" in written):
        return None
    if not port:
        return host, None
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= len(str(_LAST_PORT)) else 0
    return (host, number) if 1 <= number <= _LAST_PORT else None


def _old_address(text: str) -> IPv4Address | None:
    """An IPv4 address in the old forms that the system's resolver still takes for one: 127.1, 0x7f000001."""
    try:
        return IPv4Address(inet_aton(text)) if _OLD_ADDRESS.fullmatch(text) else None
    except OSError:
        return None


def _ascii(name: str) -> str:
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        return name


def _unbracketed(text: str) -> str:
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text
