"""What the world sees of customers, their addresses and transfers."""

from datetime import datetime
from typing import Any

import msgspec

from gateway.domain.addresses import display
from gateway.domain.money import to_text
from gateway.models import AddressPool, Currency, Customer, CustomerTransfer


class CustomerDocument(msgspec.Struct, kw_only=True):
    """A merchant's customer; `reference` is the merchant's own word for it."""

    id: str
    object: str
    livemode: bool
    merchant_id: str
    reference: str | None
    email: str | None
    name: str | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class DepositAddressDocument(msgspec.Struct, kw_only=True):
    """A customer's permanent address on one network: whatever is listed there may be paid to it."""

    object: str
    livemode: bool
    customer_id: str
    network: str
    address: str
    payment_methods: list[str]
    created_at: datetime


class TransferDocument(msgspec.Struct, kw_only=True):
    """Money between a merchant and its customer; `charge` takes it from the customer."""

    id: str
    object: str
    livemode: bool
    customer_id: str
    direction: str
    payment_method: str
    currency: str
    network: str
    amount: str
    amount_atomic: str
    description: str | None
    created_by: str
    created_at: datetime


def customer_document(row: Customer) -> CustomerDocument:
    """Shape one customer."""
    return CustomerDocument(
        id=row.id,
        object="customer",
        livemode=row.livemode,
        merchant_id=row.merchant_id,
        reference=row.reference,
        email=row.email,
        name=row.name,
        metadata=row.metadata_,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )


def address_document(
    row: AddressPool, payment_methods: list[str], *, livemode: bool
) -> DepositAddressDocument:
    """Shape one permanent address, which was proved to be the keystore's."""
    return DepositAddressDocument(
        object="deposit_address",
        livemode=livemode,
        customer_id=row.customer_id or "",
        network=row.network_id,
        address=display(row.address),
        payment_methods=payment_methods,
        created_at=row.assigned_at or row.created_at,
    )


def transfer_document(row: CustomerTransfer, currency: Currency) -> TransferDocument:
    """Shape one transfer."""
    return TransferDocument(
        id=row.id,
        object="transfer",
        livemode=row.livemode,
        customer_id=row.customer_id,
        direction=row.direction,
        payment_method=currency.id,
        currency=currency.code,
        network=currency.network_id,
        amount=to_text(row.units, currency.decimals),
        amount_atomic=str(row.units),
        description=row.description,
        created_by=row.created_by,
        created_at=row.created_at,
    )
