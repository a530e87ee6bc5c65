"""Query parameters about balance entries."""

from typing import Annotated, Any, Literal

from litestar.params import Parameter

from gateway.http.parts import CreatedBefore, CreatedFrom, in_utc

EntryType = Literal["deposit", "withdrawal", "fee", "adjustment", "hold", "release"]
MethodParameter = Annotated[str | None, Parameter(max_length=64)]
CodeParameter = Annotated[str | None, Parameter(max_length=64)]
TypeParameter = Annotated[EntryType | None, Parameter(query="type")]


async def provide_filter(
    *,
    payment_method: MethodParameter = None,
    currency: CodeParameter = None,
    type_: TypeParameter = None,
    created_from: CreatedFrom = None,
    created_before: CreatedBefore = None,
) -> dict[str, Any]:
    """Read the filters of a list; `currency` is a coin's code, on whichever network."""
    given = {
        "payment_method": payment_method,
        "currency": currency,
        "type": type_,
        "created_from": in_utc(created_from),
        "created_before": in_utc(created_before),
    }
    return {name: value for name, value in given.items() if value is not None}
