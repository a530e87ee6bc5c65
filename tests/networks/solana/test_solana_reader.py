"""How the reader asks, and what it never takes for an answer. Numbers name cases of the catalogue."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.networks.solana.documents import MINT, OTHER, POOL, TOKENS, block, block_hash
from tests.networks.solana.node import GENESIS, Node, account, chain_of, serving
from tests.networks.solana.states import token_account
from watchers.network import NATIVE, Incomplete, NodeUnavailable, Tip, WrongChain
from watchers.networks.solana.accounts import TOKEN_PROGRAM, associated_token_account
from watchers.networks.solana.reader import SolanaReader
from watchers.networks.solana.wire import NOT_KNOWN_HERE
from watchers.rpc import Endpoints, JsonRpc

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def reading(*nodes: Node, genesis: str = GENESIS) -> AsyncIterator[SolanaReader]:
    """Yield a reader that prefers the first node."""
    async with AsyncExitStack() as stack:
        urls: Sequence[str] = [await stack.enter_async_context(serving(each)) for each in nodes]
        reader = SolanaReader(JsonRpc(Endpoints(urls)), genesis, TOKENS)
        stack.push_async_callback(reader.aclose)
        yield reader


async def test_another_genesis_is_another_chain() -> None:
    """The genesis hash is compared to the letter."""
    async with reading(Node(genesis=GENESIS.swapcase())) as reader:
        with pytest.raises(WrongChain):
            await reader.check_identity()


async def test_head_and_final_are_the_finalized_slot() -> None:
    """Nothing that may be rolled back is ever read."""
    node = Node(chain_of(10, 11))
    async with reading(node) as reader:
        assert await reader.tip() == Tip(11, 11)
        await reader.read(10)
    commitments = {params[-1]["commitment"] for _, params in node.asked}
    assert commitments == {"finalized"}


async def test_case_67_every_version_is_accepted_from_the_start() -> None:
    """A block with a v1 transaction is read at the first request."""
    node = Node(chain_of(10), version_needed=1)
    async with reading(node) as reader:
        assert (await reader.read(10)).ref.height == 10
        assert node.times_asked("getBlock") == 1


async def test_case_67_a_newer_transaction_version_is_accepted_for_good() -> None:
    """Where no node takes "any", a block of v3 is refused until v3 is accepted, never skipped."""
    node = Node(chain_of(10, 11), version_needed=3, version_max=3)
    async with reading(node) as reader:
        assert (await reader.read(10)).ref.height == 10
        before = node.times_asked("getBlock")
        assert (await reader.read(11)).ref.height == 11
        assert node.times_asked("getBlock") == before + 1


async def test_case_67_blocks_asked_for_side_by_side_find_the_version_together() -> None:
    """Two requests that are refused at once do not pass the version that is needed."""
    node = Node(chain_of(10, 11, 12), version_needed=2, version_max=2)
    async with reading(node) as reader:
        blocks = await asyncio.gather(*(reader.read(slot) for slot in (10, 11, 12)))
        assert [block.ref.height for block in blocks] == [10, 11, 12]


@pytest.mark.parametrize("version_max", [254, 255])
async def test_case_67_a_node_that_refuses_every_version_is_unavailable(
    version_max: int,
) -> None:
    """The version is one byte; the search for it ends."""
    node = Node(chain_of(10), version_needed=999, version_max=version_max)
    async with reading(node) as reader:
        with pytest.raises(NodeUnavailable, match="-32015"):
            await reader.read(10)


async def test_case_68_a_skipped_slot_is_passed_with_its_proof() -> None:
    """The next block names the hash of the last one: nothing lies between."""
    async with reading(Node(chain_of(9, 11))) as reader:
        last = await reader.read(9)
        above = await reader.read(10)
        assert (above.ref.height, above.ref.parent_hash) == (11, last.ref.hash)


async def test_case_68_a_missing_slot_shows_in_the_link() -> None:
    """A node without slot 10 gives 11, which does not name 9; asked again, another has 10."""
    whole = chain_of(9, 10, 11)
    holed = Node({slot: whole[slot] for slot in (9, 11)})
    async with reading(holed, Node(whole)) as reader:
        last = await reader.read(9)
        above = await reader.read(10)
        assert above.ref.parent_hash != last.ref.hash
        reader.rpc.endpoints.rotate()
        assert (await reader.read(10)).ref.height == 10


async def test_the_list_of_slots_is_asked_once_for_a_run_of_blocks() -> None:
    """Catching up costs one call per block, not two; a second try asks anew."""
    node = Node(chain_of(*range(10, 30)))
    async with reading(node) as reader:
        for slot in range(10, 30):
            assert (await reader.read(slot)).ref.height == slot
        assert node.times_asked("getBlocks") == 1
        await reader.read(29)
        assert node.times_asked("getBlocks") == 2


async def test_listed_slots_are_read_side_by_side_without_another_list() -> None:
    """`produced` is asked once for a window; each of its slots is then known."""
    node = Node(chain_of(10, 12, 13, 20))
    async with reading(node) as reader:
        assert await reader.produced(10, 19) == [10, 12, 13]
        blocks = await asyncio.gather(*(reader.read(slot) for slot in (10, 12, 13)))
        assert [block.ref.height for block in blocks] == [10, 12, 13]
        assert node.times_asked("getBlocks") == 1
        assert await reader.produced(14, 19) == []


async def test_a_listed_slot_is_believed_once() -> None:
    """A list that left out a block is not asked again when the link fails."""
    whole = chain_of(10, 11, 12)
    node = Node({slot: whole[slot] for slot in (10, 12)})
    async with reading(node) as reader:
        await reader.produced(10, 12)
        assert (await reader.read(11)).ref.height == 12
        node.blocks = whole
        assert (await reader.read(11)).ref.height == 11


@pytest.mark.parametrize("slots", [[12, 11], [9, 10], [10, 16]])
async def test_a_list_that_contradicts_the_question_is_the_nodes_trouble(
    slots: list[int],
) -> None:
    """Out of order, below the first, above the last."""
    node = Node(chain_of(10), lists=slots)
    async with reading(node) as reader:
        with pytest.raises(NodeUnavailable, match="out of order"):
            await reader.produced(10, 15)


async def test_a_hole_of_a_cluster_restart_is_spanned() -> None:
    """Thousands of empty slots end at the next produced one."""
    async with reading(Node(chain_of(10, 50_010))) as reader:
        assert (await reader.read(11)).ref.height == 50_010


async def test_beyond_the_newest_slot_is_incomplete() -> None:
    """An empty list of slots is no proof of anything."""
    async with reading(Node(chain_of(10))) as reader:
        with pytest.raises(Incomplete):
            await reader.read(11)


@pytest.mark.parametrize("code", sorted(NOT_KNOWN_HERE))
async def test_a_node_that_does_not_know_is_incomplete_in_words(code: int) -> None:
    """Each of the node's ways to say so; another node is asked the next time."""
    lame = Node(chain_of(10), faults={10: code})
    async with reading(lame, Node(chain_of(10))) as reader:
        with pytest.raises(Incomplete, match=NOT_KNOWN_HERE[code]):
            await reader.read(10)
        assert (await reader.read(10)).ref.height == 10


