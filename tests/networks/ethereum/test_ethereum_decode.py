"""What counts as money in a block, what never does, and which answers are no block."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.networks.ethereum.blocks import (
    BLOCK_HASH,
    GWEI,
    HEIGHT,
    PARENT_HASH,
    PAYEE,
    SENDER,
    TOKEN,
    assembled,
    decoded,
    payment,
    transfer_log,
    word,
)
from watchers.network import NATIVE, BlockRef, Incomplete, Outcome, Transfer
from watchers.networks.ethereum.address import SYSTEM

OTHER_HASH = "0x" + "0f" * 32


def test_a_native_payment_is_one_transfer() -> None:
    """Value, recipient and hash of a successful transaction."""
    block = decoded(*assembled(payment(1, value=5)))
    assert block.ref == BlockRef(
        HEIGHT, BLOCK_HASH, PARENT_HASH, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    )
    tx_hash = f"0x{1:064x}"
    assert block.transfers == (Transfer(tx_hash, "native", 0, NATIVE, SENDER, PAYEE, 5),)
    paid = Outcome(success=True, payer_spent_units=21_000 * GWEI, payer=SENDER)
    assert block.outcomes == {tx_hash: paid}


def test_a_token_payment_is_one_transfer() -> None:
    """The log's recipient and amount, not the transaction's."""
    block = decoded(*assembled(payment(1, to=TOKEN, logs=[transfer_log(500)])))
    [seen] = block.transfers
    assert seen == Transfer(f"0x{1:064x}", "token", 0, TOKEN, SENDER, PAYEE, 500)


def test_mixed_case_is_one_spelling() -> None:
    """Nodes may spell addresses and hashes in capitals; we have one spelling."""
    sent, receipt = payment(0xABC, value=1, to="0x" + "AA" * 20)
    log = transfer_log(address="0x" + TOKEN[2:].upper())
    log["topics"][2] = word("0x" + "AA" * 20)
    sent["hash"] = receipt["transactionHash"] = "0x" + f"{0xABC:064X}"
    receipt |= {"logs": [log]}
    for seen in decoded(*assembled((sent, receipt))).transfers:
        assert (seen.recipient, seen.tx_hash) == (PAYEE, f"0x{0xABC:064x}")


def test_several_transfers_in_one_transaction_keep_their_place() -> None:
    """The ordinal is the log's place inside its transaction, wherever that stands."""
    noise = transfer_log(address="0x" + "99" * 20)
    first = payment(1, logs=[transfer_log(), transfer_log()])
    second = payment(2, value=3, logs=[noise, transfer_log(10), transfer_log(20)])
    block = decoded(*assembled(first, second))
    seen = [(each.kind, each.ordinal, each.units) for each in block.transfers[2:]]
    assert seen == [("native", 0, 3), ("token", 1, 10), ("token", 2, 20)]
    moved = decoded(*assembled(second, first))
    assert set(moved.transfers) == set(block.transfers)


@pytest.mark.parametrize(
    "log",
    [
        transfer_log(address="0x" + "71" * 20),
        transfer_log(0),
        transfer_log(topics=transfer_log()["topics"][:2]),
        transfer_log(topics=[*transfer_log()["topics"], word(PAYEE)], data="0x"),
        transfer_log(topics=[*transfer_log()["topics"], word(PAYEE)]),
        transfer_log(topics=["0x" + "dd" * 32, word(SENDER), word(PAYEE)]),
        transfer_log(topics=[transfer_log()["topics"][0], word(SENDER), "0x" + "aa" * 32]),
        transfer_log(topics=[transfer_log()["topics"][0], word(SENDER), PAYEE]),
        transfer_log(data="0x01"),
        transfer_log(data="0x" + "00" * 31 + "01" + "00" * 32),
        transfer_log(data="0x"),
        transfer_log(topics=[]),
    ],
    ids=[
        "another contract",
        "zero amount",
        "two topics",
        "ERC-721",
        "four topics",
        "another event",
        "recipient not padded",
        "recipient not a word",
        "short amount",
        "two words",
        "no amount",
        "anonymous",
    ],
)
def test_what_only_looks_like_a_transfer_is_none(log: dict[str, Any]) -> None:
    """A listed contract, the exact shape and an amount above zero, or nothing."""
    block = decoded(*assembled(payment(1, logs=[log])))
    assert block.transfers == ()
    assert len(block.outcomes) == 1


