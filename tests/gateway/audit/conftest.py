"""The stage of this room's tests: a house with people in it, and a shop with real money."""

from tests.gateway.people.conftest import house, people, shared
from tests.gateway.shop import shop

__all__ = ["house", "people", "shared", "shop"]
