"""Pure: a recorded `getBlock` answer, as a file holds it -> `Block`."""

import msgspec

from watchers.network import Block, Incomplete
from watchers.networks.solana.decode import decode_wholly
from watchers.networks.solana.document import BlockDocument
from watchers.recorded import Recorded


class _Envelope(msgspec.Struct):
    """A whole JSON-RPC answer; a bare result has neither field."""

    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


def decode_recorded(files: Recorded) -> Block:
    """Read the block with every gain of the listed mints, whichever token program they have.

    The answer does not name its slot: it is `height`, else the one after the parent's. Raises
    `Incomplete` where the answer is short, an error, or for another slot.
    """
    try:
        document = _document(files.block)
    except (msgspec.MsgspecError, UnicodeDecodeError) as trouble:
        raise Incomplete(f"block: {trouble}") from trouble
    return decode_wholly(document, _slot(document, files.height), files.assets)


def _document(content: bytes) -> BlockDocument:
    envelope = msgspec.json.decode(content, type=_Envelope)
    if bytes(envelope.error) not in {b"", b"null"}:
        raise Incomplete(f"block: the node answered {bytes(envelope.error).decode()[:200]}")
    document = msgspec.json.decode(bytes(envelope.result) or content, type=BlockDocument | None)
    if document is None:
        raise Incomplete("block: null, this node does not have it")
    if document.blockTime is None:
        # The first blocks of the chain have no time, and none is printed.
        document.blockTime = 0
    return document


def _slot(document: BlockDocument, height: int | None) -> int:
    if height is not None:
        return height
    if document.blockHeight == 0:
        return 0
    if document.parentSlot is None:
        raise Incomplete("block: it does not name its parent's slot, and no --slot is given")
    return document.parentSlot + 1
