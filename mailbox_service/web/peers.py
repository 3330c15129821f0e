"""Who is at the other end: the client's IP address, past the proxies that we trust."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MOST_HOPS = 32  # entries of X-Forwarded-For looked at; an honest chain has two or three


class TrustedProxies:
    """The peers whose X-Forwarded-For and X-Real-IP are believed (hazard 47).

    Anybody may send these headers, so they count only when the socket's peer is one of ours,
    and then from the right: every proxy appends whom it saw, so the last address that is not
    a proxy of ours is the client. What stands further left is the client's own claim.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks: tuple[Network, ...] = tuple(
            ipaddress.ip_network(entry.strip(), strict=False) for entry in trusted
        )

    def client_ip(self, peer: str, headers: Mapping[bytes, bytes]) -> str:
        """The client's address in its normal form; empty when there is none."""
        nearest = normal_ip(peer)
        if not self._networks or not self._trusts(nearest):
            return nearest
        forwarded = headers.get(b"x-forwarded-for")
        if forwarded is not None:
            return self._last_stranger(forwarded.decode("latin-1"), nearest)
        return normal_ip(headers.get(b"x-real-ip", b"").decode("latin-1")) or nearest

    def believed(self, peer: str, told: str) -> str:
        """An address that the peer tells of: as told from one of ours, else the peer's own."""
        nearest = normal_ip(peer)
        return (normal_ip(told) or nearest) if self._trusts(nearest) else nearest

    def trusts(self, peer: str) -> bool:
        """Whether a peer is a proxy of ours, whose headers are believed."""
        return self._trusts(normal_ip(peer))

    def _last_stranger(self, chain: str, nearest: str) -> str:
        for entry in reversed(chain.rsplit(",", MOST_HOPS)[-MOST_HOPS:]):
            hop = normal_ip(entry)
            if not hop:
                break  # what stands left of nonsense is no proxy's word
            nearest = hop
            if not self._trusts(hop):
                break
        return nearest

    def _trusts(self, ip: str) -> bool:
        if not ip:
            return False
        address = ipaddress.ip_address(ip)
        return any(address in network for network in self._networks)


@lru_cache(maxsize=4096)
def normal_ip(text: str) -> str:
    """An address as it is compared and counted: an IPv4 address mapped into IPv6 is the former.

    Empty for anything that is not an address.
    """
    try:
        address = ipaddress.ip_address(text.strip()[:64])
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


@lru_cache(maxsize=4096)
def client_network(ip: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that one IPv6 customer has."""
    address = ipaddress.ip_address(ip)
    if address.version == 4:
        return ip
    return str(ipaddress.ip_network(f"{address}/64", strict=False))
