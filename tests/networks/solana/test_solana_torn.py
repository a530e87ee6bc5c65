"""Answers that are short, or contradict themselves: asked for again, never read as empty."""

from typing import Any

import msgspec
import pytest

from tests.networks.solana.documents import (
    FEE_ONLY,
    FOREIGN_MINT,
    PAYER,
    POOL,
    SLOT,
    Tx,
    ata,
    block,
    decoded,
    sol,
    tx_hash,
)
from watchers.network import Incomplete


def broken(**meta: Any) -> dict[str, Any]:
    """Return a block whose only transaction has other result fields."""
    return block(Tx(sol(9), [ata(POOL, 0, 5)], extra=meta))


def token_balance(**fields: Any) -> list[dict[str, Any]]:
    """Return one entry of the listed mint with other fields."""
    [entry] = Tx(FEE_ONLY, [ata(POOL, None, 5)]).document()["meta"]["postTokenBalances"]
    return [{**entry, **fields}]


def without_meta() -> dict[str, Any]:
    """Return a block whose transaction has no result."""
    document = block(Tx(sol(9)))
    document["transactions"][0]["meta"] = None
    return document


def with_body(body: Any) -> dict[str, Any]:
    """Return a block whose transaction has this body."""
    document = block(Tx(sol(9)))
    document["transactions"][0]["transaction"] = body
    return document


TORN = {
    "no block time": block(blockTime=None),
    "no transactions": block(transactions=None),
    "no result": without_meta(),
    "twice the same": block(Tx(sol(9)), Tx(sol(9))),
    "no balances": broken(preBalances=[], postBalances=[]),
    "fewer balances after": broken(postBalances=[1, 2]),
    "more balances than keys": broken(
        preBalances=[9, 0, 0, 0, 0], postBalances=[9, 9, 9, 9, 9]
    ),
    "amount in words": broken(postTokenBalances=token_balance(uiTokenAmount={"amount": "5e3"})),
    "amount below zero": broken(
        postTokenBalances=token_balance(uiTokenAmount={"amount": "-5"})
    ),
    "amount as a number": broken(postTokenBalances=token_balance(uiTokenAmount={"amount": 5})),
    "unknown account": broken(postTokenBalances=token_balance(accountIndex=99)),
    "its parent above it": block(parentSlot=SLOT),
    "no owner": broken(postTokenBalances=token_balance(owner=None)),
    "an empty owner": broken(postTokenBalances=token_balance(owner="")),
    "more balances than keys where no lamports rose": block(
        Tx(FEE_ONLY, [ata(POOL, 0, 5)], extra={"preBalances": [9] * 5, "postBalances": [8] * 5})
    ),
    "owner that is no key": broken(postTokenBalances=token_balance(owner="nobody")),
    "no signature": with_body({"signatures": [], "accountKeys": [{"pubkey": PAYER}]}),
    "no keys": with_body({"signatures": [tx_hash(1)]}),
    "unknown encoding": with_body(["1", "base58"]),
    "bytes that are no transaction": with_body(["AAAA", "base64"]),
    "bytes that are no base64": with_body(["%%%", "base64"]),
}


@pytest.mark.parametrize("case", TORN)
def test_a_torn_answer_is_incomplete(case: str) -> None:
    """What a node left out, or contradicts itself in, is asked for again."""
    with pytest.raises(Incomplete, match=str(SLOT)):
        decoded(TORN[case])


def test_a_result_without_its_error_field_is_no_answer() -> None:
    """Success is a null that is there; a missing field is not success."""
    document = block(Tx(sol(9)))
    del document["transactions"][0]["meta"]["err"]
    with pytest.raises(msgspec.ValidationError):
        decoded(document)


def test_a_torn_stray_names_its_transaction() -> None:
    """It is read later than the block, and no less strictly."""
    torn = Tx(
        FEE_ONLY, extra={"postTokenBalances": token_balance(mint=FOREIGN_MINT, owner=None)}
    )
    whole = decoded(block(torn))
    with pytest.raises(Incomplete, match=tx_hash(1)):
        list(whole.strays())
