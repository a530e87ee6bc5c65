"""How rows of an older copy carry what was signed after it.

Bytes are kept whatever the rows say, for they may land. What no row asks for is kept as `lost`:
it is not sent, and where it holds up a wallet its place is taken by a transaction that moves
nothing. What the house began for itself says by its ends what it is for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.models import ApplicationWallet, Attempt, Currency
from gateway.withdrawals import repository as withdrawals
from keystore.api import Signed
from watchers.chain import Chain, asset_key, asset_of
from watchers.pay import holds, transactions
from watchers.pay.hands import LOST
from watchers.pay.keepers import CANCEL, keeper_of
from watchers.pay.replacing import moves_nothing
from watchers.pay.withdrawing import ROAD, contradiction

log = structlog.get_logger()
SLOT_GONE = "its slot on the chain was given to another payment before it was signed"
SIGNED_ELSE = "another intent was signed for it"
UNASKED = "no row asks for it"
BY_FAMILY = {"tron_resource": "resource", "solana_sweep": "sweep"}
BY_WALLET = {"gas": "refill", "cold": "cold"}
"""What the hot wallet pays another wallet of the house for."""


@dataclass(frozen=True, slots=True)
class Found:
    """A signed transaction of the keystore's history."""

    network: str
    intent: Mapping[str, Any]
    signed: Signed

    @property
    def order_id(self) -> str:
        """Return the order's id: a withdrawal's, or one of the house."""
        return str(self.intent["withdrawal_id"])


async def kept(
    session: AsyncSession, chain: Chain, found: Found, moment: Moment
) -> Attempt | None:
    """Keep the bytes as our own attempt; None where the rows have them already.

    Raises `ValueError` where the bytes are not what the history says they are.
    """
    raw = bytes.fromhex(found.signed.raw)
    chain.writer.verify(found.intent, raw)
    await _raise_nonce(session, found)
    order = await transactions.locked(session, found.order_id)
    if any(attempt.tx_hash == found.signed.tx_hash for attempt in order):
        return None
    unsigned = next((attempt for attempt in order if attempt.state == "prepared"), None)
    if unsigned is not None:
        if _says(chain, unsigned.intent, raw):
            return await _filled(session, unsigned, found, raw, moment)
        await _vacated(session, unsigned, SIGNED_ELSE, moment)
        order.remove(unsigned)
    if order and not _same_place(order[0], found):
        await _report(session, found, "the rows have another transaction for it", moment)
        return None
    return await _added(session, found, order, raw, moment)


async def _filled(
    session: AsyncSession, attempt: Attempt, found: Found, raw: bytes, moment: Moment
) -> Attempt:
    """Give a prepared intent its bytes: their commit was lost."""
    attempt.raw, attempt.tx_hash, attempt.state = raw, found.signed.tx_hash, "signed"
    await session.flush()
    await (await keeper_of(session, attempt)).signed(session, attempt, moment)
    return attempt


async def _added(
    session: AsyncSession, found: Found, order: Sequence[Attempt], raw: bytes, moment: Moment
) -> Attempt:
    intent, signed = found.intent, found.signed
    purpose, withdrawal_id = await _meaning(session, found, order, moment)
    if not order:
        await _make_room(session, found, moment)
    over = any(attempt.state in transactions.ENDED for attempt in order)
    attempt = Attempt(
        id=moment.id("att"),
        network_id=found.network,
        purpose=purpose,
        withdrawal_id=withdrawal_id,
        order_id=found.order_id,
        place=order[-1].place + 1 if order else 1,
        intent=dict(intent),
        sender=signed.sender,
        nonce=intent.get("nonce"),
        nonce_account=intent.get("nonce_account"),
        nonce_value=intent.get("nonce_value"),
        raw=raw,
        tx_hash=signed.tx_hash,
        state="replaced" if over else "signed",
        broadcasts=0,
        created_at=moment.at,
        ended_at=moment.at if over else None,
    )
    session.add(attempt)
    await session.flush()
    if not over:
        await (await keeper_of(session, attempt)).adopted(session, attempt, moment)
    return attempt


