"""What may be signed. Until operators' limits and approvals stand here: play money only.

Pure: it sees an intent and the rules of its network, and knows nothing of keys or files.
"""

from dataclasses import dataclass

from keystore.api import EthereumIntent, Family, Intent
from keystore.networks.scheme import whole
from keystore.refusal import Refused

NOBODY = frozenset(
    {
        "0x0000000000000000000000000000000000000000",
        "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb",
        "11111111111111111111111111111111",
    }
)
"""The zero address of each family (on Solana the system program): what goes there is gone."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings and the wallets say about one network."""

    network: str
    family: Family
    test: bool
    chain_id: int | None
    own: frozenset[str]
    """Addresses of the application wallets: a payment to one of them is a mistake."""


def require_test_network(rules: Rules) -> None:
    """Refuse every signature on a network with real money."""
    if not rules.test:
        raise Refused(
            "not_test_network",
            f"network: {rules.network} is not marked test = true; nothing is signed for it",
        )


def require_allowed(intent: Intent, rules: Rules) -> None:
    """Raise `Refused` unless this payment may be signed; addresses are already normal."""
    require_test_network(rules)
    if isinstance(intent, EthereumIntent) and intent.chain_id != rules.chain_id:
        raise Refused(
            "wrong_chain_id", f"chain_id: {rules.network} has {rules.chain_id} in the settings"
        )
    if whole(intent.units, "units", bits=256) == 0:
        raise Refused("bad_amount", "units: must be above 0")
    if intent.to in rules.own:
        raise Refused("own_destination", "to: is an application wallet of this keystore")
    if intent.to in NOBODY or intent.to == intent.asset:
        raise Refused("bad_destination", "to: nobody could ever spend from there")
