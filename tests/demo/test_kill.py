"""Everything of ours dies once with -9 while money is on its way; nothing is lost or doubled.

`KILL_SEED=N pytest tests/demo/test_kill.py` repeats a run; the seed is printed.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from rich.console import Console

from devnet.demo.methods import INVOICE_STORY, WITHDRAWAL_END, require_no_gap, require_story
from devnet.demo.screen import Screen
from devnet.demo.shop import Document, Shop, opened
from devnet.system.assets import METHODS, Method
from devnet.system.place import Place, emptied
from devnet.system.start import OURS, System, Tell, running
from devnet.system.waiting import until
from tests.campaign import KILL_RUNS, Figures, is_long

pytestmark = [pytest.mark.anyio, pytest.mark.chain, pytest.mark.timeout(240)]

FIRST_SEED = int(os.environ.get("KILL_SEED", "20261120"))
USD = "20.00"
KILL_SECONDS_MAX = 4.0
"""Payouts and deposits need at least as long to become final."""
PATIENCE_SECONDS = 60.0
WORDS = 15
NATIVE = [method for method in METHODS if not method.is_token]


@dataclass(frozen=True, slots=True)
class Payout:
    """A withdrawal on its way; `units` must arrive at `destination` once."""

    method: Method
    id: str
    destination: str
    units: int


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One seed in `make test`, many in `make campaign`."""
    if "seed" in metafunc.fixturenames:
        runs = KILL_RUNS if is_long(metafunc.config) else 1
        metafunc.parametrize("seed", range(FIRST_SEED, FIRST_SEED + runs))


@pytest.mark.campaign
async def test_kill_everything_once(short_folder: Path, seed: int, figures: Figures) -> None:
    """With invoices paid and payouts in flight, kill -9 each process; all of it completes.

    More invoices are ordered and paid while the processes die.
    """
    random, tell = Random(seed), Screen(Console(file=sys.stdout, width=200)).tell
    tell(f"seed {seed}")
    with emptied(short_folder / "kill") as place, _last_words(place, tell):
        async with (
            running(place, tell, keep_alive=True) as system,
            opened(system, patience_seconds=PATIENCE_SECONDS) as shop,
        ):
            first = await asyncio.gather(*(_paid(shop, method) for method in NATIVE))
            await _all_settled(shop, first)
            payouts = await asyncio.gather(*(_asked(shop, method) for method in NATIVE))
            second = await asyncio.gather(*(_paid(shop, method) for method in NATIVE))
            tell("invoices paid, payouts approved")
            third, _ = await asyncio.gather(
                asyncio.gather(*(_paid(shop, method) for method in NATIVE)),
                _kill_each(system, random, tell),
            )
            invoices = [*first, *second, *third]
            await _all_settled(shop, invoices)
            await _all_paid_out(shop, payouts)
            tell("everything settled and paid out")
            await _balances_are_exact(shop, payouts)
            await _receiver_has_everything(shop, invoices, payouts)
            tell("every webhook arrived")
            audit = await system.audit(patience_seconds=30)
            starts = {name: child.starts for name, child in system.supervisor.children.items()}
    figures(f"seed {seed}: starts {starts}, {audit}")
    assert all(starts[name] >= 2 for name in OURS)
    assert audit["journals"] > 0
    assert audit["sum_is_zero"]
    assert audit["onchain_equals_ledger"]


@contextmanager
def _last_words(place: Place, tell: Tell) -> Iterator[None]:
    """Show the end of every log where the block fails: its folder goes away."""
    try:
        yield
    except BaseException:
        for log in sorted(place.logs.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-WORDS:]
            tell("\n".join([log.name, *lines]))
        raise


async def _kill_each(system: System, random: Random, tell: Tell) -> None:
    """Kill and restart each process of ours once, at instants that the seed draws."""
    names = random.sample(OURS, len(OURS))
    instants = sorted(random.uniform(0, KILL_SECONDS_MAX) for _ in names)
    clock = asyncio.get_running_loop().time
    began = clock()
    for name, instant in zip(names, instants, strict=True):
        await asyncio.sleep(max(0.0, instant - (clock() - began)))
        await system.supervisor.restart(name)
        tell(f"killed {name}")


async def _paid(shop: Shop, method: Method) -> Document:
    invoice = await shop.order(method, USD)
    await shop.pay(method, invoice, int(invoice["payment_options"][0]["amount_atomic"]))
    return invoice


async def _asked(shop: Shop, method: Method) -> Payout:
    """Ask for half of what the first invoice brought."""
    balance = await _balance(shop, method)
    units = int(balance["confirmed_atomic"]) // 2
    destination = await shop.system.chains[method.network].fresh_address()
    withdrawal = await shop.withdraw(method, units, destination)
    return Payout(method, withdrawal["id"], destination, units)


async def _balance(shop: Shop, method: Method) -> Document:
    balances = (await shop.maker.get("/v1/balances"))["data"]
    return next(row for row in balances if row["payment_method"] == method.id)


async def _all_settled(shop: Shop, invoices: Sequence[Document]) -> None:
    await asyncio.gather(*(shop.invoice_until(row["id"], "settled") for row in invoices))


async def _all_paid_out(shop: Shop, payouts: Sequence[Payout]) -> None:
    await asyncio.gather(*(shop.paid_out(payout.id) for payout in payouts))
    for payout in payouts:
        received = await shop.system.chains[payout.method.network].balance(payout.destination)
        assert received == payout.units


async def _balances_are_exact(shop: Shop, payouts: Sequence[Payout]) -> None:
    """Three invoices in, one payout out, nothing held; as many deposits as payments."""
    deposits = await shop.maker.every("/v1/deposits")
    assert Counter(row["payment_method"] for row in deposits) == {m.id: 3 for m in NATIVE}
    for payout in payouts:
        method = payout.method
        received = sum(
            int(row["amount_atomic"]) for row in deposits if row["payment_method"] == method.id
        )
        balance = await _balance(shop, method)
        assert int(balance["confirmed_atomic"]) == received - payout.units
        assert int(balance["locked_atomic"]) == 0


async def _receiver_has_everything(
    shop: Shop, invoices: Sequence[Document], payouts: Sequence[Payout]
) -> None:
    """Check that every event there is was verified, each subject's in order and without a gap."""
    inbox = shop.system.inbox
    for invoice in invoices:
        require_story(await shop.heard(invoice["id"], INVOICE_STORY[-1]), INVOICE_STORY)
    for payout in payouts:
        require_no_gap(await shop.heard(payout.id, WITHDRAWAL_END))
    feed = {event["id"] for event in await shop.maker.every("/v1/events")}

    async def nothing_missing() -> bool | None:
        heard = {event.id for subject in inbox.subjects() for event in inbox.of(subject)}
        return heard >= feed or None

    await until(nothing_missing, "every event to arrive")
    assert not inbox.refused
