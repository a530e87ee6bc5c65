"""Lists are read page by page, both ways, without a gap or a repetition."""

from typing import Any

import pytest

from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio


async def _page(api: TestApi, key: str, query: str) -> tuple[list[str], dict[str, Any]]:
    page = (await api.call("GET", f"/v1/api_keys?{query}", key)).json()
    assert page["object"] == "list"
    return [row["id"] for row in page["data"]], page


async def test_pages_join_to_the_whole(api: TestApi) -> None:
    """Seven rows in pages of three, newest first, then back again from the end."""
    merchant_id, key = await api.merchant_and_key()
    for _ in range(6):
        await api.key(merchant_id)
    every, whole = await _page(api, key, "limit=100")
    assert len(every) == 7
    assert every == sorted(every, reverse=True)
    assert (whole["has_more"], whole["next_cursor"]) == (False, None)

    first, page = await _page(api, key, "limit=3")
    second, page = await _page(api, key, f"limit=3&starting_after={page['next_cursor']}")
    third, last = await _page(api, key, f"limit=3&starting_after={page['next_cursor']}")
    assert first + second + third == every
    assert (last["has_more"], last["next_cursor"]) == (False, None)

    back, page = await _page(api, key, f"limit=3&ending_before={every[-1]}")
    assert (back, page["has_more"]) == (every[3:6], True)
    further, page = await _page(api, key, f"limit=3&ending_before={page['next_cursor']}")
    assert (further, page["has_more"]) == (every[0:3], False)


async def test_a_page_ends_exactly_at_the_end(api: TestApi) -> None:
    """A full last page does not promise another."""
    merchant_id, key = await api.merchant_and_key()
    await api.key(merchant_id)
    ids, page = await _page(api, key, "limit=2")
    assert len(ids) == 2
    assert page["has_more"] is False
