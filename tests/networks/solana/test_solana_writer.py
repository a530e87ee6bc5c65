"""What the writer prepares, what it refuses, and how it hands bytes over."""

from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keystore.api import SignNonceSetupRequest, SolanaIntent
from tests.networks.solana import states
from tests.networks.solana.documents import MINT, OTHER, POOL, TOKENS, block_hash
from tests.networks.solana.node import Node, account, rent, serving
from watchers.network import (
    NATIVE,
    BroadcastRejected,
    NodeUnavailable,
    PayoutOrder,
    Refused,
    Slot,
)
from watchers.networks.solana import fees
from watchers.networks.solana.accounts import (
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    associated_token_account,
    nonce_account_address,
)
from watchers.networks.solana.writer import SolanaWriter
from watchers.rpc import Endpoints, JsonRpc

pytestmark = pytest.mark.anyio

HOT = str(Keypair.from_seed(bytes([1] * 32)).pubkey())
TO = str(Keypair.from_seed(bytes([2] * 32)).pubkey())
LANE = nonce_account_address(HOT, 0)
SLOT = Slot(nonce_account=LANE)
NONCE_VALUE = block_hash(77)
HOT_TOKENS = associated_token_account(HOT, MINT, TOKEN_PROGRAM)
TO_TOKENS = associated_token_account(TO, MINT, TOKEN_PROGRAM)
BPF_LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"
CEILING = 3_000_000
DERIVED = str(Pubkey.find_program_address([b"vault"], Pubkey.from_string(TOKEN_PROGRAM))[0])

SOL = PayoutOrder("wdr_1", NATIVE, 9, TO, 5_000_000, HOT, CEILING)
TOKEN = PayoutOrder("wdr_2", MINT, 6, TO, 250, HOT, CEILING)


def funded() -> Node:
    """Return a cluster where both orders can be paid and the destination is unused."""
    return Node(
        accounts={
            HOT: account(SYSTEM_PROGRAM, lamports=10**9),
            LANE: account(SYSTEM_PROGRAM, states.nonce_account(HOT, NONCE_VALUE)),
            MINT: account(TOKEN_PROGRAM, states.mint(6)),
            HOT_TOKENS: account(TOKEN_PROGRAM, states.token_account(MINT, HOT, 1_000)),
        }
    )


@asynccontextmanager
async def writing(node: Node) -> AsyncIterator[SolanaWriter]:
    """Yield a writer on this node."""
    async with (
        serving(node) as url,
        aclosing(SolanaWriter(JsonRpc(Endpoints([url])), "solana", TOKENS)) as writer,
    ):
        yield writer


async def prepared(node: Node, order: PayoutOrder, slot: Slot = SLOT) -> SolanaIntent:
    """Prepare an order and read the intent as the keystore does."""
    async with writing(node) as writer:
        intent = await writer.prepare(order, slot)
    assert intent["family"] == "solana"
    return msgspec.convert(dict(intent), SolanaIntent)


async def test_a_sol_intent_holds_order_slot_and_chain_facts() -> None:
    """Token fields stay empty; the nonce value is the one stored now."""
    assert await prepared(funded(), SOL) == SolanaIntent(
        withdrawal_id="wdr_1",
        network="solana",
        asset=NATIVE,
        to=TO,
        units="5000000",
        decimals=0,
        token_program="",
        create_ata=False,
        nonce_account=LANE,
        nonce_value=NONCE_VALUE,
        compute_unit_limit=fees.UNITS_NATIVE,
        compute_unit_price_micro_lamports=fees.PRICE_MIN,
    )


async def test_a_token_intent_creates_the_account_only_where_it_is_missing() -> None:
    """The pinned program and the mint's decimals are part of it."""
    node = funded()
    first = await prepared(node, TOKEN)
    assert (first.create_ata, first.token_program, first.decimals) == (True, TOKEN_PROGRAM, 6)
    node.accounts[TO_TOKENS] = account(TOKEN_PROGRAM, states.token_account(MINT, TO, 0))
    second = await prepared(node, TOKEN)
    assert not second.create_ata
    assert second.compute_unit_limit < first.compute_unit_limit


async def test_lamports_sent_ahead_do_not_block_a_token_account() -> None:
    """Anybody may send dust to the address before the account exists."""
    node = funded()
    node.accounts[TO_TOKENS] = account(SYSTEM_PROGRAM, lamports=890_880)
    assert (await prepared(node, TOKEN)).create_ata


