"""Solana: several pool addresses into the hot wallet in one transaction that the hot wallet pays.

Every source signs for itself, so that nothing needs lamports but the hot wallet, and an address
can be emptied to 0 lamports.
"""

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from keystore.intents import SolanaSweepIntent, SweepSource
from keystore.networks.scheme import whole
from keystore.networks.solana import (
    LAMPORTS_PER_SIGNATURE,
    SolanaDraft,
    Token,
    on_nonce,
    priority_fee,
    pubkey,
    token_of,
)
from keystore.refusal import Refused

TRANSACTION_BYTES_MAX = 1_232
"""What a legacy transaction may take: an IPv6 packet less its headers."""
SIGNATURE_BYTES = 64
CLOSE_ACCOUNT = bytes([9])


def draft(intent: SolanaSweepIntent, sender: str) -> SolanaDraft:
    """Build the sweep; refuse one that does not fit into a transaction (`too_large`)."""
    payer = Pubkey.from_string(sender)
    work = _native(intent, payer) if intent.asset == "native" else _tokens(intent, payer)
    made = on_nonce(intent, payer, work)
    signers = made.message.header.num_required_signatures
    size = 1 + signers * SIGNATURE_BYTES + len(bytes(made.message))
    if size > TRANSACTION_BYTES_MAX:
        raise Refused(
            "too_large", f"sources: {size} bytes, a transaction has {TRANSACTION_BYTES_MAX}"
        )
    return made


def fee_most(intent: SolanaSweepIntent) -> int:
    """Return signatures and priority fee, in lamports; nothing is created."""
    return LAMPORTS_PER_SIGNATURE * (1 + len(intent.sources)) + priority_fee(intent)


def _native(intent: SolanaSweepIntent, hot: Pubkey) -> list[Instruction]:
    if intent.decimals or intent.token_program or intent.close:
        raise Refused("bad_field", "decimals, token_program, close: empty for a native sweep")
    return [
        transfer(TransferParams(from_pubkey=owner, to_pubkey=hot, lamports=units))
        for owner, units in map(_owner_and_units, intent.sources)
    ]


def _tokens(intent: SolanaSweepIntent, hot: Pubkey) -> list[Instruction]:
    token = token_of(intent)
    work = []
    for owner, units in map(_owner_and_units, intent.sources):
        work.append(token.transfer(owner, hot, units))
        if intent.close:
            work.append(_close(token, owner, hot))
    return work


def _owner_and_units(source: SweepSource) -> tuple[Pubkey, int]:
    return pubkey(source.address, "sources.address"), whole(
        source.units, "sources.units", bits=64
    )


def _close(token: Token, owner: Pubkey, hot: Pubkey) -> Instruction:
    """CloseAccount: the emptied account's rent goes to the hot wallet."""
    return Instruction(
        token.program,
        CLOSE_ACCOUNT,
        [
            AccountMeta(token.account(owner), is_signer=False, is_writable=True),
            AccountMeta(hot, is_signer=False, is_writable=True),
            AccountMeta(owner, is_signer=True, is_writable=False),
        ],
    )
