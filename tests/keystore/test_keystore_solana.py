"""Solana bytes are read back by solders: the nonce is advanced first, then one payment."""

from typing import Any

import pytest
from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import (
    ID as SYSTEM_PROGRAM,
)
from solders.system_program import (
    TransferParams,
    decode_advance_nonce_account,
    decode_create_account_with_seed,
    decode_initialize_nonce_account,
    decode_transfer,
    transfer,
)
from solders.transaction import Transaction
from spl.token.instructions import (
    close_account,
    create_idempotent_associated_token_account,
    get_associated_token_address,
    transfer_checked,
)
from spl.token.models import CloseAccountParams, TransferCheckedParams

from keystore import api
from keystore.networks import solana, solana_advance, solana_sweep
from keystore.networks.scheme import SignedBytes
from keystore.refusal import Refused
from tests.keystore.house import solana_intent

KEY = bytes.fromhex("48" * 32)
HOT = Keypair.from_seed(KEY).pubkey()
SENDER = str(HOT)
LANE = solana.lane_account(SENDER, 0)
MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
PAYEE = Pubkey.from_string("7cVfgArCheMR6Cs4t6vz5rfnqd56vZq4ndaBrY5xkxXy")
TOKEN: dict[str, Any] = {
    "asset": MINT,
    "units": "2500000",
    "decimals": 6,
    "token_program": solana.TOKEN_PROGRAMS[0],
    "create_ata": True,
}


def is_writable(message: Message, index: int) -> bool:
    """Read the header's three counts: signers first, read-only ones last in each half."""
    header, count = message.header, len(message.account_keys)
    if index < header.num_required_signatures:
        return index < header.num_required_signatures - header.num_readonly_signed_accounts
    return index < count - header.num_readonly_unsigned_accounts


def read(signed: SignedBytes) -> tuple[Transaction, list[Instruction]]:
    """Verify the signature and return the instructions with their accounts resolved."""
    transaction = Transaction.from_bytes(signed.raw)
    transaction.verify()
    message = transaction.message
    keys = message.account_keys
    instructions = [
        Instruction(
            keys[i.program_id_index],
            bytes(i.data),
            [
                AccountMeta(keys[a], message.is_signer(a), is_writable(message, a))
                for a in i.accounts
            ],
        )
        for i in message.instructions
    ]
    return transaction, instructions


def test_a_native_payment_can_be_read_back() -> None:
    """AdvanceNonce, compute budget, transfer; the nonce value stands as the blockhash."""
    intent = solana_intent(LANE)

    signed = solana.draft(intent, SENDER).sign(KEY)

    transaction, (advance, limit, price, pay) = read(signed)
    assert transaction.uses_durable_nonce() is not None
    assert transaction.message.recent_blockhash == Hash.from_string(intent.nonce_value)
    assert str(transaction.signatures[0]) == signed.tx_hash
    nonce = decode_advance_nonce_account(advance)
    assert (str(nonce["nonce_pubkey"]), nonce["authorized_pubkey"]) == (LANE, HOT)
    assert limit.program_id == price.program_id == COMPUTE_BUDGET
    assert limit.data == b"\x02" + (20_000).to_bytes(4, "little")
    assert price.data == b"\x03" + (1_000).to_bytes(8, "little")
    paid = decode_transfer(pay)
    assert (paid["from_pubkey"], paid["to_pubkey"], paid["lamports"]) == (HOT, PAYEE, 5_000_000)


