"""The Solana cases of the catalogue on the real programs: what a block credits to whom."""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import (
    AdvanceNonceAccountParams,
    CreateAccountParams,
    InitializeNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    create_account,
    initialize_nonce_account,
    transfer,
)
from solders.token.associated import get_associated_token_address
from solders.transaction import Transaction

from devnet.solana_mints import FEE_MINT, permanent_delegate
from devnet.solana_token import (
    TOKEN_2022_PROGRAM,
    WRAPPED_SOL,
    WRAPPED_SOL_DECIMALS,
    close,
    make_over,
    move,
    open_account,
    sync_wrapped,
    token_payment,
)
from devnet.surfpool import MINT, PAYER
from tests.chaos.edits import Edit, of_document
from tests.chaos.faults import Call, Fault, always
from tests.chaos.proxy import chaos
from tests.networks.solana.stage import LISTED, SOL, TUSD, Stage, account_of, staged
from watchers.network import NATIVE
from watchers.networks.solana.accounts import nonce_state
from watchers.networks.solana.reader import SolanaReader
from watchers.networks.solana.wire import accounts
from watchers.rpc import Endpoints, JsonRpc

pytestmark = [pytest.mark.anyio, pytest.mark.chain]

US = PAYER.pubkey()
MEMO_PROGRAM = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
TABLE_PROGRAM = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
TOKEN_ACCOUNT_RENT = 2_039_280
NONCE_BYTES, NONCE_RENT = 80, 1_447_680
ANY_VERSION = 255
"""What a node is asked for that shall show every version."""


@pytest.fixture(scope="module")
async def stage(anyio_backend: str) -> AsyncIterator[Stage]:  # noqa: ARG001 - its scope
    """Run one Surfpool for the whole module."""
    async with staged() as running:
        yield running


def pay(to: Pubkey, lamports: int, source: Pubkey = US) -> Instruction:
    """Return a plain transfer of SOL."""
    return transfer(TransferParams(from_pubkey=source, to_pubkey=to, lamports=lamports))


def fresh() -> Pubkey:
    """Return an address without a history."""
    return Keypair().pubkey()


async def test_case_55_a_failed_transaction_pays_nobody(stage: Stage) -> None:
    """SOL and tokens are sent, then an instruction fails: the block lists it all the same."""
    pool = fresh()
    too_much = move(account_of(US), TUSD, account_of(pool), US, 2**63)
    seen = await stage.land([pay(pool, SOL), *token_payment(US, pool, TUSD, 777), too_much])
    assert not seen.block.outcomes[seen.tx_hash].success
    assert seen.arrivals(pool) == []
    assert seen.strays(pool, US) == []


async def test_case_56_a_durable_nonce_payment_counts_where_it_lands(stage: Stage) -> None:
    """Signed now, sent 200 slots later, when an ordinary blockhash has long expired."""
    pool, lane = fresh(), Keypair()
    await stage.land(
        [
            create_account(
                CreateAccountParams(
                    from_pubkey=US,
                    to_pubkey=lane.pubkey(),
                    lamports=NONCE_RENT,
                    space=NONCE_BYTES,
                    owner=SYSTEM_PROGRAM,
                )
            ),
            initialize_nonce_account(
                InitializeNonceAccountParams(nonce_pubkey=lane.pubkey(), authority=US)
            ),
        ],
        lane,
    )
    [account] = await accounts(stage.reader.rpc, [str(lane.pubkey())], "confirmed")
    assert account is not None
    state = nonce_state(account.content())
    assert state is not None
    value = Hash.from_string(state.value)
    advance = AdvanceNonceAccountParams(nonce_pubkey=lane.pubkey(), authorized_pubkey=US)
    steps = [advance_nonce_account(advance), pay(pool, SOL)]
    signed = Transaction([PAYER], Message.new_with_blockhash(steps, US, value), value)
    await stage.chain.mine(200)
    seen = await stage.land_raw(bytes(signed))
    assert seen.arrivals(pool) == [("native", NATIVE, SOL)]


async def test_case_57_a_memo_decides_nothing(stage: Stage) -> None:
    """A memo names another invoice's address; only the balance that rose is paid."""
    pool, named = fresh(), fresh()
    memo = Instruction(MEMO_PROGRAM, f"pay {named} for inv_9".encode(), [])
    seen = await stage.land([memo, pay(pool, SOL)])
    assert seen.arrivals(pool, named) == [("native", NATIVE, SOL)]


async def test_case_58_an_account_created_and_funded_at_once(stage: Stage) -> None:
    """It had no balance before, which is 0; two transfers of one transaction are one net sum."""
    pool = fresh()
    twice = [*token_payment(US, pool, TUSD, 500), *token_payment(US, pool, TUSD, 250)]
    seen = await stage.land(twice)
    assert seen.arrivals(pool) == [("token", MINT, 750)]


