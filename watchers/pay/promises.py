"""What a wallet has promised: its transactions that stand in no block yet, and approved payouts.

Whoever begins a payment from it counts that first. On Ethereum a transaction that cannot be
paid for holds up every later one of its sender.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import ApplicationWallet, Attempt, Withdrawal
from watchers.chain import asset_key
from watchers.network import NATIVE, ChainReader, PayoutOrder, Refused

UNLANDED = ("prepared", "signed")


def taken(intents: Iterable[Mapping[str, Any]], fee_ceiling_units: int) -> Counter[str]:
    """Return what these intents of one sender may take of him, in base units by asset.

    Each may cost the ceiling; what other addresses pay him is not counted.
    """
    units: Counter[str] = Counter()
    for intent in intents:
        units[NATIVE] += fee_ceiling_units
        if "asset" in intent and "units" in intent:
            units[asset_key(intent["asset"])] += int(intent["units"])
    return units


def wanted(order: PayoutOrder, promised: Mapping[str, int]) -> dict[str, int]:
    """Return what the wallet must hold for an order beside its promises, by asset.

    Where nothing is promised of an asset the chain's own simulation judges better.
    """
    needs = Counter({NATIVE: order.fee_ceiling_units})
    needs[asset_key(order.asset)] += order.units
    return {each: promised[each] + needs[each] for each in needs if promised.get(each)}


async def of_wallet(
    session: AsyncSession, network: str, sender: str, fee_ceiling_units: int
) -> Counter[str]:
    """Return what a wallet's transactions that stand in no block yet will take, by asset."""
    query = select(Attempt.intent).where(
        Attempt.network_id == network,
        Attempt.sender == sender,
        Attempt.place == 1,
        Attempt.state.in_(UNLANDED),
    )
    return taken(await session.scalars(query), fee_ceiling_units)


async def no_more(
    session: AsyncSession, network: str, order: PayoutOrder, promised: Counter[str]
) -> bool:
    """Tell whether no promises came to those that were known; none are made until the commit."""
    wallet = select(ApplicationWallet.id).where(
        ApplicationWallet.network_id == network, ApplicationWallet.address == order.source
    )
    await session.scalar(wallet.with_for_update())
    fee = order.fee_ceiling_units
    return await of_wallet(session, network, order.source, fee) <= promised


async def require_free(
    reader: ChainReader, order: PayoutOrder, promised: Mapping[str, int]
) -> None:
    """Refuse to promise a wallet's funds twice."""
    for asset, units in wanted(order, promised).items():
        held = await reader.balance(order.source, asset)
        if held < units:
            raise Refused(
                f"the hot wallet holds {held} of {asset}, "
                f"{promised[asset]} of it is promised to payouts under way"
            )


async def approved(session: AsyncSession, network: str, currency_id: str) -> int:
    """Return what approved withdrawals will pay that have no transaction yet."""
    begun = select(Attempt.id).where(
        Attempt.withdrawal_id == Withdrawal.id, Attempt.state != "refused"
    )
    query = select(func.coalesce(func.sum(Withdrawal.units), 0)).where(
        Withdrawal.network_id == network,
        Withdrawal.currency_id == currency_id,
        Withdrawal.status.in_(["approved", "signing"]),
        ~begun.exists(),
    )
    return int(await session.scalar(query) or 0)
