"""Killed anywhere on the way of a payout on Ethereum: one payment, settled books."""

import pytest

from tests.conftest import TestServer
from tests.crash.runs import Run
from tests.crash.site import Site
from tests.crash.stories import told

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.campaign,
    pytest.mark.chain,
    pytest.mark.timeout(900),
]
FAMILY = "ethereum"


async def test_killed_there_it_pays_exactly_once(
    site: Site, database_server: TestServer, run: Run
) -> None:
    """Whoever dies, and wherever: the next process ends what was begun."""
    await told(site, database_server, run)
