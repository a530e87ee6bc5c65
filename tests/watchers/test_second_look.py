"""Value that moved inside a contract, above the quorum value, where one node alone has traces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from msgspec.structs import replace as replaced

from gateway.db import CROSS_TENANT
from gateway.models import Attempt
from tests.conftest import FreshDatabase
from tests.fakes.chain import GENESIS_TIME, Move
from tests.fakes.network import FakeReader
from tests.watchers.test_rescan_disputes import exaggerating
from tests.watchers.test_scan_start import watcher
from tests.watchers.world import DUE_UNITS, ETH, NETWORK, World, world
from watchers.network import NATIVE, Block, Outcome
from watchers.reconcile.balances import Holding, NoHistory, Observation, gained

pytestmark = pytest.mark.anyio

INVENTED = "0x" + "ab" * 32


@dataclass(slots=True)
class Blind(FakeReader):
    """Has no traces, but the states of the past."""

    async def read(self, height: int) -> Block:
        """Leave out what moved inside contracts."""
        block = self.chain.block(height).seen(self.tokens)
        seen = tuple(each for each in block.transfers if each.kind != "internal")
        return replace(block, transfers=seen, provider="c")

    async def rose(self, address: str, height: int) -> int:
        """Return by how much an address rose in a block."""
        after, before = self.chain.block(height), self.chain.block(height - 1)
        return after.state.held(address, NATIVE) - before.state.held(address, NATIVE)


async def forgetful(_address: str, _height: int) -> int:
    """Keep no state of the past."""
    raise NoHistory("gone")


async def inside(w: World, teller: str = "") -> Blind:
    """Pay the invoice from inside a contract, as `teller` tells; return the node without traces."""
    w.scanner.quorum_above = {ETH: 1}
    w.scanner.final_lane.evidence.retry_seconds = 0
    blind = Blind(w.chain, 1, frozenset({w.chain.token}))
    w.scanner.witnesses = {teller: w.scanner.reader, "c": blind}
    w.chain.submit([Move(w.assigned, DUE_UNITS, kind="internal")])
    await w.chain.mine(4)
    await w.scan()
    return blind


async def test_a_second_nodes_balances_prove_what_it_cannot_trace(
    database: FreshDatabase,
) -> None:
    """Its states before and after the block differ by what we know to have arrived there."""
    async with world(database) as w:
        w.scanner.gains = {"c": forgetful}
        blind = await inside(w)
        assert await w.wallet("mer_1") == (0, 0)
        assert "moves inside contracts" in (w.scanner.waiting or "")
        w.scanner.gains = {"c": blind.rose}
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert w.scanner.waiting is None


async def test_balances_that_rose_by_another_amount_prove_nothing(
    database: FreshDatabase,
) -> None:
    """A node that says nine times what moved is not believed by them."""
    async with world(database) as w:
        w.scanner.reader = exaggerating(w.chain)
        w.scanner.gains = {"c": Blind(w.chain, 1, frozenset()).rose}
        await inside(w, "b")
        assert [each.status for each in await w.deposits()] == ["pending"]
        assert await w.wallet("mer_1") == (0, 0)


@dataclass(frozen=True)
class States:
    """Balances at heights."""

    units: dict[int, int]
    historic: bool = True
    credits: bool = True
    fee_is_alone: bool = True

    async def observe(self, wanted: Sequence[Holding], height: int) -> Observation:
        """Return what was told."""
        held = {each: self.units[height] for each in wanted if height in self.units}
        return Observation(height, height, held)

    async def beneficiary(self, height: int) -> str:
        """Return nobody."""
        del height
        return ""


async def test_what_an_address_gained_is_the_difference_of_two_states() -> None:
    """A state that could not be read is none."""
    assert await gained(States({4: 10, 5: 17}), "0xaa", 5) == 7
    with pytest.raises(NoHistory):
        await gained(States({5: 17}), "0xaa", 5)


async def test_a_watcher_can_ask_every_node_for_its_states(database: FreshDatabase) -> None:
    """Under the name by which it is a witness."""
    async with world(database) as w:
        scanner = watcher(w, database, 0).parts.scanner(w.scanner.position)
        assert set(scanner.gains) == set(scanner.witnesses) == {"127.0.0.1:1"}


@dataclass(slots=True)
class Disguising(FakeReader):
    """Tells of plain payments as if they had moved inside contracts."""

    async def read(self, height: int) -> Block:
        """Give every transfer another name."""
        block = self.chain.block(height).seen(self.tokens)
        lies = (replaced(each, kind="internal", tx_hash=INVENTED) for each in block.transfers)
        return replace(block, transfers=tuple(lies), provider="b", internal=True)


async def test_what_the_second_node_shows_itself_proves_nothing_inside_contracts(
    database: FreshDatabase,
) -> None:
    """One payment under two names would be credited twice."""
    async with world(database) as w:
        w.scanner.quorum_above, w.scanner.quorum = {ETH: 1}, 2
        w.scanner.final_lane.evidence.retry_seconds = 0
        tokens = frozenset({w.chain.token})
        liar, blind = Disguising(w.chain, 1, tokens), Blind(w.chain, 1, tokens)
        w.scanner.reader = liar
        w.scanner.witnesses = {"b": liar, "c": blind}
        w.scanner.gains = {"c": blind.rose}
        await w.pay(w.assigned, DUE_UNITS)
        await w.chain.mine(4)
        await w.scan()
        assert await w.wallet("mer_1") == (0, 0)


SWEPT, FEE = 10**17, 21
OWN = "0x" + "5e" * 32


@dataclass(slots=True)
class Swept(Blind):
    """Shows that a transaction of ours emptied the address in the same block, and what it cost."""

    fee: int = FEE
    shown: bool = True

    async def read(self, height: int) -> Block:
        """Add how it ended."""
        block = await Blind.read(self, height)
        ended = {OWN: Outcome(success=True, payer_spent_units=self.fee)} if self.shown else {}
        return replace(block, outcomes={**block.outcomes, **ended})

    async def rose(self, address: str, height: int) -> int:
        """Count what left."""
        return await Blind.rose(self, address, height) - SWEPT - FEE


@pytest.mark.parametrize(
    ("fee", "shown", "credited"),
    [(FEE, True, True), (FEE + 1, True, False), (FEE, False, False)],
)
async def test_what_our_own_transaction_took_in_the_same_block_is_told_by_the_second_node(
    database: FreshDatabase, fee: int, *, shown: bool, credited: bool
) -> None:
    """A sweep beside the payment keeps it waiting no longer; another cost proves nothing."""
    async with world(database) as w:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            session.add(
                Attempt(
                    id="att_1", order_id="swp_1", network_id=NETWORK, purpose="sweep",
                    intent={"asset": NATIVE, "units": str(SWEPT), "to": w.hot},
                    sender=w.assigned, raw=b"-", tx_hash=OWN, state="signed", broadcasts=1,
                    created_at=GENESIS_TIME,
                )
            )  # fmt: skip
        await inside(w)
        blind = Swept(w.chain, 1, frozenset({w.chain.token}), fee=fee, shown=shown)
        w.scanner.witnesses = {"": w.scanner.reader, "c": blind}
        w.scanner.gains = {"c": blind.rose}
        await w.scan()
        assert await w.wallet("mer_1") == ((DUE_UNITS, 0) if credited else (0, 0))
