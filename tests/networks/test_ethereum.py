"""What only an EVM chain shows: reorganisations, contracts, and payouts that meet them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from devnet.anvil import AnvilChain, call_data
from tests.networks.ethereum.rig import ETHER, NETWORK, TOKEN_FUNDS, ethereum, sign
from tests.networks.rig import Rig, history, read_when_there, transfers_of, transfers_to
from watchers.network import NATIVE, BroadcastRejected, Refused, Slot
from watchers.networks.ethereum.reader import EthereumReader
from watchers.networks.ethereum.writer import EthereumWriter
from watchers.rpc import Endpoints, JsonRpc

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def rig() -> AsyncIterator[Rig]:
    """Run one anvil for this module."""
    async with ethereum() as running:
        yield running


@pytest.fixture
def chain(rig: Rig) -> AnvilChain:
    """Return the chain with its levers."""
    assert isinstance(rig.chain, AnvilChain)
    return rig.chain


@asynccontextmanager
async def listing(chain: AnvilChain, *tokens: str) -> AsyncIterator[EthereumReader]:
    """Yield a reader that lists other tokens than the rig's."""
    rpc = JsonRpc(Endpoints([chain.url]))
    try:
        yield EthereumReader(rpc, int(chain.identity), frozenset(tokens))
    finally:
        await rpc.endpoints.aclose()


async def test_a_reorganisation_breaks_the_link(rig: Rig, chain: AnvilChain) -> None:
    """The same height has another hash, and the payment of the old branch is gone."""
    to = await chain.fresh_address()
    since = await rig.head()
    tx_hash = await chain.pay(to, 5)
    before = await history(rig, since, tx_hash)
    depth = before[-1].ref.height - before[0].ref.height + 1
    await chain.reorg(depth)
    after = [await read_when_there(rig, block.ref.height) for block in before]
    holders = [i for i, block in enumerate(before) if tx_hash in block.outcomes]
    for old, new in zip(before[holders[0] :], after[holders[0] :], strict=True):
        assert old.ref.hash != new.ref.hash
        assert tx_hash not in new.outcomes
    assert await rig.reader.balance(to, NATIVE) == 0


async def test_a_payment_keeps_its_name_in_another_block(rig: Rig, chain: AnvilChain) -> None:
    """Moved by a reorganisation it has the same transaction, kind and ordinal."""
    to = await chain.fresh_address()
    since = await rig.head()
    tx_hash = await chain.pay(to, 77, chain.token)
    await chain.mine(2)
    before = transfers_to(await history(rig, since, tx_hash), to)
    depth = await rig.head() - since
    await chain.reorg(depth, [(tx_hash, depth - 1)])
    after = transfers_to(await history(rig, since, tx_hash), to)
    assert before == after
    assert len(after) == 1


async def test_many_transfers_in_one_transaction_are_many(rig: Rig, chain: AnvilChain) -> None:
    """Each log counts once, two to the same address included."""
    first, second = await chain.fresh_address(), await chain.fresh_address()
    since = await rig.head()
    data = call_data("transferMany(address[],uint256)", [first, second, first], 40)
    tx_hash = await chain.included(await chain.transact(to=chain.token, data=data))
    seen = transfers_of(await history(rig, since, tx_hash), tx_hash)
    assert [(each.recipient, each.units, each.ordinal) for each in seen] == [
        (first, 40, 0),
        (second, 40, 1),
        (first, 40, 2),
    ]


async def test_another_contract_with_the_same_log_is_nothing(
    rig: Rig, chain: AnvilChain
) -> None:
    """A perfect imitation of the token, name included, lies at another address."""
    fake = await chain.deploy("TestToken", chain.payer, 10**12)
    to = await chain.fresh_address()
    since = await rig.head()
    tx_hash = await chain.pay(to, 10**9, fake)
    assert transfers_of(await history(rig, since, tx_hash), tx_hash) == []
    async with listing(chain, fake) as reader:
        [seen] = transfers_of(await history(rig, since, tx_hash, reader), tx_hash)
    assert (seen.asset, seen.units) == (fake, 10**9)


