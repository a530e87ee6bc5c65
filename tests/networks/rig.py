"""One network as the conformance suites see it, and how they look at its blocks."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from devnet.chain import LocalChain
from watchers.network import (
    NATIVE,
    Block,
    ChainReader,
    ChainWriter,
    Incomplete,
    PayoutOrder,
    Slot,
    Transfer,
)

WAIT_SECONDS_MAX = 45.0
PAUSE_SECONDS = 0.05
MARGIN_BLOCKS = 2
TOKEN_DECIMALS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """A running local chain with our reader and writer on it and a funded hot wallet.

    `blind_reader` lists no token, `stray_reader` pins another chain's identity; both speak to
    the same node. `sign` is the keystore's pure signer for `hot`: wire intent to raw bytes.
    `next_slot` returns the slot that the next payout from `hot` takes. `hot` holds at least
    100 `native_units` and 1000 tokens. `unbound_fields` are the intent's fields that the signed
    bytes cannot show (its names and tags; more only with a reason).
    """

    name: str
    chain: LocalChain
    reader: ChainReader
    blind_reader: ChainReader
    stray_reader: ChainReader
    writer: ChainWriter
    sign: Callable[[Mapping[str, Any]], bytes]
    next_slot: Callable[[], Awaitable[Slot]]
    hot: str
    native_units: int
    native_decimals: int
    fee_ceiling_units: int
    unbound_fields: frozenset[str] = frozenset({"family", "withdrawal_id", "network"})

    @property
    def token(self) -> str:
        """The chain's 6-decimal test token."""
        return self.chain.token

    def order(
        self,
        destination: str,
        units: int,
        asset: str = NATIVE,
        *,
        fee_ceiling: int | None = None,
    ) -> PayoutOrder:
        """Return an approved payout of `hot`; the ceiling is the rig's unless it is given."""
        return PayoutOrder(
            withdrawal_id=f"wdr_{destination[-8:]}{units}",
            asset=asset,
            decimals=self.native_decimals if asset == NATIVE else TOKEN_DECIMALS,
            destination=destination,
            units=units,
            source=self.hot,
            fee_ceiling_units=self.fee_ceiling_units if fee_ceiling is None else fee_ceiling,
        )

    async def head(self) -> int:
        """Return the height that the reader calls newest."""
        return (await self.reader.tip()).head

    async def prepared(self, destination: str, units: int, asset: str) -> Mapping[str, Any]:
        """Return the wire intent of a payout in the next slot."""
        order = self.order(destination, units, asset)
        return await self.writer.prepare(order, await self.next_slot())


async def read_when_there(rig: Rig, height: int, reader: ChainReader | None = None) -> Block:
    """Read `height`, waiting and mining while the chain has not come so far."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        try:
            return await (reader or rig.reader).read(height)
        except Incomplete:
            if time.monotonic() > deadline:
                raise
            await rig.chain.mine()
            await asyncio.sleep(PAUSE_SECONDS)


async def history(
    rig: Rig, since: int, tx_hash: str, reader: ChainReader | None = None
) -> list[Block]:
    """Read every block from `since` to a few after the one that holds `tx_hash`."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    blocks: list[Block] = []
    height, last = since, None
    while last is None or height <= last:
        block = await read_when_there(rig, height, reader)
        blocks.append(block)
        height = block.ref.height + 1
        if last is None and tx_hash in block.outcomes:
            last = block.ref.height + MARGIN_BLOCKS
        assert time.monotonic() < deadline, f"{tx_hash} is in no block since {since}"
    return blocks


def transfers_of(blocks: list[Block], tx_hash: str) -> list[Transfer]:
    """Return every transfer of one transaction in these blocks."""
    return [each for block in blocks for each in block.transfers if each.tx_hash == tx_hash]


def transfers_to(blocks: list[Block], recipient: str) -> list[Transfer]:
    """Return every transfer to one address in these blocks."""
    return [each for block in blocks for each in block.transfers if each.recipient == recipient]