async def test_another_error_is_the_nodes_trouble() -> None:
    """Codes that say nothing about the block do not speak about the block."""
    async with reading(Node(chain_of(10), faults={10: -32603})) as reader:
        with pytest.raises(NodeUnavailable, match="-32603"):
            await reader.read(10)


@pytest.mark.parametrize(
    "answer",
    [None, block(transactions=None), block(blockTime=None)],
    ids=["null", "cut", "timeless"],
)
async def test_half_a_block_is_incomplete_and_asked_elsewhere(answer: object) -> None:
    """Null, no transactions, no time."""
    async with reading(Node({10: answer}), Node(chain_of(10))) as reader:
        with pytest.raises(Incomplete):
            await reader.read(10)
        assert (await reader.read(10)).ref.height == 10


@pytest.mark.parametrize("answer", [{}, [], "block", {"blockhash": 5}])
async def test_another_shape_is_the_nodes_trouble(answer: object) -> None:
    """What is no block at all is not read as an empty one."""
    async with reading(Node({10: answer})) as reader:
        with pytest.raises(NodeUnavailable):
            await reader.read(10)


async def test_the_identity_of_a_slot_needs_no_transactions() -> None:
    """`ref_at` asks for the header alone."""
    header = block(slot=10, transactions=None)
    async with reading(Node({10: header})) as reader:
        assert (await reader.ref_at(10)).hash == block_hash(10)
        with pytest.raises(Incomplete):
            await reader.ref_at(11)


async def test_balances_are_of_the_address_and_its_canonical_account() -> None:
    """An account made over to somebody else counts for nobody; absent is 0."""
    held = associated_token_account(POOL, MINT, TOKEN_PROGRAM)
    made_over = associated_token_account(OTHER, MINT, TOKEN_PROGRAM)
    accounts = {
        POOL: account("11111111111111111111111111111111", lamports=5),
        held: account(TOKEN_PROGRAM, token_account(MINT, POOL, 77)),
        made_over: account(TOKEN_PROGRAM, token_account(MINT, POOL, 5)),
    }
    async with reading(Node(accounts=accounts)) as reader:
        assert await reader.balance(POOL, NATIVE) == 5
        assert await reader.balance(OTHER, NATIVE) == 0
        assert await reader.balance(POOL, MINT) == 77
        assert await reader.balance(OTHER, MINT) == 0
