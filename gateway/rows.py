"""Rows for reading alone: the driver's tuples under the names of a model.

An entity of SQLAlchemy costs several times its row, which lists of hundreds feel. A plain row
knows no session: nothing can be written to it, so nothing can be forgotten.
"""

from collections import namedtuple
from collections.abc import Sequence
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Column
from sqlalchemy.orm import class_mapper

from gateway.models.columns import Table, Units

Row = TypeVar("Row", bound=Table)


class Plain(Generic[Row]):
    """Makes rows that read like `model` from tuples of its `columns`, in their order.

    `select` names the columns for a statement; `width` is how many they are.
    """

    def __init__(self, model: type[Row], alias: str) -> None:
        attributes = class_mapper(model).column_attrs
        self.columns = [cast("Column[Any]", each.columns[0]) for each in attributes]
        self.select = ", ".join(f"{alias}.{column.name}" for column in self.columns)
        self.width = len(self.columns)
        # The fields are the model's, which only the mapper knows.
        shape: Any = namedtuple(model.__name__, [each.key for each in attributes])  # type: ignore[misc]  # noqa: PYI024
        self._make = shape._make
        self._units = [
            place for place, column in enumerate(self.columns) if isinstance(column.type, Units)
        ]

    def row(self, values: Sequence[Any]) -> Row:
        """Return the row of one tuple."""
        if self._units:
            values = list(values)
            for place in self._units:
                if values[place] is not None:
                    values[place] = int(values[place])
        return cast("Row", self._make(values))
