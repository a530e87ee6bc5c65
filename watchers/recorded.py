"""A recorded block as files hold it, and which family's folder decodes it.

Every family has `networks/<family>/recorded.py` with `decode_recorded(files: Recorded) -> Block`:
pure, complete or `Incomplete`, `ValueError` for a file that its blocks do not have or an asset
that is none. Where one address has several spellings, there is also `spelled(address: str) -> str`:
the one that transfers have, or the text itself where it is no address; and everywhere
`is_address(text: str) -> bool`: whether it is one, hex in lower case. A process imports its own
family alone.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from watchers.network import Block, Incomplete


@dataclass(frozen=True, slots=True)
class Recorded:
    """The bytes of one block's answers, each a JSON-RPC envelope or a bare result.

    `receipts` and `traces` are Ethereum's, `infos` Tron's; None where no file was given.
    `assets` are the contracts or mints that count: hex in lower case, base58 and Tron's numeric
    ids as they stand. `height` is what the caller knows of the block's height (Solana: slot)
    beside the files; None leaves it to them. `name` is the name of the block's file: recorders
    put there what the answer does not say. `logged_from` is Ethereum's alone: the unix time from
    which the chain logs value (EIP-7708).
    """

    block: bytes
    receipts: bytes | None = None
    traces: bytes | None = None
    infos: bytes | None = None
    assets: frozenset[str] = frozenset()
    height: int | None = None
    name: str = ""
    logged_from: int | None = None


def decoder_of(family: str) -> Callable[[Recorded], Block]:
    """Return the family's `decode_recorded`."""
    room = importlib.import_module(f"watchers.networks.{family}.recorded")
    decode: Callable[[Recorded], Block] = room.decode_recorded
    return decode


def speller_of(family: str) -> Callable[[str], str]:
    """Return what spells an address as the family's transfers do."""
    room = importlib.import_module(f"watchers.networks.{family}.recorded")
    spell: Callable[[str], str] = getattr(room, "spelled", str)
    return spell


def addresses_of(family: str) -> Callable[[str], bool]:
    """Return what tells an address of the family from other text."""
    room = importlib.import_module(f"watchers.networks.{family}.recorded")
    tell: Callable[[str], bool] = room.is_address
    return tell


class _Envelope(msgspec.Struct):
    jsonrpc: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def result_of(document: bytes, what: str) -> bytes:
    """Return what a JSON-RPC envelope holds, and any other document as it stands.

    Raises `Incomplete` naming `what` for an error or null: the node did not know.
    """
    held = document
    if document.lstrip()[:1] == b"{":
        envelope = msgspec.json.decode(document, type=_Envelope)
        error = envelope.error
        if error is not msgspec.UNSET and bytes(error) != b"null":
            raise Incomplete(f"{what}: {bytes(error).decode(errors='replace')[:200]}")
        if envelope.result is not msgspec.UNSET:
            held = bytes(envelope.result)
    if held.strip() == b"null":
        raise Incomplete(f"{what}: the node does not have it")
    return held


def results_of(document: bytes, what: str) -> Sequence[bytes] | None:
    """Return what each envelope of a JSON-RPC batch holds; None where it is no batch.

    Raises `Incomplete` as `result_of` does.
    """
    if document.lstrip()[:1] != b"[":
        return None
    listed = [bytes(each) for each in msgspec.json.decode(document, type=list[msgspec.Raw])]
    if not listed or not all(_is_envelope(each) for each in listed):
        return None
    return [result_of(each, what) for each in listed]


def _is_envelope(document: bytes) -> bool:
    if document[:1] != b"{":
        return False
    return msgspec.json.decode(document, type=_Envelope).jsonrpc is not msgspec.UNSET
