"""The specification's attacks on one EVM block, as answers a node could give."""

from typing import Any

import pytest

from tests.networks.ethereum.blocks import (
    CONTRACT,
    GWEI,
    PAYEE,
    SENDER,
    TIME,
    TOKEN,
    assembled,
    call_of,
    decoded,
    frame,
    payment,
    transfer_log,
    word,
)
from watchers.network import NATIVE, Block, Transfer
from watchers.networks.ethereum.address import SYSTEM

OTHER = "0x" + "bb" * 20
FAKE = "0x" + "fa" * 20
SECOND_TOKEN = "0x" + "72" * 20
TRANSFER = transfer_log()["topics"][0]


def to_payee(block: Block) -> list[tuple[str, str, int]]:
    """Return kind, asset and units of everything that the payee received."""
    return [
        (each.kind, each.asset, each.units)
        for each in block.transfers
        if each.recipient == PAYEE
    ]


def test_case_01_value_of_a_failed_transaction_is_not_credited() -> None:
    """The transaction names value and recipient; only its receipt says that it failed."""
    assert decoded(*assembled(payment(1, value=5, status="0x0"))).transfers == ()


def test_case_02_a_reverted_transfer_left_no_log() -> None:
    """Nor does a log count that a node adds to a failed receipt."""
    honest = payment(1, to=TOKEN, status="0x0")
    added = [transfer_log(), transfer_log(address=FAKE)]
    lying = payment(2, to=TOKEN, status="0x0", logs=added)
    block = decoded(*assembled(honest, lying))
    assert block.transfers == ()
    assert list(block.strays()) == []
    assert [each.success for each in block.outcomes.values()] == [False, False]


def test_case_03_calldata_of_a_transfer_without_its_log_is_nothing() -> None:
    """A token that returns false instead of reverting succeeds and moves nothing."""
    sent, receipt = payment(1, to=TOKEN)
    sent["input"] = "0xa9059cbb" + word(PAYEE)[2:] + f"{500:064x}"
    assert decoded(*assembled((sent, receipt))).transfers == ()


def test_case_04_a_perfect_log_of_another_contract_is_a_stray() -> None:
    """It credits nobody; asked for, it is there to be shown."""
    log = transfer_log(500, address=FAKE)
    block = decoded(*assembled(payment(1, to=FAKE, logs=[log, transfer_log(7)])))
    assert to_payee(block) == [("token", TOKEN, 7)]
    assert list(block.strays()) == [
        Transfer(f"0x{1:064x}", "token", 0, FAKE, SENDER, PAYEE, 500)
    ]


def test_case_05_a_contract_is_its_address_whatever_it_calls_itself() -> None:
    """One digit off the listed contract is another contract; no name is in a block at all."""
    near = TOKEN[:-1] + ("0" if TOKEN[-1] != "0" else "1")
    block = decoded(*assembled(payment(1, logs=[transfer_log(500, address=near)])))
    assert block.transfers == ()


@pytest.mark.parametrize("data", ["0x", f"0x{1:064x}"])
def test_case_06_four_topics_are_a_collectible(data: str) -> None:
    """Even of a listed contract, an ERC-721 log has no amount."""
    log = transfer_log(topics=[TRANSFER, word(SENDER), word(PAYEE), word(PAYEE)], data=data)
    block = decoded(*assembled(payment(1, logs=[log])))
    assert block.transfers == ()
    assert list(block.strays()) == []


def test_case_07_a_transfer_of_nothing_is_not_even_seen() -> None:
    """Address poisoning: neither a transfer nor a stray."""
    logs = [transfer_log(0), transfer_log(0, address=FAKE)]
    outer = payment(1, value=0, logs=logs)
    block = decoded(*assembled(outer), traces=[call_of(outer, frame(value=0))])
    assert block.transfers == ()
    assert list(block.strays()) == []


def test_case_16_what_a_reverted_inner_call_paid_never_happened() -> None:
    """With everything below it; what the outer call paid before and after stands."""
    outer = payment(1, to=CONTRACT)
    below = frame(frame(value=4), kind="CREATE2", to=OTHER)
    undone = frame(frame(value=2), below, value=1, error="execution reverted")
    block = decoded(
        *assembled(outer), traces=[call_of(outer, frame(value=8), undone, frame(value=16))]
    )
    assert to_payee(block) == [("internal", NATIVE, 8), ("internal", NATIVE, 16)]


