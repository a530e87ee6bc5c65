"""An explainer over the fake chain: what a test asks why a payment was or was not credited with."""

import re
from collections.abc import Mapping
from typing import Any

from tests.fakes.chain import FakeChain
from tests.fakes.network import FakeReader, FakeWriter
from tests.watchers.world import NETWORK, PUBLIC_KEY, World
from watchers.chain import Chain
from watchers.explain.answer import document
from watchers.explain.explainer import Explainer
from watchers.families import Locator
from watchers.network import ChainReader, NodeUnavailable
from watchers.rpc import Endpoints


def spelled(tx: str) -> str:
    """Read a hash as the fake chain writes it."""
    if re.fullmatch("0x[0-9a-f]{64}", tx) is None:
        raise ValueError("a transaction hash here is 64 hex digits")
    return tx


async def locate(reader: ChainReader, tx: str) -> int | None:
    """Find a transaction on the fake chain behind a reader."""
    assert isinstance(reader, FakeReader)
    if reader.chain.down:
        raise NodeUnavailable("the fake node is down")
    for block in reader.chain.blocks:
        if any(each.tx_hash == tx for each, _ in block.transactions):
            return block.ref.height
    return None


def explainer(w: World, witnesses: Mapping[str, FakeChain] | None = None) -> Explainer:
    """Return an explainer that asks these chains as providers; by default the world's own."""
    chains = witnesses or {"a.example": w.chain}
    readers = {
        name: FakeReader(chain, w.chain.chain_id, frozenset({w.chain.token}))
        for name, chain in chains.items()
    }
    chain = Chain(
        next(iter(readers.values())),
        FakeWriter(w.chain, NETWORK),
        Endpoints(["http://127.0.0.1:1"]),
        witnesses=readers,
    )
    return Explainer(NETWORK, chain, Locator(spelled, locate), w.database, PUBLIC_KEY)


async def explained(
    w: World, tx: str, merchant_id: str | None = None, **witnesses: FakeChain
) -> dict[str, Any]:
    """Explain a transaction and return the document, its gates also as a mapping `answers`."""
    found = document(await explainer(w, witnesses).explain(tx, merchant_id))
    return {**found, "answers": {gate["gate"]: gate["answer"] for gate in found["gates"]}}
