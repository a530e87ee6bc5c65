"""Money that arrived without a transfer: find its block, have it confirmed, credit it once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.deposits import service as deposits
from gateway.deposits.service import Desk
from gateway.invoices.standing import Confirmations
from gateway.models import Block as BlockRow
from gateway.models import Currency, Cursor
from watchers import store
from watchers.addresses import AddressBook, arrivals
from watchers.chain import asset_of
from watchers.clock import now
from watchers.network import (
    NATIVE,
    Block,
    BlockRef,
    Incomplete,
    NodeUnavailable,
    Transfer,
    WrongChain,
)
from watchers.reconcile import books
from watchers.reconcile.balances import BalanceReader, Holding, NoHistory, Observation
from watchers.reconcile.rules import Move, first_wrong, known_at, steps_back
from watchers.store import Position

log = structlog.get_logger()
NO_SAY = (NodeUnavailable, Incomplete, WrongChain)
"""Troubles of a node that say nothing about what it was asked."""
STEPS_MAX = 8
"""Silent arrivals of one address that are credited in one round; the next round goes on."""


@dataclass(frozen=True, slots=True)
class Found:
    """A height at which a holding went wrong, and by how much."""

    height: int
    units: int


@dataclass(slots=True)
class Credits:
    """Traces one network's differences and credits those that are money.

    `witnesses` read from one node each; `needed` of them, and two at least from more than
    `quorum_above` units on (by currency id), must show a difference before it is money: one
    node alone could otherwise invent it.
    """

    name: str
    balances: BalanceReader
    witnesses: Mapping[str, BalanceReader]
    needed: int
    database: Database
    currencies: Sequence[Currency]
    book: AddressBook
    position: Position
    public_url: str
    quorum_above: Mapping[str, int] = field(default_factory=dict)
    history_known: Callable[[], bool] = lambda: True
    """Whether the keystore's history was read: before, a difference may be our own doing."""

    async def credit(self, holding: Holding, height: int, held: int) -> tuple[int, str]:
        """Credit what is `held` at `height` beyond our rows; return what is left, and why."""
        for _ in range(STEPS_MAX):
            moves = await self.moves(holding)
            left = held - known_at(moves, height)
            if left <= 0:
                return left, "another transfer was found meanwhile"
            found = await self.trace(holding, height, held, moves)
            if not 0 < found.units <= left:
                return left, f"{found.units} units went missing in block {found.height}"
            doubt = await self._doubt(holding, found, moves)
            if doubt is not None:
                return left, doubt
            if await self._post(holding, found, moves) and found.units == left:
                return 0, ""
        return left, "there is more: the next round goes on"

    async def observe(self, wanted: Sequence[Holding], height: int) -> Observation:
        """Return what is held, from another node where the preferred one does not know."""
        try:
            return await self.balances.observe(wanted, height)
        except Incomplete as trouble:
            for witness in self.witnesses.values():
                with suppress(*NO_SAY):
                    return await witness.observe(wanted, height)
            raise trouble from None

    async def moves(self, holding: Holding) -> list[Move]:
        """Return what our rows say about a holding."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            return await self._moves(session, holding)

    async def trace(
        self, holding: Holding, height: int, held: int, moves: Sequence[Move]
    ) -> Found:
        """Find a block in which what is held differs; `height` itself where there is no history."""
        units = held - known_at(moves, height)
        if not self.balances.historic:
            return Found(height, units)
        differences: dict[int, int] = {height: units}

        async def wrong(at: int) -> bool:
            if at not in differences:
                seen = await self._held(self.balances, holding, at)
                differences[at] = seen - known_at(moves, at)
            return differences[at] != 0

        try:
            low, high = await self._bracket(height, wrong)
            if low is None:
                return Found(high, differences[high])
            found = await first_wrong(low, high, wrong)
        except NoHistory as trouble:
            log.warning("no history", network=self.name, reason=str(trouble))
            return Found(height, units)
        await wrong(found)
        return Found(found, differences[found])

    async def _bracket(
        self, height: int, wrong: Callable[[int], Awaitable[bool]]
    ) -> tuple[int | None, int]:
        """Walk back to a height at which all was right; None where it never was."""
        high = height
        for low in steps_back(height, await self._first_height()):
            if not await wrong(low):
                return low, high
            high = low
        return None, high

    async def _first_height(self) -> int:
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            query = select(func.min(BlockRow.height)).where(BlockRow.network_id == self.name)
            return await session.scalar(query) or 0

    async def _held(self, reader: BalanceReader, holding: Holding, height: int) -> int:
        observation = await reader.observe([holding], height)
        if holding not in observation.units:
            raise NodeUnavailable(f"the balance of {holding.address} cannot be read")
        return observation.units[holding]

    async def _doubt(self, holding: Holding, found: Found, moves: Sequence[Move]) -> str | None:
        """Say why too few nodes show this money; None where enough do."""
        needed = self._needed(holding, found.units)
        if needed <= 1:
            return None
        agreeing = 0
        for label, witness in self.witnesses.items():
            try:
                seen = await witness.observe([holding], found.height)
            except NO_SAY as trouble:
                log.warning(
                    "no second opinion", network=self.name, node=label, reason=str(trouble)
                )
                continue
            should = known_at(moves, seen.high) + found.units
            agreeing += seen.units.get(holding) == should
        if agreeing >= needed:
            return None
        return f"{agreeing} of {needed} nodes show {found.units} more in block {found.height}"

    def _needed(self, holding: Holding, units: int) -> int:
        """Return how many nodes must show so much."""
        ids = [each.id for each in self.currencies if asset_of(each) == holding.asset]
        large = any(units > self.quorum_above.get(each, units) for each in ids)
        return max(2, self.needed) if large else self.needed

    async def _post(self, holding: Holding, found: Found, before: Sequence[Move]) -> bool:
        """Write the deposit, unless a row for this money has appeared meanwhile.

        The final lane credits it, as it does whatever is found below the final height.
        """
        beneficiary = await self.balances.beneficiary(found.height)
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            await session.execute(select(func.lock_deposits()))
            moves = await self._moves(session, holding)
            if sorted(moves, key=_order) != sorted(before, key=_order):
                return False
            block = await store.block_at_or_below(session, self.name, found.height)
            if block is None:
                raise LookupError(f"{self.name}: block {found.height} is not stored")
            ref = BlockRef(block.height, block.hash, block.parent_hash, block.block_time)
            hit = (Block(ref, ()), _transfer(holding, block.hash, found.units))
            made = await arrivals(session, self.name, self.currencies, self.book, [hit])
            if holding.address == beneficiary:
                # A block's author is paid for the block, not for an invoice.
                made = [replace(arrival, pool=None) for arrival in made]
            desk = Desk(session, moment, self.public_url)
            head = select(Cursor.height).where(Cursor.network_id == self.name)
            heads = Confirmations({self.name: await session.scalar(head) or 0})
            await deposits.record(desk, made, heads)
        log.info(
            "balance credited", network=self.name, address=holding.address, height=found.height
        )
        return True

    async def _moves(self, session: AsyncSession, holding: Holding) -> list[Move]:
        return await books.moves_of(
            session,
            self.name,
            self.currencies,
            holding,
            fee_is_alone=self.balances.fee_is_alone,
        )


def _transfer(holding: Holding, block_hash: str, units: int) -> Transfer:
    """Name the money by block and address: no transaction of the chain is known to carry it."""
    return Transfer(
        tx_hash=f"balance:{block_hash}:{holding.address}",
        kind="balance",
        ordinal=0,
        asset=NATIVE,
        sender="",
        recipient=holding.address,
        units=units,
    )


def _order(move: Move) -> tuple[int, int]:
    return move.height, move.units