def test_a_failed_transaction_moves_nothing() -> None:
    """Neither its value nor logs that a lying node adds to it; its fee was spent."""
    block = decoded(*assembled(payment(1, value=5, status="0x0", logs=[transfer_log()])))
    assert block.transfers == ()
    assert block.outcomes[f"0x{1:064x}"] == Outcome(
        success=False, payer_spent_units=21_000 * GWEI, payer=SENDER
    )


def test_creation_pays_nobody() -> None:
    """A transaction without recipient creates a contract."""
    assert decoded(*assembled(payment(1, value=5, to=None))).transfers == ()


def test_value_is_not_counted_twice_where_the_chain_logs_it() -> None:
    """EIP-7708 logs native value under the system address: even listed, it is no token."""
    log = transfer_log(5, address=SYSTEM)
    block = decoded(*assembled(payment(1, value=5, logs=[log])), tokens=frozenset({SYSTEM}))
    assert [(each.kind, each.units) for each in block.transfers] == [("native", 5)]


def test_beacon_withdrawals_are_in_gwei() -> None:
    """The chain's only amount in gwei becomes wei; its index names it."""
    withdrawals = [
        {"index": "0xff", "validatorIndex": "0x1", "address": PAYEE, "amount": hex(17)},
        {"index": "0x100", "validatorIndex": "0x1", "address": PAYEE, "amount": "0x0"},
    ]
    [seen] = decoded(*assembled(withdrawals=withdrawals)).transfers
    assert seen == Transfer("withdrawal:255", "withdrawal", 0, NATIVE, "", PAYEE, 17 * GWEI)


def test_the_largest_amount_is_exact() -> None:
    """2**256 - 1 passes through unrounded."""
    block = decoded(*assembled(payment(1, logs=[transfer_log(2**256 - 1)])))
    assert block.transfers[0].units == 2**256 - 1


def test_the_fee_has_all_its_parts() -> None:
    """Gas, blobs (EIP-4844) and, on OP-stack chains, the share of the first layer."""
    extras: dict[str, Any] = {
        "blobGasUsed": hex(131_072),
        "blobGasPrice": "0x3",
        "l1Fee": hex(1_000),
    }
    block = decoded(*assembled(payment(1, **extras)))
    assert block.outcomes[f"0x{1:064x}"].payer_spent_units == (
        21_000 * GWEI + 131_072 * 3 + 1_000
    )


def test_before_london_the_transaction_names_the_price() -> None:
    """Receipts without an effective price are priced by the transaction."""
    sent, receipt = payment(1, effectiveGasPrice=None)
    sent["gasPrice"] = hex(2 * GWEI)
    block = decoded(*assembled((sent, receipt)))
    assert block.outcomes[f"0x{1:064x}"].payer_spent_units == 42_000 * GWEI


def test_a_price_is_needed_of_whom_is_asked_about() -> None:
    """What a stranger's transaction cost is nobody's business, and stops no block."""
    mine, theirs = payment(1, value=5), payment(2, value=7, effectiveGasPrice=None)
    block = decoded(*assembled(mine, theirs))
    assert [each.units for each in block.transfers] == [5, 7]
    assert block.outcomes[f"0x{1:064x}"].payer_spent_units == 21_000 * GWEI
    with pytest.raises(Incomplete, match="no gas price"):
        block.outcomes.get(f"0x{2:064x}")


