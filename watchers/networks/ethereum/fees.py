"""EIP-1559 fees as plain arithmetic: what to offer for gas, in wei."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from watchers.network import Incomplete, Refused

HISTORY_BLOCKS = 20
REWARD_PERCENTILE = 50
TIP_WEI_MIN = 1
PLAIN_TRANSFER_GAS = 21_000
"""What a native payment to an account without code costs, exactly (EIP-2)."""
ESTIMATE_MAX = 25_000_000
"""More, with its margin, is above what the keystore signs."""
ZERO_BYTE_GAS, BYTE_GAS = 4, 16
"""What a transaction pays for a byte of its data before anything runs (EIP-2028)."""
RISE = (9, 8)
"""Nodes take a replacement whose two fees rose by a tenth (geth), by an eighth everywhere."""


class RawFeeHistory(msgspec.Struct, rename="camel", gc=False):
    """Answer of `eth_feeHistory`: base fees of the blocks and of the next one; tips per block."""

    base_fee_per_gas: list[str]
    reward: list[list[str]] | None = None


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction offers per gas: the ceiling, and the part that goes to the builder."""

    max_fee_wei: int
    tip_wei: int


@dataclass(frozen=True, slots=True)
class Market:
    """What the next block asks at least, and what to offer for a place in one of the next."""

    base_wei: int
    fees: Fees


def offer_of(intent: Mapping[str, Any]) -> Fees:
    """Return what an intent offers."""
    return Fees(int(intent["max_fee_per_gas"]), int(intent["max_priority_fee_per_gas"]))


def market_fees(next_base_wei: int, tips_wei: Sequence[int]) -> Fees:
    """Return twice the next base fee plus the median of recent tips.

    Twice: the base fee rises by at most an eighth per block, so the offer stays good for six
    full blocks in a row.
    """
    ordered = sorted(tips_wei)
    median = ordered[len(ordered) // 2] if ordered else 0
    tip = max(TIP_WEI_MIN, median)
    return Fees(max_fee_wei=2 * next_base_wei + tip, tip_wei=tip)


def within_ceiling(fees: Fees, next_base_wei: int, gas_limit: int, ceiling_wei: int) -> Fees:
    """Return the fees lowered until `gas_limit` of them fits under the ceiling.

    Raises `Refused` where that is less than the next block asks for.
    """
    affordable = ceiling_wei // gas_limit
    needed = next_base_wei + fees.tip_wei
    if affordable < needed:
        raise Refused(
            f"network fee of {needed * gas_limit} wei is above the ceiling of {ceiling_wei} wei"
        )
    return Fees(max_fee_wei=min(fees.max_fee_wei, affordable), tip_wei=fees.tip_wei)


def gas_limit_for(estimate: int, data: bytes = b"") -> int:
    """Return the estimate and a fifth more; a plain transfer's gas is exact and stays.

    Raises `Incomplete` where it cannot be true: less than the transaction and its `data` cost
    before anything runs would hold up the nonce for ever, and too much is never signed.
    """
    zeros = data.count(0)
    least = PLAIN_TRANSFER_GAS + ZERO_BYTE_GAS * zeros + BYTE_GAS * (len(data) - zeros)
    if not least <= estimate <= ESTIMATE_MAX:
        raise Incomplete(f"the node estimates {estimate} gas, {least} at least are needed")
    return estimate if estimate == PLAIN_TRANSFER_GAS else -(-estimate * 6 // 5)


def risen(fee_wei: int) -> int:
    """Return the least fee that outbids this one everywhere, rounded up."""
    over, under = RISE
    return -(-fee_wei * over // under)


def outbidding(old: Fees, market: Fees, gas_limit: int, ceiling_wei: int) -> Fees:
    """Return fees of which each outbids the old one and, as far as the ceiling lets, the market's.

    Raises `Refused` where `gas_limit` of the least that outbids is above the ceiling.
    """
    least = Fees(max_fee_wei=risen(old.max_fee_wei), tip_wei=risen(old.tip_wei))
    affordable = ceiling_wei // gas_limit
    if affordable < least.max_fee_wei:
        raise Refused(
            f"the network fee is at its ceiling: {least.max_fee_wei * gas_limit} wei to outbid "
            f"the transaction that waits, {ceiling_wei} wei allowed"
        )
    max_fee = min(affordable, max(least.max_fee_wei, market.max_fee_wei))
    # The market's tip may be above what the ceiling leaves for the whole fee.
    tip = min(max_fee, max(least.tip_wei, market.tip_wei))
    return Fees(max_fee_wei=max_fee, tip_wei=tip)
