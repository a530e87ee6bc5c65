"""Where one node alone speaks for a network with real money, a person says whether a hold goes back."""

from typing import Any, cast

import msgspec
import pytest

from gateway.db import Database
from gateway.settings import NetworkSettings, Settings
from keystore.api import Remembered
from keystore.client import KeystoreClient
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.sealed_chain import SealedChain
from tests.watchers.test_pay_given_back import (
    Expiring,
    Liar,
    ask_three,
    expiring,
    forgotten_and_passed,
    located,
    reader,
)
from tests.watchers.test_payouts import AMOUNT, Desk, desk, keystore_house
from tests.watchers.world import NETWORK
from watchers.addresses import AddressBook
from watchers.clock import now
from watchers.families import connect
from watchers.network import ChainReader, NodeUnavailable
from watchers.parts import Parts
from watchers.pay import judged, own_bytes
from watchers.pay.judged import Judgement, Locate, NotSettled
from watchers.pay.proof import NO_REFERENCE, Proof
from watchers.pay.settler import EXPIRED
from watchers.scan.ends import ONE_ALONE, STRANGE
from watchers.store import Position

pytestmark = pytest.mark.anyio
__all__ = ["keystore_house"]


async def nobody(node: ChainReader, tx: str) -> int | None:
    """Know of nothing."""
    del node, tx
    return None


async def silence(node: ChainReader, tx: str) -> int | None:
    """Say nothing."""
    del node, tx
    raise NodeUnavailable("silent")


async def judge(
    d: Desk, id_: str, node: ChainReader, locate: Locate | None = None, *, paid: bool = False
) -> None:
    """Say how it ended, as an operator does."""
    judgement = Judgement(NETWORK, id_, paid, "tester", "looked at the explorer")
    await judged.settle(
        d.world.database, [node], judgement, now(), locate, edited=own_bytes.nothing
    )


async def standing(d: Desk, id_: str) -> tuple[str, str | None, int]:
    """Return its state, why it waits, and what is held."""
    row = await d.withdrawal(id_)
    return row.status, row.blocked_reason, (await d.world.wallet("mer_1"))[1]


