"""What one Solana block is worth: the attack cases of the chain study, and torn answers.

Numbers name the case in the catalogue of attacks and faults.
"""

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from tests.networks.solana.documents import (
    BLOCK_TIME,
    FEE_ONLY,
    FOREIGN_MINT,
    MINT,
    OTHER,
    PAYER,
    POOL,
    SLOT,
    THIRD,
    TOKENS,
    Held,
    Tx,
    address,
    ata,
    block,
    block_hash,
    contents,
    decoded,
    sol,
    tx_hash,
)
from watchers.network import NATIVE, BlockRef, Incomplete, Outcome, Transfer
from watchers.networks.solana.accounts import (
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    associated_token_account,
)

FAULT = {"InstructionError": [1, {"Custom": 1}]}
WSOL = "So11111111111111111111111111111111111111112"


def arrivals(*transactions: Tx, tokens: dict[str, str] = TOKENS) -> list[tuple[str, str, int]]:
    """Return (asset, recipient, units) of every transfer to POOL and OTHER."""
    seen = decoded(block(*transactions), tokens).transfers
    return [(t.asset, t.recipient, t.units) for t in seen if t.recipient in {POOL, OTHER}]


def test_identity_comes_from_the_answer() -> None:
    """Slot, hash, parent hash and time make the reference."""
    time = datetime.fromtimestamp(BLOCK_TIME, UTC)
    assert decoded(block()).ref == BlockRef(SLOT, block_hash(SLOT), block_hash(SLOT - 1), time)


def test_a_sol_payment_is_the_rise_in_lamports() -> None:
    """The ordinal is the recipient's index among the accounts; the sender is not on record."""
    whole = decoded(block(Tx(sol(1_500))))
    assert whole.transfers == (Transfer(tx_hash(1), "native", 1, NATIVE, "", POOL, 1_500),)
    assert whole.outcomes == {tx_hash(1): Outcome(success=True, payer_spent_units=6_500)}


def test_every_recipient_of_one_transaction_is_its_own_transfer() -> None:
    """Ordinals tell several recipients apart."""
    lamports = {PAYER: (100, 40), POOL: (0, 20), THIRD: (5, 5), OTHER: (1, 31)}
    seen = decoded(block(Tx(lamports))).transfers
    assert [(t.ordinal, t.recipient, t.units) for t in seen] == [(1, POOL, 20), (3, OTHER, 30)]


def test_case_55_a_failed_transaction_pays_nobody() -> None:
    """Only its fee happened, whatever else the answer lists."""
    failed = Tx({**FEE_ONLY, POOL: (7, 7)}, [ata(POOL, 3, 3)], err=FAULT)
    whole = decoded(block(failed))
    assert whole.transfers == ()
    assert whole.outcomes == {tx_hash(1): Outcome(success=False, payer_spent_units=5_000)}
    huge = Tx({**sol(10**9), **FEE_ONLY}, [ata(POOL, 0, 10**12)], err=FAULT)
    assert decoded(block(huge)).transfers == ()


@pytest.mark.parametrize(
    "lie", [Tx(sol(10**9), err=FAULT), Tx(FEE_ONLY, [ata(POOL, 0, 10**12)], err=FAULT)]
)
def test_a_transaction_called_failed_that_moved_money_is_not_believed_to_have_failed(
    lie: Tx,
) -> None:
    """A payment of ours that was taken for failed would be paid again."""
    whole = decoded(block(lie))
    with pytest.raises(Incomplete, match="said to have failed, yet it moved money"):
        whole.outcomes[tx_hash(1)]


def test_case_56_a_durable_nonce_payment_is_a_normal_payment() -> None:
    """However old the signature, it counts in the block in which it landed."""
    nonce_account = {address(30): (1_447_680, 1_447_680)}
    assert arrivals(Tx({**sol(7), **nonce_account})) == [(NATIVE, POOL, 7)]


def test_case_57_a_memo_decides_nothing() -> None:
    """Log lines and instructions naming another recipient are not read."""
    logs = {"logMessages": [f"Program log: Memo: pay {OTHER} invoice inv_9"]}
    assert arrivals(Tx(sol(7), extra=logs)) == [(NATIVE, POOL, 7)]