def _bent(**changes: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a good block of two payments after `path__to__field=value` changes."""
    block, receipts = assembled(payment(1, value=5), payment(2, logs=[transfer_log()]))
    for path, value in changes.items():
        at: Any = {"block": block, "receipts": receipts}
        *way, last = [int(part) if part.isdigit() else part for part in path.split("__")]
        for part in way:
            at = at[part]
        at[last] = value
    return block, receipts


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("asked for block 7, got 8", {"block__number": "0x8"}),
        ("pending", {"block__number": None}),
        ("pending", {"block__hash": None}),
        ("header", {"block__number": "-0x7"}),
        ("header", {"block__timestamp": "0x" + "f" * 40}),
        ("of block", {"block__hash": OTHER_HASH}),
        ("transaction .* is of block", {"block__transactions__1__blockHash": OTHER_HASH}),
        ("transaction .* is of block", {"block__transactions__1__blockHash": None}),
        ("receipt of .* is of block", {"receipts__1__blockHash": OTHER_HASH}),
        ("receipt of .* at", {"receipts__0__transactionHash": OTHER_HASH}),
        ("has no status", {"receipts__0__status": None}),
        ("status '0x2'", {"receipts__0__status": "0x2"}),
        ("log 0x0 is of block", {"receipts__1__logs__0__blockHash": OTHER_HASH}),
        ("log 0x0 is of block", {"receipts__1__logs__0__removed": True}),
        ("stands at position 0", {"receipts__1__logs__0__logIndex": "0x1"}),
        ("lost its logs", {"receipts__1__logs": []}),
        ("blooms", {"block__logsBloom": "0x" + "ff" * 256}),
        ("quantity", {"block__transactions__0__value": "0x_5"}),
        ("quantity", {"block__transactions__0__value": "5"}),
        ("quantity", {"receipts__0__gasUsed": "0x"}),
        ("quantity", {"receipts__0__gasUsed": "0x5 0x5"}),
        ("quantity", {"receipts__1__effectiveGasPrice": "0x" + "0" * 65}),
        ("256 bits", {"block__transactions__0__value": "0x1" + "0" * 64}),
    ],
)
def test_answers_that_contradict_each_other_are_incomplete(
    reason: str, changes: dict[str, Any]
) -> None:
    """Whatever does not prove to be this block, whole, is asked for again."""
    with pytest.raises(Incomplete, match=reason):
        decoded(*_bent(**changes))


def test_receipts_must_be_as_many_as_transactions() -> None:
    """None, one less and one more: the node does not know the block yet."""
    block, receipts = _bent()
    for short in ([], receipts[:1], [*receipts, receipts[1]]):
        with pytest.raises(Incomplete, match="receipts"):
            decoded(block, short)


def test_receipts_in_another_order_are_refused() -> None:
    """Statuses must not be read from a neighbour."""
    block, receipts = _bent()
    with pytest.raises(Incomplete, match="receipt of"):
        decoded(block, receipts[::-1])


def test_a_transaction_listed_twice_is_refused() -> None:
    """One payment must not become two."""
    with pytest.raises(Incomplete, match="twice"):
        decoded(*assembled(payment(1, value=5), payment(1, value=5)))


def test_an_empty_block_is_complete() -> None:
    """No transactions and no receipts prove each other."""
    block = decoded(*assembled())
    assert (block.transfers, block.outcomes) == ((), {})


def test_a_malformed_amount_spoils_the_block_only_where_the_token_is_listed() -> None:
    """Of an unlisted contract it is no transfer at all, whenever that is asked."""
    torn = transfer_log(data="0x" + "zz" * 32)
    block = decoded(*assembled(payment(1, value=5, logs=[torn])), tokens=frozenset())
    assert list(block.strays()) == []
    with pytest.raises(Incomplete, match="base 16"):
        decoded(*assembled(payment(1, logs=[torn])))


def test_outcomes_know_only_their_own_transactions() -> None:
    """Another hash is not there; every hash of the block is."""
    block = decoded(*assembled(payment(1), payment(2, status="0x0")))
    assert list(block.outcomes) == [f"0x{1:064x}", f"0x{2:064x}"]
    assert OTHER_HASH not in block.outcomes
    assert {OTHER_HASH, f"0x{2:064x}"} & block.outcomes.keys() == {f"0x{2:064x}"}
