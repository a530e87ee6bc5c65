"""How stories end: what chain, ledger and rows have to say of it."""

from devnet.system.waiting import until
from tests.crash.site import SECONDS_MAX, TOKEN_PAYMENT, Site


def units_of(site: Site, kind: str) -> int:
    """Return what a payout of this kind is."""
    return site.family.payment if kind == "native" else TOKEN_PAYMENT


async def require_one_payment(
    site: Site, kind: str, withdrawal_id: str, destination: str
) -> None:
    """Wait for the end; demand one payment on the chain and books that say the same."""
    row = await site.until_status(withdrawal_id, "completed", "failed")
    assert row.status == "completed", row.failure_reason
    units = units_of(site, kind)
    assert await site.chain.balance(destination, site.asset(kind)) == units
    ended = [attempt.state for attempt in await site.attempts(withdrawal_id)]
    assert ended.count("succeeded") == 1
    assert set(ended) <= {"succeeded", "replaced"}
    assert await site.journals(withdrawal_id) == ["hold", "settle"]
    await require_books(site)


async def require_nothing_or_one_payment(
    site: Site, kind: str, withdrawal_id: str, destination: str
) -> None:
    """Wait for the end of a cancel; demand that chain, ledger and the wish's answer say the same."""
    row = await site.until_status(withdrawal_id, "completed", "failed")
    if row.status == "completed":
        await require_one_payment(site, kind, withdrawal_id, destination)
        return

    async def answered() -> str | None:
        site.require_alive()
        query = "SELECT answer FROM cancel_request WHERE order_id = :id"
        [(answer,)] = await site.sql(query, id=withdrawal_id)
        return answer or None

    assert await until(answered, "the wish's answer", seconds_max=SECONDS_MAX) == "canceled"
    assert await site.chain.balance(destination, site.asset(kind)) == 0
    payment, *cancels = await site.attempts(withdrawal_id)
    assert (payment.purpose, payment.state) == ("payout", "replaced")
    ended = sorted(attempt.state for attempt in cancels)
    assert ended.count("succeeded") == 1, "one cancel takes the place, others came too late"
    assert set(ended) <= {"succeeded", "replaced", "refused"}
    assert {attempt.purpose for attempt in cancels} == {"cancel"}
    assert await site.journals(withdrawal_id) == ["hold", "release"]
    await require_books(site)


async def require_books(site: Site) -> None:
    """Demand that nothing is held, journals sum to zero, and custody is what the chain holds.

    The watcher ends what it has begun meanwhile, sweeps for one, and is stopped afterwards.
    """
    assert await site.locked() == 0
    report = await site.audited()
    site.stop()
    assert report["sum_is_zero"]
    assert report["onchain_equals_ledger"]
