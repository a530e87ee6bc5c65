"""A customer's permanent address on a network: claimed once, proved each time it is shown."""

from collections.abc import Sequence

from sqlalchemy import select

from gateway.addresses.service import claim_for_customer, require_genuine
from gateway.addresses.signature import SignedAddress
from gateway.customers.documents import DepositAddressDocument, address_document
from gateway.customers.repository import methods_of, networks_of_mode
from gateway.customers.service import Counter
from gateway.domain.errors import Invalid
from gateway.models import AddressPool


async def give_address(
    counter: Counter, customer_id: str, network: str, public_key: str
) -> DepositAddressDocument:
    """Return the customer's address on a network; asked for again it is the same one."""
    session, actor, moment = counter.session, counter.actor, counter.moment
    if network not in await networks_of_mode(session, livemode=actor.livemode):
        raise Invalid.field("/network", "unknown_network", "no such network of this mode")
    customer = await counter.standing(customer_id)
    signed, fresh = await claim_for_customer(
        session, network, customer.id, moment.at, public_key
    )
    if fresh:
        after = {"network": network, "address": signed.address}
        await counter.note("customer.address_given", customer.id, after)
    query = select(AddressPool).where(
        AddressPool.customer_id == customer.id, AddressPool.network_id == network
    )
    [document] = await _shaped(counter, [(await session.scalars(query)).one()])
    return document


async def shown(
    counter: Counter, rows: Sequence[AddressPool], public_key: str
) -> list[DepositAddressDocument]:
    """Shape addresses for people's eyes: each is proved to be the keystore's first."""
    for row in rows:
        signed = SignedAddress(row.network_id, row.index, row.path, row.address, row.signature)
        require_genuine(signed, public_key, row.customer_id or "")
    return await _shaped(counter, rows)


async def _shaped(
    counter: Counter, rows: Sequence[AddressPool]
) -> list[DepositAddressDocument]:
    methods = await methods_of(counter.session, {row.network_id for row in rows})
    livemode = counter.actor.livemode
    return [address_document(row, methods[row.network_id], livemode=livemode) for row in rows]