@pytest.mark.parametrize("kind", ["DELEGATECALL", "CALLCODE", "STATICCALL"])
def test_case_17_borrowed_code_moves_no_value(kind: str) -> None:
    """The frame repeats the value of the call around it; what it calls itself does move."""
    outer = payment(1, to=CONTRACT)
    borrowed = frame(frame(value=3), kind=kind, value=9)
    block = decoded(*assembled(outer), traces=[call_of(outer, borrowed)])
    assert to_payee(block) == [("internal", NATIVE, 3)]


def test_case_18_a_beacon_withdrawal_is_gwei() -> None:
    """Credited times a thousand million, named by its own index."""
    withdrawals = [{"index": "0x5", "address": PAYEE, "amount": hex(3)}]
    [seen] = decoded(*assembled(withdrawals=withdrawals)).transfers
    assert (seen.tx_hash, seen.kind, seen.units) == ("withdrawal:5", "withdrawal", 3 * GWEI)


def test_case_20_several_logs_to_one_address_are_one_row_each() -> None:
    """Three ordinals, and their sum is what arrived."""
    logs = [transfer_log(100), transfer_log(100), transfer_log(300)]
    block = decoded(*assembled(payment(1, logs=logs)))
    assert [(each.ordinal, each.units) for each in block.transfers] == [
        (0, 100),
        (1, 100),
        (2, 300),
    ]
    assert sum(each.units for each in block.transfers) == 500


def test_case_21_one_transaction_pays_several_addresses_in_several_assets() -> None:
    """One row each: native, two tokens, two recipients."""
    elsewhere = [TRANSFER, word(SENDER), word(OTHER)]
    logs = [
        transfer_log(10),
        transfer_log(20, topics=elsewhere),
        transfer_log(30, address=SECOND_TOKEN),
    ]
    block = decoded(
        *assembled(payment(1, value=5, logs=logs)), frozenset({TOKEN, SECOND_TOKEN})
    )
    assert [(each.asset, each.recipient, each.units) for each in block.transfers] == [
        (NATIVE, PAYEE, 5),
        (TOKEN, PAYEE, 10),
        (TOKEN, OTHER, 20),
        (SECOND_TOKEN, PAYEE, 30),
    ]


def test_case_22_two_nodes_name_the_same_transfers_alike() -> None:
    """Order of keys, case of hex, precompiles in the trace: the identities do not depend on it."""
    first = payment(1, value=5, to=CONTRACT, logs=[transfer_log(7)])
    plain = decoded(*assembled(first), traces=[call_of(first, frame(value=3))])
    sent, receipt = payment(1, value=5, to=CONTRACT, logs=[transfer_log(7)])
    receipt["logs"][0]["address"] = "0x" + TOKEN[2:].upper()
    receipt["transactionHash"] = sent["hash"] = "0x" + sent["hash"][2:].upper()
    sent["to"] = "0x" + CONTRACT[2:].upper()
    noisy = call_of((sent, receipt), frame(to="0x" + "00" * 19 + "01"), frame(value=3))
    again = decoded(*assembled((sent, receipt)), traces=[noisy])
    assert again.transfers == plain.transfers
    assert len(plain.transfers) == 3


def logged_twice() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a payment of 5 to a contract that passes 3 on, on a chain that logs value."""
    logs = [
        transfer_log(5, address=SYSTEM, topics=[TRANSFER, word(SENDER), word(CONTRACT)]),
        transfer_log(3, address=SYSTEM, topics=[TRANSFER, word(CONTRACT), word(PAYEE)]),
    ]
    return payment(1, value=5, to=CONTRACT, logs=logs)


@pytest.mark.parametrize("logged_from", [None, TIME + 1, TIME, 0])
def test_case_23_logged_value_has_one_source(logged_from: int | None) -> None:
    """Before the switch transaction and trace, from it on the logs: once each, never both."""
    outer = logged_twice()
    block = decoded(
        *assembled(outer),
        frozenset({TOKEN, SYSTEM}),
        traces=[call_of(outer, frame(value=3))],
        logged_from=logged_from,
    )
    assert [(each.kind, each.ordinal, each.units) for each in block.transfers] == [
        ("native", 0, 5),
        ("internal", 0, 3),
    ]
    assert list(block.strays()) == []


def test_case_23_without_traces_only_the_switch_shows_inner_value() -> None:
    """The system's logs are no tokens before it, whatever is listed."""
    before = decoded(*assembled(logged_twice()), frozenset({SYSTEM}))
    after = decoded(*assembled(logged_twice()), logged_from=TIME)
    assert list(decoded(*assembled(logged_twice())).strays()) == list(after.strays()) == []
    assert [each.kind for each in before.transfers] == ["native"]
    assert [each.kind for each in after.transfers] == ["native", "internal"]
    assert (before.internal, after.internal) == (False, True)
