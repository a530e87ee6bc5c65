"""What the demo found: the report file and the table a person reads."""

from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table


class MethodReport(msgspec.Struct, kw_only=True):
    """One payment method, in and out; `destination_received` and `expected` are base units."""

    payment_method: str
    invoice_id: str = ""
    invoice_status: str = "none"
    deposit_tx: str = ""
    webhooks_verified: int = 0
    withdrawal_status: str = "none"
    withdrawal_tx: str = ""
    destination_received: str = "0"
    expected: str = ""

    @property
    def ok(self) -> bool:
        """Tell whether all went as it should."""
        return (
            self.invoice_status == "settled"
            and self.withdrawal_status == "completed"
            and self.webhooks_verified > 0
            and self.destination_received == self.expected
        )


class CaseReport(msgspec.Struct, kw_only=True):
    """One exceptional case."""

    name: str
    expected: str
    got: str
    ok: bool


class AssetReport(msgspec.Struct, kw_only=True):
    """One asset on both sides of the audit."""

    asset: str
    onchain_units: str
    ledger_units: str


class LedgerReport(msgspec.Struct, kw_only=True):
    """What the independent check printed."""

    journals: int = 0
    sum_is_zero: bool = False
    onchain_equals_ledger: bool = False
    assets: list[AssetReport] = []

    @property
    def ok(self) -> bool:
        """Tell whether there is a ledger and nothing is wrong with it."""
        return self.journals > 0 and self.sum_is_zero and self.onchain_equals_ledger


class ProcessReport(msgspec.Struct, kw_only=True):
    """Resident memory of a process with everything below it, in MiB."""

    name: str
    rss_mib: int


class Report(msgspec.Struct, kw_only=True):
    """The whole of `report.json`; `seconds` counts from the end of the set-up."""

    ok: bool
    seconds: int
    methods: list[MethodReport]
    cases: list[CaseReport]
    ledger: LedgerReport
    processes: list[ProcessReport]


def write(report: Report, path: Path) -> None:
    """Write it as indented JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def show(report: Report, console: Console) -> None:
    """Print the tables."""
    console.print(_methods(report), _cases(report), _ledger(report))
    memory = "  ".join(f"{process.name} {process.rss_mib}" for process in report.processes)
    console.print(f"resident memory in MiB: {memory}")


def _methods(report: Report) -> Table:
    table = Table(title="money in and out")
    for heading in (
        "payment method",
        "invoice",
        "webhooks",
        "withdrawal",
        "received",
        "expected",
    ):
        table.add_column(heading)
    for row in report.methods:
        table.add_row(
            f"{_mark(ok=row.ok)} {row.payment_method}",
            row.invoice_status,
            str(row.webhooks_verified),
            row.withdrawal_status,
            row.destination_received,
            row.expected,
        )
    return table


def _cases(report: Report) -> Table:
    table = Table(title="exceptional cases")
    for heading in ("case", "expected", "got"):
        table.add_column(heading)
    for row in report.cases:
        table.add_row(f"{_mark(ok=row.ok)} {row.name}", row.expected, escape(row.got))
    return table


def _ledger(report: Report) -> Table:
    ledger = report.ledger
    zero = "sums to zero" if ledger.sum_is_zero else "DOES NOT SUM TO ZERO"
    table = Table(title=f"ledger: {ledger.journals} journals, {zero}")
    for heading in ("asset", "on chain", "in the ledger"):
        table.add_column(heading, justify="right")
    for row in ledger.assets:
        mark = _mark(ok=row.onchain_units == row.ledger_units)
        table.add_row(f"{mark} {row.asset}", row.onchain_units, row.ledger_units)
    return table


def _mark(*, ok: bool) -> str:
    return "[green]ok[/]" if ok else "[bold red]NO[/]"
