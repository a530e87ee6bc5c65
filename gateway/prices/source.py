"""What a source of prices is: a question over HTTP and how its answer is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from gateway.prices.market import Quote


class Unreadable(ValueError):
    """The answer is not what the source's documentation promises."""


@dataclass(frozen=True, slots=True)
class Request:
    """One GET."""

    url: str
    params: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """One source. It asks once for all codes, and does no HTTP itself."""

    @property
    def name(self) -> str:
        """Return the name that the history keeps."""
        ...

    def moved(self, url: str) -> "Source":
        """Return the same source at another address."""
        ...

    def request(self, codes: Sequence[str]) -> Request | None:
        """Return the question for these codes; None where it knows none of them."""
        ...

    def read(self, body: bytes, codes: Sequence[str], now: datetime) -> list[Quote]:
        """Return what the answer says of these codes; raise `Unreadable`.

        A source that does not say when its price was made gives it the time `now`.
        """
        ...


BRACKETS_MAX = 10_000
"""The largest answer that is asked for has a few hundred."""
DIGITS_MAX = 80
"""Of a price; what has more is none, and no column would take it."""
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def parsed(body: bytes) -> Any:
    """Parse JSON; numbers with a fraction become exact decimals."""
    # Deep nesting is an error at Python's usual limit, and the end of the process at a higher one.
    if body.count(b"[") + body.count(b"{") > BRACKETS_MAX:
        raise Unreadable(f"more than {BRACKETS_MAX} brackets")
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError, RecursionError) as fault:
        raise Unreadable(str(fault)[:200]) from fault


def decimal(value: object) -> Decimal:
    """Read a price that is a JSON number or a string; raise `Unreadable`."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Unreadable(f"{value!r} is not a price")
    try:
        price = Decimal(value)
    except ArithmeticError as fault:
        raise Unreadable(f"{str(value)[:DIGITS_MAX]!r} is not a price") from fault
    if len(price.as_tuple().digits) > DIGITS_MAX:
        raise Unreadable(f"a price of more than {DIGITS_MAX} digits")
    return price
