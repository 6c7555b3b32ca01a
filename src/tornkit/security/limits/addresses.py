"""What counts as one address when visitors are counted by theirs."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Network, ip_address

__all__ = ["client_network"]

PREFIX = 64
"""Bits of the smallest IPv6 network that a site is given (RFC 6177, RFC 7421)."""


def client_network(ip: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 of an IPv6 address.

    Whoever has one IPv6 address has the other 2⁶⁴ of its network as well. What cannot be read
    as an address, such as the path of a socket, comes back as it is.

    Example:
        >>> client_network("2001:db8::7:1")
        '2001:db8::/64'
        >>> client_network("::ffff:192.0.2.1")
        '192.0.2.1'
    """
    try:
        address = ip_address(ip)
    except ValueError:
        return ip
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), PREFIX), strict=False))
