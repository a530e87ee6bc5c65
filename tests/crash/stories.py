"""Dying and going on: each story leads to its place, and ends with exactly one payment."""

from datetime import timedelta
from itertools import count

from devnet.system.waiting import until
from gateway.db import CROSS_TENANT
from keystore import crash as keystore_crash
from tests.conftest import TestServer
from tests.crash.databases import cloned
from tests.crash.endings import (
    require_books,
    require_nothing_or_one_payment,
    require_one_payment,
    units_of,
)
from tests.crash.opening import dead, opened
from tests.crash.runs import Run
from tests.crash.site import SECONDS_MAX, Site
from watchers import crash
from watchers.clock import now
from watchers.pay import cancels

KILLED = -9


async def die(site: Site, point: str, withdrawal_id: str) -> None:
    """Run a watcher until it dies at `point` (`NAME:2`: there for the second time), mining for it."""
    watcher = await site.start(**{crash.VARIABLE: point})

    async def dead() -> int | None:
        status = watcher.child.poll()
        if status is None:
            await site.mine((await site.withdrawal(withdrawal_id)).status)
        return status

    status = await until(dead, f"death at {point}", seconds_max=SECONDS_MAX)
    require_killed(status, point.partition(":")[0], watcher.words)
    site.running.remove(watcher)


def require_killed(status: int | None, point: str, words: str) -> None:
    """Demand that the process came to its place, and did not end of something else."""
    assert (status, f"crash: {point}" in words) == (KILLED, True), words[-2000:]


async def paid(site: Site, run: Run) -> None:
    """Die (twice where the run says so) on the way of a payout, go on, and look."""
    destination = await site.chain.fresh_address()
    units = units_of(site, run.kind)
    withdrawal_id = await site.pay_out(run.kind, units, destination)
    for point in filter(None, (run.first, run.point)):
        await die(site, point, withdrawal_id)
    await site.start()
    await require_one_payment(site, run.kind, withdrawal_id, destination)


async def keystore_dies(site: Site, run: Run) -> None:
    """Kill the keystore at its place; the watcher waits for the next one and goes on."""
    destination = await site.chain.fresh_address()
    withdrawal_id = await site.pay_out(run.kind, units_of(site, run.kind), destination)
    await _keystore_killed(site, run.point)
    await require_one_payment(site, run.kind, withdrawal_id, destination)


async def _keystore_killed(site: Site, point: str) -> None:
    """Run a watcher beside a keystore that dies at `point`, and then beside another."""
    assert site.keystore is not None
    site.keystore.stop()
    site.serve_keystore(**{keystore_crash.VARIABLE: point})
    dying = site.keystore
    await site.start()

    async def dead() -> int | None:
        site.require_alive()
        return dying.process.poll()

    status = await until(dead, f"death at {point}", seconds_max=SECONDS_MAX)
    require_killed(status, point, dying.text)
    site.serve_keystore()


async def taken_back(site: Site, run: Run) -> None:
    """Die on the way of a cancel: the payment was signed, and no node ever got it.

    Either it lands after all, once, or nothing does and its hold comes back.
    """
    destination = await site.chain.fresh_address()
    withdrawal_id = await _held_back(site, run, destination)
    async with site.owner.unit_of_work(CROSS_TENANT) as session:
        wish = (site.name, withdrawal_id, "tester", now())
        await cancels.ask(session, *wish, patience=timedelta(0))
    await _die_again(site, run, withdrawal_id)
    await require_nothing_or_one_payment(site, run.kind, withdrawal_id, destination)


async def outbid(site: Site, run: Run) -> None:
    """Die while a payment that waits too long is signed again at a better price: one lands."""
    destination = await site.chain.fresh_address()
    withdrawal_id = await _held_back(site, run, destination)
    await site.sql("UPDATE attempt SET sent_height = 0 WHERE order_id = :id", id=withdrawal_id)
    await _die_again(site, run, withdrawal_id)
    await require_one_payment(site, run.kind, withdrawal_id, destination)
    first, *_, last = await site.attempts(withdrawal_id)
    assert (first.state, last.state) == ("replaced", "succeeded")


async def _held_back(site: Site, run: Run, destination: str) -> str:
    """Ask for a payment and have it signed; no node gets it. Return the withdrawal's id."""
    withdrawal_id = await site.pay_out(run.kind, units_of(site, run.kind), destination)
    for turn in count(1):
        await die(site, f"broadcast.sending:{turn}", withdrawal_id)
        if any(each.raw for each in await site.attempts(withdrawal_id)):
            break  # else it was what an earlier story left that was sent first
    # Its next turn to be sent is far away: what is sent meanwhile is what takes its place.
    await site.sql(
        "UPDATE attempt SET last_broadcast_at = now() + interval '1 hour' WHERE order_id = :id",
        id=withdrawal_id,
    )
    return withdrawal_id