@pytest.mark.parametrize("program", solana.TOKEN_PROGRAMS)
def test_a_token_payment_creates_the_account_and_transfers_checked(program: str) -> None:
    """The two instructions are those of the SPL library, for both token programs."""
    intent = solana_intent(LANE, **{**TOKEN, "token_program": program})

    signed = solana.draft(intent, SENDER).sign(KEY)

    transaction, (advance, limit, price, _, _) = read(signed)
    mint, program_id = Pubkey.from_string(MINT), Pubkey.from_string(program)
    create = create_idempotent_associated_token_account(HOT, PAYEE, mint, program_id)
    pay = transfer_checked(
        TransferCheckedParams(
            program_id=program_id,
            source=get_associated_token_address(HOT, mint, program_id),
            mint=mint,
            dest=get_associated_token_address(PAYEE, mint, program_id),
            owner=HOT,
            amount=2_500_000,
            decimals=6,
        )
    )
    assert transaction.message == Message.new_with_blockhash(
        [advance, limit, price, create, pay], HOT, Hash.from_string(intent.nonce_value)
    )


def test_an_existing_token_account_is_not_created_again() -> None:
    """Without `create_ata` there is no fifth instruction."""
    signed = solana.draft(solana_intent(LANE, **{**TOKEN, "create_ata": False}), SENDER).sign(
        KEY
    )

    _, instructions = read(signed)
    assert len(instructions) == 4
    assert str(instructions[3].program_id) == solana.TOKEN_PROGRAMS[0]


def test_a_cancel_advances_the_nonce_and_does_nothing_else() -> None:
    """AdvanceNonce of the lane by the hot wallet, limit and price: no instruction moves money."""
    intent = api.SolanaAdvanceIntent(
        withdrawal_id="wdr_1",
        network="solana",
        nonce_account=LANE,
        nonce_value="EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N",
        compute_unit_limit=2_000,
        compute_unit_price_micro_lamports=1_500_000,
    )
    made = solana_advance.draft(intent, SENDER)

    transaction, (advance, limit, price) = read(made.sign(KEY))
    assert made.slot == solana.draft(solana_intent(LANE), SENDER).slot
    assert transaction.message.recent_blockhash == Hash.from_string(intent.nonce_value)
    nonce = decode_advance_nonce_account(advance)
    assert (str(nonce["nonce_pubkey"]), nonce["authorized_pubkey"]) == (LANE, HOT)
    assert limit.program_id == price.program_id == COMPUTE_BUDGET
    assert solana_advance.fee_most(intent) == 5_000 + 3_000


SOURCE_KEYS = [bytes([n] * 32) for n in (5, 6)]
SOURCES = [Keypair.from_seed(key).pubkey() for key in SOURCE_KEYS]


def sweep(**changes: Any) -> api.SolanaSweepIntent:
    """Return a native sweep of two addresses with `changes`."""
    fields: dict[str, Any] = {
        "withdrawal_id": "wdr_1",
        "network": "solana",
        "asset": "native",
        "decimals": 0,
        "token_program": "",
        "sources": [
            api.SweepSource(index=place, address=str(source), units=str(7 + place))
            for place, source in enumerate(SOURCES)
        ],
        "close": False,
        "nonce_account": LANE,
        "nonce_value": "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N",
        "compute_unit_limit": 20_000,
        "compute_unit_price_micro_lamports": 1_000,
    }
    return api.SolanaSweepIntent(**{**fields, **changes})


def test_a_native_sweep_empties_each_source_into_the_fee_payer() -> None:
    """One transfer per source, each signed by its own key, on a durable nonce."""
    signed = solana_sweep.draft(sweep(), SENDER).sign(KEY, *SOURCE_KEYS)

    transaction, (advance, limit, price, *moves) = read(signed)
    assert transaction.uses_durable_nonce() is not None
    assert transaction.message.account_keys[0] == HOT
    assert str(transaction.signatures[0]) == signed.tx_hash
    assert transaction.message.header.num_required_signatures == 3
    expected = [
        transfer(TransferParams(from_pubkey=source, to_pubkey=HOT, lamports=7 + place))
        for place, source in enumerate(SOURCES)
    ]
    assert [decode_transfer(move) for move in moves] == [
        decode_transfer(move) for move in expected
    ]
    assert transaction.message == Message.new_with_blockhash(
        [advance, limit, price, *expected], HOT, Hash.from_string(sweep().nonce_value)
    )


