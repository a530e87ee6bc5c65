"""What each provider says about one transaction, asked on its own."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchers.explain.facts import Seen
from watchers.families import Locator
from watchers.network import (
    Block,
    ChainReader,
    Incomplete,
    NodeUnavailable,
    Transfer,
    WrongChain,
)
from watchers.providers.witness import Witness


@dataclass(frozen=True, slots=True)
class Testimony:
    """What one provider says, and its block where it served one."""

    seen: Seen
    block: Block | None = None


async def testimonies(
    witnesses: Mapping[str, ChainReader], locator: Locator, tx: str, seconds: float
) -> list[Testimony]:
    """Ask every provider at once for the block of `tx` and for that block.

    One that has not answered after `seconds` has not answered: somebody waits.
    """
    asked = (_testify(name, reader, locator, tx, seconds) for name, reader in witnesses.items())
    return list(await asyncio.gather(*asked))


def transfers_of(found: Sequence[Testimony], tx: str) -> list[Transfer]:
    """Return what `tx` moves by the first block that was served, strays included."""
    block = next((each.block for each in found if each.block is not None), None)
    if block is None:
        return []
    known = [each for each in block.transfers if each.tx_hash == tx]
    return known + [each for each in block.strays() if each.tx_hash == tx]


def is_blind(found: Sequence[Testimony]) -> bool:
    """Tell whether it succeeded, and no served block shows what moves inside contracts."""
    blocks = [each.block for each in found if each.block is not None and each.seen.success]
    return bool(blocks) and not any(block.internal for block in blocks)


async def _testify(
    name: str, reader: ChainReader, locator: Locator, tx: str, seconds: float
) -> Testimony:
    node = reader.reader if isinstance(reader, Witness) else reader
    height = None
    try:
        async with asyncio.timeout(seconds):
            height = await locator.locate(node, tx)
            if height is None:
                return Testimony(Seen(name))
            return _served(name, height, await reader.read(height), tx)
    except TimeoutError:
        return Testimony(Seen(name, height, trouble=f"no answer within {seconds} s"))
    except Incomplete as trouble:
        complete = None if height is None else False
        return Testimony(Seen(name, height, complete=complete, trouble=str(trouble)))
    except (NodeUnavailable, WrongChain) as trouble:
        return Testimony(Seen(name, height, trouble=str(trouble)))


def _served(name: str, height: int, block: Block, tx: str) -> Testimony:
    """Judge a served block: it must stand where the provider said, and hold the transaction."""
    outcome = block.outcomes.get(tx)
    if block.ref.height != height or outcome is None:
        words = f"its block {block.ref.height} does not hold the transaction"
        return Testimony(Seen(name, height, block.ref.hash, complete=False, trouble=words))
    seen = Seen(name, height, block.ref.hash, complete=True, success=outcome.success)
    return Testimony(seen, block)
