"""Bytes of the token programs (SPL Token, Token-2022) and the associated-token program.

Both token programs take the instructions here; `program` says which.
"""

import struct

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.token import ID as TOKEN_PROGRAM
from solders.token.associated import get_associated_token_address

from devnet.chain import TOKEN_DECIMALS

TOKEN_2022_PROGRAM = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ASSOCIATED_TOKEN_PROGRAM = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
WRAPPED_SOL = Pubkey.from_string("So11111111111111111111111111111111111111112")
WRAPPED_SOL_DECIMALS = 9

CREATE_IDEMPOTENT = 1
SET_AUTHORITY, MINT_TO, CLOSE_ACCOUNT = 6, 7, 9
THAW_ACCOUNT, TRANSFER_CHECKED, SYNC_NATIVE = 11, 12, 17
ACCOUNT_OWNER = 2


def _writable(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=True)


def _readable(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=False)


def _signing(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=True, is_writable=False)


def open_account(
    payer: Pubkey, owner: Pubkey, mint: Pubkey, program: Pubkey = TOKEN_PROGRAM
) -> Instruction:
    """Create the canonical account of `owner` where it does not stand; `payer` pays the rent."""
    return Instruction(
        ASSOCIATED_TOKEN_PROGRAM,
        bytes([CREATE_IDEMPOTENT]),
        [
            AccountMeta(payer, is_signer=True, is_writable=True),
            _writable(get_associated_token_address(owner, mint, program)),
            *map(_readable, (owner, mint, SYSTEM_PROGRAM, program)),
        ],
    )


def move(
    source: Pubkey,
    mint: Pubkey,
    target: Pubkey,
    authority: Pubkey,
    units: int,
    *,
    decimals: int = TOKEN_DECIMALS,
    program: Pubkey = TOKEN_PROGRAM,
) -> Instruction:
    """Move units between two token accounts (TransferChecked)."""
    return Instruction(
        program,
        struct.pack("<BQB", TRANSFER_CHECKED, units, decimals),
        [_writable(source), _readable(mint), _writable(target), _signing(authority)],
    )


def make_over(account: Pubkey, authority: Pubkey, new_owner: Pubkey) -> Instruction:
    """Give a token account to another owner (SetAuthority)."""
    data = bytes([SET_AUTHORITY, ACCOUNT_OWNER, 1]) + bytes(new_owner)
    return Instruction(TOKEN_PROGRAM, data, [_writable(account), _signing(authority)])


def close(account: Pubkey, target: Pubkey, authority: Pubkey) -> Instruction:
    """Close a token account; its lamports go to `target`."""
    accounts = [_writable(account), _writable(target), _signing(authority)]
    return Instruction(TOKEN_PROGRAM, bytes([CLOSE_ACCOUNT]), accounts)


def thaw(account: Pubkey, mint: Pubkey, authority: Pubkey, program: Pubkey) -> Instruction:
    """Unfreeze a token account."""
    accounts = [_writable(account), _readable(mint), _signing(authority)]
    return Instruction(program, bytes([THAW_ACCOUNT]), accounts)


def sync_wrapped(account: Pubkey) -> Instruction:
    """Make a wrapped-SOL account's token balance follow its lamports (SyncNative)."""
    return Instruction(TOKEN_PROGRAM, bytes([SYNC_NATIVE]), [_writable(account)])


def issue(
    mint: Pubkey, target: Pubkey, authority: Pubkey, units: int, program: Pubkey
) -> Instruction:
    """Mint units into a token account."""
    data = struct.pack("<BQ", MINT_TO, units)
    return Instruction(program, data, [_writable(mint), _writable(target), _signing(authority)])


def token_payment(
    payer: Pubkey, owner: Pubkey, mint: Pubkey, units: int, program: Pubkey = TOKEN_PROGRAM
) -> list[Instruction]:
    """Return the opening of the account of `owner` and a transfer into it.

    Both accounts are the canonical ones (ATA); the payer owns the source and pays the rent.
    """
    source = get_associated_token_address(payer, mint, program)
    target = get_associated_token_address(owner, mint, program)
    return [
        open_account(payer, owner, mint, program),
        move(source, mint, target, payer, units, program=program),
    ]


def mint_account(authority: Pubkey, supply: int) -> bytes:
    """Return the 82 bytes of an initialised SPL mint without a freeze authority."""
    some, none = struct.pack("<I", 1), struct.pack("<I", 0)
    state = struct.pack("<QBB", supply, TOKEN_DECIMALS, 1)
    return some + bytes(authority) + state + none + bytes(32)
