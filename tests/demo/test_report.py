"""`report.json` has the agreed shape, and `ok` follows from what is in it."""

import io
import json
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from devnet.demo import report as reports
from devnet.demo.report import (
    AssetReport,
    CaseReport,
    LedgerReport,
    MethodReport,
    ProcessReport,
    Report,
)

SETTLED = MethodReport(
    payment_method="ETH-ETHEREUM",
    invoice_id="inv_1",
    invoice_status="settled",
    deposit_tx="0x1",
    webhooks_verified=11,
    withdrawal_status="completed",
    withdrawal_tx="0x2",
    destination_received="9",
    expected="9",
)
REPORT = Report(
    ok=True,
    seconds=60,
    methods=[SETTLED],
    cases=[CaseReport(name="overpaid", expected="a", got="a", ok=True)],
    ledger=LedgerReport(
        journals=1,
        sum_is_zero=True,
        onchain_equals_ledger=True,
        assets=[AssetReport(asset="ETH-ETHEREUM", onchain_units="1", ledger_units="1")],
    ),
    processes=[ProcessReport(name="api", rss_mib=99)],
)


def test_report_has_the_agreed_keys(tmp_path: Path) -> None:
    """Whoever reads the file finds what was agreed and nothing else."""
    reports.write(REPORT, tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())
    assert list(found) == ["ok", "seconds", "methods", "cases", "ledger", "processes"]
    assert list(found["methods"][0]) == [
        *("payment_method", "invoice_id", "invoice_status", "deposit_tx", "webhooks_verified"),
        *("withdrawal_status", "withdrawal_tx", "destination_received", "expected"),
    ]
    assert list(found["cases"][0]) == ["name", "expected", "got", "ok"]
    assert list(found["ledger"]) == [
        *("journals", "sum_is_zero", "onchain_equals_ledger", "assets"),
    ]
    assert list(found["ledger"]["assets"][0]) == ["asset", "onchain_units", "ledger_units"]
    assert list(found["processes"][0]) == ["name", "rss_mib"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("invoice_status", "processing"),
        ("withdrawal_status", "confirming"),
        ("destination_received", "8"),
        ("webhooks_verified", 0),
    ],
)
def test_a_method_is_ok_only_when_all_of_it_is(field: str, value: object) -> None:
    """One missing piece is a failure."""
    assert SETTLED.ok
    fields = {name: getattr(SETTLED, name) for name in SETTLED.__struct_fields__}
    assert not MethodReport(**{**fields, field: value}).ok


def test_an_empty_ledger_is_not_ok() -> None:
    """Zero equals zero, and proves nothing."""
    assert not LedgerReport(sum_is_zero=True, onchain_equals_ledger=True).ok


def test_the_tables_show_what_differs() -> None:
    """A wrong line is marked."""
    console = Console(width=120, record=True, file=io.StringIO())
    wrong = LedgerReport(
        journals=1,
        assets=[AssetReport(asset="ETH-ETHEREUM", onchain_units="2", ledger_units="1")],
    )
    reports.show(msgspec.structs.replace(REPORT, ledger=wrong), console)
    assert "NO ETH-ETHEREUM" in console.export_text()
