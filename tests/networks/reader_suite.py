"""What every `ChainReader` does, whatever the chain: subclass with a `rig` fixture."""

import pytest

from tests.networks.rig import Rig, history, read_when_there, transfers_of, transfers_to
from watchers.network import NATIVE, Incomplete, WrongChain

TOKEN_UNITS = 1_234_567
FAR_BLOCKS = 1_000_000


@pytest.mark.anyio
class ReaderBehaviour:
    """Behaviours of the eyes."""

    async def test_accepts_the_chain_it_pins(self, rig: Rig) -> None:
        """The node's identity equals the pinned one."""
        await rig.reader.check_identity()

    async def test_refuses_another_chain(self, rig: Rig) -> None:
        """A node of another chain is named as such, never read from."""
        with pytest.raises(WrongChain):
            await rig.stray_reader.check_identity()

    async def test_final_never_passes_the_head(self, rig: Rig) -> None:
        """The final height is at most the head, and neither goes back."""
        before = await rig.reader.tip()
        await rig.chain.mine(3)
        after = await rig.reader.tip()
        assert before.final <= before.head
        assert after.final <= after.head
        assert (before.head, before.final) <= (after.head, after.final)

    async def test_consecutive_blocks_link(self, rig: Rig) -> None:
        """Each block names the hash of the one before it, at a greater height."""
        start = await rig.head()
        previous = await read_when_there(rig, start)
        for _ in range(5):
            block = await read_when_there(rig, previous.ref.height + 1)
            assert block.ref.parent_hash == previous.ref.hash
            assert block.ref.height > previous.ref.height
            assert block.ref.time >= previous.ref.time
            previous = block

    async def test_reading_returns_the_first_block_at_or_above(self, rig: Rig) -> None:
        """A height between two blocks leads to the upper one; the same height to the same."""
        block = await read_when_there(rig, await rig.head())
        again = await rig.reader.read(block.ref.height)
        assert again == block
        assert await rig.reader.ref_at(block.ref.height) == block.ref

    async def test_reading_beyond_the_head_is_incomplete(self, rig: Rig) -> None:
        """What the node does not have is not an empty block."""
        beyond = await rig.head() + FAR_BLOCKS
        with pytest.raises(Incomplete):
            await rig.reader.read(beyond)
        with pytest.raises(Incomplete):
            await rig.reader.ref_at(beyond)

    async def test_sees_a_native_payment_once(self, rig: Rig) -> None:
        """One payment of the chain's coin is one transfer, in one block, exact to the unit."""
        since, to = await rig.head(), await rig.chain.fresh_address()
        tx_hash = await rig.chain.pay(to, rig.native_units)
        blocks = await history(rig, since, tx_hash)
        [seen] = transfers_to(blocks, to)
        assert seen.tx_hash == tx_hash
        assert (seen.kind, seen.asset, seen.units) == ("native", NATIVE, rig.native_units)
        [outcome] = [block.outcomes[tx_hash] for block in blocks if tx_hash in block.outcomes]
        assert outcome.success

    async def test_sees_a_token_payment_once(self, rig: Rig) -> None:
        """One payment of a listed token is one transfer to the owner, exact to the unit."""
        since, to = await rig.head(), await rig.chain.fresh_address()
        tx_hash = await rig.chain.pay(to, TOKEN_UNITS, rig.token)
        blocks = await history(rig, since, tx_hash)
        tokens = [each for each in transfers_to(blocks, to) if each.kind == "token"]
        [seen] = tokens
        assert seen.tx_hash == tx_hash
        assert (seen.asset, seen.units) == (rig.token, TOKEN_UNITS)

    async def test_two_payments_to_one_address_are_two_transfers(self, rig: Rig) -> None:
        """The identity `(tx, kind, ordinal)` tells them apart."""
        since, to = await rig.head(), await rig.chain.fresh_address()
        first = await rig.chain.pay(to, rig.native_units)
        second = await rig.chain.pay(to, rig.native_units + 1)
        seen = transfers_to(await history(rig, since, second), to)
        assert [(each.tx_hash, each.units) for each in seen] == [
            (first, rig.native_units),
            (second, rig.native_units + 1),
        ]

    async def test_an_unlisted_token_is_invisible(self, rig: Rig) -> None:
        """A token that nobody listed moves without a transfer; its outcome is still there."""
        since, to = await rig.head(), await rig.chain.fresh_address()
        tx_hash = await rig.chain.pay(to, TOKEN_UNITS, rig.token)
        blocks = await history(rig, since, tx_hash, rig.blind_reader)
        assert [each for each in transfers_of(blocks, tx_hash) if each.kind == "token"] == []

    async def test_every_payment_has_a_price(self, rig: Rig) -> None:
        """The outcome says what the fee payer spent; a new recipient is never free."""
        since, to = await rig.head(), await rig.chain.fresh_address()
        tx_hash = await rig.chain.pay(to, rig.native_units)
        blocks = await history(rig, since, tx_hash)
        [outcome] = [block.outcomes[tx_hash] for block in blocks if tx_hash in block.outcomes]
        assert outcome.payer_spent_units > 0

    async def test_balances_agree_with_the_chain(self, rig: Rig) -> None:
        """Native and token balances equal the chain's own; an unused address holds 0."""
        since, to = await rig.head(), await rig.chain.fresh_address()
        assert await rig.reader.balance(to, NATIVE) == 0
        assert await rig.reader.balance(to, rig.token) == 0
        await rig.chain.pay(to, rig.native_units)
        tx_hash = await rig.chain.pay(to, TOKEN_UNITS, rig.token)
        await history(rig, since, tx_hash)
        assert await rig.reader.balance(to, NATIVE) == await rig.chain.balance(to)
        assert await rig.reader.balance(to, NATIVE) == rig.native_units
        assert await rig.reader.balance(to, rig.token) == TOKEN_UNITS