async def test_a_program_owned_wallet_that_exists_may_be_paid() -> None:
    """An address off the curve is a wallet once the system program holds its account."""
    node = funded()
    node.accounts[DERIVED] = account(SYSTEM_PROGRAM)
    assert (await prepared(node, replace(SOL, destination=DERIVED))).to == DERIVED


async def test_the_price_is_what_three_of_four_recent_blocks_took() -> None:
    """The 75th percentile of what was paid for the accounts that the payment writes."""
    node = funded()
    node.fees = [0, 9_000, 7_000, 8_000]
    assert (await prepared(node, SOL)).compute_unit_price_micro_lamports == 8_000
    [written] = [params[0] for name, params in node.asked if name.startswith("getRecent")]
    assert set(written) == {HOT, TO}


@pytest.mark.parametrize(
    ("recent", "price"),
    [
        ([], fees.PRICE_MIN),
        ([0], fees.PRICE_MIN),
        ([10**12], fees.PRICE_MAX),
        ([2_000] * 3, 2_000),
    ],
)
def test_the_price_stays_within_bounds(recent: list[int], price: int) -> None:
    """Neither nothing nor whatever a node claims."""
    assert fees.unit_price(recent) == price


def test_a_fraction_of_a_lamport_is_charged_whole() -> None:
    """5000 for the signature, and the priority fee rounded up."""
    assert fees.lamports(1, 1) == 5_001
    assert fees.lamports(150_000, 1_000_000) == 155_000


Change = Callable[[Node], Any]


def dust(node: Node) -> None:
    """Leave everything as it is."""
    del node


REFUSED_SOL: dict[str, tuple[Change, dict[str, Any], str]] = {
    "dust to an unused address": (dust, {"units": 890_879}, "890880"),
    "more than is there": (dust, {"units": 10**9}, "holds 1000000000 lamports"),
    "all but the rent of the wallet": (dust, {"units": 10**9 - 5_005 - 890_879}, "stay"),
    "fee above the ceiling": (dust, {"fee_ceiling_units": 5_004}, "5005.*5004"),
    "no address": (dust, {"destination": "bc1qar0srrr7xfkvy5l643"}, "not an address"),
    "derived and unused": (dust, {"destination": DERIVED}, "no key and no account"),
    "a program": (
        lambda node: node.accounts.update({TO: account(BPF_LOADER, executable=True)}),
        {},
        "program",
    ),
    "a mint": (dust, {"destination": MINT}, TOKEN_PROGRAM),
    "a token account": (dust, {"destination": HOT_TOKENS}, TOKEN_PROGRAM),
    "no nonce account": (lambda node: node.accounts.pop(LANE), {}, "nonce account"),
    "a nonce account never initialised": (
        lambda node: node.accounts.update(
            {LANE: account(SYSTEM_PROGRAM, states.nonce_account(HOT, NONCE_VALUE, state=0))}
        ),
        {},
        "does not exist",
    ),
    "a nonce account of the old layout": (
        lambda node: node.accounts.update(
            {LANE: account(SYSTEM_PROGRAM, states.nonce_account(HOT, NONCE_VALUE, version=0))}
        ),
        {},
        "does not exist",
    ),
    "somebody else's nonce account": (
        lambda node: node.accounts.update(
            {LANE: account(SYSTEM_PROGRAM, states.nonce_account(OTHER, NONCE_VALUE))}
        ),
        {},
        OTHER,
    ),
    "a nonce made by another program": (
        lambda node: node.accounts.update(
            {LANE: account(TOKEN_PROGRAM, states.nonce_account(HOT, NONCE_VALUE))}
        ),
        {},
        "nonce account",
    ),
}


@pytest.mark.parametrize("case", REFUSED_SOL)
async def test_a_sol_payout_that_cannot_land_is_refused(case: str) -> None:
    """The reason names what stands in the way."""
    change, fields, reason = REFUSED_SOL[case]
    node = funded()
    change(node)
    with pytest.raises(Refused, match=reason):
        await prepared(node, replace(SOL, **fields))


async def test_the_last_lamport_that_may_leave_is_paid() -> None:
    """One lamport less than what is refused."""
    highest = 10**9 - fees.lamports(fees.UNITS_NATIVE, fees.PRICE_MIN) - rent(0)
    assert (await prepared(funded(), replace(SOL, units=highest))).units == str(highest)
    assert (await prepared(funded(), replace(SOL, units=890_880))).units == "890880"


def holding(holder: str, owner: str, units: int, state: int = states.INITIALIZED) -> Change:
    """Return the change that puts such a token account in place."""
    made = account(TOKEN_PROGRAM, states.token_account(MINT, owner, units, state))
    return lambda node: node.accounts.update({holder: made})


