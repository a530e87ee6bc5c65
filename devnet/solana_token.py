"""Bytes of the SPL token and associated-token programs, as their interfaces fix them."""

import struct

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.token import ID as TOKEN_PROGRAM
from solders.token.associated import get_associated_token_address

from devnet.chain import TOKEN_DECIMALS

ASSOCIATED_TOKEN_PROGRAM = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
CREATE_IDEMPOTENT, TRANSFER_CHECKED = 1, 12


def token_payment(payer: Pubkey, owner: Pubkey, mint: Pubkey, units: int) -> list[Instruction]:
    """Return CreateIdempotent of the account of `owner` and TransferChecked into it.

    Both accounts are the canonical ones (ATA); the payer owns the source and pays the rent.
    """
    source = get_associated_token_address(payer, mint)
    target = get_associated_token_address(owner, mint)
    create = Instruction(
        ASSOCIATED_TOKEN_PROGRAM,
        bytes([CREATE_IDEMPOTENT]),
        [
            AccountMeta(payer, is_signer=True, is_writable=True),
            AccountMeta(target, is_signer=False, is_writable=True),
            AccountMeta(owner, is_signer=False, is_writable=False),
            AccountMeta(mint, is_signer=False, is_writable=False),
            AccountMeta(SYSTEM_PROGRAM, is_signer=False, is_writable=False),
            AccountMeta(TOKEN_PROGRAM, is_signer=False, is_writable=False),
        ],
    )
    move = Instruction(
        TOKEN_PROGRAM,
        struct.pack("<BQB", TRANSFER_CHECKED, units, TOKEN_DECIMALS),
        [
            AccountMeta(source, is_signer=False, is_writable=True),
            AccountMeta(mint, is_signer=False, is_writable=False),
            AccountMeta(target, is_signer=False, is_writable=True),
            AccountMeta(payer, is_signer=True, is_writable=False),
        ],
    )
    return [create, move]


def mint_account(authority: Pubkey, supply: int) -> bytes:
    """Return the 82 bytes of an initialised SPL mint without a freeze authority."""
    some, none = struct.pack("<I", 1), struct.pack("<I", 0)
    state = struct.pack("<QBB", supply, TOKEN_DECIMALS, 1)
    return some + bytes(authority) + state + none + bytes(32)
