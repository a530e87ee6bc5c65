"""Behind which block the first scan of a network begins: it counts as processed and is not read."""

from watchers.network import BlockRef, ChainReader


async def begin_behind(reader: ChainReader, start_height: int | None) -> BlockRef:
    """Return a block below `start_height`, so that what stands there is read; None: the final one.

    Block 0 has nothing below it and pays nobody. Where slots may be empty the block is looked for
    ever further down: what lies between is read as well.
    """
    if start_height is None:
        return (await reader.read((await reader.tip()).final)).ref
    step = 1
    while True:
        height = max(0, start_height - step)
        ref = (await reader.read(height)).ref
        if ref.height < start_height or height == 0:
            return ref
        step *= 2