async def test_case_59_a_closed_account_ends_at_zero(stage: Stage) -> None:
    """What it held is gone from its owner and counts for the one who received it."""
    owner, pool = Keypair(), fresh()
    mine, theirs = account_of(owner.pubkey()), account_of(pool)
    await stage.land(token_payment(US, owner.pubkey(), TUSD, 40))
    seen = await stage.land(
        [
            open_account(US, pool, TUSD),
            move(mine, TUSD, theirs, owner.pubkey(), 40),
            close(mine, pool, owner.pubkey()),
        ],
        owner,
    )
    assert sorted(seen.arrivals(owner.pubkey(), pool)) == [
        ("native", NATIVE, TOKEN_ACCOUNT_RENT),
        ("token", MINT, 40),
    ]


async def test_case_60_what_returns_within_the_transaction_did_not_arrive(
    stage: Stage,
) -> None:
    """Self-transfers and a loop A -> B -> A are worth their net."""
    pool, other = Keypair(), fresh()
    here, there = account_of(pool.pubkey()), account_of(other)
    await stage.land([pay(pool.pubkey(), SOL), *token_payment(US, pool.pubkey(), TUSD, 1000)])
    seen = await stage.land(
        [
            pay(pool.pubkey(), SOL, pool.pubkey()),
            move(here, TUSD, here, pool.pubkey(), 600),
            open_account(US, other, TUSD),
            move(here, TUSD, there, pool.pubkey(), 7),
            move(here, TUSD, account_of(US), pool.pubkey(), 500),
            move(account_of(US), TUSD, here, US, 500),
        ],
        pool,
    )
    assert seen.arrivals(pool.pubkey(), other) == [("token", MINT, 7)]


