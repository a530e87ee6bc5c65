"""Where webhooks may go: merchants choose the URLs, so no URL may reach into our own network.

A URL is judged when it is registered and again before every attempt; its addresses are judged
when its name is resolved and once more when the socket is made. The checked address is the one
that is dialled, so a name that changes its answer in between (DNS rebinding) gains nothing.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from yarl import URL

PORTS = frozenset({80, 443, 8443})
URL_CHARACTERS_MAX = 2048

_NAT64 = IPv6Network("64:ff9b::/96")
_UNFIT = (ip_network("192.88.99.0/24"), ip_network("64:ff9b:1::/48"))
"""The 6to4 relay anycast and local NAT64, which older Pythons take for global addresses."""
_LAN = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
# What the C library reads as an IPv4 address: digits, dots and hexadecimal parts only.
_NUMERIC_HOST = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)(\.(0[xX][0-9a-fA-F]*|[0-9]+))*\.?")


class AddressRefused(OSError):
    """The connection was not made: the address is not one that webhooks may go to."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules: public addresses and `ports` only, unless the operator opened the LAN."""

    allow_private: bool
    ports: frozenset[int] = PORTS

    def url_fault(self, text: str) -> str | None:
        """Say in a sentence why a URL may not be an endpoint, or None. Resolves nothing."""
        if len(text) > URL_CHARACTERS_MAX or not text.isprintable() or " " in text:
            return f"a URL is at most {URL_CHARACTERS_MAX} printable characters without spaces"
        try:
            url = URL(text)
            return self._scheme_fault(url) or self._place_fault(url)
        except ValueError:
            return "this is not a URL"

    def _scheme_fault(self, url: URL) -> str | None:
        if url.scheme not in (("https", "http") if self.allow_private else ("https",)):
            return "the URL must begin with https://"
        if url.user is not None or url.password is not None:
            return "user and password do not belong in the URL"
        return None

    def _place_fault(self, url: URL) -> str | None:
        host, port = url.host, url.port
        if not host or port is None:
            return "the URL names no host"
        if ":" in host or _NUMERIC_HOST.fullmatch(host):
            return self.address_fault(host, port)
        return self._port_fault(port)

    def address_fault(self, address: str, port: int) -> str | None:
        """Say in a sentence why no connection may be made there, or None."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return "this is not an address in its usual form"
        if is_public(parsed) or (self.allow_private and is_local(parsed)):
            return self._port_fault(port)
        return "the address is not public"

    def _port_fault(self, port: int) -> str | None:
        if self.allow_private or port in self.ports:
            return None
        return f"the port must be one of {', '.join(map(str, sorted(self.ports)))}"


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether the address is one host of the public internet, seen through any wrapping."""
    inner = unwrapped(address)
    return (
        inner is not None
        and inner.is_global
        and not inner.is_multicast
        and not inner.is_reserved
        and not any(inner in network for network in _UNFIT)
    )


def is_local(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether the address is this machine or its LAN; link-local (metadata) never is."""
    inner = unwrapped(address)
    return inner is not None and (
        inner.is_loopback or any(inner in network for network in _LAN)
    )


def unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address | None:
    """Return the IPv4 address inside a mapped, NAT64 or 6to4 one; None for Teredo."""
    if isinstance(address, IPv4Address):
        return address
    if address.teredo is not None:
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address
