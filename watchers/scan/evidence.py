"""A second look at large deposits: another provider must show the very same transfer."""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, as_json, send
from gateway.domain.money import to_units
from gateway.models import Block as BlockRow
from gateway.models import Currency, Deposit
from gateway.settings import NetworkSettings
from watchers.chain import asset_of
from watchers.network import Block, Transfer
from watchers.scan import rises
from watchers.scan.track import Track
from watchers.scan.witnesses import answers

RETRY_SECONDS = 10.0
BALANCE = "balance"
"""Deposits that were found by comparing balances stand in no block."""

Seen = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Claim:
    """A deposit that waits, as our own provider told it."""

    id: str
    provider: str
    block_height: int
    block_hash: str
    transfer: Transfer


def differs(claim: Claim, block: Block) -> str | None:
    """Say how a second provider's block differs from the transfer, if it does."""
    if block.ref.hash != claim.block_hash:
        return "shows another block"
    ours = claim.transfer
    for theirs in block.transfers:
        if name_of(theirs) == name_of(ours):
            fields = ("asset", "sender", "recipient", "units")
            other = (f for f in fields if getattr(theirs, f) != getattr(ours, f))
            return next((f"shows another {name}" for name in other), None)
    if is_blind(block, ours):
        return "does not show value that moves inside contracts"
    return "shows another transfer"


def is_blind(block: Block, transfer: Transfer) -> bool:
    """Tell whether a node that shows this block cannot see such a transfer at all."""
    return transfer.kind == "internal" and not block.internal


def name_of(transfer: Transfer) -> Seen:
    """Return what names a transfer inside its network."""
    return transfer.tx_hash, transfer.kind, transfer.ordinal


@dataclass(slots=True)
class Evidence:
    """Holds back what nobody else confirms; asks again every ten seconds."""

    track: Track
    waiting: str | None = None
    retry_seconds: float = RETRY_SECONDS
    _proved: set[tuple[str, str, Transfer]] = field(default_factory=set)
    _again_at: float = 0.0
    _held: frozenset[str] = frozenset()

    async def unproved(self, session: AsyncSession, final_height: int) -> frozenset[str]:
        """Return the deposits up to this height that must not be credited yet; asks no node.

        What came to stand there since the last look is among them.
        """
        if not self.track.quorum_above:
            return frozenset()
        return frozenset(claim.id for claim in await self._open(session, final_height))

    async def look(self, final_height: int) -> None:
        """Ask other nodes about the deposits up to this height; it takes as long as they do."""
        track = self.track
        if not track.quorum_above:
            return
        async with track.database.unit_of_work(CROSS_TENANT) as session:
            claims = await self._open(session, final_height)
        ids = frozenset(claim.id for claim in claims)
        if claims and ids <= self._held and time.monotonic() < self._again_at:
            return
        self.waiting = None
        by_height: defaultdict[int, list[Claim]] = defaultdict(list)
        for claim in claims:
            by_height[claim.block_height].append(claim)
        for height, together in by_height.items():
            await self._look(height, together)
        self._held = frozenset(claim.id for claim in claims if self._is_open(claim))
        self._again_at = time.monotonic() + self.retry_seconds

    async def _open(self, session: AsyncSession, final_height: int) -> list[Claim]:
        return [
            each for each in await self._claims(session, final_height) if self._is_open(each)
        ]

    def _is_open(self, claim: Claim) -> bool:
        return _proof(claim) not in self._proved

    async def _look(self, height: int, claims: Sequence[Claim]) -> None:
        """Read one block from the other providers until enough of them show these transfers."""
        track, provider = self.track, claims[0].provider
        # Where it is not known who told us, that one may be among those who are asked now.
        needed = max(1, track.quorum - 1) + (provider not in track.witnesses)
        shown: Counter[str] = Counter()
        reason = f"{needed} other providers are needed"
        others = {name: each for name, each in track.witnesses.items() if name != provider}
        for name, block in (await answers(others, lambda each: each.read(height))).items():
            for claim in claims:
                difference = differs(claim, block)
                if difference is not None and await self._rose(name, claim, block):
                    difference = None
                shown[claim.id] += difference is None
                if difference is not None:
                    reason = f"{name} {difference}"
        for claim in claims:
            if shown[claim.id] >= needed:
                self._proved.add(_proof(claim))
            else:
                self.waiting = f"deposit {claim.id} is not credited: {reason}"

    async def _rose(self, name: str, claim: Claim, block: Block) -> bool:
        """Tell whether a node that cannot see the transfer has states that prove it."""
        if block.ref.hash != claim.block_hash or not is_blind(block, claim.transfer):
            return False
        return await rises.prove(self.track, name, claim.transfer, block)

    async def _claims(self, session: AsyncSession, final_height: int) -> list[Claim]:
        """Return pending deposits in final blocks that are worth a second look."""
        track = self.track
        large = [
            and_(Deposit.currency_id == currency_id, Deposit.units > units)
            for currency_id, units in track.quorum_above.items()
        ]
        query = (
            select(Deposit, BlockRow.provider)
            .join(
                BlockRow,
                and_(
                    BlockRow.network_id == Deposit.network_id,
                    BlockRow.height == Deposit.block_height,
                    BlockRow.hash == Deposit.block_hash,
                ),
            )
            .where(
                Deposit.network_id == track.network,
                Deposit.status == "pending",
                Deposit.block_height <= final_height,
                Deposit.kind != BALANCE,
                or_(*large),
            )
            .order_by(Deposit.id)
        )
        assets = {c.id: asset_of(c) for c in track.currencies}
        rows = (await session.execute(query)).all()
        return [claim_of(row.Deposit, row.provider, assets) for row in rows]


def _proof(claim: Claim) -> tuple[str, str, Transfer]:
    """Return what was proved: the deposit in this block, with this recipient and amount."""
    return claim.id, claim.block_hash, claim.transfer


def claim_of(deposit: Deposit, provider: str, assets: Mapping[str, str]) -> Claim:
    """Return what a provider told when this deposit was read; `assets` are those of currencies."""
    transfer = Transfer(
        tx_hash=deposit.tx_hash,
        kind=deposit.kind,
        ordinal=deposit.ordinal,
        asset=assets[deposit.currency_id],
        sender=deposit.sender,
        recipient=deposit.address,
        units=deposit.units,
    )
    return Claim(deposit.id, provider, deposit.block_height, deposit.block_hash, transfer)


async def add_readers(session: AsyncSession, network: str, blocks: Sequence[Block]) -> None:
    """Note who read these blocks again: it is no second witness of what they hold."""
    rows = [
        {"height": block.ref.height, "hash": block.ref.hash, "provider": block.provider}
        for block in blocks
    ]
    await send(session, _ADD_READERS, {"network": network, "rows": as_json(rows)})


def large_units(network: NetworkSettings, currencies: Sequence[Currency]) -> dict[str, int]:
    """Return above how many units a deposit needs a second look, by currency id."""
    above = {asset.code: asset.quorum_above for asset in network.assets}
    return {
        currency.id: to_units(value, currency.decimals)
        for currency in currencies
        if (value := above.get(currency.code)) is not None
    }


_ADD_READERS = """
UPDATE block SET provider = concat_ws(', ', block.provider, again.provider)
FROM jsonb_to_recordset(%(rows)s) AS again (height bigint, hash text, provider text)
WHERE block.network_id = %(network)s AND block.height = again.height
    AND block.hash = again.hash AND block.provider <> again.provider
    AND again.provider <> ALL (string_to_array(block.provider, ', '))
"""
