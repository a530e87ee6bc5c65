"""The list document and the query parameters of a page."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar.params import Parameter

from gateway.domain.errors import Invalid
from gateway.paging import PageRequest, Slice

Item = TypeVar("Item")
Row = TypeVar("Row")


class Page(msgspec.Struct, Generic[Item], kw_only=True):
    """One page, newest first; pass `next_cursor` on in the same parameter for the next one."""

    object: str
    data: list[Item]
    has_more: bool
    next_cursor: str | None


async def provide_page(
    limit: Annotated[int, Parameter(ge=1, le=100)] = 20,
    starting_after: Annotated[str | None, Parameter(min_length=1, max_length=64)] = None,
    ending_before: Annotated[str | None, Parameter(min_length=1, max_length=64)] = None,
) -> PageRequest:
    """Read the three parameters of a page; two directions at once are refused."""
    if starting_after is not None and ending_before is not None:
        raise Invalid.field(
            "/ending_before",
            "invalid_parameter",
            "starting_after and ending_before exclude each other",
        )
    return PageRequest(limit, starting_after, ending_before)


def page_of(
    found: Slice[Row],
    page: PageRequest,
    shape: Callable[[Row], Item],
    cursor: Callable[[Row], str],
) -> Page[Item]:
    """Shape a slice of rows into the list document."""
    edge = _edge(found.rows, page)
    return Page(
        object="list",
        data=[shape(row) for row in found.rows],
        has_more=found.has_more,
        next_cursor=cursor(edge) if found.has_more and edge is not None else None,
    )


def whole(items: Sequence[Item]) -> Page[Item]:
    """Shape a list that is short enough to be one page."""
    return Page(object="list", data=list(items), has_more=False, next_cursor=None)


def _edge(rows: Sequence[Any], page: PageRequest) -> Any:
    if not rows:
        return None
    return rows[0] if page.before is not None else rows[-1]
