"""Signed bytes against their intent: whatever does more, less or something else is named."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import (
    AdvanceNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    transfer,
)
from solders.transaction import VersionedTransaction

from keystore.api import SolanaIntent
from keystore.networks.solana import draft
from tests.networks.solana.documents import MINT, OTHER, POOL, block_hash
from watchers.network import NATIVE
from watchers.networks.solana.accounts import (
    TOKEN_PROGRAM,
    associated_token_account,
    nonce_account_address,
)
from watchers.networks.solana.payment import check

SEED, STRANGER_SEED = bytes([1] * 32), bytes([3] * 32)
HOT, STRANGER = Keypair.from_seed(SEED), Keypair.from_seed(STRANGER_SEED)
HOT_ADDRESS = str(HOT.pubkey())
LANE = nonce_account_address(HOT_ADDRESS, 0)

SOL = SolanaIntent(
    withdrawal_id="wdr_1",
    network="solana",
    asset=NATIVE,
    to=POOL,
    units="5000000",
    decimals=0,
    token_program="",
    create_ata=False,
    nonce_account=LANE,
    nonce_value=block_hash(77),
    compute_unit_limit=5_000,
    compute_unit_price_micro_lamports=1_000,
)
TOKEN = msgspec.structs.replace(
    SOL, asset=MINT, units="250", decimals=6, token_program=TOKEN_PROGRAM, create_ata=True
)


def advance(account: str = LANE, authority: Keypair = HOT) -> Instruction:
    """Return the instruction that spends the nonce."""
    return advance_nonce_account(
        AdvanceNonceAccountParams(
            nonce_pubkey=Pubkey.from_string(account), authorized_pubkey=authority.pubkey()
        )
    )


def pay(units: int = 5_000_000, to: str = POOL, source: Keypair = HOT) -> Instruction:
    """Return a transfer of lamports."""
    return transfer(
        TransferParams(
            from_pubkey=source.pubkey(), to_pubkey=Pubkey.from_string(to), lamports=units
        )
    )


LIMIT, PRICE = set_compute_unit_limit(5_000), set_compute_unit_price(1_000)
ORDERLY = [advance(), LIMIT, PRICE, pay()]


def signed(
    instructions: Sequence[Instruction],
    *signers: Keypair,
    value: str = SOL.nonce_value,
    tables: Sequence[AddressLookupTableAccount] | None = None,
) -> bytes:
    """Sign; with `tables`, even none, as a v0 transaction."""
    signers = signers or (HOT,)
    recent, payer = Hash.from_string(value), signers[0].pubkey()
    message: Message | MessageV0
    if tables is None:
        message = Message.new_with_blockhash(list(instructions), payer, recent)
    else:
        message = MessageV0.try_compile(payer, list(instructions), list(tables), recent)
    return bytes(VersionedTransaction(message, list(signers)))


@pytest.mark.parametrize(
    "intent", [SOL, TOKEN, msgspec.structs.replace(TOKEN, create_ata=False)]
)
def test_what_the_keystore_signs_passes(intent: SolanaIntent) -> None:
    """Its own bytes, with the hash that it names."""
    made = draft(intent, HOT_ADDRESS).sign(SEED)
    assert check(intent, made.raw) == made.tx_hash


def test_a_v0_transaction_without_tables_passes() -> None:
    """Legacy and v0 say the same."""
    assert check(SOL, signed(ORDERLY)) != check(SOL, signed(ORDERLY, tables=[]))


def tampered(raw: bytes) -> bytes:
    """Change the last byte, which belongs to the amount."""
    return raw[:-1] + bytes([raw[-1] ^ 1])


TABLE = AddressLookupTableAccount(Pubkey.from_string(OTHER), [Pubkey.from_string(POOL)])
APPROVE = Instruction(
    Pubkey.from_string(TOKEN_PROGRAM),
    bytes([4]) + (2**63).to_bytes(8, "little"),
    [
        AccountMeta(Pubkey.from_string(OTHER), is_signer=False, is_writable=True),
        AccountMeta(STRANGER.pubkey(), is_signer=False, is_writable=False),
        AccountMeta(HOT.pubkey(), is_signer=True, is_writable=False),
    ],
)
FOREIGN_LANE = nonce_account_address(str(STRANGER.pubkey()), 0)

BAD_SOL: dict[str, tuple[bytes, str]] = {
    "nonce not first": (signed([LIMIT, advance(), PRICE, pay()]), "nonce_account"),
    "no nonce": (signed([LIMIT, PRICE, pay()]), "nonce_account"),
    "another lane": (
        signed([advance(nonce_account_address(HOT_ADDRESS, 1)), LIMIT, PRICE, pay()]),
        "nonce_account",
    ),
    "another value": (signed(ORDERLY, value=block_hash(78)), "nonce_value"),
    "more units": (signed([advance(), LIMIT, PRICE, pay(5_000_001)]), "units"),
    "another recipient": (signed([advance(), LIMIT, PRICE, pay(to=OTHER)]), "to"),
    "paid twice": (signed([*ORDERLY, pay()]), "raw: transfer appears twice"),
    "nothing paid": (signed([advance(), LIMIT, PRICE]), "raw: not exactly one transfer"),
    "an approval beside it": (signed([*ORDERLY, APPROVE]), "raw: unexpected instruction"),
    "no limit": (signed([advance(), PRICE, pay()]), "compute_unit_limit"),
    "no price": (signed([advance(), LIMIT, pay()]), "compute_unit_price"),
    "a dearer price": (
        signed([advance(), LIMIT, set_compute_unit_price(10**9), pay()]),
        "compute_unit_price_micro_lamports",
    ),
    "two signers": (
        signed([advance(), LIMIT, PRICE, pay(source=STRANGER)], HOT, STRANGER),
        "raw: not exactly one signer",
    ),
    "a stranger's signature": (tampered(signed(ORDERLY)), "raw: the signature is not valid"),
    "a stranger's wallet": (
        signed([advance(authority=STRANGER), LIMIT, PRICE, pay(source=STRANGER)], STRANGER),
        "nonce_account.*no lane",
    ),
    "a lookup table": (signed(ORDERLY, tables=[TABLE]), "raw: accounts from a lookup table"),
    "a token payment": (draft(TOKEN, HOT_ADDRESS).sign(SEED).raw, "asset"),
    "bytes behind": (signed(ORDERLY) + b"\x00", "raw"),
    "no bytes": (b"", "raw"),
}


@pytest.mark.parametrize("case", BAD_SOL)
def test_other_bytes_are_refused_by_name(case: str) -> None:
    """The first field that differs, or `raw` for what no intent can mean."""
    raw, field = BAD_SOL[case]
    with pytest.raises(ValueError, match=f"^{field}"):
        check(SOL, raw)


def token_steps() -> list[Instruction]:
    """Return CreateIdempotent and TransferChecked as an orderly token payment has them."""
    raw = draft(TOKEN, HOT_ADDRESS).sign(SEED).raw
    message = VersionedTransaction.from_bytes(raw).message
    keys = message.account_keys
    return [
        Instruction(
            keys[step.program_id_index],
            bytes(step.data),
            [AccountMeta(keys[n], is_signer=n == 0, is_writable=False) for n in step.accounts],
        )
        for step in message.instructions[3:]
    ]


def with_account(step: Instruction, place: int, address: str) -> Instruction:
    """Return the instruction with another account in one place."""
    metas = list(step.accounts)
    old = metas[place]
    metas[place] = AccountMeta(Pubkey.from_string(address), old.is_signer, old.is_writable)
    return Instruction(step.program_id, bytes(step.data), metas)


CREATE, CHECKED = token_steps()
ALL = [advance(), LIMIT, PRICE]
OTHERS_TOKENS = associated_token_account(OTHER, MINT, TOKEN_PROGRAM)
BAD_TOKEN: dict[str, tuple[list[Instruction], str]] = {
    "from another account": ([*ALL, CREATE, with_account(CHECKED, 0, OTHERS_TOKENS)], "source"),
    "of another mint": ([*ALL, CREATE, with_account(CHECKED, 1, OTHER)], "asset"),
    "to another account": ([*ALL, CREATE, with_account(CHECKED, 2, OTHERS_TOKENS)], "to"),
    "an account for somebody else": (
        [*ALL, with_account(CREATE, 2, OTHER), CHECKED],
        "create_ata",
    ),
    "no account": ([*ALL, CHECKED], "create_ata"),
    "lamports beside it": ([*ALL, CREATE, CHECKED, pay()], "raw: not exactly one transfer"),
}


@pytest.mark.parametrize("case", BAD_TOKEN)
def test_other_token_payments_are_refused_by_name(case: str) -> None:
    """Source, mint, destination and the created account are each compared."""
    steps, field = BAD_TOKEN[case]
    with pytest.raises(ValueError, match=f"^{field}"):
        check(TOKEN, signed(steps))


def test_orderly_token_steps_pass() -> None:
    """The cases above differ from this one in one place each."""
    assert check(TOKEN, signed([*ALL, CREATE, CHECKED]))


LIES: dict[str, Any] = {
    "asset": NATIVE,
    "to": OTHER,
    "units": "251",
    "decimals": 9,
    "token_program": "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
    "create_ata": False,
    "nonce_account": FOREIGN_LANE,
    "nonce_value": block_hash(78),
    "compute_unit_limit": 5_001,
    "compute_unit_price_micro_lamports": 1_001,
}


@pytest.mark.parametrize("field", LIES)
def test_every_field_of_the_intent_is_compared(field: str) -> None:
    """The other way round: bytes as signed, an intent that says something else."""
    raw = draft(TOKEN, HOT_ADDRESS).sign(SEED).raw
    with pytest.raises(ValueError, match=f"^{field}"):
        check(msgspec.structs.replace(TOKEN, **{field: LIES[field]}), raw)
