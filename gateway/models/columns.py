"""Column types: whole base units as `int`, exact decimals, aware UTC time; lists as one value."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    Identity,
    LargeBinary,
    MetaData,
    Numeric,
    Text,
    any_,
    bindparam,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, mapped_column
from sqlalchemy.types import TypeDecorator


class Units(TypeDecorator[int]):
    """Base units: `numeric` in PostgreSQL (domains `units`, `signed_units`), `int` in Python."""

    impl = Numeric
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Decimal | None:
        """Hand the driver an exact decimal; anything but an `int` is a bug."""
        del dialect
        if value is None:
            return None
        if type(value) is not int:
            raise TypeError(f"base units are int, not {type(value).__name__}")
        return Decimal(value)

    def process_result_value(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """Return whole units; the domain guarantees that there is no fraction."""
        del dialect
        return None if value is None else int(value)


class Table(DeclarativeBase):
    """Root of every table."""

    metadata = MetaData()
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it as a class attribute
        str: Text,
        int: BigInteger,
        Decimal: Numeric(38, 18),
        datetime: TIMESTAMP(timezone=True),
        bytes: LargeBinary,
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
    }


def among(column: InstrumentedAttribute[str], name: str) -> ColumnElement[bool]:
    """Tell whether a column is one of many texts, which are given by `name` as `joined` makes them."""
    return column == any_(func.string_to_array(bindparam(name, type_=Text), ","))


def joined(texts: Iterable[str]) -> str:
    """Return ids, hashes or addresses, which have no commas, as one value.

    An array would be the driver's to quote, one by one; a list of so many parameters the
    planner's to read anew.
    """
    return ",".join(texts)


UnitsColumn = Annotated[int, mapped_column(Units)]
UnitsOrNone = Annotated[int | None, mapped_column(Units)]
TextKey = Annotated[str, mapped_column(Text, primary_key=True)]
SerialKey = Annotated[int, mapped_column(BigInteger, Identity(always=True), primary_key=True)]
