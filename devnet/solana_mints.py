"""The test token put into the chain, and Token-2022 mints made by the real program.

These have a transfer fee, or extensions that make a token dangerous to accept. A mint's extensions are initialised before the mint itself, each by an instruction of its own;
the account's size must be exact beforehand.
"""

import hashlib
import struct
from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.token import ID as TOKEN_PROGRAM
from solders.token.associated import get_associated_token_address

from devnet.chain import TOKEN_DECIMALS, TOKEN_SUPPLY_UNITS
from devnet.solana_token import (
    TOKEN_2022_PROGRAM,
    issue,
    mint_account,
    open_account,
    thaw,
)
from devnet.solana_upstream import Upstream

INITIALIZE_MINT_2 = 20
# Mint fields are padded to the size of a token account; a byte with the account's type follows.
MINT_HEAD_BYTES = 166
EXTENSION_HEAD_BYTES = 4
PLAIN_MINT_BYTES = 82
RENT_HEAD_BYTES, RENT_LAMPORTS_PER_BYTE = 128, 6_960
FROZEN = 2


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension: its size in the mint's account, and the instruction that initialises it."""

    data_bytes: int
    instruction: bytes


def transfer_fee(basis_points: int, units_max: int = 2**64 - 1) -> Extension:
    """Return a fee that the program takes out of what every transfer delivers, fixed for good."""
    data = bytes([26, 0, 0, 0]) + struct.pack("<HQ", basis_points, units_max)
    return Extension(108, data)


def permanent_delegate(delegate: Pubkey) -> Extension:
    """Return the right of `delegate` to move or burn the tokens of everybody."""
    return Extension(32, bytes([35]) + bytes(delegate))


def close_authority(authority: Pubkey) -> Extension:
    """Return the right of `authority` to close the mint, and make it anew with other decimals."""
    return Extension(32, bytes([25, 1]) + bytes(authority))


def transfer_hook(authority: Pubkey, program: Pubkey) -> Extension:
    """Return a program that every transfer calls and that may refuse it."""
    return Extension(64, bytes([36, 0]) + bytes(authority) + bytes(program))


DEFAULT_FROZEN = Extension(1, bytes([28, 0, FROZEN]))
"""New token accounts are frozen; it needs a freeze authority."""
NON_TRANSFERABLE = Extension(0, bytes([32]))
"""Tokens never leave the account into which they were minted."""

FEE_MINT_KEY = Keypair.from_seed(hashlib.sha256(b"cryptic-gateway devnet fee mint").digest())
FEE_MINT = str(FEE_MINT_KEY.pubkey())
"""The Token-2022 test token: one percent of every transfer stays with the issuer."""
FEE_BASIS_POINTS = 100


async def furnish(upstream: Upstream, payer: Pubkey, lamports: int, mint: str) -> None:
    """Put the plain mint, the payer's lamports and his tokens into the fresh chain."""
    program = str(TOKEN_PROGRAM)
    plain = {
        "lamports": rent(PLAIN_MINT_BYTES),
        "owner": program,
        "data": mint_account(payer, TOKEN_SUPPLY_UNITS).hex(),
    }
    await upstream.call("surfnet_setAccount", mint, plain)
    await upstream.call("surfnet_setAccount", str(payer), {"lamports": lamports})
    tokens = {"amount": TOKEN_SUPPLY_UNITS}
    await upstream.call("surfnet_setTokenAccount", str(payer), mint, tokens, program)


def rent(size: int) -> int:
    """Return the lamports that keep an account of `size` bytes."""
    return (RENT_HEAD_BYTES + size) * RENT_LAMPORTS_PER_BYTE


def mint_instructions(
    payer: Pubkey, mint: Pubkey, *extensions: Extension, frozen: bool = False
) -> list[Instruction]:
    """Return what creates `mint` and gives the payer, its authority, the whole supply.

    Signed by the payer and the mint's key. `frozen` is for a mint whose accounts begin frozen.
    """
    size = MINT_HEAD_BYTES if extensions else PLAIN_MINT_BYTES
    size += sum(EXTENSION_HEAD_BYTES + each.data_bytes for each in extensions)
    freezer = bytes([1]) + bytes(payer) if frozen else bytes([0])
    initial = bytes([INITIALIZE_MINT_2, TOKEN_DECIMALS]) + bytes(payer) + freezer
    writes = [AccountMeta(mint, is_signer=False, is_writable=True)]
    account = CreateAccountParams(
        from_pubkey=payer,
        to_pubkey=mint,
        lamports=rent(size),
        space=size,
        owner=TOKEN_2022_PROGRAM,
    )
    holding = get_associated_token_address(payer, mint, TOKEN_2022_PROGRAM)
    return [
        create_account(account),
        *(Instruction(TOKEN_2022_PROGRAM, each.instruction, writes) for each in extensions),
        Instruction(TOKEN_2022_PROGRAM, initial, writes),
        open_account(payer, payer, mint, TOKEN_2022_PROGRAM),
        *([thaw(holding, mint, payer, TOKEN_2022_PROGRAM)] if frozen else []),
        issue(mint, holding, payer, TOKEN_SUPPLY_UNITS, TOKEN_2022_PROGRAM),
    ]
