"""Where a transaction stands, on every real local chain: its block, and nothing for what is none."""

from collections.abc import AsyncIterator

import pytest

from devnet.system.waiting import until
from tests.networks.rig import Rig
from tests.networks.rigs import RIGS
from watchers.families import FAMILIES, locator

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
REAL = {"anvil": "ethereum", "surfpool": "solana", "tron": "tron"}
NOWHERE = {
    "anvil": "0x" + "ab" * 32,
    "tron": "ab" * 32,
    "surfpool": "5" * 87,
}


@pytest.fixture(scope="module", params=sorted(REAL))
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """Start one network for all tests of this module."""
    async with RIGS[request.param]() as running:
        yield running


async def test_a_payment_is_found_in_its_block(rig: Rig) -> None:
    """The block that the node names holds the transaction."""
    family = locator(REAL[rig.name])
    to = await rig.chain.fresh_address()
    tx_hash = await rig.chain.pay(to, rig.native_units)
    await rig.chain.mine(2)

    async def found() -> int | None:
        return await family.locate(rig.reader, family.spelled(tx_hash))

    height = await until(found, "the block of a payment")
    assert height is not None

    async def readable() -> bool | None:
        await rig.chain.mine(1)
        return (await rig.reader.tip()).head >= height or None

    await until(readable, "its block to be readable")
    block = await rig.reader.read(height)
    assert block.ref.height == height
    assert block.outcomes[tx_hash].success


async def test_what_nobody_sent_is_nowhere(rig: Rig) -> None:
    """The node answered that it does not know: that is None and no trouble."""
    family = locator(REAL[rig.name])
    assert await family.locate(rig.reader, family.spelled(NOWHERE[rig.name])) is None


async def test_another_familys_reader_is_a_bug(rig: Rig) -> None:
    """Each knows its own reader only."""
    other = next(name for name in sorted(FAMILIES) if name != REAL[rig.name])
    with pytest.raises(TypeError):
        await locator(other).locate(rig.reader, NOWHERE[rig.name])


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize(
    "text", ["", "0x", "0x12", "g" * 64, "0x" + "a" * 65, "é" * 64, "1" * 90]
)
def test_what_is_no_hash_is_refused(family: str, text: str) -> None:
    """Nobody asks a node about nonsense."""
    with pytest.raises(ValueError, match="transaction"):
        locator(family).spelled(text)


def test_one_hash_has_one_spelling() -> None:
    """Hex in any case, with and without the prefix."""
    digits = "Ab" * 32
    assert locator("ethereum").spelled(digits) == "0x" + digits.lower()
    assert locator("tron").spelled("0x" + digits) == digits.lower()