def test_case_58_an_account_created_and_funded_at_once_starts_at_zero() -> None:
    """No balance before means 0 before."""
    assert arrivals(Tx(FEE_ONLY, [ata(POOL, None, 750)])) == [(MINT, POOL, 750)]


def test_case_59_a_closed_account_ends_at_zero() -> None:
    """No balance after means 0 after: nobody gains, and the receiver of the rest does."""
    closing = Tx(FEE_ONLY, [ata(POOL, 40, None), ata(OTHER, 2, 42)])
    assert arrivals(closing) == [(MINT, OTHER, 40)]


def test_case_60_self_transfers_and_loops_are_net() -> None:
    """What comes back inside the transaction did not arrive."""
    assert arrivals(Tx({PAYER: (100, 95), POOL: (50, 50)}, [ata(POOL, 9, 9)])) == []


def test_two_payments_in_one_transaction_are_one_net_transfer() -> None:
    """500 and 250 to one owner are 750 under one identity."""
    seen = decoded(block(Tx(FEE_ONLY, [ata(PAYER, 1000, 250), ata(POOL, 0, 750)]))).transfers
    assert seen == (Transfer(tx_hash(1), "token", 0, MINT, "", POOL, 750),)


def test_case_61_wrapped_sol_is_a_token_only_when_listed() -> None:
    """Into the wSOL account it is the wSOL token, and lamports of that account, not of POOL."""
    wrapped = ata(POOL, None, 5_000_000, mint=WSOL)
    lamports = {PAYER: (10**10, 10**10 - 7_044_280), wrapped.account: (0, 7_039_280)}
    assert arrivals(Tx(lamports, [wrapped])) == []
    listed = {WSOL: TOKEN_PROGRAM}
    assert arrivals(Tx(lamports, [wrapped]), tokens=listed) == [(WSOL, POOL, 5_000_000)]


def test_case_61_closing_wrapped_sol_to_an_address_pays_its_lamports() -> None:
    """Amount and rent come as plain lamports."""
    wrapped = ata(PAYER, 4_000_000, None, mint=WSOL)
    lamports = {
        PAYER: (10**9, 10**9 - 5000),
        wrapped.account: (6_039_280, 0),
        POOL: (0, 6_039_280),
    }
    assert arrivals(Tx(lamports, [wrapped]), tokens={WSOL: TOKEN_PROGRAM}) == [
        (NATIVE, POOL, 6_039_280)
    ]


def test_case_61_lamports_sent_to_a_wrapped_account_pay_nobody() -> None:
    """Until they are synchronised no token balance moves, and the account is not the owner."""
    wrapped = ata(POOL, 10, 10, mint=WSOL)
    lamports = {PAYER: (10**9, 10**9 - 1_005_000), wrapped.account: (2_039_290, 3_039_290)}
    assert arrivals(Tx(lamports, [wrapped]), tokens={WSOL: TOKEN_PROGRAM}) == []


def strays(transaction: Tx, tokens: dict[str, str] = TOKENS) -> list[tuple[str, str, int]]:
    """Return (kind, recipient, units) of what is on record without being a payment."""
    whole = decoded(block(transaction), tokens)
    return [(t.kind, t.recipient, t.units) for t in whole.strays()]


def test_case_62_an_account_made_over_by_set_authority_is_no_payment() -> None:
    """777 tokens change owner without a transfer; the account is not the canonical one."""
    made_over = Tx(FEE_ONLY, [Held(address(40), POOL, 777, 777, owner_before=PAYER)])
    assert arrivals(made_over) == []
    assert strays(made_over) == [("account", POOL, 777)]


def test_case_62_even_the_payers_own_canonical_account_is_no_payment() -> None:
    """The canonical account of somebody else stays his address, whoever owns it now."""
    payers = Tx(FEE_ONLY, [replace(ata(PAYER, 777, 777), owner=POOL, owner_before=PAYER)])
    assert arrivals(payers) == []
    assert strays(payers) == [("account", POOL, 777)]


def test_case_62_only_what_reached_the_canonical_account_counts() -> None:
    """A payment beside such a trick is credited as itself; the rest is recorded apart."""
    made_over = Held(address(40), POOL, 777, 777, owner_before=PAYER)
    both = Tx(FEE_ONLY, [made_over, ata(POOL, 0, 5)])
    assert arrivals(both) == [(MINT, POOL, 5)]
    assert strays(both) == [("account", POOL, 777)]


