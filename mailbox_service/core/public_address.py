"""Which addresses belong to the public Internet, and which lead into somebody's own network."""

from __future__ import annotations

import ipaddress

# Blocks of the IANA special-purpose registries (RFC 6890), one more than the standard library
# knows here and there: 192.88.99.0/24 leads into 6to4, 168.63.129.16 is a cloud's own host.
_REFUSED_IPV4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",
    )
)
# Everything outside of 2000::/3 is refused already; these lie within: protocol assignments with
# Teredo and ORCHID, documentation, 6to4.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_REFUSED_IPV6 = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# The interface identifiers of ISATAP (RFC 5214 §6.1).
_ISATAP = frozenset((0x00005EFE, 0x02005EFE))


def is_public(address: str) -> bool:
    """Whether an address, as text, is one of the public Internet."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in _REFUSED_IPV4)
    if ip.scope_id is not None:
        return False
    if ip.ipv4_mapped is not None:
        return is_public(str(ip.ipv4_mapped))
    if ip in _NAT64:  # where there is no IPv4, public hosts are reached by these (RFC 6052)
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    if ip not in _GLOBAL_UNICAST or any(ip in network for network in _REFUSED_IPV6):
        return False
    return (int(ip) >> 32) & 0xFFFFFFFF not in _ISATAP
