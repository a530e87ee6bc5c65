"""What Solana says of destinations before money is held, and what a payment would cost."""

from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from tests.networks.solana import states
from tests.networks.solana.documents import MINT, OTHER
from tests.networks.solana.node import Node, account, rent, serving
from watchers.destination import Finding, Prospect
from watchers.network import NATIVE, NodeUnavailable
from watchers.networks.solana.accounts import (
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    associated_token_account,
)
from watchers.networks.solana.destination import SolanaDestinations
from watchers.networks.solana.quote import SolanaQuoter
from watchers.rpc import Endpoints, JsonRpc

pytestmark = pytest.mark.anyio
HOT = str(Keypair.from_seed(bytes([1] * 32)).pubkey())
TO = str(Keypair.from_seed(bytes([2] * 32)).pubkey())
ELSE = str(Keypair.from_seed(bytes([3] * 32)).pubkey())
DERIVED = str(Pubkey.find_program_address([b"vault"], Pubkey.from_string(TOKEN_PROGRAM))[0])
HOT_TOKENS = associated_token_account(HOT, MINT, TOKEN_PROGRAM)
TO_TOKENS = associated_token_account(TO, MINT, TOKEN_PROGRAM)
LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"
WALLET = account(SYSTEM_PROGRAM, lamports=890_880)
RENT_MINIMUM = 890_880
ATA_RENT = 2_039_280


def state(**accounts: Any) -> Node:
    """Return a cluster with our mint and our account of it, and these accounts."""
    ours = {
        MINT: account(TOKEN_PROGRAM, states.mint(6)),
        HOT_TOKENS: account(TOKEN_PROGRAM, states.token_account(MINT, HOT, 1_000)),
    }
    return Node(accounts=ours | accounts, fees=[0, 2_000, 5_000, 9_000])


async def found(node: Node, asset: str, units: int = 5_000_000, to: str = TO) -> Finding:
    """Ask about a destination."""
    async with serving(node) as url:
        endpoints = Endpoints([url])
        try:
            inspector = SolanaDestinations(JsonRpc(endpoints))
            return await inspector.inspect(Prospect(asset, 6, to, units, HOT))
        finally:
            await endpoints.aclose()


NO_WALLETS: list[tuple[dict[str, Any], str]] = [
    (account(LOADER, bytes(36), executable=True), "cannot_receive"),
    (account(ELSE, bytes(8)), "cannot_receive"),
    (account(TOKEN_PROGRAM, states.mint(6)), "token_contract"),
    (account(TOKEN_PROGRAM, states.token_account(MINT, ELSE, 5)), "token_account"),
    (account(TOKEN_PROGRAM, states.token_account(OTHER, ELSE, 5)), "token_account"),
]


@pytest.mark.parametrize("asset", [NATIVE, MINT])
async def test_only_a_wallet_receives(asset: str) -> None:
    """Programs, what belongs to one, mints and token accounts are named and refused."""
    for standing, code in NO_WALLETS:
        finding = await found(state(**{TO: standing}), asset)
        assert (finding.kind, finding.refusal, finding.field) == (
            "contract",
            code,
            "destination",
        )
    told = await found(state(**{TO: NO_WALLETS[3][0]}), asset)
    assert ELSE in told.detail, "the owner is who should be named instead"
    assert (await found(state(), asset, to=DERIVED)).refusal == "no_key"
    assert (await found(state(**{DERIVED: WALLET}), asset, to=DERIVED)).refusal is None


async def test_coins_must_reach_the_rent_minimum() -> None:
    """890 880 lamports, together with what is there; the amount is what would have to change."""
    for standing, units, refused in (
        (None, RENT_MINIMUM, False),
        (None, RENT_MINIMUM - 1, True),
        (account(SYSTEM_PROGRAM, lamports=RENT_MINIMUM), 1, False),
    ):
        node = state() if standing is None else state(**{TO: standing})
        finding = await found(node, NATIVE, units)
        assert (finding.refusal == "below_rent_minimum") is refused
        assert finding.kind == ("new" if standing is None else "wallet")
        assert finding.field == ("amount" if refused else "destination")


async def test_a_token_account_is_made_where_there_is_none() -> None:
    """Its rent is in the answer; one that is frozen or in other hands is refused."""
    created = await found(state(), MINT)
    assert created == Finding("new", creates="token_account", create_units=ATA_RENT)
    held = states.token_account(MINT, TO, 3)
    frozen = states.token_account(MINT, TO, 3, states.FROZEN)
    strange = states.token_account(MINT, ELSE, 3)
    for content, refusal in (
        (held, None),
        (frozen, "token_account_frozen"),
        (strange, "token_account_not_owned"),
        (states.wanting_memos(MINT, TO, 3), "memo_required"),
        (states.wanting_memos(MINT, TO, 3, wanted=False), None),
    ):
        node = state(**{TO: WALLET, TO_TOKENS: account(TOKEN_PROGRAM, content)})
        finding = await found(node, MINT)
        assert (finding.refusal, finding.creates) == (refusal, None)


async def test_a_node_in_trouble_says_nothing() -> None:
    """Its error is no verdict."""
    node = state()
    node.faults["getMultipleAccounts"] = -32603
    with pytest.raises(NodeUnavailable):
        await found(node, NATIVE)


async def test_a_quote_is_signature_priority_and_perhaps_rent() -> None:
    """5000 lamports, the third quarter of recent prices, and 2 039 280 for a new token account."""
    async with serving(state()) as url:
        endpoints = Endpoints([url])
        quoter = SolanaQuoter(JsonRpc(endpoints))
        coins, tokens = await quoter.quote(NATIVE, HOT), await quoter.quote(MINT, HOT)
        await endpoints.aclose()
    assert (coins.typical_units, coins.ceiling_units) == (5_025, 5_025)
    assert (tokens.typical_units, tokens.ceiling_units) == (5_300, 5_750 + ATA_RENT)
    assert tokens.parts["token_account_rent"] == str(rent(165)) == str(ATA_RENT)
    assert tokens.parts["micro_lamports_per_unit"] == "5000"
