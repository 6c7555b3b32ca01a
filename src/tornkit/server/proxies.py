"""Who asked, and how, where the connection comes from a proxy of ours.

Headers are claims: ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed when the
connection itself comes from a trusted proxy, and of the addresses only those that trusted
proxies have added. ``X-Forwarded-Host``, ``Forwarded``, ``X-Real-Ip`` and ``X-Scheme`` are
never read: one way to say a thing is enough, and each further one has to be guarded.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Self

__all__ = ["UNIX", "Client", "TrustedProxies", "client_of", "plain_address"]

UNIX = "unix"
"""What stands for the peers of a Unix socket, who have no address."""
_MAPPED = 96
"""Bits before an IPv4 address within an IPv6 address (RFC 4291, section 2.5.5.2)."""


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from: an address, "" where there is none, and http or https."""

    address: str
    protocol: str


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The proxies that are believed; without any, nobody is."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """Read addresses, networks such as ``10.0.0.0/8``, and ``unix``.

        IPv4 within IPv6, such as ``::ffff:10.0.0.0/104``, is IPv4, as in `plain_address`.

        Raises:
            ValueError: an entry is none of these.
        """
        given = list(entries)
        return cls(tuple(_network(each) for each in given if each != UNIX), UNIX in given)

    def __bool__(self) -> bool:
        return bool(self.networks) or self.unix

    def trusts(self, address: str) -> bool:
        """Tell whether ``address``, as `plain_address` writes it, is one of them; "" is Unix."""
        if not address:
            return self.unix
        ip = ip_address(address)
        return any(ip in network for network in self.networks)


_NOBODY = TrustedProxies()


def client_of(
    peer: Client,
    forwarded_for: Sequence[str] = (),
    forwarded_proto: Sequence[str] = (),
    trusted: TrustedProxies = _NOBODY,
) -> Client:
    """Return who is behind a connection.

    ``X-Forwarded-For`` is walked from its right end, where the nearest proxy has written:
    the first address that is not a trusted proxy's is the client's; what stands left of it
    anybody may have made up. Where something is no address the walk ends, and the last
    proxy reached stands for the client.

    Args:
        peer: the other end of the connection; its address is "" for a Unix socket.
        forwarded_for: the ``X-Forwarded-For`` headers, in order.
        forwarded_proto: the ``X-Forwarded-Proto`` headers, in order; the rightmost counts.
        trusted: whose headers are believed.

    Example:
        >>> proxies = TrustedProxies.parse(["10.0.0.0/8"])
        >>> client_of(Client("10.0.0.1", "http"), ["6.6.6.6, 192.0.2.7"], ["https"], proxies)
        Client(address='192.0.2.7', protocol='https')
    """
    address = plain_address(peer.address) or ""
    if not trusted or not trusted.trusts(address):
        return Client(address, peer.protocol)
    for entry in _from_the_right(forwarded_for):
        found = plain_address(_without_port(entry))
        if found is None:
            break
        address = found
        if not trusted.trusts(address):
            break
    protocol = next(_from_the_right(forwarded_proto), "").lower()
    return Client(address, protocol if protocol in ("http", "https") else peer.protocol)


def plain_address(text: str) -> str | None:
    """Return an address in its one form, or None: no zone, and IPv4 within IPv6 as IPv4."""
    try:
        ip = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return str(mapped or ip)


def _network(text: str) -> IPv4Network | IPv6Network:
    network = ip_network(text)
    if isinstance(network, IPv6Network) and network.prefixlen >= _MAPPED:
        inside = network.network_address.ipv4_mapped
        if inside is not None:
            return IPv4Network((inside, network.prefixlen - _MAPPED))
    return network


def _from_the_right(headers: Sequence[str]) -> Iterator[str]:
    for header in reversed(headers):
        for entry in reversed(header.split(",")):
            yield entry.strip()


def _without_port(entry: str) -> str:
    """Return ``192.0.2.7`` of ``192.0.2.7:1234``, ``2001:db8::7`` of ``[2001:db8::7]:1234``."""
    if entry.startswith("["):
        inside, closed, port = entry[1:].partition("]")
        return inside if closed and _is_port(port) else ""
    host, colon, port = entry.partition(":")
    return host if colon and _is_port(f":{port}") else entry


def _is_port(text: str) -> bool:
    return not text or (text[0] == ":" and text[1:].isascii() and text[1:].isdecimal())
