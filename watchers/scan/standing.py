"""Whether a node has one of our blocks."""

from watchers.network import ChainReader, Incomplete


async def shows(reader: ChainReader, height: int, block_hash: str, *, dense: bool) -> bool:
    """Tell whether our block at a height is on a node's chain; `Incomplete` where it does not know.

    Where slots may be empty (not `dense`), ours may be empty on its chain: the next block says so,
    which builds on ours or on another one.
    """
    try:
        return (await reader.ref_at(height)).hash == block_hash
    except Incomplete:
        if dense:
            raise
    ref = (await reader.read(height)).ref
    return block_hash in {ref.hash, ref.parent_hash}