@pytest.mark.parametrize("program", solana.TOKEN_PROGRAMS)
@pytest.mark.parametrize("close", [False, True])
def test_a_token_sweep_is_that_of_the_spl_library(program: str, close: bool) -> None:
    """TransferChecked to the hot wallet's own account, then its rent where it is closed."""
    token = {"asset": MINT, "decimals": 6, "token_program": program, "close": close}

    signed = solana_sweep.draft(sweep(**token), SENDER).sign(KEY, *SOURCE_KEYS)

    transaction, (advance, limit, price, *_) = read(signed)
    mint, program_id = Pubkey.from_string(MINT), Pubkey.from_string(program)
    expected = []
    for place, source in enumerate(SOURCES):
        account = get_associated_token_address(source, mint, program_id)
        target = get_associated_token_address(HOT, mint, program_id)
        moved = TransferCheckedParams(
            program_id=program_id,
            source=account,
            mint=mint,
            dest=target,
            owner=source,
            amount=7 + place,
            decimals=6,
        )
        expected.append(transfer_checked(moved))
        if close:
            closed = CloseAccountParams(
                program_id=program_id, account=account, dest=HOT, owner=source
            )
            expected.append(close_account(closed))
    assert transaction.message == Message.new_with_blockhash(
        [advance, limit, price, *expected], HOT, Hash.from_string(sweep().nonce_value)
    )


@pytest.mark.parametrize("program", solana.TOKEN_PROGRAMS)
@pytest.mark.parametrize("close", [False, True])
def test_tokens_beside_the_canonical_account_stay_their_addresss(
    program: str, close: bool
) -> None:
    """That account is opened where it does not stand, and the other's rent goes to the fee payer."""
    owner, beside = SOURCES[0], Pubkey.from_string(MINT[:-1] + "m")
    source = api.SweepSource(index=0, address=str(owner), units="7", account=str(beside))
    token = {"asset": MINT, "decimals": 6, "token_program": program, "close": close}
    intent = sweep(**token, sources=[source])

    signed = solana_sweep.draft(intent, SENDER).sign(KEY, SOURCE_KEYS[0])

    transaction, (advance, limit, price, *_) = read(signed)
    mint, program_id = Pubkey.from_string(MINT), Pubkey.from_string(program)
    target = get_associated_token_address(owner, mint, program_id)
    moved = TransferCheckedParams(
        program_id=program_id, source=beside, mint=mint, dest=target, owner=owner, amount=7,
        decimals=6,
    )  # fmt: skip
    opened = create_idempotent_associated_token_account(HOT, owner, mint, program_id)
    expected = [opened, transfer_checked(moved)]
    if close:
        closed = CloseAccountParams(
            program_id=program_id, account=beside, dest=HOT, owner=owner
        )
        expected.append(close_account(closed))
    assert transaction.message == Message.new_with_blockhash(
        [advance, limit, price, *expected], HOT, Hash.from_string(intent.nonce_value)
    )
    assert solana_sweep.fee_most(intent) == 10_000 + 20 + solana.TOKEN_ACCOUNT_LAMPORTS_MAX
    own = api.SweepSource(index=0, address=str(owner), units="7", account=str(target))
    with pytest.raises(Refused, match=r"^sources\.account"):
        solana_sweep.draft(sweep(**token, sources=[own]), SENDER)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"close": True}, "decimals"),
        ({"decimals": 6}, "decimals"),
        ({"asset": MINT}, "token_program"),
        ({"nonce_account": MINT}, "nonce_account"),
        ({"compute_unit_limit": 1_400_001}, "compute_unit_limit"),
    ],
)
def test_what_no_sweep_could_carry_is_refused(changes: dict[str, Any], field: str) -> None:
    """Named by its field."""
    with pytest.raises(Refused, match=f"^{field}"):
        solana_sweep.draft(sweep(**changes), SENDER)


def test_a_sweep_may_cost_a_signature_per_source() -> None:
    """Three signatures, and the compute budget rounded up to whole lamports."""
    assert solana_sweep.fee_most(sweep(compute_unit_limit=20_001)) == 15_000 + 21


