"""The stages on which the failures of others are played again."""

from tests.gateway.shop import shop
from tests.watchers.test_payouts import keystore_house

__all__ = ["keystore_house", "shop"]
