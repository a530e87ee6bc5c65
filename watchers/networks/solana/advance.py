"""Taking a payment back on Solana: its durable nonce is advanced, and its bytes can never land.

The bytes hold AdvanceNonceAccount, the compute unit limit and price, and nothing else.
"""

import struct
from collections.abc import Mapping
from typing import Any

import msgspec

from keystore.api import SolanaAdvanceIntent
from watchers.network import Refused
from watchers.networks.solana import fees
from watchers.networks.solana.accounts import (
    COMPUTE_BUDGET_PROGRAM,
    NONCE_LANES_MAX,
    RECENT_BLOCKHASHES_SYSVAR,
    SYSTEM_PROGRAM,
    nonce_account_address,
)
from watchers.networks.solana.payment import Step, taken_apart

FAMILY = "solana_advance"
PRESENT = "present_value"
"""What the account holds, where the order was signed on a value that it does not."""
PRICE = "compute_unit_price_micro_lamports"


def vacating(
    intent: Mapping[str, Any], market: int, *, ceiling_units: int
) -> Mapping[str, Any]:
    """Return the intent of nothing on the same nonce value, at a better price than `intent` offers.

    Raises `Refused` where the ceiling leaves no room.
    """
    price = max(market, outbidding(intent[PRICE]))
    nothing = SolanaAdvanceIntent(
        withdrawal_id=intent["withdrawal_id"],
        network=intent["network"],
        nonce_account=intent["nonce_account"],
        nonce_value=intent["nonce_value"],
        compute_unit_limit=fees.UNITS_ADVANCE,
        compute_unit_price_micro_lamports=price,
        present_value=intent.get(PRESENT, ""),
    )
    cost = fees.lamports(fees.UNITS_ADVANCE, price)
    if cost > ceiling_units:
        raise Refused(f"taking it back costs {cost} lamports, the ceiling is {ceiling_units}")
    return dict(msgspec.to_builtins(nothing))


def outbidding(price: int) -> int:
    """Return the least price that stands above another one: an eighth more."""
    return max(price + 1, -(-price * 9 // 8))


def check(intent: SolanaAdvanceIntent, raw: bytes) -> str:
    """Return the transaction hash of bytes that do exactly what the intent says.

    Raises `ValueError` that begins with the name of what differs.
    """
    found = taken_apart(raw)
    lanes = (nonce_account_address(found.payer, lane) for lane in range(NONCE_LANES_MAX))
    if intent.nonce_account not in lanes:
        raise ValueError(f"nonce_account: {intent.nonce_account} is no lane of {found.payer}")
    if found.blockhash != (intent.present_value or intent.nonce_value):
        raise ValueError(f"nonce_value: the bytes say {found.blockhash}")
    advance = (intent.nonce_account, RECENT_BLOCKHASHES_SYSVAR, found.payer)
    limit = struct.pack("<BI", 2, intent.compute_unit_limit)
    price = struct.pack("<BQ", 3, intent.compute_unit_price_micro_lamports)
    wanted = (
        Step(SYSTEM_PROGRAM, advance, struct.pack("<I", 4)),
        Step(COMPUTE_BUDGET_PROGRAM, (), limit),
        Step(COMPUTE_BUDGET_PROGRAM, (), price),
    )
    if found.steps != wanted:
        raise ValueError(f"raw: the bytes say {found.steps}, the intent says {wanted}")
    return found.tx_hash