async def _meaning(
    session: AsyncSession, found: Found, order: Sequence[Attempt], moment: Moment
) -> tuple[str, str | None]:
    """Return what it is for, and the withdrawal it pays."""
    intent = found.intent
    if order:
        cancels = moves_nothing(intent, found.signed.sender)
        return CANCEL if cancels else order[0].purpose, order[0].withdrawal_id
    withdrawal = await withdrawals.locked(session, found.order_id)
    if withdrawal is None:
        purpose = await _of_the_house(session, found)
        if purpose == LOST:
            await _report(session, found, UNASKED, moment)
        return purpose, None
    currency = await session.get_one(Currency, withdrawal.currency_id)
    fault = contradiction(intent, withdrawal, currency)
    if fault is None and withdrawal.status not in ROAD:
        fault = f"its withdrawal is {withdrawal.status}"
    if fault is not None:
        await _report(session, found, fault, moment)
        return LOST, None
    return "payout", withdrawal.id


async def _of_the_house(session: AsyncSession, found: Found) -> str:
    """Return what the house's own order is for, by its ends; `lost` for a payment to others."""
    intent = found.intent
    family, source = str(intent.get("family")), str(intent.get("source", "hot"))
    if family in BY_FAMILY:
        return BY_FAMILY[family]
    if intent.get("pool_index") is not None:
        return "top_up"
    if source != "hot":
        return "refill" if source == "gas" else "sweep"
    wallet = select(ApplicationWallet.purpose).where(
        ApplicationWallet.network_id == found.network,
        ApplicationWallet.address == asset_key(str(intent.get("to"))),
    )
    return BY_WALLET.get(await session.scalar(wallet) or "", LOST)


async def _make_room(session: AsyncSession, found: Found, moment: Moment) -> None:
    """End an unsigned intent that holds this place: the keystore gave it to what it signed."""
    intent = found.intent
    names = ("nonce",) if intent.get("nonce") is not None else ("nonce_account", "nonce_value")
    slot = {name: intent.get(name) for name in names}
    if None in slot.values():
        return  # Tron has no slots
    query = select(Attempt).filter_by(network_id=found.network, state="prepared", **slot)
    mine = query.where(Attempt.place == 1, Attempt.sender == found.signed.sender)
    for other in (await session.scalars(mine.with_for_update())).all():
        await _vacated(session, other, SLOT_GONE, moment)
        await (await keeper_of(session, other)).refused(session, other, "", SLOT_GONE, moment)


async def _vacated(
    session: AsyncSession, attempt: Attempt, reason: str, moment: Moment
) -> None:
    """End an intent that was not signed and never will be; the book goes by what was."""
    if attempt.place == 1:
        attempt.nonce, attempt.nonce_value = None, None
    attempt.state, attempt.last_answer, attempt.ended_at = "refused", reason, moment.at
    await session.flush()


async def _raise_nonce(session: AsyncSession, found: Found) -> None:
    """Never give a nonce again that was signed for."""
    nonce = found.intent.get("nonce")
    if nonce is None:
        return
    await session.execute(
        update(ApplicationWallet)
        .where(
            ApplicationWallet.network_id == found.network,
            ApplicationWallet.address == found.signed.sender,
            ApplicationWallet.next_nonce <= nonce,
        )
        .values(next_nonce=nonce + 1)
    )


def _paid_in(intent: Mapping[str, Any], currencies: Sequence[Currency]) -> Sequence[Currency]:
    """Return the currency that an intent moves; all of them where it is none that we list."""
    asset = asset_key(str(intent.get("asset")))
    moved = [each for each in currencies if asset_of(each) == asset]
    return moved or currencies


def _says(chain: Chain, intent: Mapping[str, Any], raw: bytes) -> bool:
    """Tell whether the bytes say what this intent says."""
    try:
        chain.writer.verify(intent, raw)
    except ValueError:
        return False
    return True


def _same_place(first: Attempt, found: Found) -> bool:
    """Tell whether a further transaction of an order competes for the first one's place."""
    names = ("nonce", "nonce_account", "nonce_value")
    place = [found.intent.get(name) for name in names]
    if place[0] is None and None in place[1:]:
        return False
    held = [getattr(first, name) for name in names]
    return (place, found.signed.sender) == (held, first.sender)


async def _report(session: AsyncSession, found: Found, reason: str, moment: Moment) -> None:
    """Tell it, and hold the asset: the balance that it paid from may ask for the same again."""
    told = f"{found.order_id}, signed as {found.signed.tx_hash}: {reason}"
    query = select(Currency).where(Currency.network_id == found.network).order_by(Currency.id)
    for currency in _paid_in(found.intent, (await session.scalars(query)).all()):
        await holds.put(session, found.network, currency.id, holds.LOST, told, at=moment.at)
    log.error(
        "a signed transaction has no order",
        network=found.network,
        order=found.order_id,
        tx=found.signed.tx_hash,
        reason=reason,
    )