def test_case_62_tokens_moved_between_own_accounts_count_where_a_sweep_reaches_them() -> None:
    """They were in no book; out of the canonical account, or between two others, nothing arrives."""
    aside, again = Held(address(40), POOL, 777, 0), Held(address(41), POOL, 0, 777)
    assert arrivals(Tx(FEE_ONLY, [aside, ata(POOL, 0, 777)])) == [(MINT, POOL, 777)]
    assert arrivals(Tx(FEE_ONLY, [aside, ata(POOL, 0, 780)])) == [(MINT, POOL, 780)]
    assert strays(Tx(FEE_ONLY, [aside, ata(POOL, 0, 780)])) == []
    assert arrivals(Tx(FEE_ONLY, [aside, again])) == []
    assert strays(Tx(FEE_ONLY, [aside, again])) == []
    assert arrivals(Tx(FEE_ONLY, [again, ata(POOL, 777, 0)])) == []
    unlisted = Tx(FEE_ONLY, [Held(address(40), POOL, 777, 0, mint=FOREIGN_MINT)])
    assert (
        arrivals(replace(unlisted, held=[*unlisted.held, ata(POOL, 0, 777, mint=FOREIGN_MINT)]))
        == []
    )


def test_case_62_such_a_move_says_whose_tokens_they_were_and_renames_no_gain() -> None:
    """Its place is behind those of all that gained; a payment from outside has no sender."""
    aside = Held(address(40), POOL, 777, 0)
    found = decoded(block(Tx(FEE_ONLY, [aside, ata(POOL, 0, 777), ata(OTHER, 0, 5)]))).transfers
    told = [(t.ordinal, t.sender, t.recipient, t.units) for t in found if t.kind == "token"]
    assert told == [(0, "", OTHER, 5), (1, POOL, POOL, 777)]


def test_unlisted_tokens_are_strays() -> None:
    """They are on record as what they are, and never a payment."""
    foreign = Tx(FEE_ONLY, [ata(POOL, 1, 8, mint=FOREIGN_MINT), ata(OTHER, 9, 2)])
    assert strays(foreign) == [("token", POOL, 7)]
    assert strays(Tx(FEE_ONLY, foreign.held, err="failed")) == []


def test_case_63_a_transfer_fee_leaves_the_net_amount() -> None:
    """10 000 were sent, 9 900 arrived."""
    account = associated_token_account(POOL, MINT, TOKEN_2022_PROGRAM)
    held = Held(account, POOL, 0, 9_900, program=TOKEN_2022_PROGRAM)
    assert arrivals(Tx(FEE_ONLY, [held]), tokens={MINT: TOKEN_2022_PROGRAM}) == [
        (MINT, POOL, 9_900)
    ]


def test_case_64_what_a_delegate_claws_back_is_no_transfer() -> None:
    """A falling balance is nobody's arrival but the taker's."""
    assert arrivals(Tx(FEE_ONLY, [ata(POOL, 100, 0), ata(OTHER, 0, 100)])) == [
        (MINT, OTHER, 100)
    ]


def test_case_65_another_mint_is_another_asset() -> None:
    """Mints are told apart by address alone."""
    assert arrivals(Tx(FEE_ONLY, [ata(POOL, 0, 100, mint=FOREIGN_MINT)])) == []


def test_case_65_a_listed_mint_under_another_program_does_not_count() -> None:
    """The pinned program is part of the asset, at the canonical address of either program."""
    under_2022 = associated_token_account(POOL, MINT, TOKEN_2022_PROGRAM)
    for account in (under_2022, ata(POOL, 0, 0).account):
        held = Held(account, POOL, 0, 100, program=TOKEN_2022_PROGRAM)
        assert arrivals(Tx(FEE_ONLY, [held])) == []
        assert strays(Tx(FEE_ONLY, [held])) == [("account", POOL, 100)]


