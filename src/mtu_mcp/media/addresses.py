"""Which network addresses a download may go to: those of the public internet and no others.

A name under a stranger's control can resolve to anything, so it is the address that is judged, in every disguise:
an IPv4 address inside an IPv6 one reaches the same machine. The lists are written out, because what the standard
library calls global has changed between releases of Python.
"""

import ipaddress
import re
from typing import Final

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# IANA's special-purpose registries (RFC 6890), and two cloud services' metadata that live at public-looking addresses.
_CLOSED: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",
            "168.63.129.16/32",
            "::/96",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",
            "2001:db8::/32",
            "3fff::/20",
            "5f00::/16",
            "fc00::/7",
            "fe80::/9",
            "ff00::/8",
        ),
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_NUMBER: Final = re.compile(r"^(0[xX][0-9A-Fa-f]*|[0-9]+)$")


def is_public(address: str) -> bool:
    """Whether an address, as text, belongs to the public internet; text that is no address does not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.scope_id:
        return False
    return all(_is_open(form) for form in _forms(parsed))


def is_disguised_number(host: str) -> bool:
    """Whether a host is an IPv4 address in another notation than four decimal numbers: 2130706433, 0x7f.1, 0177.0.0.1.

    Resolvers disagree about these; the URL standard's "ends in a number" rule finds them.
    """
    last = host.rstrip(".").rpartition(".")[2]
    if not _NUMBER.match(last):
        return False
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return True
    return False


def _forms(address: _Address) -> list[_Address]:
    """The address and every IPv4 address inside it that a router or a host would unwrap."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:
        return [address, address.sixtofour]
    if int(address) >> 32 & 0xFDFFFFFF == 0x5EFE:  # ISATAP, RFC 5214
        return [address, ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    return [address]


def _is_open(address: _Address) -> bool:
    closed = any(address in network for network in _CLOSED if network.version == address.version)
    return not closed and not address.is_multicast and not address.is_reserved and not address.is_private