async def _die_again(site: Site, run: Run, withdrawal_id: str) -> None:
    """Die on the way of what takes its place; another process, or another keystore, goes on."""
    if run.first:
        await die(site, run.first, withdrawal_id)
    if run.point in keystore_crash.POINTS:
        await _keystore_killed(site, run.point)
    else:
        await die(site, run.point, withdrawal_id)
        await site.start()


async def refused(site: Site, run: Run) -> None:
    """Die while a payout that the keystore refuses for good is given up: nothing is paid.

    Its destination was changed by hand to our own gas wallet.
    """
    units = units_of(site, run.kind)
    destination = await site.chain.fresh_address()
    withdrawal_id = await site.request(run.kind, units, destination)
    [(gas,)] = await site.sql("SELECT address FROM application_wallet WHERE purpose = 'gas'")
    await site.edit(
        "withdrawal", "UPDATE withdrawal SET destination = :to WHERE id = :id",
        to=gas, id=withdrawal_id,
    )  # fmt: skip
    await site.approve(withdrawal_id)
    await die(site, run.point, withdrawal_id)
    await site.start()
    row = await site.until_status(withdrawal_id, "failed")
    assert "own_destination" in (row.failure_reason or "")
    assert await site.chain.balance(destination, site.asset(run.kind)) == 0
    assert await site.journals(withdrawal_id) == ["hold", "release"]
    await require_books(site)


async def lane_made(site: Site, run: Run) -> None:
    """Look that a site whose first watcher died over its lane has each lane once, and pays."""
    [(lanes, made)] = await site.sql(
        "SELECT (SELECT count(*) FROM application_wallet WHERE purpose = 'nonce'), "
        "(SELECT count(*) FROM attempt WHERE purpose = 'setup' AND state = 'succeeded')"
    )
    assert made == lanes > 0
    destination = await site.chain.fresh_address()
    withdrawal_id = await site.pay_out(run.kind, units_of(site, run.kind), destination)
    await site.start()
    await require_one_payment(site, run.kind, withdrawal_id, destination)


async def refilled(site: Site, run: Run) -> None:
    """Look that a site whose first watcher died over its gas wallet has filled it once."""
    assert run.kind == "native"
    await site.start()

    async def filled() -> bool | None:
        site.require_alive()
        if not await site.sql("SELECT 1 FROM attempt WHERE state = 'prepared'"):
            await site.chain.mine(site.family.depth)
        query = "SELECT state FROM attempt WHERE purpose = 'refill' AND state <> 'refused'"
        states = [state for (state,) in await site.sql(query)]
        assert len(states) <= 1, "the gas wallet was filled twice"
        return states == ["succeeded"] or None

    await until(filled, "the gas wallet's refill", seconds_max=SECONDS_MAX)
    await require_books(site)


async def swept(site: Site, run: Run) -> None:
    """Die on the way of a sweep: the next watcher empties the address, once, and books it."""
    [(address,)] = await site.sql(
        "SELECT DISTINCT p.address FROM address_pool p JOIN deposit d ON d.address = p.address"
    )
    [(earlier,)] = await site.sql("SELECT count(*) FROM sweep")
    units = site.family.native_units // 1000
    await site.chain.pay(address, units)
    await dead(site, await site.start(**{crash.VARIABLE: run.point}), run.point)
    await site.start()

    async def ended() -> bool | None:
        site.require_alive()
        if not await site.sql("SELECT 1 FROM attempt WHERE state = 'prepared'"):
            await site.chain.mine(site.family.depth)  # else a Tron intent would expire unsigned
        states = [state for (state,) in await site.sql("SELECT state FROM sweep")]
        # What a token's transfer was given ahead may be left.
        emptied = await site.chain.balance(address) < units // 2
        return (emptied and len(states) > earlier and set(states) == {"done"}) or None

    await until(ended, "the sweep", seconds_max=SECONDS_MAX)
    await require_books(site)


STORIES = {
    "payout": paid,
    "adoption": paid,
    "keystore": keystore_dies,
    "cancel": taken_back,
    "bump": outbid,
    "refused": refused,
    "lane": lane_made,
    "house": refilled,
    "sweep": swept,
}


async def told(site: Site, server: TestServer, run: Run) -> None:
    """Tell a run's story; what is done once for a wallet needs one that never had it."""
    site.stop()
    if run.story not in {"lane", "house"}:
        await STORIES[run.story](site, run)
        return
    with cloned(server) as database:
        async with opened(run.family, database, chain=site.chain, dying_at=run.point) as fresh:
            await STORIES[run.story](fresh, run)
