"""Pure: a recorded `getBlock` answer, as a file holds it -> `Block`."""

import re

import msgspec
from solders.pubkey import Pubkey

from watchers.network import Block, Incomplete
from watchers.networks.solana.decode import decode_wholly
from watchers.networks.solana.document import BlockDocument
from watchers.recorded import Recorded

_NUMBER = re.compile(r"\d+", re.ASCII)
SKIPPED_MAX = 10_000
"""More slots in a row than were ever skipped: a larger number in a name is something else."""


class _Envelope(msgspec.Struct):
    """A whole JSON-RPC answer; a bare result has neither field."""

    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


def decode_recorded(files: Recorded) -> Block:
    """Read the block with every gain of the listed mints, whichever token program they have.

    The answer does not name its slot: it is `height`, else the first number in the file's name
    that fits, else the one after the parent's. A transaction without its result is none.
    Raises `Incomplete` where the answer is short, an error, or for another slot, `ValueError`
    for an asset that is no mint and for a file beside the block.
    """
    if (files.receipts, files.traces, files.infos) != (None, None, None):
        raise ValueError("receipts, traces, infos: a block of this family is one answer")
    if files.logged_from is not None:
        raise ValueError("logged-from: blocks of this family log no value")
    for asset in files.assets:
        if not is_address(asset):
            raise ValueError(f"asset: not a Solana mint: {asset!r}")
    try:
        document = _document(files.block)
    except (msgspec.MsgspecError, UnicodeDecodeError) as trouble:
        raise Incomplete(f"block: {trouble}") from trouble
    return decode_wholly(document, _slot(document, files), files.assets)


def is_address(text: str) -> bool:
    """Tell whether text is an account's or a mint's address."""
    try:
        Pubkey.from_string(text)
    except ValueError:
        return False
    return True


def _document(content: bytes) -> BlockDocument:
    envelope = msgspec.json.decode(content, type=_Envelope | None) or _Envelope()
    if bytes(envelope.error) not in {b"", b"null"}:
        raise Incomplete(f"block: the node answered {bytes(envelope.error).decode()[:200]}")
    document = msgspec.json.decode(bytes(envelope.result) or content, type=BlockDocument | None)
    if document is None:
        raise Incomplete("block: null, this node does not have it")
    if document.blockTime is None:
        # The first blocks of the chain have no time, and none is printed.
        document.blockTime = 0
    if document.transactions is not None:
        document.transactions = [
            each for each in document.transactions if each.meta is not None
        ]
    return document


def _slot(document: BlockDocument, files: Recorded) -> int:
    if files.height is not None:
        return files.height
    if document.blockHeight == 0:
        return 0
    parent = document.parentSlot
    if parent is None:
        raise Incomplete("block: it does not name its parent's slot, and no --slot is given")
    named = map(int, _NUMBER.findall(files.name))
    fitting = (slot for slot in named if 0 < slot - parent <= SKIPPED_MAX)
    return next(fitting, parent + 1)
