"""A payment is played through before it is signed: what fails there is refused with the reason."""

from typing import Any

import msgspec
import pytest
from solders.transaction import VersionedTransaction

from keystore.api import SolanaIntent
from keystore.networks.solana import draft
from tests.networks.solana import states
from tests.networks.solana.documents import MINT
from tests.networks.solana.node import account
from tests.networks.solana.test_solana_writer import (
    HOT,
    SLOT,
    SOL,
    TO,
    TO_TOKENS,
    TOKEN,
    funded,
    prepared,
    writing,
)
from watchers.network import Incomplete, NodeUnavailable, PayoutOrder, Refused
from watchers.networks.solana.accounts import TOKEN_PROGRAM
from watchers.networks.solana.rehearsal import message_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("order", [SOL, TOKEN], ids=["coins", "tokens"])
@pytest.mark.parametrize("stands", [False, True], ids=["new account", "old account"])
async def test_what_is_played_is_what_the_keystore_would_sign(
    order: PayoutOrder, *, stands: bool
) -> None:
    """Byte for byte, but for the signature: another message would prove nothing."""
    node = funded()
    if stands:
        node.accounts[TO_TOKENS] = account(TOKEN_PROGRAM, states.token_account(MINT, TO, 0))
    intent = await prepared(node, order)
    played = VersionedTransaction.from_bytes(message_of(intent, HOT))
    assert bytes(played.message) == bytes(draft(intent, HOT).message)
    assert node.times_asked("simulateTransaction") == 1
    [config] = [params[1] for name, params in node.asked if name == "simulateTransaction"]
    assert config["sigVerify"] is False


@pytest.mark.parametrize(
    ("err", "trouble"),
    [
        ({"InstructionError": [3, {"Custom": 1}]}, Refused),
        ("InsufficientFundsForRent", Refused),
        ({"InstructionError": [0, {"Custom": 6}]}, Incomplete),
        ("BlockhashNotFound", Incomplete),
    ],
)
async def test_a_payment_that_fails_there_is_not_prepared(
    err: Any, trouble: type[Exception]
) -> None:
    """The payment's own failure is a reason; a nonce that waits for the next slot is not."""
    node = funded()
    node.played = err
    async with writing(node) as writer:
        with pytest.raises(trouble, match="simulation"):
            await writer.prepare(TOKEN, SLOT)


async def test_a_node_that_cannot_play_it_is_trouble_and_no_refusal() -> None:
    """Nothing is known then."""
    node = funded()
    node.faults["simulateTransaction"] = -32601
    async with writing(node) as writer:
        with pytest.raises(NodeUnavailable):
            await writer.prepare(SOL, SLOT)


async def test_an_account_that_wants_memos_is_not_paid() -> None:
    """Payouts carry none; one that no longer wants them is paid."""
    node = funded()
    held = states.wanting_memos(MINT, TO, 0)
    node.accounts[TO_TOKENS] = account(TOKEN_PROGRAM, held)
    async with writing(node) as writer:
        with pytest.raises(Refused, match="memo"):
            await writer.prepare(TOKEN, SLOT)
        free = states.wanting_memos(MINT, TO, 0, wanted=False)
        node.accounts[TO_TOKENS] = account(TOKEN_PROGRAM, free)
        intent = msgspec.convert(dict(await writer.prepare(TOKEN, SLOT)), SolanaIntent)
    assert not intent.create_ata
