"""Whose transaction spent a durable nonce's value: signed by its authority, on it or past it."""

from base64 import b64encode
from contextlib import aclosing
from typing import Any

import pytest
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import (
    AdvanceNonceAccountParams,
    TransferParams,
    WithdrawNonceAccountParams,
    advance_nonce_account,
    transfer,
    withdraw_nonce_account,
)
from solders.transaction import VersionedTransaction

from tests.fakes.node import serving, table
from watchers.network import Incomplete, NodeUnavailable, Place, Placed
from watchers.networks.solana.accounts import SYSTEM_PROGRAM, nonce_account_address
from watchers.networks.solana.taken import placed
from watchers.rpc import Endpoints

pytestmark = pytest.mark.anyio
HOT, STRANGER = Keypair.from_seed(bytes([7] * 32)), Keypair.from_seed(bytes([8] * 32))
LANE = Pubkey.from_string(nonce_account_address(str(HOT.pubkey()), 0))
OTHER_LANE = Pubkey.from_string(nonce_account_address(str(HOT.pubkey()), 1))
VALUE, OTHER_VALUE = Hash(bytes([1] * 32)), Hash(bytes([2] * 32))
PLACE = Place(str(HOT.pubkey()), None, str(LANE), str(VALUE))
SLOT, SEEN_AT = 500, 540
PAY = transfer(
    TransferParams(from_pubkey=HOT.pubkey(), to_pubkey=STRANGER.pubkey(), lamports=1)
)


def advance(lane: Pubkey = LANE) -> Instruction:
    """Return the instruction that moves a lane's value."""
    return advance_nonce_account(
        AdvanceNonceAccountParams(nonce_pubkey=lane, authorized_pubkey=HOT.pubkey())
    )


def withdraw() -> Instruction:
    """Return the instruction that empties the lane's account."""
    return withdraw_nonce_account(
        WithdrawNonceAccountParams(
            nonce_pubkey=LANE, authorized_pubkey=HOT.pubkey(), to_pubkey=STRANGER.pubkey(),
            lamports=1_447_680,
        )
    )  # fmt: skip


def signed(
    *steps: Instruction, blockhash: Hash = VALUE, payer: Keypair = HOT, version: int | None = 0
) -> tuple[str, bytes]:
    """Return signature and bytes of a transaction that the hot key and its payer sign."""
    message: Message | MessageV0 = Message.new_with_blockhash(
        list(steps), payer.pubkey(), blockhash
    )
    if version == 0:
        message = MessageV0.try_compile(payer.pubkey(), list(steps), [], blockhash)
    keys = {str(each.pubkey()): each for each in (HOT, STRANGER)}
    wanted = message.account_keys[: message.header.num_required_signatures]
    made = VersionedTransaction(message, [keys[str(each)] for each in wanted])
    return str(made.signatures[0]), bytes(made)


def lane_account(value: Hash = OTHER_VALUE) -> dict[str, Any]:
    """Return the lane's account as it stands at finality."""
    data = (1).to_bytes(4, "little") * 2 + bytes(HOT.pubkey()) + bytes(value)
    content = b64encode(data + (5_000).to_bytes(8, "little")).decode()
    return {"lamports": 1_447_680, "owner": SYSTEM_PROGRAM, "data": [content, "base64"]}


async def ask(
    tx_hash: str,
    told: bytes,
    *,
    err: Any = None,
    account: dict[str, Any] | None = None,
    raw: bytes | None = None,
) -> Placed | None:
    """Ask a node that shows the transaction so, and the lane's account so."""
    answers = {
        "getTransaction": {
            "slot": SLOT,
            "transaction": [b64encode(told).decode(), "base64"],
            "meta": {"err": err},
        },
        "getBlock": {"blockhash": "Blockhash"},
        "getAccountInfo": {"context": {"slot": SEEN_AT}, "value": account},
    }
    async with serving(table(**answers)) as one, aclosing(Endpoints([one.url])) as endpoints:
        return await placed(endpoints, tx_hash, PLACE, raw)


