"""What an address must be before anything is held for it, as far as our own rows can tell."""

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.repository import is_own
from gateway.catalog.repository import offered
from gateway.domain.addresses import AddressError, canonical, folded, is_nobody
from gateway.domain.errors import Invalid
from gateway.models import Network


async def payable(
    session: AsyncSession, network: Network, text: str, pointer: str = "/destination"
) -> str:
    """Return the stored spelling of an address that can be paid, and is not ours."""
    try:
        address = canonical(network.family, text)
    except AddressError as fault:
        raise Invalid.field(pointer, fault.code, fault.detail) from fault
    if is_nobody(address):
        raise Invalid.field(pointer, "burn_address", "nobody has the key of this address")
    if await is_own(session, network.id, address):
        raise Invalid.field(pointer, "own_address", "this address belongs to this gateway")
    if address in await _contracts(session, network):
        raise Invalid.field(
            pointer, "token_contract", "this is a token's contract, not a wallet"
        )
    return address


async def _contracts(session: AsyncSession, network: Network) -> set[str]:
    """Return the listed token contracts of a network, as addresses are stored."""
    return {
        folded(network.family, currency.contract)
        for currency, of in await offered(session, test=network.test)
        if of.id == network.id and currency.contract is not None
    }
