"""Statements with psycopg's places, and what libpq takes for them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, LiteralString, NamedTuple, TypeAlias

import psycopg
from psycopg.abc import Transformer
from psycopg.adapt import PyFormat
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

Rows: TypeAlias = Sequence[tuple[Any, ...]]
Tell: TypeAlias = Callable[[LiteralString, Mapping[str, Any]], None]
_PLACE = re.compile(r"%\((\w+)\)s")


@dataclass(slots=True)
class Statement:
    """One statement with psycopg's places, `%(name)s`, and their values; its rows, once answered.

    `before` hears of it when it is sent, `after` when all of its round trip was answered.
    """

    text: LiteralString
    values: Mapping[str, Any]
    before: Tell
    after: Tell
    rows: Rows | None = None


class Bound(NamedTuple):
    """A statement as libpq takes it. psycopg's book of prepared statements reads the first two."""

    query: bytes
    types: tuple[int, ...] = ()
    params: Sequence[Any] = ()
    formats: Sequence[Any] = ()


@lru_cache(maxsize=1024)
def _compiled(text: str) -> tuple[bytes, tuple[str, ...]]:
    """Return PostgreSQL's text, `$1` for a place, and the names of its places in order."""
    numbers: dict[str, int] = {}

    def number(place: re.Match[str]) -> str:
        return f"${numbers.setdefault(place[1], len(numbers) + 1)}"

    query = _PLACE.sub(number, text)
    if "%" in query.replace("%%", ""):
        raise psycopg.ProgrammingError("a place is %(name)s, a per cent sign is %%")
    return query.replace("%%", "%").encode(), tuple(numbers)


def bound(adapting: Transformer, statement: Statement) -> Bound:
    """Return a statement with its values as libpq takes them."""
    query, names = _compiled(statement.text)
    values = [statement.values[name] for name in names]
    params = adapting.dump_sequence(values, [PyFormat.AUTO] * len(values))
    return Bound(query, adapting.types or (), params, adapting.formats or ())


def rows(adapting: Transformer, result: PGresult) -> Rows:
    """Return the rows of an answer as Python's values."""
    if result.status != ExecStatus.TUPLES_OK or not result.ntuples:
        return ()
    adapting.set_pgresult(result)
    return adapting.load_rows(0, result.ntuples, tuple)
