"""What the world sees of payment methods and networks."""

from datetime import datetime

import msgspec

from gateway.catalog.availability import MethodAvailability, is_lagging
from gateway.catalog.chain_names import chain_id
from gateway.domain.money import to_text
from gateway.models import Network, NetworkHealth


class MethodDocument(msgspec.Struct, kw_only=True):
    """One way to be paid; `reason` says why it is not `available` now."""

    payment_method: str
    object: str
    currency: str
    network: str
    network_name: str
    contract_address: str | None
    decimals: int
    minimum_deposit: str
    withdrawal_fee: str
    available: bool
    reason: str | None


class NetworkDocument(msgspec.Struct, kw_only=True):
    """How far the gateway has read a network; heights are null until its watcher has spoken.

    `chain_id` is the chain's CAIP-2 name.
    """

    id: str
    object: str
    name: str
    family: str
    chain_id: str
    livemode: bool
    lagging: bool
    head_height: int | None
    scanned_height: int | None
    final_height: int | None
    head_time: datetime | None
    updated_at: datetime | None


def method_document(method: MethodAvailability) -> MethodDocument:
    """Shape one payment method."""
    currency = method.currency
    return MethodDocument(
        payment_method=currency.id,
        object="payment_method",
        currency=currency.code,
        network=currency.network_id,
        network_name=method.network.display_name,
        contract_address=currency.contract,
        decimals=currency.decimals,
        minimum_deposit=to_text(currency.minimum_deposit_units, currency.decimals),
        withdrawal_fee=to_text(currency.withdrawal_fee_units, currency.decimals),
        available=method.available,
        reason=method.reason,
    )


def network_document(
    network: Network, health: NetworkHealth | None, at: datetime, lag_seconds_max: int
) -> NetworkDocument:
    """Shape one network. What its watcher calls trouble may name nodes, so it stays inside."""
    return NetworkDocument(
        id=network.id,
        object="network",
        name=network.display_name,
        family=network.family,
        chain_id=chain_id(network.family, network.identity),
        livemode=not network.test,
        lagging=is_lagging(health, at, lag_seconds_max),
        head_height=health.head_height if health else None,
        scanned_height=health.scanned_height if health else None,
        final_height=health.final_height if health else None,
        head_time=health.head_time if health else None,
        updated_at=health.updated_at if health else None,
    )
