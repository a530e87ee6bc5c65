"""Rules carried out where no watcher answers and the operator takes payouts unchecked."""

from gateway.db import Database
from gateway.payout_rules.runs import Rules
from gateway.questions.service import Questions
from tests.gateway.shop import Shop


async def turn(worker: Database, shop: Shop) -> None:
    """Carry every rule out once."""
    questions = Questions(worker, patience_seconds=0.1)
    await Rules(worker, questions, unchecked=True).round(shop.clock())
