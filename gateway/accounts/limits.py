"""What a key may become: less than it is, and never more than the key that makes it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import IPv6Network, ip_network
from typing import Any

from gateway.domain.errors import Invalid
from gateway.models import ApiKey

LONGEST = timedelta(days=36_525)
"""A century: beyond the year 9999 a database's time cannot be read back."""
_MAPPED = IPv6Network("::ffff:0:0/96")
"""IPv4 within IPv6 (RFC 4291, 2.5.5.2): such callers are known by their IPv4 address."""


def check_networks(networks: Sequence[str], pointer: str = "/allowed_ips") -> None:
    """Refuse what is no IPv4 or IPv6 address or network, or one that nobody can come from."""
    for index, text in enumerate(networks):
        where = f"{pointer}/{index}"
        try:
            network = ip_network(text, strict=False)
        except ValueError as fault:
            raise Invalid.field(
                where, "invalid_network", "an IP address or CIDR network"
            ) from fault
        if "%" in text or (isinstance(network, IPv6Network) and network.subnet_of(_MAPPED)):
            raise Invalid.field(
                where, "invalid_network", "nobody comes from there: write the plain address"
            )


def check_end(expires_at: datetime, at: datetime) -> None:
    """Refuse an end that is over, or that nobody lives to see."""
    if expires_at <= at:
        raise Invalid.field("/expires_at", "invalid_time", "expires_at is in the past")
    if expires_at > at + LONGEST:
        raise Invalid.field("/expires_at", "invalid_time", "expires_at is too far away")


def require_narrowing(row: ApiKey, after: Mapping[str, Any], at: datetime) -> None:
    """Refuse what would give the key, or one made with it, more than it has."""
    for index, scope in enumerate(after.get("scopes", ())):
        if scope not in row.scopes:
            raise _wider(f"/scopes/{index}", f"{scope[:64]}: the key does not have it")
    if "allowed_ips" in after:
        _require_narrower_networks(row.allowed_ips, after["allowed_ips"])
    if "expires_at" in after:
        check_end(after["expires_at"], at)
        if row.expires_at is not None and after["expires_at"] > row.expires_at:
            raise _wider("/expires_at", "a key does not live longer than it was made for")
    limit = after.get("requests_per_minute")
    if limit and row.requests_per_minute and limit > row.requests_per_minute:
        raise _wider("/requests_per_minute", "the key's own limit can only be lowered")


def _require_narrower_networks(present: Sequence[str], wanted: Sequence[str]) -> None:
    check_networks(wanted)
    if not present:
        return
    if not wanted:
        raise _wider("/allowed_ips", "an empty list allows every address")
    homes = [ip_network(each, strict=False) for each in present]
    for index, each in enumerate(wanted):
        network = ip_network(each, strict=False)
        if not any(
            int(home.network_address) <= int(network.network_address)
            and int(network.broadcast_address) <= int(home.broadcast_address)
            for home in homes
            if home.version == network.version
        ):
            raise _wider(f"/allowed_ips/{index}", f"{each}: outside of what the key has")


def _wider(pointer: str, detail: str) -> Invalid:
    return Invalid.field(pointer, "wider_than_before", detail)
