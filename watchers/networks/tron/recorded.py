"""A recorded block and its infos, as `watchers decode tron` is given them, into one block."""

from watchers.network import Block, Incomplete, NodeUnavailable
from watchers.networks.tron.address import canonical
from watchers.networks.tron.decode import decode_block, token_spellings
from watchers.recorded import Recorded, result_of

NO_INFOS = b"[]"


def decode_recorded(files: Recorded) -> Block:
    """Decode what a node answered to `getblock...` and `gettransactioninfobyblocknum`.

    Assets are contracts, in base58 or hex, or numeric TRC-10 ids; `ValueError` for another one,
    and for a file that a block of this family does not have.
    Nobody can be asked again here, hence a transaction of which block and info disagree counts
    as failed. Raises `Incomplete` for files that are no such answers or do not belong together.
    """
    if files.receipts is not None or files.traces is not None:
        raise ValueError("receipts, traces: a block of this family has infos")
    if files.logged_from is not None:
        raise ValueError("logged-from: blocks of this family log no value")
    try:
        tokens = token_spellings(asset.removeprefix("0x") for asset in files.assets)
    except ValueError as trouble:
        raise ValueError(f"asset: {trouble}") from trouble
    block = result_of(files.block, "block")
    try:
        infos = NO_INFOS if files.infos is None else result_of(files.infos, "infos")
        return decode_block(files.height, block, infos, tokens, doubtful_fails=True)
    except (NodeUnavailable, ValueError) as trouble:
        raise Incomplete(str(trouble)) from trouble


def spelled(address: str) -> str:
    """Return an address in base58, whichever spelling of a node it has; other text as it is."""
    try:
        return canonical(address.removeprefix("0x"))
    except ValueError:
        return address


def is_address(text: str) -> bool:
    """Tell whether text is an address in any spelling of a node."""
    try:
        canonical(text.removeprefix("0x"))
    except ValueError:
        return False
    return True
