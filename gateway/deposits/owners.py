"""Whose an address is: one invoice's, or one customer's for good."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.models import AddressPool, Deposit, Invoice


@dataclass(frozen=True, slots=True)
class Owner:
    """A merchant, and either the invoice that is paid here or the customer who pays here."""

    merchant_id: str
    invoice: Invoice | None = None
    customer_id: str | None = None

    @property
    def purpose(self) -> str:
        """Return what a deposit of this owner is for."""
        return "invoice" if self.customer_id is None else "customer"

    @property
    def invoice_id(self) -> str | None:
        """Return the invoice that is paid here."""
        return None if self.invoice is None else self.invoice.id

    def has(self, deposit: Deposit) -> bool:
        """Tell whether the deposit counts for this owner."""
        return (deposit.invoice_id, deposit.customer_id) == (self.invoice_id, self.customer_id)

    def take(self, deposit: Deposit) -> None:
        """Let the deposit count for this owner; its reason says whether it is credited yet."""
        deposit.purpose = self.purpose
        deposit.merchant_id = self.merchant_id
        deposit.invoice_id, deposit.customer_id = self.invoice_id, self.customer_id
        deposit.late = self.invoice is not None and deposit.block_time > self.invoice.expires_at


def owner_of(row: AddressPool | None, invoices: Mapping[str, Invoice]) -> Owner | None:
    """Return whose a pool row is, None before it was given to anybody."""
    if row is None or row.merchant_id is None:
        return None
    invoice = None if row.invoice_id is None else invoices[row.invoice_id]
    return Owner(row.merchant_id, invoice, row.customer_id)