def test_a_balance_without_a_program_is_known_by_its_address() -> None:
    """Blocks from before 2022 name no program; the canonical address commits to it."""
    for nothing in (None, ""):
        held = replace(ata(POOL, 0, 100), program=nothing)
        assert arrivals(Tx(FEE_ONLY, [held])) == [(MINT, POOL, 100)]
        elsewhere = replace(held, account=address(41))
        assert arrivals(Tx(FEE_ONLY, [elsewhere])) == []


def full(document: dict[str, Any], *, writable: int, readonly: int) -> dict[str, Any]:
    """Turn an answer into `full` detail with its last accounts loaded from a lookup table."""
    for entry in document["transactions"]:
        keys = [key["pubkey"] for key in entry["transaction"].pop("accountKeys")]
        static = len(keys) - writable - readonly
        entry["transaction"]["message"] = {"accountKeys": keys[:static], "instructions": []}
        entry["meta"]["loadedAddresses"] = {
            "writable": keys[static : static + writable],
            "readonly": keys[static + writable :],
        }
    return document


def test_case_66_an_address_from_a_lookup_table_is_seen() -> None:
    """Same transfers, whether the table's addresses are listed (accounts) or apart (full)."""
    whole = Tx({**sol(0), POOL: (3, 10), OTHER: (7, 7)}, [ata(POOL, 0, 5)])
    listed = decoded(block(whole))
    apart = decoded(full(block(whole), writable=2, readonly=1))
    assert contents(apart) == contents(listed)
    assert [(t.asset, t.units) for t in listed.transfers] == [(NATIVE, 7), (MINT, 5)]


def test_case_66_parsed_keys_already_hold_the_loaded_ones() -> None:
    """In jsonParsed the message lists them; they are not appended twice."""
    document = block(Tx(sol(9)))
    for entry in document["transactions"]:
        keys = entry["transaction"].pop("accountKeys")
        entry["transaction"]["message"] = {"accountKeys": keys}
        entry["meta"]["loadedAddresses"] = {"writable": [POOL], "readonly": []}
    assert contents(decoded(document)) == contents(decoded(block(Tx(sol(9)))))


def test_case_67_the_version_of_a_transaction_changes_nothing() -> None:
    """Balances read the same in versions that do not exist yet."""
    for version in ("legacy", 0, 1, 17):
        assert arrivals(Tx(sol(9), version=version)) == [(NATIVE, POOL, 9)]


def test_binary_transactions_decode_like_the_others() -> None:
    """In base64 the keys and the signature are inside the bytes."""
    payer, to = Keypair.from_seed(bytes(32)), Pubkey.from_string(POOL)
    pay = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=9))
    message = MessageV0.try_compile(payer.pubkey(), [pay], [], Hash.default())
    signed = VersionedTransaction(message, [payer])
    document = block(Tx({PAYER: (100, 91), POOL: (0, 9), OTHER: (1, 1)}))
    document["transactions"][0]["transaction"] = [b64encode(bytes(signed)).decode(), "base64"]
    [seen] = decoded(document).transfers
    assert (seen.tx_hash, seen.recipient, seen.units) == (str(signed.signatures[0]), POOL, 9)


def test_ordinals_do_not_depend_on_the_listed_tokens() -> None:
    """Listing a token later does not rename transfers that were recorded before."""
    held = [ata(POOL, 0, 1), ata(POOL, 0, 2, mint=FOREIGN_MINT), ata(OTHER, 0, 3)]
    one = decoded(block(Tx(FEE_ONLY, held))).transfers
    both = decoded(
        block(Tx(FEE_ONLY, held)), {MINT: TOKEN_PROGRAM, FOREIGN_MINT: TOKEN_PROGRAM}
    ).transfers
    assert set(one) <= set(both)
    assert sorted(t.ordinal for t in both) == [0, 1, 2]


def test_rewards_are_no_payment() -> None:
    """A validator's reward raises a balance outside of any transaction."""
    rewards = [{"pubkey": POOL, "lamports": 10**9, "postBalance": 10**9, "rewardType": "Fee"}]
    assert decoded(block(rewards=rewards)).transfers == ()


def test_a_fee_payer_who_gains_spent_nothing() -> None:
    """He may close accounts worth more than the fee; the outcome never goes below 0."""
    whole = decoded(block(Tx({PAYER: (100, 300), OTHER: (250, 0)})))
    assert whole.outcomes[tx_hash(1)].payer_spent_units == 0
