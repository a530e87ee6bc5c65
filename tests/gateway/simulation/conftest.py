"""The stage of this room's tests."""

from tests.gateway.shop import shop

__all__ = ["shop"]
