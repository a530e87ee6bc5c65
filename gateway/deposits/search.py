"""Which of a merchant's deposits are wanted: the filters of lists and exports."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, get_args

from sqlalchemy import ColumnElement, Select, and_, false, or_, select

from gateway.domain.addresses import AddressError, Family, canonical
from gateway.domain.hashes import spellings
from gateway.models import Deposit, Network
from gateway.paging import made_between

FILTERS = {
    "invoice_id": Deposit.invoice_id,
    "customer_id": Deposit.customer_id,
    "status": Deposit.status,
    "payment_method": Deposit.currency_id,
}
"""What a merchant's list can be narrowed to, beside transaction, address and time."""


def deposits_found(
    merchant_id: str, wanted: Mapping[str, Any], *, livemode: bool
) -> Select[Deposit]:
    """Return the statement that selects the merchant's deposits of this kind."""
    query = of_merchant(merchant_id, livemode=livemode)
    query = made_between(query, Deposit.id, Deposit.detected_at, wanted, "dep")
    if "address" in wanted:
        query = query.where(_at(wanted["address"]))
    if "tx_hash" in wanted:
        query = query.where(Deposit.tx_hash.in_(spellings(wanted["tx_hash"])))
    for name, column in FILTERS.items():
        if name in wanted:
            query = query.where(column == wanted[name])
    return query


def _at(address: str) -> ColumnElement[bool]:
    """Match what came to an address, as each family of networks would have it written."""
    forms = dict[str, str]()
    for family in get_args(Family):
        with suppress(AddressError):
            forms[family] = canonical(family, address)
    return or_(
        false(),
        *(
            and_(Network.family == family, Deposit.address == form)
            for family, form in forms.items()
        ),
    )


def of_merchant(merchant_id: str, *, livemode: bool) -> Select[Deposit]:
    """Select the deposits of a merchant on networks of the mode."""
    return (
        select(Deposit)
        .join(Network, Network.id == Deposit.network_id)
        .where(Deposit.merchant_id == merchant_id, Network.test != livemode)
    )
