"""Column types: whole base units as `int`, exact decimals, aware UTC time."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy import BigInteger, Dialect, Identity, LargeBinary, MetaData, Numeric, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, mapped_column
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


UnitsColumn = Annotated[int, mapped_column(Units)]
UnitsOrNone = Annotated[int | None, mapped_column(Units)]
TextKey = Annotated[str, mapped_column(Text, primary_key=True)]
SerialKey = Annotated[int, mapped_column(BigInteger, Identity(always=True), primary_key=True)]
