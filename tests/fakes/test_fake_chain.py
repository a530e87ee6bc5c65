"""The chain in memory does what tests ask of it, and nothing else."""

from typing import Any

import pytest

from tests.fakes.chain import FakeChain, Move
from tests.fakes.network import Broadcast, FakeReader, FakeWriter
from tests.networks.ethereum.rig import HOT_ADDRESS, sign
from watchers.network import (
    NATIVE,
    BroadcastRejected,
    Incomplete,
    NodeUnavailable,
    PayoutOrder,
    Slot,
)

pytestmark = pytest.mark.anyio
ETHER = 10**18
PAYEE = "0x" + "aa" * 20


async def funded(seed: int = 0) -> FakeChain:
    """Return a chain whose hot wallet holds an ether."""
    chain = FakeChain(seed)
    await chain.pay(HOT_ADDRESS, ETHER)
    return chain


def reader_of(chain: FakeChain) -> FakeReader:
    """Return its eyes."""
    return FakeReader(chain, chain.chain_id, frozenset({chain.token}))


async def attempt(writer: FakeWriter, units: int = 5, nonce: int = 0) -> tuple[str, bytes]:
    """Return hash and bytes of a signed payout to `PAYEE`."""
    order = PayoutOrder("wdr_1", NATIVE, 18, PAYEE, units, HOT_ADDRESS, ETHER)
    intent: Any = await writer.prepare(order, Slot(nonce=nonce))
    raw = sign(intent)
    return writer.verify(intent, raw), raw


async def test_one_seed_makes_one_chain() -> None:
    """Addresses and hashes repeat with the seed and differ with another."""
    same, again, other = await funded(7), await funded(7), await funded(8)
    assert same.blocks[-1].ref == again.blocks[-1].ref
    assert same.token == again.token
    assert same.blocks[-1].ref.hash != other.blocks[-1].ref.hash


async def test_final_lags_and_stalls() -> None:
    """The final height follows the head, until it is told to stand."""
    chain = await funded()
    await chain.mine(9)
    assert (chain.head, chain.final) == (10, 8)
    chain.final_stalled = 8
    await chain.mine(5)
    assert (chain.head, chain.final) == (15, 8)


async def test_a_fork_keeps_drops_and_links() -> None:
    """Kept payments land again, others are gone, and every block links to the one before."""
    chain = await funded()
    kept = await chain.pay(PAYEE, 1)
    dropped = await chain.pay(PAYEE, 2)
    old = [block.ref.hash for block in chain.blocks]
    chain.fork(2, keep={kept})
    assert [block.ref.hash for block in chain.blocks][:2] == old[:2]
    assert not {block.ref.hash for block in chain.blocks[2:]} & set(old)
    for lower, upper in zip(chain.blocks, chain.blocks[1:], strict=False):
        assert upper.ref.parent_hash == lower.ref.hash
    outcomes = {tx for block in chain.blocks for tx in block.seen(()).outcomes}
    assert kept in outcomes
    assert dropped not in outcomes
    assert await chain.balance(PAYEE) == 1


async def test_several_moves_make_one_transaction() -> None:
    """Ordinals tell them apart; a doomed one moves nothing and costs its fee."""
    chain = await funded()
    good = chain.submit([Move(PAYEE, 1), Move(PAYEE, 2, chain.token), Move(PAYEE, 3)])
    doomed = chain.submit([Move(PAYEE, 9)], doomed=True)
    await chain.mine()
    block = await reader_of(chain).read(chain.head)
    seen = [(each.ordinal, each.kind, each.units) for each in block.transfers]
    assert seen == [(0, "native", 1), (1, "token", 2), (2, "native", 3)]
    assert block.outcomes[good].success
    assert not block.outcomes[doomed].success
    assert block.outcomes[doomed].payer_spent_units > 0


async def test_faults_of_the_node_are_the_sockets_own_errors() -> None:
    """Withheld blocks are incomplete, a dead node is unavailable, a rewind is a lower head."""
    chain = await funded()
    reader = reader_of(chain)
    chain.incomplete.add(1)
    with pytest.raises(Incomplete):
        await reader.read(1)
    chain.incomplete.clear()
    assert await reader.read(1)
    chain.down = True
    with pytest.raises(NodeUnavailable):
        await reader.tip()
    chain.down = False
    chain.rewind(1)
    assert (await reader.tip()).head == 0


@pytest.mark.parametrize(
    ("manner", "error", "lands"),
    [
        (Broadcast.TAKE, None, True),
        (Broadcast.DROP, None, False),
        (Broadcast.REFUSE, BroadcastRejected, False),
        (Broadcast.LIE, BroadcastRejected, True),
        (Broadcast.LOSE_ANSWER, NodeUnavailable, True),
    ],
)
async def test_what_a_node_says_and_what_it_does_differ(
    manner: Broadcast,
    error: type[Exception] | None,
    *,
    lands: bool,
) -> None:
    """Five ways to answer a broadcast; only the chain tells what happened."""
    chain = await funded()
    writer = FakeWriter(chain, "ethereum", manner)
    tx_hash, raw = await attempt(writer)
    if error is None:
        await writer.broadcast(raw)
    else:
        with pytest.raises(error):
            await writer.broadcast(raw)
    await chain.mine()
    assert (tx_hash in chain.blocks[-1].seen(()).outcomes) is lands
    assert chain.broadcasts == {tx_hash: raw}


async def test_a_dropped_attempt_may_land_at_any_time() -> None:
    """Bytes that were handed over once are out of our hands."""
    chain = await funded()
    writer = FakeWriter(chain, "ethereum", Broadcast.DROP)
    tx_hash, raw = await attempt(writer)
    await writer.broadcast(raw)
    await chain.mine(3)
    chain.mine_only([tx_hash])
    assert await chain.balance(PAYEE) == 5


async def test_of_two_attempts_on_one_nonce_one_lands() -> None:
    """Whichever the block takes first shuts the other out for good."""
    chain = await funded()
    writer = FakeWriter(chain, "ethereum")
    first, second = await attempt(writer, 5), await attempt(writer, 6)
    for _, raw in (first, second):
        await writer.broadcast(raw)
    chain.mine_only([second[0], first[0]])
    await chain.mine(2)
    assert await chain.balance(PAYEE) == 6
    with pytest.raises(BroadcastRejected, match="nonce too low"):
        await writer.broadcast(first[1])
