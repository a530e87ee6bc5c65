"""What the providers of a network say when each is asked alone."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from watchers.network import BlockRef, ChainReader, Incomplete, NodeUnavailable, WrongChain
from watchers.scan.reorg import Votes

T = TypeVar("T")


async def answers(
    witnesses: Mapping[str, ChainReader], ask: Callable[[ChainReader], Awaitable[T]]
) -> dict[str, T]:
    """Ask every witness at once; return what those said who know, by provider."""
    said = await asyncio.gather(*(_known(ask(reader)) for reader in witnesses.values()))
    pairs = zip(witnesses, said, strict=True)
    return {name: answer for name, answer in pairs if answer is not None}


async def votes(
    witnesses: Mapping[str, ChainReader], seen: BlockRef, our_hash: str, *, child: bool
) -> Votes:
    """Count who shows the block `seen` at its height, and who stands by our branch there.

    `our_hash` is our block at that height or, with `child`, the one below it.
    """
    refs = await answers(witnesses, lambda reader: reader.ref_at(seen.height))
    new = sum(ref.hash == seen.hash for ref in refs.values())
    ours = sum((ref.parent_hash if child else ref.hash) == our_hash for ref in refs.values())
    return Votes(new, ours)


async def _known(asked: Awaitable[T]) -> T | None:
    """Wait for an answer; one that does not know has no say, whatever its trouble."""
    try:
        return await asked
    except (Incomplete, NodeUnavailable, WrongChain):
        return None
