"""TRC-10 assets: issued once under the next numeric id, held outside the EVM. Pure."""

from devnet.tron.transaction import Transaction
from devnet.tron.world import World

FIRST_ID = 1_000_001


def issue(transaction: Transaction, world: World) -> str:
    """Give the owner the whole supply of a new asset; return its id."""
    asset_id = str(FIRST_ID + len(world.assets))
    world.assets[asset_id] = {**transaction.value, "id": asset_id}
    world.holdings[transaction.owner, asset_id] = transaction.number("total_supply")
    return asset_id


def move(transaction: Transaction, world: World) -> None:
    """Move units that the check has seen at the owner."""
    asset_id, amount = asset_of(transaction), transaction.number("amount")
    for holder, change in (
        (transaction.owner, -amount),
        (transaction.value["to_address"], amount),
    ):
        world.holdings[holder, asset_id] = world.holding(holder, asset_id) + change


def asset_of(transaction: Transaction) -> str:
    """Return the id that a transfer names."""
    name: bytes = transaction.value.get("asset_name", b"")
    return name.decode("latin-1")
