"""Rows for reading alone: the driver's tuples under the names of a model.

An entity of SQLAlchemy costs several times its row, which lists of hundreds feel. A plain row
knows no session: nothing can be written to it, so nothing can be forgotten.
"""

from collections import namedtuple
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Column
from sqlalchemy.orm import class_mapper

from gateway.models.columns import Table, Units

Row = TypeVar("Row", bound=Table)


class Plain(Generic[Row]):
    """Makes rows that read like `model` from tuples of its `columns`, in their order.

    `select` names the columns for a statement, `keys` their names in Python; `width` is how many
    they are.
    """

    def __init__(self, model: type[Row], alias: str) -> None:
        attributes = class_mapper(model).column_attrs
        self.columns = [cast("Column[Any]", each.columns[0]) for each in attributes]
        self.select = ", ".join(f"{alias}.{column.name}" for column in self.columns)
        self.width = len(self.columns)
        self.keys = [each.key for each in attributes]
        # The fields are the model's, which only the mapper knows.
        self._shape: Any = namedtuple(model.__name__, self.keys)  # type: ignore[misc]  # noqa: PYI024
        # What `_make` calls, without its check: the statement has as many columns.
        made: Any = partial(tuple.__new__, self._shape)
        self._made: Callable[[Sequence[Any]], Row] = made
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
        return self._made(values)

    def new(self, **values: Any) -> Row:
        """Return the row of these values, all that the model has, by its names in Python."""
        return cast("Row", self._shape(**values))

    def copy(self, entity: Row) -> Row:
        """Return an entity as a row that no session holds."""
        return cast("Row", self._shape(*[getattr(entity, key) for key in self.keys]))
