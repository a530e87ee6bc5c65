"""The demo's story: every payment method and every case side by side, then the books."""

import asyncio

import msgspec

from devnet.demo.cases import CASES, run_case
from devnet.demo.drill import drilled
from devnet.demo.methods import STEPS, in_and_out
from devnet.demo.report import LedgerReport, ProcessReport, Report
from devnet.demo.screen import Screen
from devnet.demo.shop import opened
from devnet.system.assets import METHODS
from devnet.system.processes import Fallen
from devnet.system.start import System


async def play(system: System, screen: Screen) -> Report:
    """Play it and return what was found; faults are told on the screen."""
    began = screen.seconds
    async with opened(system) as shop:
        screen.tell("a merchant with two keys, a webhook endpoint, funded hot wallets")
        names = [method.id for method in METHODS] + [name for name, _, _ in CASES]
        with screen.tracks(names, STEPS):
            runs = asyncio.gather(*(in_and_out(shop, method, screen) for method in METHODS))
            cases = asyncio.gather(*(run_case(shop, *case, screen) for case in CASES))
            found, judged = await asyncio.gather(runs, cases)
    screen.tell("comparing the ledger with the chains, deriving every address from paper words")
    audited, drill = await asyncio.gather(system.audit(), _drill(system, screen))
    ledger = msgspec.convert(audited, LedgerReport)
    methods, faults = [report for report, _ in found], [fault for _, fault in found if fault]
    faults += drill
    faults += [f"the receiver refused a webhook: {reason}" for reason in system.inbox.refused]
    for fault in faults:
        screen.tell(fault, style="red")
    well = (
        all(row.ok for row in methods)
        and all(case.ok for case in judged)
        and ledger.ok
        and not faults
    )
    return Report(
        ok=well,
        seconds=round(screen.seconds - began),
        methods=methods,
        cases=list(judged),
        ledger=ledger,
        processes=[
            ProcessReport(name=name, rss_mib=mib)
            for name, mib in system.supervisor.memory_mib().items()
        ],
    )


async def _drill(system: System, screen: Screen) -> list[str]:
    """Tell what the drill found; return its fault, if any."""
    try:
        screen.tell(f"drill: {await drilled(system)}")
    except Fallen as fault:
        return [f"drill: {fault}"]
    return []
