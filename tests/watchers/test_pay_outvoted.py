"""What a node says of our own failed payment where another one contradicts it."""

from dataclasses import dataclass, replace
from typing import cast

import msgspec
import pytest

from gateway.models import Attempt
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.sealed_chain import SealedChain
from tests.watchers.test_pay_given_back import reader
from tests.watchers.test_payouts import desk, keystore_house
from watchers.network import Block, ChainReader
from watchers.pay.proof import Proof
from watchers.pay.sealed import Doubt

__all__ = ["keystore_house"]
pytestmark = pytest.mark.anyio


class Untellable(Proof):
    """Blocks of which nothing can be shown, as anybody may make them by a field of his own."""

    async def doubt(self, attempt: Attempt, final_height: int) -> Doubt | None:
        """Leave it to nodes."""
        del attempt, final_height
        return Doubt("the block cannot be hashed", others=True)


@dataclass(frozen=True)
class Contradicting:
    """A node in whose blocks every payment succeeded."""

    reader: ChainReader

    async def read(self, height: int) -> Block:
        """Return the block with happier ends."""
        block = await self.reader.read(height)
        ends = {
            name: msgspec.structs.replace(end, success=True)
            for name, end in block.outcomes.items()
        }
        return replace(block, outcomes=ends)


@pytest.mark.parametrize("contradicted", [True, False])
async def test_one_trusted_node_outvotes_no_other_that_contradicts_it(
    database: FreshDatabase, keystore_house: House, *, contradicted: bool
) -> None:
    """`quorum = 1` says that nobody else is needed, not that nobody else is heard."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(1)
        await d.payouts.round()
        chain, scanner = d.world.chain, d.world.scanner
        [name] = chain.pool
        chain.pool = {name: replace(chain.pool[name], doomed=True)}
        scanned = reader(chain)
        other = cast("ChainReader", Contradicting(scanned)) if contradicted else scanned
        scanner.lone_word, scanner.witnesses = True, {"scanned": scanned, "other": other}
        ends = scanner.final_lane.ends
        ends._proof, ends.retry_seconds = Untellable(SealedChain()), 0
        for _ in range(2):
            await d.bury()
        status = (await d.withdrawal(id_)).status
        assert (status == "failed") is not contradicted
