"""What the journal says about the time before a moment: the units and fees that rules let go."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import msgspec

from keystore import api, networks
from keystore.journal import Journal
from keystore.networks import solana

INTENT_MARK = b"gw/withdrawal/v1\n"
NONCE_MARK = b"gw/nonce/v1\n"
FEES_REMEMBERED = 2**16


@dataclass(frozen=True, slots=True)
class Spending:
    """The journal as the rules see it, from one moment back."""

    journal: Journal
    moment: datetime

    def units(self, rule: str, time: timedelta) -> int:
        """Return the base units that left under a rule."""
        return self.journal.spent(rule, self.moment - time)

    def fees(self, rule: str, time: timedelta) -> Mapping[str, int]:
        """Return the highest fee of each slot that a rule let go."""
        found: dict[str, int] = {}
        for slot, asked in self.journal.let_go(rule, self.moment - time):
            found[slot] = max(found.get(slot, 0), fee_most(asked))
        return found


@lru_cache(FEES_REMEMBERED)
def fee_most(asked: bytes) -> int:
    """Return the most that the network could take for what the journal keeps."""
    if asked.startswith(NONCE_MARK):
        body = asked.removeprefix(NONCE_MARK)
        return solana.setup_most(msgspec.json.decode(body, type=api.SignNonceSetupRequest))
    return networks.fee_most(read_intent(asked))


def read_intent(canonical: bytes) -> api.Intent:
    """Read an intent back from the bytes that the journal keeps."""
    intent: api.Intent = msgspec.json.decode(
        canonical.removeprefix(INTENT_MARK), type=api.Intent
    )
    return intent
