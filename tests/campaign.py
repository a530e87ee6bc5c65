"""Two sizes of one suite: seeded short forms always, `--campaign` runs the long ones only.

A test that has a long form carries the mark `campaign` and asks for `long`; properties have one without
asking. What a run did (seed, counts) it says to `figures`: the lines stand below the suite's outcome,
and a campaign writes them with every outcome to `var/campaign.md`.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest

from tests.crash.runs import header

KILL_RUNS = 20
EXAMPLES = 5_000
SECONDS_MAX = 7_200
REPORT = Path("var/campaign.md")
PROPERTY = "figures"
Figures = Callable[[str], None]
OUTCOMES = ("passed", "failed", "error", "skipped", "rerun")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--campaign`."""
    parser.addoption(
        "--campaign", action="store_true", help="run the long forms, and only these"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Give properties many more examples in a campaign."""
    hypothesis.settings.register_profile("campaign", max_examples=EXAMPLES, deadline=None)
    if is_long(config):
        hypothesis.settings.load_profile("campaign")


def is_long(config: pytest.Config) -> bool:
    """Tell whether this is a campaign."""
    return bool(config.getoption("campaign"))


def pytest_report_header(config: pytest.Config) -> str:
    """Say how many runs the seeded tests make."""
    long = is_long(config)
    examples = EXAMPLES if long else hypothesis.settings().max_examples
    return (
        f"seeded runs: {examples} examples per property, {KILL_RUNS if long else 1} kill run(s), "
        f"{header(everything=long)}"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave to a campaign what is longer in it, and the time that it needs."""
    if not is_long(config):
        return
    longer = [item for item in items if _has_long_form(item)]
    config.hook.pytest_deselected(items=[item for item in items if not _has_long_form(item)])
    for item in longer:
        item.add_marker(pytest.mark.timeout(SECONDS_MAX), append=False)
    items[:] = longer


def _has_long_form(item: pytest.Item) -> bool:
    is_property = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    return is_property or item.get_closest_marker("campaign") is not None


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether the test shall take its long form."""
    return is_long(request.config)


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Keep a line about what the test did."""

    def say(line: str) -> None:
        record_property(PROPERTY, line)

    return say


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show every figure; after a campaign write the report."""
    reports = list(_reports(terminalreporter))
    lines = [line for report in reports for line in _figures(report)]
    if lines:
        terminalreporter.section("figures")
        terminalreporter.write("\n".join([*lines, ""]))
    if is_long(terminalreporter.config) and reports:
        path = terminalreporter.config.rootpath / REPORT
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(_page(terminalreporter.config, reports)) + "\n")
        terminalreporter.write(f"report: {REPORT}\n")


def _reports(reporter: pytest.TerminalReporter) -> Iterator[pytest.TestReport]:
    """Yield what counts: the call, or whatever else failed or was left out."""
    for outcome in OUTCOMES:
        for report in reporter.stats.get(outcome, []):
            if isinstance(report, pytest.TestReport):
                yield report


def _figures(report: pytest.TestReport) -> list[str]:
    return [str(value) for name, value in report.user_properties if name == PROPERTY]


def _page(config: pytest.Config, reports: list[pytest.TestReport]) -> Iterator[str]:
    yield f"# Campaign of {datetime.fromtimestamp(time.time(), UTC):%Y-%m-%d %H:%M} UTC"
    yield ""
    yield str(pytest_report_header(config))
    yield ""
    yield "| test | outcome | seconds | figures |"
    yield "|---|---|---|---|"
    for report in sorted(reports, key=lambda report: report.nodeid):
        told = "<br>".join(_figures(report)).replace("|", "\\|")
        yield f"| {report.nodeid} | {report.outcome} | {report.duration:.1f} | {told} |"
