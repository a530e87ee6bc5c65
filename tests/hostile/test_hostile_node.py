"""The node lies about balances, nonces, fees, hashes, the chain and what became of a payment.

One withdrawal per lie: while the node lies nobody is paid wrongly and the reason can be read;
once it is honest again the destination is paid, once.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from devnet import anvil
from devnet.system.waiting import until
from tests.conftest import TestServer
from tests.crash.databases import cloned
from tests.crash.endings import require_one_payment
from tests.crash.opening import opened
from tests.crash.site import SECONDS_MAX, Site
from tests.hostile.liar import Liar, Twist, honest, lying
from tests.hostile.report import Report

pytestmark = [pytest.mark.anyio, pytest.mark.chain, pytest.mark.timeout(900)]
ATTACKER = "0x" + "66" * 20
CEILING_WEI = 10**16


@dataclass(frozen=True)
class World:
    """A site whose watcher asks a liar."""

    site: Site
    liar: Liar
    report: Report


@pytest.fixture(scope="module")
async def world(database_server: TestServer, anyio_backend: str) -> AsyncIterator[World]:  # noqa: ARG001 - the loop lives as long as the module
    """Open an Ethereum site behind a node that is honest so far."""
    report = Report("a lying node")
    with cloned(database_server) as database:
        async with (
            anvil.running() as chain,
            lying(chain.url) as liar,
            opened("ethereum", database, chain=chain, node=liar.url) as site,
        ):
            yield World(site, liar, report)
    report.show()


def _answers(method: str, result: Any) -> Twist:
    def twist(asked: str, _params: Any, honest_result: Any) -> Any:
        return result if asked == method else honest_result

    return twist


def _fee_history(_method: str, _params: Any, result: Any) -> Any:
    if not (isinstance(result, dict) and "baseFeePerGas" in result):
        return result
    return result | {"baseFeePerGas": [hex(10**15)] * len(result["baseFeePerGas"])}


def _failed(_method: str, _params: Any, result: Any) -> Any:
    """Say that every transaction failed."""
    if not (isinstance(result, list) and result and "logsBloom" in result[0]):
        return result
    return [receipt | {"status": "0x0"} for receipt in result]


def _other_recipient(_method: str, _params: Any, result: Any) -> Any:
    """Say that every payment went to the attacker."""
    if not (isinstance(result, dict) and result.get("transactions")):
        return result
    return result | {
        "transactions": [
            each | {"to": ATTACKER} if isinstance(each, dict) else each
            for each in result["transactions"]
        ]
    }


BEFORE_SIGNING: dict[str, tuple[Twist, str]] = {
    "every wallet is empty": (_answers("eth_getBalance", "0x0"), "ETHEREUM is held"),
    "absurd fees": (_fee_history, "above the ceiling"),
}


@pytest.fixture(autouse=True)
def _fresh(world: World) -> None:
    """Begin each case without a watcher and with an honest node."""
    world.liar.twist = honest
    world.site.stop()


@pytest.mark.parametrize("lie", sorted(BEFORE_SIGNING))
async def test_a_lie_before_signing_only_delays(world: World, lie: str) -> None:
    """Nothing is signed while it lasts, the row says why, and then it is paid."""
    site, (twist, reason) = world.site, BEFORE_SIGNING[lie]
    destination = await site.chain.fresh_address()
    withdrawal_id = await site.pay_out("native", site.family.payment, destination)
    world.liar.twist = twist
    await site.start()

    async def told() -> str | None:
        said = (await site.withdrawal(withdrawal_id)).blocked_reason or ""
        return said if reason in said else None

    said = await until(told, f"the reason of {lie}", seconds_max=SECONDS_MAX)
    assert await site.attempts(withdrawal_id) == []
    world.liar.twist = honest
    await _paid_once(world, lie, said, withdrawal_id, destination)


async def test_a_node_that_counts_too_much_or_too_little_moves_no_payment(world: World) -> None:
    """The nonce comes from our own book: what the node counts never becomes a second payment."""
    site = world.site
    for count in ("0x0", "0x40"):
        destination = await site.chain.fresh_address()
        world.liar.twist = _answers("eth_getTransactionCount", count)
        withdrawal_id = await site.pay_out("native", site.family.payment, destination)
        await site.start()

        async def decided(withdrawal_id: str = withdrawal_id) -> str | None:
            row = await site.withdrawal(withdrawal_id)
            done = row.status in {"broadcast", "confirming", "completed"}
            return row.blocked_reason or (f"{row.status} all the same" if done else None)

        said = await until(decided, f"a word on count {count}", seconds_max=SECONDS_MAX)
        world.liar.twist = honest
        await _paid_once(world, f"nonce {count}", said, withdrawal_id, destination)


async def test_the_hash_in_the_answer_of_a_broadcast_is_not_believed(world: World) -> None:
    """The hash is that of our own bytes."""
    site = world.site
    destination = await site.chain.fresh_address()
    lie = "0x" + "ee" * 32
    world.liar.twist = _answers("eth_sendRawTransaction", lie)
    withdrawal_id = await site.pay_out("native", site.family.payment, destination)
    await site.start()
    row = await site.until_status(withdrawal_id, "completed")
    world.liar.twist = honest
    assert row.tx_hash != lie
    said = "kept the hash of its own bytes"
    await _paid_once(world, "another hash for the broadcast", said, withdrawal_id, destination)


@pytest.mark.parametrize("twist", [_failed, _other_recipient], ids=["failed", "recipient"])
async def test_results_that_do_not_fit_their_block_settle_nothing(
    world: World, twist: Twist
) -> None:
    """A payment that the node calls failed, or another's, is neither failed nor paid again."""
    site = world.site
    destination = await site.chain.fresh_address()
    withdrawal_id = await site.pay_out("native", site.family.payment, destination)
    world.liar.twist = twist
    watcher = await site.start()
    await site.until_status(withdrawal_id, "broadcast")

    async def noticed() -> str | None:
        await site.mine("broadcast")
        rows = await site.sql("SELECT trouble FROM network_health WHERE trouble IS NOT NULL")
        return rows[0][0] if rows else None

    said = await until(
        noticed, f"trouble in sight: {watcher.last_words}", seconds_max=SECONDS_MAX
    )
    assert (await site.withdrawal(withdrawal_id)).status == "broadcast"
    world.liar.twist = honest
    await _paid_once(world, f"results: {twist.__name__}", said, withdrawal_id, destination)


async def test_a_node_of_another_chain_ends_the_watcher(world: World) -> None:
    """Identity is pinned: it stops before anything is read or sent."""
    site = world.site
    world.liar.twist = _answers("eth_chainId", "0x1")
    watcher = await site.start()
    site.running.remove(watcher)
    assert await watcher.end() == 1
    assert "identity" in watcher.words
    world.liar.twist = honest
    moved = await site.chain.balance(ATTACKER)
    world.report.add("another chain id", watcher.last_words, moved)


async def _paid_once(
    world: World, case: str, said: str, withdrawal_id: str, destination: str
) -> None:
    """Wait for the one payment; nobody else has a unit, and no fee went above the ceiling."""
    site = world.site
    await require_one_payment(site, "native", withdrawal_id, destination)
    for attempt in await site.attempts(withdrawal_id):
        gas = int(attempt.intent["gas_limit"])
        assert gas * int(attempt.intent["max_fee_per_gas"]) <= CEILING_WEI
    world.report.add(case, said, await site.chain.balance(ATTACKER))