@pytest.mark.parametrize("version", [0, None])
@pytest.mark.parametrize("payer", [HOT, STRANGER])
async def test_a_transaction_on_the_value_proves_by_its_bytes_that_it_is_spent(
    version: int | None, payer: Keypair
) -> None:
    """Whoever paid for it; no node is asked what the account holds."""
    tx_hash, raw = signed(advance(), PAY, version=version, payer=payer)
    found = await ask(tx_hash, raw, account=lane_account(VALUE))
    assert found == Placed(str(HOT.pubkey()), None, SLOT, "Blockhash", str(LANE), str(VALUE))
    assert (found.place, found.gone_at) == (PLACE, 0)


@pytest.mark.parametrize(
    "steps", [(advance(),), (PAY, advance()), (withdraw(),)], ids=["alone", "later", "emptied"]
)
async def test_one_beside_the_value_counts_once_the_account_holds_another(
    steps: tuple[Instruction, ...],
) -> None:
    """As `solana new-nonce` makes it: the height at which that was seen has to be ours too."""
    tx_hash, raw = signed(*steps, blockhash=OTHER_VALUE)
    for account in (lane_account(), None):
        found = await ask(tx_hash, raw, account=account)
        assert found is not None
        assert (found.place, found.gone_at) == (PLACE, SEEN_AT)
    with pytest.raises(Incomplete, match="still holds the value"):
        await ask(tx_hash, raw, account=lane_account(VALUE))
    with pytest.raises(ValueError, match="failed, and was not on this value"):
        await ask(tx_hash, raw, err={"InstructionError": [0, "Custom"]})


async def test_a_failed_one_on_the_value_counts_once_the_account_holds_another() -> None:
    """Not every chain moves the value then."""
    tx_hash, raw = signed(advance(), PAY)
    with pytest.raises(Incomplete, match="still holds the value"):
        await ask(tx_hash, raw, err="Failed", account=lane_account(VALUE))
    found = await ask(tx_hash, raw, err="Failed", account=lane_account())
    assert found is not None
    assert found.gone_at == SEEN_AT


async def test_nothing_else_takes_the_place_of_an_order() -> None:
    """Another lane, another's key, no lane at all, bytes that are not of that signature."""
    for steps, payer, why in (
        ((advance(OTHER_LANE), PAY), HOT, "leaves .* alone"),
        ((PAY,), HOT, "leaves .* alone"),
        ((transfer(TransferParams(
            from_pubkey=STRANGER.pubkey(), to_pubkey=LANE, lamports=1)),), STRANGER, "did not sign"),
    ):  # fmt: skip
        tx_hash, raw = signed(*steps, payer=payer)
        with pytest.raises(ValueError, match=why):
            await ask(tx_hash, raw, account=lane_account())
    tx_hash, raw = signed(advance(), PAY)
    other, others = signed(advance(), PAY, PAY)
    forged = raw[:-3] + bytes([raw[-3] ^ 1]) + raw[-2:]
    for lie in (others, forged, b"", raw + b"\0"):
        with pytest.raises(NodeUnavailable, match="--raw"):
            await ask(tx_hash, lie, account=lane_account())
        with pytest.raises(ValueError, match="raw:"):
            await ask(tx_hash, raw, raw=lie, account=lane_account())
    named, bare = signed(advance(), PAY, payer=STRANGER)
    unsigned = bare[:65] + bytes(64) + bare[129:]
    with pytest.raises(NodeUnavailable, match="a signature is not valid"):
        await ask(named, unsigned, account=lane_account())
    assert await ask(other, b"", raw=others, account=lane_account()) is not None
    silent = table(getTransaction=None)
    async with serving(silent) as one, aclosing(Endpoints([one.url])) as endpoints:
        assert await placed(endpoints, tx_hash, PLACE) is None
