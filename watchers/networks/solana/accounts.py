"""Pure facts about Solana accounts: programs, derived addresses, layouts of account data.

Layouts: SPL Token mint 82 bytes and token account 165 bytes (Token-2022 starts with the same
fields and appends extensions), system nonce account 80 bytes, all little-endian.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache

from solders.pubkey import Pubkey

SYSTEM_PROGRAM = "11111111111111111111111111111111"
COMPUTE_BUDGET_PROGRAM = "ComputeBudget111111111111111111111111111111"
TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # noqa: S105 - a program id
TOKEN_2022_PROGRAM = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"  # noqa: S105 - a program id
ASSOCIATED_TOKEN_PROGRAM = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"  # noqa: S105
RECENT_BLOCKHASHES_SYSVAR = "SysvarRecentB1ockHashes11111111111111111111"

TOKEN_PROGRAMS = frozenset({TOKEN_PROGRAM, TOKEN_2022_PROGRAM})

NONCE_ACCOUNT_BYTES = 80
NONCE_LANES_MAX = 16
MINT_BYTES = 82
TOKEN_ACCOUNT_BYTES = 165

# Token-2022 writes the account's type behind the fields that it shares with SPL Token.
_ACCOUNT_TYPE_OFFSET = 165
_ACCOUNT_TYPE_MINT = 1
_ACCOUNT_TYPE_HOLDING = 2

_INITIALIZED = 1
_FROZEN = 2
_SOME = b"\x01\x00\x00\x00"
"""How the programs write that an optional key follows."""
_MEMO_TRANSFER = 8
"""Token-2022's extension of accounts: whether transfers to it need a memo."""


@lru_cache(maxsize=16_384)
def associated_token_account(owner: str, mint: str, token_program: str) -> str:
    """Return the canonical token account of `owner` for `mint`.

    The address commits to all three, so an account that stands there belongs to no other mint
    and no other program. About 30 microseconds; block decoding asks for the same few owners.
    """
    seeds = [bytes(Pubkey.from_string(part)) for part in (owner, token_program, mint)]
    program = Pubkey.from_string(ASSOCIATED_TOKEN_PROGRAM)
    return str(Pubkey.find_program_address(seeds, program)[0])


def nonce_account_address(hot: str, lane: int) -> str:
    """Return the durable-nonce account of a lane; the address commits to the hot wallet."""
    if not 0 <= lane < NONCE_LANES_MAX:
        raise ValueError(f"lane: {lane} is not in 0..{NONCE_LANES_MAX - 1}")
    hot_key, system = Pubkey.from_string(hot), Pubkey.from_string(SYSTEM_PROGRAM)
    return str(Pubkey.create_with_seed(hot_key, f"gw-nonce-{lane}", system))


def is_address(text: str) -> bool:
    """Tell whether `text` is 32 bytes in base58."""
    try:
        Pubkey.from_string(text)
    except ValueError:
        return False
    return True


def on_curve(address: str) -> bool:
    """Tell whether a private key can exist for `address` (else a program derived it)."""
    return Pubkey.from_string(address).is_on_curve()


@dataclass(frozen=True, slots=True)
class NonceState:
    """What an initialised nonce account holds: who may advance it, and its base58 value."""

    authority: str
    value: str


def nonce_state(data: bytes) -> NonceState | None:
    """Read a nonce account; None where the bytes are not an initialised one."""
    if len(data) != NONCE_ACCOUNT_BYTES:
        return None
    version, state = struct.unpack_from("<II", data)
    # Version 0 is the legacy layout whose value was a plain blockhash: it cannot be advanced.
    if (version, state) != (1, _INITIALIZED):
        return None
    return NonceState(_key(data, 8), _key(data, 40))


@dataclass(frozen=True, slots=True)
class TokenHolding:
    """What a token account holds. `frozen` accounts neither send nor receive.

    `wants_memo` accounts (Token-2022) take no transfer without a memo, and ours have none. `closer`
    is who alone may close it where that is not its owner.
    """

    mint: str
    owner: str
    units: int
    frozen: bool
    wants_memo: bool = False
    closer: str | None = None


def token_holding(data: bytes) -> TokenHolding | None:
    """Read a token account of either token program; None where the bytes are not one."""
    if not _is_token_data(data, TOKEN_ACCOUNT_BYTES, _ACCOUNT_TYPE_HOLDING):
        return None
    state = data[108]
    if state not in {_INITIALIZED, _FROZEN}:
        return None
    units = int.from_bytes(data[64:72], "little")
    return TokenHolding(
        _key(data, 0),
        _key(data, 32),
        units,
        frozen=state == _FROZEN,
        closer=_key(data, 133) if data[129:133] == _SOME else None,
        wants_memo=_extension(data, _MEMO_TRANSFER)[:1] == b"\x01",
    )


def _extension(data: bytes, wanted: int) -> bytes:
    """Return what Token-2022 wrote of one kind behind an account; nothing where it did not."""
    offset = _ACCOUNT_TYPE_OFFSET + 1
    while offset + 4 <= len(data):
        kind, length = struct.unpack_from("<HH", data, offset)
        if kind == wanted:
            return data[offset + 4 : offset + 4 + length]
        if kind == 0:
            break
        offset += 4 + length
    return b""


def mint_decimals(data: bytes) -> int | None:
    """Read the decimals of an initialised mint; None where the bytes are not one."""
    if not _is_token_data(data, MINT_BYTES, _ACCOUNT_TYPE_MINT) or data[45] != _INITIALIZED:
        return None
    return data[44]


def _is_token_data(data: bytes, plain_bytes: int, account_type: int) -> bool:
    if len(data) == plain_bytes:
        return True
    return len(data) > _ACCOUNT_TYPE_OFFSET and data[_ACCOUNT_TYPE_OFFSET] == account_type


def _key(data: bytes, offset: int) -> str:
    return str(Pubkey.from_bytes(data[offset : offset + 32]))
