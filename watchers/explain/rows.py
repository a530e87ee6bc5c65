"""What our own rows know about one transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.signature import SignedAddress, is_genuine
from gateway.deposits.attribution import ref_of
from gateway.domain.posting import CUSTODY
from gateway.models import (
    AddressPool,
    ApplicationWallet,
    Attempt,
    BalanceHistory,
    Block,
    Currency,
    Cursor,
    Deposit,
    Invoice,
    Journal,
    PaymentOption,
    Stray,
)
from watchers.chain import asset_of
from watchers.explain.facts import Entry, Evidence, Move, Owner
from watchers.explain.waits import waits
from watchers.network import Transfer

Place = tuple[str, int]
"""Kind and ordinal inside the transaction."""


async def evidence(
    session: AsyncSession,
    public_key: str,
    heard: Evidence,
    transfers: Iterable[Transfer],
) -> Evidence:
    """Complete what the providers said with what our rows know.

    `public_key` is the keystore's; `transfers` are what the providers show.
    """
    cursor = await session.get(Cursor, heard.network, populate_existing=True)
    moves = await _moves(session, heard, cursor, transfers, public_key)
    silent = await _silent(session, heard, cursor, public_key) if heard.blind else ()
    made = select(Attempt.purpose).where(
        Attempt.network_id == heard.network, Attempt.tx_hash == heard.tx
    )
    return replace(
        heard,
        scanned_height=None if cursor is None else cursor.height,
        final_height=None if cursor is None else cursor.final_height,
        our_hash=await _our_hash(session, heard),
        made_as=await session.scalar(made),
        moves=moves,
        silent=silent,
    )


async def _our_hash(session: AsyncSession, heard: Evidence) -> str | None:
    if heard.height is None:
        return None
    query = select(Block.hash).where(
        Block.network_id == heard.network,
        Block.height == heard.height,
        Block.orphaned.is_(False),
    )
    found: str | None = await session.scalar(query)
    return found


async def _moves(
    session: AsyncSession,
    heard: Evidence,
    cursor: Cursor | None,
    transfers: Iterable[Transfer],
    public_key: str,
) -> tuple[Move, ...]:
    network, tx = heard.network, heard.tx
    currencies = await _currencies(session, network)
    moves: dict[Place, Move] = {
        (each.kind, each.ordinal): Move(
            each.kind, each.ordinal, each.asset, each.recipient, each.units,
            currency=currencies.get(each.asset),
        )
        for each in transfers
    }  # fmt: skip
    moves |= await _strays(session, network, tx, currencies)
    named = select(Deposit).where(Deposit.network_id == network, Deposit.tx_hash == tx)
    found = await _deposits(session, cursor, named, currencies)
    moves |= {(each.kind, each.position): each for each in found}
    return await _all_owned(session, network, list(moves.values()), public_key)


async def _silent(
    session: AsyncSession, heard: Evidence, cursor: Cursor | None, public_key: str
) -> tuple[Move, ...]:
    """Return what the reconciler found in the block by comparing balances."""
    network = heard.network
    query = select(Deposit).where(
        Deposit.network_id == network,
        Deposit.kind == "balance",
        Deposit.block_height == heard.height,
        Deposit.block_hash.in_([each.block_hash for each in heard.seen if each.block_hash]),
    )
    found = await _deposits(session, cursor, query, await _currencies(session, network))
    return await _all_owned(session, network, found, public_key)


async def _all_owned(
    session: AsyncSession, network: str, moves: Sequence[Move], public_key: str
) -> tuple[Move, ...]:
    """Add whose addresses they went to."""
    owners = await _owners(session, network, {each.to for each in moves}, public_key)
    accepted = await _accepted(session, owners.values())
    return tuple(_owned(move, owners.get(move.to), accepted) for move in moves)


def _owned(
    move: Move, owner: Owner | None, accepted: Collection[tuple[str | None, str | None]]
) -> Move:
    if owner is None:
        return move
    listed = owner.customer_id is not None and move.currency is not None
    takes = listed or (owner.invoice_id, move.currency) in accepted
    return move.with_owner(owner.accepting(takes=takes))


async def _currencies(session: AsyncSession, network: str) -> dict[str, str]:
    """Return the payment method of every listed asset, by the asset's name in blocks."""
    rows = await session.scalars(select(Currency).where(Currency.network_id == network))
    return {asset_of(c): c.id for c in rows}


