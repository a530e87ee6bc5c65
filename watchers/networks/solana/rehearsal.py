"""A payment played through by a node before anybody signs it.

Frozen mints, hooks, full accounts and limits that are too low show here, and cost nothing. The
message is built from the intent only to be played: what is signed is built by the keystore.
"""

import struct
from base64 import b64encode
from typing import Any

import msgspec
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import (
    AdvanceNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    transfer,
)
from solders.transaction import VersionedTransaction

from keystore.api import SolanaIntent
from watchers.network import NATIVE, Incomplete, Refused
from watchers.networks.solana.accounts import (
    ASSOCIATED_TOKEN_PROGRAM,
    SYSTEM_PROGRAM,
    associated_token_account,
)
from watchers.networks.solana.wire import Valued, ask
from watchers.rpc import JsonRpc

CONFIG = {"encoding": "base64", "commitment": "confirmed", "sigVerify": False}
WORDS_MAX = 200
_CREATE_IDEMPOTENT = b"\x01"
_TRANSFER_CHECKED = 12


class _Played(msgspec.Struct, gc=False):
    err: Any
    logs: list[str] | None = None


async def rehearse(rpc: JsonRpc, intent: SolanaIntent, payer: str) -> None:
    """Return where the payment would succeed now; raise `Refused` with the reason it would not.

    A node that cannot play it is trouble, and so is a nonce that cannot be advanced yet.
    """
    raw = b64encode(message_of(intent, payer)).decode()
    played = (await ask(rpc, "simulateTransaction", [raw, CONFIG], Valued[_Played])).value
    if played.err is None:
        return
    words = msgspec.json.encode(played.err).decode()[:WORDS_MAX]
    if _is_ours(played.err):
        raise Incomplete(f"simulation: the nonce does not advance: {words}")
    told = [line for line in played.logs or () if "rror" in line]
    raise Refused(f"simulation: {words} {told[-1][:WORDS_MAX] if told else ''}".rstrip())


def message_of(intent: SolanaIntent, payer: str) -> bytes:
    """Return the bytes of a payment with an empty signature."""
    key = Pubkey.from_string(payer)
    lane = Pubkey.from_string(intent.nonce_account)
    steps = [
        advance_nonce_account(
            AdvanceNonceAccountParams(nonce_pubkey=lane, authorized_pubkey=key)
        ),
        set_compute_unit_limit(intent.compute_unit_limit),
        set_compute_unit_price(intent.compute_unit_price_micro_lamports),
        *(_coins(intent, key) if intent.asset == NATIVE else _tokens(intent, payer)),
    ]
    message = Message.new_with_blockhash(steps, key, Hash.from_string(intent.nonce_value))
    return bytes(VersionedTransaction.populate(message, [Signature.default()]))


def _coins(intent: SolanaIntent, payer: Pubkey) -> list[Instruction]:
    payee, lamports = Pubkey.from_string(intent.to), int(intent.units)
    return [transfer(TransferParams(from_pubkey=payer, to_pubkey=payee, lamports=lamports))]


def _tokens(intent: SolanaIntent, payer: str) -> list[Instruction]:
    mint, program = intent.asset, intent.token_program
    source, payee = (
        associated_token_account(owner, mint, program) for owner in (payer, intent.to)
    )
    data = struct.pack("<BQB", _TRANSFER_CHECKED, int(intent.units), intent.decimals)
    places = [
        _at(source, writes=True),
        _at(mint),
        _at(payee, writes=True),
        _at(payer, signs=True),
    ]
    pay = Instruction(Pubkey.from_string(program), data, places)
    if not intent.create_ata:
        return [pay]
    readers = [_at(each) for each in (intent.to, mint, SYSTEM_PROGRAM, program)]
    made = [_at(payer, signs=True, writes=True), _at(payee, writes=True), *readers]
    maker = Pubkey.from_string(ASSOCIATED_TOKEN_PROGRAM)
    return [Instruction(maker, _CREATE_IDEMPOTENT, made), pay]


def _at(address: str, *, signs: bool = False, writes: bool = False) -> AccountMeta:
    return AccountMeta(Pubkey.from_string(address), is_signer=signs, is_writable=writes)


def _is_ours(err: Any) -> bool:
    """Tell whether it is about the nonce or the blockhash, which a later look may mend."""
    if isinstance(err, dict):
        instruction = err.get("InstructionError")
        return isinstance(instruction, list) and instruction[:1] == [0]
    return bool(err == "BlockhashNotFound")
