"""Tokens that keep a part of every transfer: what arrived is measured on the balance.

The log of such a transfer names what was sent. What an address gained in the block is the
difference of its balance at the end of the block and at the end of its parent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from watchers.chain import Chain
from watchers.interest import Interest
from watchers.network import Block, Incomplete, Transfer
from watchers.networks.ethereum.balances import EthereumBalances
from watchers.networks.ethereum.reader import EthereumReader
from watchers.providers.witness import Witness
from watchers.reconcile.balances import Holding


@dataclass(frozen=True, slots=True)
class MeasuringReader(EthereumReader):
    """`EthereumReader` that corrects the units of transfers of these tokens."""

    measured: frozenset[str] = frozenset()

    async def read(self, height: int) -> Block:
        """Return a block whose transfers say what arrived, or raise `Incomplete`."""
        block = await EthereumReader.read(self, height)
        wanted = sorted(
            {
                Holding(transfer.recipient, transfer.asset)
                for transfer in block.transfers
                if transfer.asset in self.measured
            }
        )
        if not wanted:
            return block
        balances = EthereumBalances(self.rpc)
        after = await balances.at_block(wanted, block.ref.hash)
        before = await balances.at_block(wanted, block.ref.parent_hash)
        if missing := [each for each in wanted if each not in after or each not in before]:
            raise Incomplete(f"block {height}: the balance of {missing[0].address} is unknown")
        gained = {holding: after[holding] - before[holding] for holding in wanted}
        return replace(block, transfers=tuple(corrected(block.transfers, gained)))

    @property
    def selective(self) -> bool:
        """Never: what others moved in a block tells what arrived here."""
        return False

    async def read_for(self, height: int, interest: Interest) -> Block:
        """Return the whole block."""
        del interest
        return await self.read(height)


def measure(chain: Chain, tokens: frozenset[str]) -> None:
    """Let every reader of a chain measure these tokens, each through its own node."""
    for witness in chain.witnesses.values():
        if not isinstance(witness, Witness) or not isinstance(witness.reader, EthereumReader):
            raise TypeError(f"not a reader of this family: {type(witness).__name__}")
        plain = witness.reader
        witness.reader = MeasuringReader(
            plain.rpc,
            plain.chain_id,
            plain.tokens,
            plain.finality,
            plain.traces,
            plain.logged_from,
            measured=tokens,
        )


def corrected(
    transfers: Sequence[Transfer], gained: Mapping[Holding, int]
) -> Iterator[Transfer]:
    """Share out what each holding gained over the transfers to it, by their logged units.

    What it sent in the same block is added again; more than was logged is never given, and a
    transfer of which nothing arrived is none.
    """
    passed = dict.fromkeys(gained, 0)
    for transfer in transfers:
        holding = Holding(transfer.recipient, transfer.asset)
        if holding not in gained:
            yield transfer
            continue
        arrived, logged = _arrived(transfers, holding, gained[holding])
        before = arrived * passed[holding] // logged
        passed[holding] += transfer.units
        units = arrived * passed[holding] // logged - before
        if units:
            yield msgspec.structs.replace(transfer, units=units)


def _arrived(
    transfers: Sequence[Transfer], holding: Holding, difference: int
) -> tuple[int, int]:
    """Return what arrived in all and what was logged."""
    sent = sum(t.units for t in transfers if (t.sender, t.asset) == holding)
    logged = sum(t.units for t in transfers if (t.recipient, t.asset) == holding)
    return min(max(difference + sent, 0), logged), logged