async def _strays(
    session: AsyncSession, network: str, tx: str, currencies: Mapping[str, str]
) -> dict[Place, Move]:
    query = select(Stray).where(
        Stray.network_id == network, Stray.tx_hash == tx, Stray.status != "counted"
    )
    return {
        (row.kind, row.ordinal): Move(
            row.kind, row.ordinal, row.asset, row.address, row.units,
            currency=currencies.get(row.asset), deposit_id=row.id, purpose="unattributed",
            status=row.status, reason=row.reason, block_height=row.block_height,
        )
        for row in await session.scalars(query)
    }  # fmt: skip


async def _deposits(
    session: AsyncSession,
    cursor: Cursor | None,
    query: Select[Deposit],
    currencies: Mapping[str, str],
) -> list[Move]:
    names = {currency: asset for asset, currency in currencies.items()}
    rows = (await session.scalars(query)).all()
    refs = {row.id: ref_of(row) for row in rows}
    entries = await _entries(session, list(refs.values()))
    held = await waits(session, cursor, rows)
    return [
        Move(
            row.kind, row.ordinal, names.get(row.currency_id, ""), row.address, row.units,
            currency=row.currency_id, deposit_id=row.id, merchant_id=row.merchant_id,
            purpose=row.purpose, status=row.status, reason=row.reason,
            block_height=row.block_height, entries=tuple(entries.get(refs[row.id], ())),
            wait=held.get(row.id),
        )
        for row in rows
    ]  # fmt: skip


async def _entries(session: AsyncSession, refs: Sequence[str]) -> dict[str, list[Entry]]:
    """Return who was credited by the journals of these deposits, oldest first; fees before."""
    query = (
        select(Journal, BalanceHistory)
        .join(BalanceHistory, BalanceHistory.journal_id == Journal.id)
        .where(
            Journal.ref.in_(refs),
            Journal.kind.in_(["deposit", "assign", "capital"]),
            BalanceHistory.account != CUSTODY,
            BalanceHistory.delta_confirmed > 0,
        )
        .order_by(Journal.id, BalanceHistory.change_type != "FEE")
    )
    found: dict[str, list[Entry]] = {}
    for journal, change in await session.execute(query):
        entry = Entry(journal.id, journal.kind, change.account, change.delta_confirmed)
        found.setdefault(journal.ref, []).append(entry)
    return found


async def _owners(
    session: AsyncSession, network: str, addresses: Collection[str], public_key: str
) -> dict[str, Owner]:
    """Return whose each of these addresses is, where it is ours."""
    wallets = select(ApplicationWallet.address).where(
        ApplicationWallet.network_id == network, ApplicationWallet.address.in_(addresses)
    )
    owners = {address: Owner("wallet") for address in await session.scalars(wallets)}
    query = (
        select(AddressPool, Invoice.status)
        .outerjoin(Invoice, Invoice.id == AddressPool.invoice_id)
        .where(AddressPool.network_id == network, AddressPool.address.in_(addresses))
    )
    for row, status in await session.execute(query):
        signed = SignedAddress(row.network_id, row.index, row.path, row.address, row.signature)
        genuine = is_genuine(signed, public_key)
        owners[row.address] = Owner(
            "pool",
            genuine,
            row.merchant_id,
            row.invoice_id,
            status,
            customer_id=row.customer_id,
        )
    return owners


async def _accepted(
    session: AsyncSession, owners: Iterable[Owner]
) -> set[tuple[str | None, str | None]]:
    ids = {owner.invoice_id for owner in owners}
    query = select(PaymentOption.invoice_id, PaymentOption.currency_id).where(
        PaymentOption.invoice_id.in_(ids)
    )
    return {(row.invoice_id, row.currency_id) for row in await session.execute(query)}