async def test_case_61_wrapped_sol_is_a_token_and_closing_it_pays_sol(stage: Stage) -> None:
    """Into the wrapped account: the token. Raw lamports: nothing until synchronised. Out: SOL."""
    payer, pool = Keypair(), fresh()
    mine, theirs = account_of(payer.pubkey(), WRAPPED_SOL), account_of(pool, WRAPPED_SOL)
    wrapped = str(WRAPPED_SOL)
    await stage.land(
        [open_account(US, payer.pubkey(), WRAPPED_SOL), pay(mine, SOL), sync_wrapped(mine)]
    )
    paid = move(
        mine, WRAPPED_SOL, theirs, payer.pubkey(), SOL // 4, decimals=WRAPPED_SOL_DECIMALS
    )
    seen = await stage.land([open_account(US, pool, WRAPPED_SOL), paid], payer)
    assert seen.arrivals(pool) == [("token", wrapped, SOL // 4)]

    raw = await stage.land([pay(theirs, 5000)])
    assert raw.arrivals(pool) == []
    assert raw.arrivals(theirs) == [("native", NATIVE, 5000)]
    synced = await stage.land([sync_wrapped(theirs)])
    assert synced.arrivals(pool) == [("token", wrapped, 5000)]

    closed = await stage.land([close(mine, pool, payer.pubkey())], payer)
    left = SOL - SOL // 4 + TOKEN_ACCOUNT_RENT
    assert closed.arrivals(pool) == [("native", NATIVE, left)]


async def test_case_62_an_account_made_over_is_recorded_and_not_credited(stage: Stage) -> None:
    """777 tokens change owner without a transfer, in an account that a sweep does not look at."""
    former, pool = Keypair(), fresh()
    given = account_of(former.pubkey())
    await stage.land(token_payment(US, former.pubkey(), TUSD, 777))
    seen = await stage.land([make_over(given, former.pubkey(), pool)], former)
    assert seen.arrivals(pool) == []
    assert seen.strays(pool) == [("account", MINT, 777)]


async def test_case_63_a_transfer_fee_credits_what_arrived(stage: Stage) -> None:
    """10 000 are sent, one percent stays with the issuer."""
    pool, mint = fresh(), Pubkey.from_string(FEE_MINT)
    seen = await stage.land(token_payment(US, pool, mint, 10_000, TOKEN_2022_PROGRAM))
    assert seen.arrivals(pool) == [("token", FEE_MINT, 9_900)]


async def test_case_64_a_permanent_delegate_claws_back_without_a_credit(stage: Stage) -> None:
    """The pool's balance falls by somebody else's signature; only the taker gains."""
    taker, pool = Keypair(), fresh()
    mint = await stage.chain.new_mint(permanent_delegate(taker.pubkey()))
    key = Pubkey.from_string(mint)
    paid = await stage.land(token_payment(US, pool, key, 900, TOKEN_2022_PROGRAM))
    assert paid.arrivals(pool) == []
    assert paid.strays(pool) == [("token", mint, 900)]
    taken = move(
        get_associated_token_address(pool, key, TOKEN_2022_PROGRAM),
        key,
        get_associated_token_address(US, key, TOKEN_2022_PROGRAM),
        taker.pubkey(),
        900,
        program=TOKEN_2022_PROGRAM,
    )
    seen = await stage.land([taken], taker)
    assert (seen.arrivals(pool), seen.strays(pool)) == ([], [])
    assert seen.strays(US) == [("token", mint, 900)]


async def test_case_65_another_mint_is_another_asset(stage: Stage) -> None:
    """A mint with the same decimals and supply, unlisted: on record, never credited."""
    pool = fresh()
    mint = await stage.chain.new_mint()
    seen = await stage.land(
        token_payment(US, pool, Pubkey.from_string(mint), 5, TOKEN_2022_PROGRAM)
    )
    assert seen.arrivals(pool) == []
    assert seen.strays(pool) == [("token", mint, 5)]


async def test_case_66_an_address_from_a_lookup_table_is_paid(stage: Stage) -> None:
    """The message names the pool only by its place in a table."""
    pool = fresh()
    table = await lookup_table(stage, pool)
    seen = await stage.land([pay(pool, SOL)], tables=[table])
    assert seen.arrivals(pool) == [("native", NATIVE, SOL)]


async def lookup_table(stage: Stage, listed: Pubkey) -> AddressLookupTableAccount:
    """Create a table of one address; it serves from the next slot on."""
    recent = await stage.chain.rpc.call("getSlot", {"commitment": "confirmed"})
    seeds = [bytes(US), struct.pack("<Q", recent)]
    table, bump = Pubkey.find_program_address(seeds, TABLE_PROGRAM)
    metas = [
        AccountMeta(table, is_signer=False, is_writable=True),
        AccountMeta(US, is_signer=True, is_writable=False),
        AccountMeta(US, is_signer=True, is_writable=True),
        AccountMeta(SYSTEM_PROGRAM, is_signer=False, is_writable=False),
    ]
    create, extend = struct.pack("<IQB", 0, recent, bump), struct.pack("<IQ", 2, 1)
    await stage.land(
        [
            Instruction(TABLE_PROGRAM, create, metas),
            Instruction(TABLE_PROGRAM, extend + bytes(listed), metas),
        ]
    )
    await stage.chain.mine(2)
    return AddressLookupTableAccount(table, [listed])


@asynccontextmanager
async def bent(stage: Stage, **edits: Edit) -> AsyncIterator[SolanaReader]:
    """Open a reader behind a node that changes the answers of these calls as it is told."""
    async with chaos(stage.chain.url, edits=edits, plan=always(Fault.EDITED)) as proxy:
        rpc = JsonRpc(Endpoints([proxy.url]))
        reader = SolanaReader(rpc, stage.chain.identity, LISTED, "confirmed")
        try:
            yield reader
        finally:
            assert proxy.counts[Fault.EDITED] > 0
            await reader.aclose()


@pytest.mark.parametrize("needed", [1, 2])
async def test_case_67_a_block_with_a_newer_version_is_asked_for_until_it_comes(
    stage: Stage, needed: int
) -> None:
    """No local chain holds such a transaction: the node refuses the block as a cluster does."""

    def newer(call: Call, answer: Any) -> Any | None:
        version = call.params[1]["maxSupportedTransactionVersion"]
        if version == ANY_VERSION:
            error = {"code": -32602, "message": "Invalid params: invalid value: 255"}
        elif version < needed:
            error = {"code": -32015, "message": "Transaction version is not supported"}
        else:
            return None
        return {"jsonrpc": "2.0", "id": answer["id"], "error": error}

    pool = fresh()
    seen = await stage.land([pay(pool, SOL)])
    async with bent(stage, getBlock=newer) as reader:
        block = await reader.read(seen.block.ref.height)
    assert block.ref == seen.block.ref
    assert [each.units for each in block.transfers if each.recipient == str(pool)] == [SOL]


async def test_case_68_a_slot_that_a_node_leaves_out_shows_in_the_link(stage: Stage) -> None:
    """The list of slots is a hint: only the parent's hash shows that nothing lies between."""
    pool = fresh()
    seen = await stage.land([pay(pool, SOL)])
    slot = seen.block.ref.height
    await stage.chain.mine(2)
    # The slot below it may have been skipped; the chain says which block it stands on.
    options = {"commitment": "confirmed", "transactionDetails": "none", "rewards": False}
    shown = await stage.chain.rpc.call("getBlock", slot, options)
    before = await stage.reader.read(shown["parentSlot"])

    def left_out(slots: Any) -> None:
        slots[:] = [each for each in slots if each != slot]

    async with bent(stage, getBlocks=of_document(left_out)) as reader:
        above = await reader.read(slot)
    assert above.ref.height > slot
    assert above.ref.parent_hash != before.ref.hash
    whole = await stage.reader.read(slot)
    assert whole.ref.parent_hash == before.ref.hash
    assert [each.units for each in whole.transfers if each.recipient == str(pool)] == [SOL]
