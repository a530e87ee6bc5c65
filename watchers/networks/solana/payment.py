"""Pure: read signed bytes back and compare them, field by field, with the intent.

The bytes of a payment hold, in this order of meaning: AdvanceNonceAccount (first, or the
network would not take the nonce for a blockhash), the compute unit limit and price, for a token
perhaps CreateIdempotent, and one Transfer or TransferChecked. Anything more is refused. A
Solana transaction names no cluster; the durable nonce value exists on one cluster only.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from solders.message import Message, MessageV0
from solders.transaction import VersionedTransaction

from keystore.api import SolanaIntent
from watchers.network import NATIVE
from watchers.networks.solana.accounts import (
    ASSOCIATED_TOKEN_PROGRAM,
    COMPUTE_BUDGET_PROGRAM,
    NONCE_LANES_MAX,
    RECENT_BLOCKHASHES_SYSVAR,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAMS,
    associated_token_account,
    nonce_account_address,
)

# Instruction tags: System 2 and 4 are 32 bits wide, the others one byte.
_SYSTEM_TRANSFER = struct.pack("<I", 2)
_ADVANCE_NONCE = struct.pack("<I", 4)
_UNIT_LIMIT = b"\x02"
_UNIT_PRICE = b"\x03"
_CREATE_IDEMPOTENT = b"\x01"
_TRANSFER_CHECKED = b"\x0c"


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction with its accounts written out."""

    program: str
    accounts: tuple[str, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class SignedPayment:
    """Signed bytes taken apart. `signers` begin with the payer, who is alone in a payment."""

    tx_hash: str
    payer: str
    signers: tuple[str, ...]
    blockhash: str
    steps: tuple[Step, ...]


def check(intent: SolanaIntent, raw: bytes) -> str:
    """Return the transaction hash of bytes that do exactly what the intent says.

    Raises `ValueError` that begins with the name of the first field which differs.
    """
    payment = taken_apart(raw)
    found = _sorted_out(payment.steps)
    _check_slot(intent, payment)
    _check_budget(intent, found)
    if "transfer" in found:
        _check_native(intent, payment, found["transfer"], found.get("create_ata"))
    else:
        _check_token(intent, payment, found["transfer_checked"], found.get("create_ata"))
    return payment.tx_hash


def taken_apart(raw: bytes, signers: int = 1) -> SignedPayment:
    """Decode legacy or v0 bytes; refuse anything that is not whole and validly signed by so many."""
    try:
        transaction = VersionedTransaction.from_bytes(raw)
    except ValueError as trouble:
        raise ValueError(f"raw: not a transaction: {trouble}") from trouble
    message = transaction.message
    if bytes(transaction) != raw:
        raise ValueError("raw: bytes beside the transaction")
    if isinstance(message, MessageV0) and message.address_table_lookups:
        raise ValueError("raw: accounts from a lookup table")
    required = message.header.num_required_signatures
    if (len(transaction.signatures), required) != (signers, signers):
        wanted = "one signer" if signers == 1 else f"{signers} signers"
        raise ValueError(f"raw: not exactly {wanted}")
    if transaction.verify_with_results() != [True] * signers:
        raise ValueError("raw: the signature is not valid")
    keys = [str(key) for key in message.account_keys]
    return SignedPayment(
        tx_hash=str(transaction.signatures[0]),
        payer=keys[0],
        signers=tuple(keys[:signers]),
        blockhash=str(message.recent_blockhash),
        steps=_steps(message, keys),
    )


def _steps(message: Message | MessageV0, keys: Sequence[str]) -> tuple[Step, ...]:
    try:
        return tuple(
            Step(
                keys[each.program_id_index],
                tuple(keys[index] for index in each.accounts),
                bytes(each.data),
            )
            for each in message.instructions
        )
    except IndexError as trouble:
        raise ValueError("raw: an instruction names an account that is not there") from trouble


def _sorted_out(steps: Sequence[Step]) -> dict[str, Step]:
    """Name each instruction; refuse unknown and repeated ones, and all but one transfer."""
    found: dict[str, Step] = {}
    for step in steps:
        name = _name(step)
        if name in found:
            raise ValueError(f"raw: {name} appears twice")
        found[name] = step
    if ("transfer" in found) == ("transfer_checked" in found):
        raise ValueError("raw: not exactly one transfer")
    return found


def _name(step: Step) -> str:
    if step.program == SYSTEM_PROGRAM and step.data == _ADVANCE_NONCE:
        return "nonce_account"
    if step.program == SYSTEM_PROGRAM and _shaped(step, _SYSTEM_TRANSFER, 12, 2):
        return "transfer"
    if step.program == COMPUTE_BUDGET_PROGRAM and _shaped(step, _UNIT_LIMIT, 5, 0):
        return "compute_unit_limit"
    if step.program == COMPUTE_BUDGET_PROGRAM and _shaped(step, _UNIT_PRICE, 9, 0):
        return "compute_unit_price_micro_lamports"
    if step.program == ASSOCIATED_TOKEN_PROGRAM and step.data == _CREATE_IDEMPOTENT:
        return "create_ata"
    if step.program in TOKEN_PROGRAMS and _shaped(step, _TRANSFER_CHECKED, 10, 4):
        return "transfer_checked"
    raise ValueError(f"raw: unexpected instruction of {step.program}")


def _shaped(step: Step, tag: bytes, data_bytes: int, accounts: int) -> bool:
    right_size = len(step.data) == data_bytes and len(step.accounts) == accounts
    return right_size and step.data.startswith(tag)


def _check_slot(intent: SolanaIntent, payment: SignedPayment) -> None:
    # Anywhere but first, the network would take the nonce value for an expired blockhash.
    account = intent.nonce_account
    advance = (account, RECENT_BLOCKHASHES_SYSVAR, payment.payer)
    _same("nonce_account", payment.steps[0].accounts, advance)
    _same("nonce_value", payment.blockhash, intent.nonce_value)
    # The intent does not carry the hot wallet; the lane's address commits to it.
    lanes = (nonce_account_address(payment.payer, lane) for lane in range(NONCE_LANES_MAX))
    if account not in lanes:
        raise ValueError(f"nonce_account: {account} is no lane of the payer {payment.payer}")


def _check_budget(intent: SolanaIntent, found: dict[str, Step]) -> None:
    for name, value in (
        ("compute_unit_limit", intent.compute_unit_limit),
        ("compute_unit_price_micro_lamports", intent.compute_unit_price_micro_lamports),
    ):
        if name not in found:
            raise ValueError(f"{name}: the transaction does not set it")
        _same(name, int.from_bytes(found[name].data[1:], "little"), value)


def _check_native(
    intent: SolanaIntent, payment: SignedPayment, transfer: Step, create: Step | None
) -> None:
    _same("asset", NATIVE, intent.asset)
    _same("create_ata", create is not None, intent.create_ata)
    _same("to", transfer.accounts, (payment.payer, intent.to))
    _same("units", str(int.from_bytes(transfer.data[4:], "little")), intent.units)


def _check_token(
    intent: SolanaIntent, payment: SignedPayment, transfer: Step, create: Step | None
) -> None:
    source, mint, destination, authority = transfer.accounts
    _same("asset", mint, intent.asset)
    _same("token_program", transfer.program, intent.token_program)
    own = associated_token_account(payment.payer, mint, transfer.program)
    _same("source", (source, authority), (own, payment.payer))
    theirs = associated_token_account(intent.to, mint, transfer.program)
    _same("to", destination, theirs)
    units, decimals = struct.unpack_from("<QB", transfer.data, 1)
    _same("units", str(units), intent.units)
    _same("decimals", decimals, intent.decimals)
    _same("create_ata", create is not None, intent.create_ata)
    if create is not None:
        parts = (payment.payer, theirs, intent.to, mint, SYSTEM_PROGRAM, transfer.program)
        _same("create_ata", create.accounts, parts)


def _same(field: str, signed: object, intended: object) -> None:
    if signed != intended:
        raise ValueError(f"{field}: the bytes say {signed}, the intent says {intended}")
