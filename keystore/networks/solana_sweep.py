"""Solana: several pool addresses into the hot wallet in one transaction that the hot wallet pays.

Every source signs for itself, so that nothing needs lamports but the hot wallet, and an address
can be emptied to 0 lamports. Tokens that lie in another account of an address than its canonical
one are brought into that one: only from there does a sweep take them.
"""

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from keystore.intents import SolanaSweepIntent, SweepSource
from keystore.networks.scheme import whole
from keystore.networks.solana import (
    LAMPORTS_PER_SIGNATURE,
    TOKEN_ACCOUNT_LAMPORTS_MAX,
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
    """Return signatures and priority fee, and the rent of canonical accounts, in lamports."""
    opened = sum(bool(each.account) for each in intent.sources)
    signatures = LAMPORTS_PER_SIGNATURE * (1 + len(intent.sources))
    return signatures + priority_fee(intent) + opened * TOKEN_ACCOUNT_LAMPORTS_MAX


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
    for source in intent.sources:
        owner, units = _owner_and_units(source)
        account = token.account(owner)
        if source.account:
            account = _beside(source, account)
            work.append(token.open_account(hot, owner))
            work.append(token.transfer(owner, owner, units, account))
        else:
            work.append(token.transfer(owner, hot, units))
        if intent.close:
            work.append(_close(token, account, owner, hot))
    return work


def _beside(source: SweepSource, canonical: Pubkey) -> Pubkey:
    account = pubkey(source.account, "sources.account")
    if account == canonical:
        raise Refused("bad_field", "sources.account: is the canonical one, left empty for that")
    return account


def _owner_and_units(source: SweepSource) -> tuple[Pubkey, int]:
    return pubkey(source.address, "sources.address"), whole(
        source.units, "sources.units", bits=64
    )


def _close(token: Token, account: Pubkey, owner: Pubkey, hot: Pubkey) -> Instruction:
    """CloseAccount: the emptied account's rent goes to the hot wallet."""
    return Instruction(
        token.program,
        CLOSE_ACCOUNT,
        [
            AccountMeta(account, is_signer=False, is_writable=True),
            AccountMeta(hot, is_signer=False, is_writable=True),
            AccountMeta(owner, is_signer=True, is_writable=False),
        ],
    )