async def test_an_inner_payment_is_not_the_outer_one(rig: Rig, chain: AnvilChain) -> None:
    """Value to a contract is the contract's; what it passes on is found by other means."""
    splitter = await chain.deploy("Splitter")
    to = await chain.fresh_address()
    since = await rig.head()
    data = call_data("fan(address[],uint256)", [to], 500)
    sent = await chain.transact(to=splitter, value=hex(500), data=data)
    tx_hash = await chain.included(sent)
    [seen] = transfers_of(await history(rig, since, tx_hash), tx_hash)
    assert (seen.recipient, seen.units) == (splitter, 500)
    assert await rig.reader.balance(to, NATIVE) == 500


async def test_a_token_without_return_value_is_paid_out(rig: Rig, chain: AnvilChain) -> None:
    """Like USDT on mainnet: its transfer returns nothing and succeeds."""
    silent = await chain.deploy("SilentToken", chain.payer, 10**12)
    await chain.pay(rig.hot, 1_000, silent)
    to = await chain.fresh_address()
    intent = await rig.prepared(to, 600, silent)
    raw = sign(intent)
    since = await rig.head()
    await rig.writer.broadcast(raw)
    async with listing(chain, silent) as reader:
        blocks = await history(rig, since, rig.writer.verify(intent, raw), reader)
    assert [each.units for each in transfers_to(blocks, to)] == [600]


async def test_a_frozen_wallet_is_refused_with_the_tokens_words(
    rig: Rig, chain: AnvilChain
) -> None:
    """The simulation carries the contract's own reason."""
    await chain.pay(rig.hot, TOKEN_FUNDS, chain.token)
    data = call_data("freeze(address,bool)", rig.hot, True)  # noqa: FBT003 - ABI
    await chain.included(await chain.transact(to=chain.token, data=data))
    try:
        with pytest.raises(Refused, match="sender is frozen"):
            await rig.prepared(await chain.fresh_address(), 1, chain.token)
    finally:
        data = call_data("freeze(address,bool)", rig.hot, False)  # noqa: FBT003 - ABI
        await chain.included(await chain.transact(to=chain.token, data=data))


async def test_two_attempts_on_one_nonce_pay_once(rig: Rig, chain: AnvilChain) -> None:
    """Whichever lands, the other never can: that is what the nonce is for."""
    to = await chain.fresh_address()
    slot = await rig.next_slot()
    first = await rig.writer.prepare(rig.order(to, 5), slot)
    dearer = {
        **first,
        "max_fee_per_gas": str(int(first["max_fee_per_gas"]) * 2),
        "max_priority_fee_per_gas": str(int(first["max_priority_fee_per_gas"]) * 2),
    }
    since = await rig.head()
    landed = sign(first)
    await rig.writer.broadcast(landed)
    await history(rig, since, rig.writer.verify(first, landed))
    with pytest.raises(BroadcastRejected, match="nonce too low"):
        await rig.writer.broadcast(sign(dearer))
    assert await chain.balance(to) == 5
    assert await rig.next_slot() == Slot(nonce=(slot.nonce or 0) + 1)


async def test_an_empty_wallet_prepares_nothing(rig: Rig, chain: AnvilChain) -> None:
    """Tokens without gas cannot move."""
    holder = await chain.fresh_address()
    await chain.pay(holder, 1_000, chain.token)
    rpc = JsonRpc(Endpoints([chain.url]))
    writer = EthereumWriter(rpc, int(chain.identity), NETWORK)
    order = rig.order(await chain.fresh_address(), 10, chain.token)
    poor = type(order)(
        order.withdrawal_id, order.asset, 6, order.destination, 10, holder, ETHER
    )
    with pytest.raises(Refused):
        await writer.prepare(poor, Slot(nonce=0))
    await writer.aclose()