def test_a_lane_is_derived_from_the_hot_wallet() -> None:
    """The setup creates exactly the account that payments will use, owned by the hot wallet."""
    request = api.SignNonceSetupRequest(
        network="solana",
        lane=0,
        blockhash="EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N",
        lamports=1_447_680,
    )

    signed = solana.nonce_setup(request, SENDER).sign(KEY)

    transaction, (create, initialize) = read(signed)
    created = decode_create_account_with_seed(create)
    assert str(created["to_pubkey"]) == LANE
    assert (created["seed"], created["base"], created["space"]) == ("gw-nonce-0", HOT, 80)
    assert (created["lamports"], created["owner"]) == (1_447_680, SYSTEM_PROGRAM)
    assert decode_initialize_nonce_account(initialize)["authority"] == HOT
    assert str(transaction.message.recent_blockhash) == request.blockhash
    lanes = {solana.lane_account(SENDER, lane) for lane in range(solana.LANES)}
    assert len(lanes) == solana.LANES


def test_the_slot_is_the_nonce_value() -> None:
    """Two payments on one value take the same slot; another value is another slot."""
    first = solana.draft(solana_intent(LANE), SENDER).slot
    twin = solana.draft(solana_intent(LANE, withdrawal_id="wdr_2", units="7"), SENDER).slot
    other = solana.draft(solana_intent(LANE, nonce_value=MINT), SENDER).slot

    assert first == twin
    assert first != other


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"to": "7cVfgArCheMR6Cs4t6vz5rfnqd56vZq4ndaBrY5xk"}, "bad_destination", "to"),
        ({"to": "0x" + "ab" * 20}, "bad_destination", "to"),
        ({"to": ""}, "bad_destination", "to"),
        ({"to": "1" * 60_000}, "bad_destination", "to"),
        ({"to": "\uff17cVfgArCheMR6Cs4t6vz5rfnqd56vZq4ndaBrY5xkxXy"}, "bad_destination", "to"),
        ({**TOKEN, "asset": "USDC"}, "bad_asset", "asset"),
        ({**TOKEN, "token_program": MINT}, "bad_field", "token_program"),
        ({**TOKEN, "decimals": 256}, "bad_field", "decimals"),
        ({"decimals": 9}, "bad_field", "decimals"),
        ({"create_ata": True}, "bad_field", "decimals"),
        ({"units": str(2**64)}, "bad_field", "units"),
        ({"nonce_account": MINT}, "bad_field", "nonce_account"),
        ({"nonce_account": "x"}, "bad_field", "nonce_account"),
        ({"nonce_value": "x"}, "bad_field", "nonce_value"),
        ({"nonce_value": "é"}, "bad_field", "nonce_value"),
        ({"compute_unit_limit": 1_400_001}, "bad_field", "compute_unit_limit"),
        ({"compute_unit_price_micro_lamports": -1}, "bad_field", "compute_unit_price"),
    ],
)
def test_what_no_transaction_could_carry_is_refused(
    changes: dict[str, Any], code: str, field: str
) -> None:
    """The code is stable and the sentence begins with the field."""
    with pytest.raises(Refused) as refused:
        solana.draft(solana_intent(LANE, **changes), SENDER)

    assert refused.value.code == code
    assert refused.value.message.startswith(field)


@pytest.mark.parametrize(
    "changes", [{"lane": 16}, {"lane": -1}, {"lamports": 0}, {"lamports": 10_000_001}]
)
def test_a_lane_out_of_bounds_is_refused(changes: dict[str, Any]) -> None:
    """Neither endless lanes nor a lane that locks up the float."""
    fields = {"network": "solana", "lane": 0, "blockhash": MINT, "lamports": 1_447_680}
    with pytest.raises(Refused):
        solana.nonce_setup(api.SignNonceSetupRequest(**{**fields, **changes}), SENDER)