async def test_a_failure_that_one_node_alone_shows_waits_for_a_person(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Another look that shows the transfer keeps the hold; one that shows the failure ends it."""
    async with desk(database, keystore_house) as d:
        d.world.scanner.lone_word = False
        id_ = await d.request(1)
        await d.payouts.round()
        [attempt] = await d.attempts()
        chain = d.world.chain
        liar = Liar(chain, chain.chain_id, frozenset({chain.token}))
        liar.failed.add(attempt.tx_hash or "")
        d.world.scanner.reader = liar
        await d.bury()
        assert await standing(d, id_) == ("confirming", ONE_ALONE, AMOUNT)
        await d.bury()
        assert d.world.scanner.unsettled == (
            f"{id_}: {attempt.tx_hash} is not settled: {ONE_ALONE}"
        )
        with pytest.raises(NotSettled, match="the very transfer"):
            await judge(d, id_, reader(chain))
        with pytest.raises(NotSettled, match="failed on chain"):
            await judge(d, id_, liar, paid=True)
        assert await standing(d, id_) == ("confirming", ONE_ALONE, AMOUNT)
        other = await d.request(2)
        await d.payouts.round()
        liar.failed |= {each.tx_hash or "" for each in await d.attempts()}
        for _ in range(2):
            await d.bury()
        assert f"2 wait; the first: {id_}: " in (d.world.scanner.unsettled or "")
        await judge(d, id_, liar)
        row = await d.withdrawal(id_)
        assert (row.status, row.failure_reason) == ("failed", judged.NOT_PAID)
        await judge(d, other, liar)
        assert (await d.world.wallet("mer_1"))[1] == 0
        assert await d.world.sum_is_zero()
        await d.bury()
        assert d.world.scanner.unsettled is None


async def test_what_a_person_settled_troubles_nobody_any_more(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Though the next look is not due yet, and then nothing is left to look at."""
    async with expiring(database, keystore_house) as d:
        id_ = await forgotten_and_passed(d, landed=False)
        await d.payouts.round()
        ends = d.world.scanner.final_lane.ends
        ends._proof = Proof(SealedChain())
        for _ in range(2):
            await d.bury()
        assert NO_REFERENCE in (d.world.scanner.unsettled or "")
        await judge(d, id_, reader(d.world.chain), nobody)
        for _ in range(2):
            await d.bury()
        assert d.world.scanner.unsettled is None


@pytest.mark.parametrize("landed", [True, False], ids=["landed", "never landed"])
async def test_what_one_node_alone_calls_expired_waits_for_a_person(
    database: FreshDatabase, keystore_house: House, *, landed: bool
) -> None:
    """A node that knows of it, or none that answers, keeps the hold."""
    async with expiring(database, keystore_house) as d:
        d.world.scanner.lone_word = False
        id_ = await forgotten_and_passed(d, landed=landed)
        node = reader(d.world.chain)
        await d.payouts.round()
        await d.bury()
        if landed:
            with pytest.raises(NotSettled, match="nothing of it waits"):
                await judge(d, id_, node, located)
            return
        assert await standing(d, id_) == ("broadcast", ONE_ALONE, AMOUNT)
        for locate, reason in ((silence, "silent"), (None, "no block of ours")):
            with pytest.raises(NotSettled, match=reason):
                await judge(d, id_, node, locate)
        with pytest.raises(NotSettled, match="no block of ours"):
            await judge(d, id_, node, nobody, paid=True)
        [attempt] = await d.attempts()
        sent = attempt.tx_hash

        async def known(node: ChainReader, tx: str) -> int | None:
            del node
            return 7 if tx == sent else None

        with pytest.raises(NotSettled, match="shows it in block 7"):
            await judge(d, id_, node, known)
        await judge(d, id_, node, nobody)
        row = await d.withdrawal(id_)
        assert (row.status, row.failure_reason) == ("failed", EXPIRED)
        assert (await d.world.wallet("mer_1"))[1] == 0
        with pytest.raises(NotSettled, match="nothing of it waits"):
            await judge(d, id_, node, nobody)


class Referring(Expiring):
    """A keystore whose history names the block that each payment refers to."""

    async def history(self, network: str, after: int) -> list[Remembered]:
        """Add it to every intent."""
        return [
            msgspec.structs.replace(
                each,
                intent=cast("Any", {**cast("Any", each.intent), "ref_block_id": "00" * 32}),
            )
            for each in await super().history(network, after)
        ]


@pytest.mark.parametrize(
    ("keystore", "reason"),
    [(Expiring, NO_REFERENCE), (Referring, STRANGE)],
    ids=["not shown", "denied"],
)
async def test_enough_other_nodes_may_say_what_blocks_cannot_but_not_what_blocks_deny(
    database: FreshDatabase, keystore_house: House, keystore: type[Expiring], reason: str
) -> None:
    """Alone a node is not believed either way; the row says why."""
    async with desk(database, keystore_house) as d, keystore(keystore_house.socket) as knows:
        d.payouts.keystore = knows
        id_ = await forgotten_and_passed(d, landed=False)
        await d.payouts.round()
        ends = d.world.scanner.final_lane.ends
        ends._proof, ends.retry_seconds = Proof(SealedChain()), 0
        await d.bury()
        await d.bury()
        status, told, held = await standing(d, id_)
        assert (status, held) == ("broadcast", AMOUNT)
        assert reason in (told or "")
        ask_three(d)
        await d.bury()
        status, told, held = await standing(d, id_)
        believed = keystore is Expiring
        assert (status, held) == (("failed", 0) if believed else ("broadcast", AMOUNT))
        assert believed or reason in (told or "")


@pytest.mark.parametrize("trusted", [True, False], ids=["quorum = 1", "not said"])
@pytest.mark.parametrize(
    ("keystore", "reason"),
    [(Expiring, NO_REFERENCE), (Referring, STRANGE)],
    ids=["not shown", "denied"],
)
async def test_one_node_that_is_trusted_may_say_what_blocks_cannot_but_not_what_blocks_deny(
    database: FreshDatabase,
    keystore_house: House,
    keystore: type[Expiring],
    reason: str,
    *,
    trusted: bool,
) -> None:
    """Where blocks prove nothing its word is good, if the operator says so: on Tron as elsewhere."""
    async with desk(database, keystore_house) as d, keystore(keystore_house.socket) as knows:
        d.payouts.keystore = knows
        id_ = await forgotten_and_passed(d, landed=False)
        await d.payouts.round()
        scanner = d.world.scanner
        scanner.lone_word, scanner.locate = trusted, located
        scanner.witnesses = {"alone": reader(d.world.chain)}
        ends = scanner.final_lane.ends
        ends._proof, ends.retry_seconds = Proof(SealedChain()), 0
        for _ in range(2):
            await d.bury()
        status, told, held = await standing(d, id_)
        believed = trusted and keystore is Expiring
        assert (status, held) == (("failed", 0) if believed else ("broadcast", AMOUNT))
        assert believed or reason in (told or "")


async def test_what_has_not_expired_yet_is_nobody_s_to_end(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Its bytes may land any time."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(1)
        await d.payouts.round()
        with pytest.raises(NotSettled, match="nothing of it waits"):
            await judge(d, id_, reader(d.world.chain), nobody)


@pytest.mark.parametrize(
    ("changes", "trusted"),
    [
        ({"test": True}, True),
        ({"test": False}, False),
        ({"test": False, "quorum": 1}, True),
        ({"test": False, "rpc_urls": ["http://127.0.0.1:1", "http://127.0.0.1:2"]}, False),
    ],
)
async def test_a_scanner_gets_what_bears_ends_out_from_its_network(
    database: FreshDatabase, keystore_house: House, changes: dict[str, Any], *, trusted: bool
) -> None:
    """Tron's blocks are proved whoever is trusted; elsewhere a lone node must be said to be."""
    watcher = Database(database.url("watcher"), pool_size=1)
    for family in ("tron", "solana"):
        settings = NetworkSettings(
            **{
                "family": family,
                "display_name": family,
                "identity": "00" * 32,
                "rpc_urls": ["http://127.0.0.1:1"],
                "assets": [],
                **changes,
            }
        )
        parts = Parts(
            family, Settings(networks={}), settings, connect(family, settings, []), [], watcher,
            KeystoreClient(keystore_house.socket), AddressBook(""),
        )  # fmt: skip
        scanner = parts.scanner(Position(family, 1, 0, "00", 0))
        assert scanner.lone_word is trusted
        assert (scanner.seals is not None) is (family == "tron")
        assert scanner.verify == parts.chain.writer.verify
        await parts.chain.endpoints.aclose()
    await watcher.aclose()