REFUSED_TOKEN: dict[str, tuple[Change, dict[str, Any], str]] = {
    "unlisted": (dust, {"asset": POOL}, "not listed"),
    "no mint": (lambda node: node.accounts.pop(MINT), {}, "does not exist"),
    "a mint of another program": (
        lambda node: node.accounts.update({MINT: account(TOKEN_2022_PROGRAM, states.mint(6))}),
        {},
        "pinned",
    ),
    "other decimals": (
        lambda node: node.accounts.update({MINT: account(TOKEN_PROGRAM, states.mint(9))}),
        {},
        "decimals 9, not 6",
    ),
    "no tokens at all": (lambda node: node.accounts.pop(HOT_TOKENS), {}, "no token account"),
    "more tokens than there are": (dust, {"units": 1_001}, "holds 1000"),
    "own account made over": (holding(HOT_TOKENS, OTHER, 10**6), {}, "no token account"),
    "own account frozen": (holding(HOT_TOKENS, HOT, 10**6, states.FROZEN), {}, "frozen"),
    "destination account made over": (holding(TO_TOKENS, OTHER, 0), {}, "made over"),
    "destination account frozen": (holding(TO_TOKENS, TO, 0, states.FROZEN), {}, "frozen"),
    "destination is a token account": (dust, {"destination": HOT_TOKENS}, TOKEN_PROGRAM),
    "account rent above the ceiling": (dust, {"fee_ceiling_units": 2_039_280}, "ceiling"),
    "no lamports for fee and rent": (
        lambda node: node.accounts.update({HOT: account(SYSTEM_PROGRAM, lamports=2_900_000)}),
        {},
        "holds 2900000 lamports",
    ),
}


@pytest.mark.parametrize("case", REFUSED_TOKEN)
async def test_a_token_payout_that_cannot_land_is_refused(case: str) -> None:
    """The reason names what stands in the way."""
    change, fields, reason = REFUSED_TOKEN[case]
    node = funded()
    change(node)
    with pytest.raises(Refused, match=reason):
        await prepared(node, replace(TOKEN, **fields))


async def test_a_payout_without_a_slot_is_a_fault_of_the_caller() -> None:
    """A nonce account is not optional."""
    with pytest.raises(ValueError, match="nonce_account"):
        await prepared(funded(), SOL, Slot())


async def test_there_is_no_account_nonce() -> None:
    """Solana counts no transactions."""
    async with writing(Node()) as writer:
        assert await writer.next_nonce(HOT) == 0


async def test_a_missing_lane_is_set_up_and_a_standing_one_is_not() -> None:
    """The parameters are those of the keystore's request."""
    node = funded()
    async with writing(node) as writer:
        assert await writer.nonce_setup(HOT, 0) is None
        assert await writer.nonce_account_state(LANE) == NONCE_VALUE
        other = nonce_account_address(HOT, 1)
        assert await writer.nonce_account_state(other) is None
        params = await writer.nonce_setup(HOT, 1)
    request = msgspec.convert(params, SignNonceSetupRequest)
    assert (request.network, request.lane, request.lamports) == ("solana", 1, 1_447_680)


async def test_a_lane_that_somebody_occupied_is_refused() -> None:
    """Lamports sent ahead would make the creation fail; another lane is taken instead."""
    node = funded()
    node.accounts[nonce_account_address(HOT, 1)] = account(SYSTEM_PROGRAM, lamports=1)
    async with writing(node) as writer:
        with pytest.raises(Refused, match="lane 1"):
            await writer.nonce_setup(HOT, 1)


async def test_broadcast_leaves_simulation_and_retries_to_us() -> None:
    """The bytes go out as they are."""
    node = Node()
    async with writing(node) as writer:
        await writer.broadcast(b"raw")
    config = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
    assert node.asked == [("sendTransaction", [b64encode(b"raw").decode(), config])]


async def test_a_declined_broadcast_keeps_the_nodes_words() -> None:
    """It is told apart from a node that did not answer."""
    async with writing(Node(faults={"sendTransaction": -32002})) as writer:
        with pytest.raises(BroadcastRejected, match="-32002"):
            await writer.broadcast(b"raw")
    nobody = JsonRpc(Endpoints(["http://127.0.0.1:1"]))
    async with aclosing(SolanaWriter(nobody, "solana", TOKENS)) as writer:
        with pytest.raises(NodeUnavailable):
            await writer.broadcast(b"raw")
