"""Solana: a durable nonce advanced for nothing, so that what was signed on its value never lands.

AdvanceNonce and the compute budget, no more. The network lets one transaction per nonce value
land, a failed one included: it keeps the advanced value then too. Where the order was signed on a
value that the account does not hold, the advance is on the one that it does: it stands in the
order's slot all the same, for the order has no other.
"""

from msgspec import structs
from solders.pubkey import Pubkey

from keystore.intents import OnNonce, SolanaAdvanceIntent
from keystore.networks.solana import (
    LAMPORTS_PER_SIGNATURE,
    SolanaDraft,
    blockhash,
    on_nonce,
    priority_fee,
)
from keystore.refusal import Refused


def draft(intent: SolanaAdvanceIntent, sender: str) -> SolanaDraft:
    """Build the transaction that moves nothing."""
    payer = Pubkey.from_string(sender)
    made = on_nonce(intent, payer, [])
    if not intent.present_value:
        return made
    blockhash(intent.present_value, "present_value")
    if intent.present_value == intent.nonce_value:
        raise Refused("bad_field", "present_value: says what nonce_value says")
    present = structs.replace(intent, nonce_value=intent.present_value)
    return SolanaDraft(slot=made.slot, message=on_nonce(present, payer, []).message)


def fee_most(intent: SolanaAdvanceIntent) -> int:
    """Return signature and priority fee, in lamports."""
    return LAMPORTS_PER_SIGNATURE + priority_fee(intent)


def replaces(new: SolanaAdvanceIntent, old: OnNonce) -> bool:
    """Tell whether `new` may be signed beside `old`: the same order on the same nonce value.

    Only a dearer one, by an eighth at least, may follow another that moves nothing.
    """
    place = ("withdrawal_id", "network", "nonce_account", "nonce_value")
    if any(getattr(new, name) != getattr(old, name) for name in place):
        return False
    if not isinstance(old, SolanaAdvanceIntent):
        return True
    price = new.compute_unit_price_micro_lamports
    before = old.compute_unit_price_micro_lamports
    same_limit = new.compute_unit_limit == old.compute_unit_limit
    return same_limit and price > before and price * 8 >= before * 9
