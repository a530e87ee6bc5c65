"""The extensions of a Token-2022 mint, read by its own layout: type, length, value. Pure.

A mint's first 82 bytes are SPL Token's. With extensions, zeros fill it up to 165 bytes, one byte
says that it is a mint, and entries of `u16 type, u16 length, value` follow, little-endian; type 0
ends them. Authorities are 32 bytes, all zero where there is none.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from solders.pubkey import Pubkey

from watchers.assets.rules import EXTENSION, FEE_ON_TRANSFER, Finding

MINT_BYTES = 82
ACCOUNT_TYPE_OFFSET = 165
MINT_TYPE = 1
FREEZE_AUTHORITY_OFFSET = 46
KEY_BYTES = 32
FROZEN_STATE = 2
HARMLESS = frozenset(
    {"metadataPointer", "tokenMetadata", "groupPointer", "tokenGroup", "groupMemberPointer",
     "tokenGroupMember", "interestBearingConfig", "scaledUiAmount"}
)  # fmt: skip
"""They change how a wallet shows a mint, never the units in an account."""
NAMES = {
    1: "transferFeeConfig",
    3: "mintCloseAuthority",
    4: "confidentialTransfer",
    6: "defaultAccountState",
    9: "nonTransferable",
    10: "interestBearingConfig",
    12: "permanentDelegate",
    14: "transferHook",
    16: "confidentialTransferFee",
    18: "metadataPointer",
    19: "tokenMetadata",
    20: "groupPointer",
    21: "tokenGroup",
    22: "groupMemberPointer",
    23: "tokenGroupMember",
    24: "confidentialMintBurn",
    25: "scaledUiAmount",
    26: "pausable",
    28: "permissionedBurn",
}


@dataclass(frozen=True, slots=True)
class Mint:
    """A mint: its decimals, who may freeze its accounts, and its extensions' raw values by name.

    An extension without a name here is called `unknown<type>`.
    """

    decimals: int
    freeze_authority: str | None
    extensions: dict[str, bytes]

    @property
    def paused(self) -> bool:
        """Tell whether an authority has stopped all transfers."""
        value = self.extensions.get("pausable", b"")
        return len(value) > KEY_BYTES and value[KEY_BYTES] == 1


def read_mint(data: bytes) -> Mint | None:
    """Read a mint account; None where the bytes are not an initialised one."""
    plain = len(data) == MINT_BYTES
    extended = len(data) > ACCOUNT_TYPE_OFFSET and data[ACCOUNT_TYPE_OFFSET] == MINT_TYPE
    if not (plain or extended) or data[45] != 1:
        return None
    [has_freezer] = struct.unpack_from("<I", data, FREEZE_AUTHORITY_OFFSET)
    start = FREEZE_AUTHORITY_OFFSET + 4
    freezer = _key(data[start : start + KEY_BYTES]) if has_freezer else None
    extensions = {} if plain else _entries(data[ACCOUNT_TYPE_OFFSET + 1 :])
    return None if extensions is None else Mint(data[44], freezer, extensions)


def _entries(data: bytes) -> dict[str, bytes] | None:
    """Read the entries; None where one runs over the end."""
    found: dict[str, bytes] = {}
    offset = 0
    while offset + 4 <= len(data):
        kind, length = struct.unpack_from("<HH", data, offset)
        if kind == 0:
            break
        offset += 4
        if offset + length > len(data):
            return None
        found[NAMES.get(kind, f"unknown{kind}")] = data[offset : offset + length]
        offset += length
    return found


def findings(mint: Mint) -> list[Finding]:
    """Return what a mint's extensions and authorities mean for money that lies in our accounts."""
    found = [_finding(name, value) for name, value in mint.extensions.items()]
    spoken = [finding for finding in found if finding is not None]
    if mint.freeze_authority is not None:
        text = f"{mint.freeze_authority} may freeze any account"
        spoken.append(Finding("freeze_authority", text, refuses=False))
    return spoken


def fingerprint(mint: Mint) -> dict[str, str]:
    """Return what decides a mint's behaviour; fees and pauses, which move, are no part of it."""
    found = {"freeze authority": mint.freeze_authority or "none"}
    for name, value in mint.extensions.items():
        length = IDENTITY_BYTES.get(name, 0)
        found[f"extension {name}"] = value[:length].hex() or "present"
    return found


IDENTITY_BYTES = {
    "mintCloseAuthority": KEY_BYTES,
    "defaultAccountState": 1,
    "permanentDelegate": KEY_BYTES,
    "transferHook": 2 * KEY_BYTES,
    "pausable": KEY_BYTES,
    "permissionedBurn": KEY_BYTES,
}
"""How much of an extension's value names who may do what."""


def _finding(name: str, value: bytes) -> Finding | None:
    if name in HARMLESS:
        return None
    if name == "transferFeeConfig":
        return Finding(FEE_ON_TRANSFER, "a fee is kept, or may be set, on every transfer")
    if name in MEANING:
        text, is_set = MEANING[name]
        return Finding(EXTENSION + name, text) if is_set(value) else None
    return Finding(EXTENSION + name, "nothing is known about this extension")


def _anybody(value: bytes) -> bool:
    return any(value)


def _always(_value: bytes) -> bool:
    return True


def _frozen(value: bytes) -> bool:
    return value[:1] == bytes([FROZEN_STATE])


MEANING: dict[str, tuple[str, Callable[[bytes], bool]]] = {
    "permanentDelegate": ("somebody may take tokens from any account", _anybody),
    "transferHook": ("a foreign program may refuse transfers", _anybody),
    "pausable": ("somebody may stop all transfers", _always),
    "defaultAccountState": ("new accounts are frozen", _frozen),
    "nonTransferable": ("it cannot be sent on", _always),
    "confidentialTransfer": ("amounts may arrive that nobody else can read", _always),
    "confidentialTransferFee": ("fees may be kept that nobody else can read", _always),
    "confidentialMintBurn": ("its supply is hidden", _always),
    "mintCloseAuthority": ("it may be closed and made anew with other decimals", _anybody),
    "permissionedBurn": ("somebody must agree before tokens are burnt", _always),
}
"""What each dangerous extension allows, and whether a value makes it so."""


def _key(data: bytes) -> str:
    return str(Pubkey.from_bytes(data))
