"""What docs/webhooks.md tells a merchant to paste works on what we send."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FreshDatabase
from tests.gateway.worker.world import all_are, eventually, receiving, world

pytestmark = pytest.mark.anyio

GUIDE = Path(__file__).parents[3] / "docs" / "webhooks.md"


def example() -> Any:
    """Return the function of the guide's only Python block."""
    [code] = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(GUIDE), "exec"), names)  # noqa: S102 - our own page
    return names["receive"]


async def test_the_python_example_accepts_ours_and_nothing_else(
    database: FreshDatabase,
) -> None:
    """A real delivery passes; one changed byte or another secret does not."""
    receive = example()
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url)
        [event_id] = await w.emit("inv_1")
        async with w.working():
            await eventually(all_are(w, "succeeded"))
        [sent] = shop.requests
        status, event = receive(w.secret(), sent.headers, sent.body)
        assert (status, event["id"]) == (204, event_id)
        assert receive(w.secret(), sent.headers, sent.body + b" ") == (401, None)
        assert receive(w.secret("whe_2"), sent.headers, sent.body) == (401, None)
