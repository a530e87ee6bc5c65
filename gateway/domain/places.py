"""Where somebody comes from, as far as it tells one visitor from another. Pure."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

NOWHERE = "nowhere"


def place_of(address: str | None) -> str:
    """Return the IPv4 address, or of IPv6 the /64, which one line usually has."""
    source = _read(address)
    if source is None:
        return NOWHERE
    if isinstance(source, IPv6Address):
        return str(ip_network(f"{source}/64", strict=False))
    return str(source)


def is_from_outside(address: str | None) -> bool:
    """Tell whether an address is of the public internet: no machine or proxy of the house's own."""
    source = _read(address)
    return source is not None and source.is_global


def _read(address: str | None) -> IPv4Address | IPv6Address | None:
    try:
        source = ip_address(address or "")
    except ValueError:
        return None
    return source.ipv4_mapped or source if isinstance(source, IPv6Address) else source
