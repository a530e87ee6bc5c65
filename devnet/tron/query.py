"""One question to the node: the tree it was asked in and its parameters, read strictly."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from devnet.tron import address
from devnet.tron.node import Node, View

TRUE = frozenset({True, "true", "True"})


class BadQuery(ValueError):
    """A parameter that cannot be read."""


@dataclass(frozen=True, slots=True)
class Query:
    """A call of `wallet/` or, where `solid`, of `walletsolidity/`."""

    node: Node
    method: str
    solid: bool
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def visible(self) -> bool:
        """Tell whether addresses are base58 and messages text."""
        return self.flag("visible")

    @property
    def view(self) -> View:
        """Return what this tree sees."""
        return self.node.view(solid=self.solid)

    def flag(self, name: str) -> bool:
        """Read a boolean; JSON or the text of a query string."""
        value = self.fields.get(name, False)
        return value in TRUE if isinstance(value, bool | str) else False

    def number(self, name: str) -> int:
        """Read an integer, 0 where it is absent."""
        value = self.fields.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise BadQuery(f"{name}: {value!r} is not an integer")
        try:
            return int(value)
        except ValueError as trouble:
            raise BadQuery(f"{name}: {value!r} is not an integer") from trouble

    def text(self, name: str) -> str:
        """Read a string, empty where it is absent."""
        value = self.fields.get(name, "")
        if not isinstance(value, str):
            raise BadQuery(f"{name}: {value!r} is not a string")
        return value

    def hex(self, name: str) -> bytes:
        """Read hex digits, empty where they are absent."""
        try:
            return bytes.fromhex(self.text(name))
        except ValueError as trouble:
            raise BadQuery(f"{name}: {trouble}") from trouble

    def address(self, name: str) -> bytes:
        """Read an address in the form that `visible` asks for."""
        try:
            return address.parse(self.text(name), visible=self.visible)
        except ValueError as trouble:
            raise BadQuery(f"{name}: {trouble}") from trouble
