"""The families: a typed intent becomes a draft, a draft and a key become signed bytes. Pure."""

from keystore.intents import (
    EthereumIntent,
    Intent,
    OnNonce,
    SolanaAdvanceIntent,
    SolanaIntent,
    SolanaSweepIntent,
    TronIntent,
    TronResourceIntent,
)
from keystore.networks import (
    ethereum,
    solana,
    solana_advance,
    solana_sweep,
    tron,
    tron_resource,
)
from keystore.networks.scheme import Draft
from keystore.shapes import Family


def draft(intent: Intent, sender: str) -> Draft:
    """Build the transaction that `intent` describes, paid by `sender`, not yet signed.

    Raises `Refused` naming the field that no transaction of this chain could carry.
    """
    match intent:
        case EthereumIntent():
            return ethereum.draft(intent, sender)
        case TronIntent():
            return tron.draft(intent, sender)
        case TronResourceIntent():
            return tron_resource.draft(intent, sender)
        case SolanaIntent():
            return solana.draft(intent, sender)
        case SolanaSweepIntent():
            return solana_sweep.draft(intent, sender)
        case SolanaAdvanceIntent():
            return solana_advance.draft(intent, sender)


def family_of(intent: Intent) -> Family:
    """Return the family that an intent was written for."""
    match intent:
        case EthereumIntent():
            return "ethereum"
        case TronIntent() | TronResourceIntent():
            return "tron"
        case SolanaIntent() | SolanaSweepIntent() | SolanaAdvanceIntent():
            return "solana"


def normal(intent: Intent) -> Intent:
    """Return the one spelling of an intent that the journal compares."""
    return ethereum.normal(intent) if isinstance(intent, EthereumIntent) else intent


def fee_most(intent: Intent) -> int:
    """Return the most that the network could take for this intent, in its own base units."""
    match intent:
        case EthereumIntent():
            return ethereum.fee_most(intent)
        case TronIntent():
            return tron.fee_most(intent)
        case TronResourceIntent():
            return tron.BURNT_SUN_MAX
        case SolanaIntent():
            return solana.fee_most(intent)
        case SolanaSweepIntent():
            return solana_sweep.fee_most(intent)
        case SolanaAdvanceIntent():
            return solana_advance.fee_most(intent)


def replaces(new: Intent, old: Intent) -> bool:
    """Tell whether `new` may take the slot of `old`: a higher fee, or a cancel.

    On Tron no two transactions compete for a slot, on Solana a cancel alone may.
    """
    if isinstance(new, EthereumIntent) and isinstance(old, EthereumIntent):
        return ethereum.replaces(new, old)
    if isinstance(new, SolanaAdvanceIntent) and isinstance(old, OnNonce):
        return solana_advance.replaces(new, old)
    return False
