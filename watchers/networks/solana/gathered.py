"""Pure: read a signed sweep back and compare it with its intent, instruction by instruction.

The bytes hold AdvanceNonceAccount, the compute unit limit and price, then for each source its
transfer and, where accounts are closed, CloseAccount. Nothing else, and in that order. Where a
source names another account than its canonical one, CreateIdempotent of that one comes first.
"""

import struct
from collections.abc import Iterator

from keystore.api import SolanaSweepIntent, SweepSource
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
from watchers.networks.solana.payment import SignedPayment, Step, taken_apart

BYTES_MAX = 1_232
CLOSE_ACCOUNT, CREATE_IDEMPOTENT = b"\x09", b"\x01"
_KEY = _SIGNATURE_HALF = 32


def check(intent: SolanaSweepIntent, raw: bytes) -> str:
    """Return the transaction hash of bytes that do exactly what the intent says.

    Raises `ValueError` that begins with the name of what differs.
    """
    sweep = taken_apart(raw, 1 + len(intent.sources))
    if intent.asset != NATIVE and intent.token_program not in TOKEN_PROGRAMS:
        raise ValueError(f"token_program: {intent.token_program} is none")
    lanes = (nonce_account_address(sweep.payer, lane) for lane in range(NONCE_LANES_MAX))
    if intent.nonce_account not in lanes:
        raise ValueError(f"nonce_account: {intent.nonce_account} is no lane of {sweep.payer}")
    if sweep.blockhash != intent.nonce_value:
        raise ValueError(f"nonce_value: the bytes say {sweep.blockhash}")
    if {*sweep.signers[1:]} != {source.address for source in intent.sources}:
        raise ValueError("sources: not those that signed")
    wanted = [*_steps(intent, sweep)]
    if len(wanted) != len(sweep.steps):
        raise ValueError(f"raw: {len(sweep.steps)} instructions, {len(wanted)} are intended")
    for (name, step), found in zip(wanted, sweep.steps, strict=True):
        if found != step:
            raise ValueError(f"{name}: the bytes say {found}, the intent says {step}")
    return sweep.tx_hash


def _steps(intent: SolanaSweepIntent, sweep: SignedPayment) -> Iterator[tuple[str, Step]]:
    advance = (intent.nonce_account, RECENT_BLOCKHASHES_SYSVAR, sweep.payer)
    yield "nonce_account", Step(SYSTEM_PROGRAM, advance, struct.pack("<I", 4))
    limit = struct.pack("<BI", 2, intent.compute_unit_limit)
    yield "compute_unit_limit", Step(COMPUTE_BUDGET_PROGRAM, (), limit)
    price = struct.pack("<BQ", 3, intent.compute_unit_price_micro_lamports)
    yield "compute_unit_price_micro_lamports", Step(COMPUTE_BUDGET_PROGRAM, (), price)
    for source in intent.sources:
        if intent.asset == NATIVE:
            data = struct.pack("<IQ", 2, int(source.units))
            yield "sources", Step(SYSTEM_PROGRAM, (source.address, sweep.payer), data)
        else:
            yield from _token_steps(intent, source, sweep.payer)


def _token_steps(
    intent: SolanaSweepIntent, source: SweepSource, hot: str
) -> Iterator[tuple[str, Step]]:
    program, mint = intent.token_program, intent.asset
    theirs = associated_token_account(source.address, mint, program)
    ours = associated_token_account(hot, mint, program)
    if source.account:
        theirs, ours = source.account, theirs
        readers = (source.address, mint, SYSTEM_PROGRAM, program)
        yield (
            "sources",
            Step(ASSOCIATED_TOKEN_PROGRAM, (hot, ours, *readers), CREATE_IDEMPOTENT),
        )
    data = struct.pack("<BQB", 12, int(source.units), intent.decimals)
    yield "sources", Step(program, (theirs, mint, ours, source.address), data)
    if intent.close:
        yield "close", Step(program, (theirs, hot, source.address), CLOSE_ACCOUNT)


def size(asset: str, sources: int, *, close: bool) -> int:
    """Return the bytes of a sweep: signatures, header and blockhash, keys, instructions.

    Keys beside the hot wallet's and the sources': lane, sysvar, system and budget programs; for
    a token its mint, its program and every token account.
    """
    token = asset != NATIVE
    keys = 1 + sources + 4 + (3 + sources if token else 0)
    each = 17 + (7 if close else 0)
    envelope = 1 + 2 * _SIGNATURE_HALF * (1 + sources) + 3 + 1 + _KEY + 1
    return envelope + _KEY * keys + 10 + 8 + 12 + sources * each


def fits(asset: str, *, close: bool) -> int:
    """Return how many sources one transaction holds."""
    count = 1
    while size(asset, count + 1, close=close) <= BYTES_MAX:
        count += 1
    return count
