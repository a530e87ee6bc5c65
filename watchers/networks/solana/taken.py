"""By which transaction a durable nonce's value was spent: it is signed with the key of its authority.

Either the transaction is itself on that value, and then its bytes prove that it spent it, whether
it succeeded or failed; or it advanced the account, or emptied it, beside its own blockhash: then
the account must hold another value by now, and our own scan has to come as far as that was seen.
A value never comes back.
"""

import struct
from base64 import b64decode
from binascii import Error as NotBase64
from typing import Any

import msgspec
from solders.transaction import VersionedTransaction

from watchers.network import Incomplete, NodeUnavailable, Place, Placed
from watchers.networks.solana.accounts import SYSTEM_PROGRAM, nonce_state
from watchers.networks.solana.wire import AccountDocument, ask
from watchers.rpc import Endpoints, JsonRpc

ADVANCE, WITHDRAW = struct.pack("<I", 4), struct.pack("<I", 5)
FINAL = {"commitment": "finalized"}
VERSIONED = {**FINAL, "maxSupportedTransactionVersion": 0}


class _Meta(msgspec.Struct, gc=False):
    err: Any = None


class _Transaction(msgspec.Struct, gc=False):
    slot: int
    transaction: tuple[str, str]
    meta: _Meta | None = None


class _Block(msgspec.Struct, gc=False):
    blockhash: str


class _Context(msgspec.Struct, gc=False):
    slot: int


class _Account(msgspec.Struct, gc=False):
    context: _Context
    value: AccountDocument | None = None


async def placed(
    endpoints: Endpoints, tx_hash: str, place: Place, raw: bytes | None = None
) -> Placed | None:
    """Say where a transaction stands that spent the value of `place`; None where it is not final.

    `ValueError` where its bytes (`raw`, where a person has them) do not spend it; `Incomplete`
    where the account still holds the value.
    """
    rpc = JsonRpc(endpoints)
    params = [tx_hash, {**VERSIONED, "encoding": "base64"}]
    found = await ask(rpc, "getTransaction", params, _Transaction | None)  # type: ignore[arg-type]
    if found is None:
        return None
    transaction = _given(found.transaction, tx_hash) if raw is None else read(raw, tx_hash)
    on_value = spends(transaction, place)
    failed = found.meta is None or found.meta.err is not None
    if failed and not on_value:
        raise ValueError("taken-by: that transaction failed, and was not on this value")
    gone_at = await _gone_at(rpc, place) if failed or not on_value else 0
    config = {**VERSIONED, "transactionDetails": "none", "rewards": False}
    block = await ask(rpc, "getBlock", [found.slot, config], _Block)
    return Placed(
        place.sender,
        None,
        found.slot,
        block.blockhash,
        place.nonce_account,
        place.nonce_value,
        gone_at,
    )


def read(raw: bytes, tx_hash: str) -> VersionedTransaction:
    """Return the transaction; raise `ValueError` for other bytes and for an invalid signature."""
    try:
        transaction = VersionedTransaction.from_bytes(raw)
    except ValueError as trouble:
        raise ValueError(f"raw: not a transaction: {trouble}") from trouble
    if bytes(transaction) != raw or [*map(str, transaction.signatures[:1])] != [tx_hash]:
        raise ValueError(f"raw: not the bytes of {tx_hash}")
    if not all(transaction.verify_with_results()):
        raise ValueError("raw: a signature is not valid")
    return transaction


def spends(transaction: VersionedTransaction, place: Place) -> bool:
    """Tell whether it is on the place's value itself; False where it moves the account beside that.

    Raises `ValueError` for what the account's authority did not sign, and for what leaves the
    account alone.
    """
    message = transaction.message
    keys = dict(enumerate(map(str, message.account_keys)))
    signers = [keys[each] for each in range(message.header.num_required_signatures)]
    if place.sender not in signers:
        raise ValueError(f"taken-by: {place.sender} did not sign that transaction")
    moves = [
        bytes(each.data)[:4]
        if keys.get(each.program_id_index) == SYSTEM_PROGRAM
        and [keys.get(index) for index in each.accounts[:1]] == [place.nonce_account]
        else b""
        for each in message.instructions
    ]
    if not {ADVANCE, WITHDRAW} & {*moves}:
        raise ValueError(f"taken-by: that transaction leaves {place.nonce_account} alone")
    return moves[0] == ADVANCE and str(message.recent_blockhash) == place.nonce_value


async def _gone_at(rpc: JsonRpc, place: Place) -> int:
    """Return the slot at which the account holds another value for good."""
    params = [place.nonce_account, {**FINAL, "encoding": "base64"}]
    told = await ask(rpc, "getAccountInfo", params, _Account)
    account = told.value
    held = None
    if account is not None and account.owner == SYSTEM_PROGRAM:
        held = nonce_state(account.content())
    if held is not None and held.value == place.nonce_value:
        raise Incomplete(f"{place.nonce_account} still holds the value of this order")
    return told.context.slot


def _given(told: tuple[str, str], tx_hash: str) -> VersionedTransaction:
    try:
        return read(_octets(told), tx_hash)
    except ValueError as fault:
        raise NodeUnavailable(
            f"getTransaction: {fault}: name its bytes yourself (--raw)"
        ) from fault


def _octets(told: tuple[str, str]) -> bytes:
    text, encoding = told
    if encoding != "base64":
        raise NodeUnavailable(f"getTransaction: bytes in {encoding}, base64 was asked for")
    try:
        return b64decode(text, validate=True)
    except NotBase64 as trouble:
        raise NodeUnavailable(f"getTransaction: {trouble}") from trouble
