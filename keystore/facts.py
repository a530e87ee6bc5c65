"""What the settings and the wallets say, and what no policy could allow. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from keystore.intents import EthereumIntent, Intent, TronIntent, TronResourceIntent
from keystore.keyring import Keyring
from keystore.movement import Movement
from keystore.networks.solana import LANES
from keystore.refusal import Refused
from keystore.settings import NetworkSettings
from keystore.shapes import Family

NOBODY = frozenset(
    {
        "0x0000000000000000000000000000000000000000",
        "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb",
        "11111111111111111111111111111111",
    }
)
"""The zero address of each family (on Solana the system program): what goes there is gone."""
AHEAD_MS_MAX = 60 * 60 * 1_000
ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
WITHDRAWAL = "wdr_"
"""How the ids of withdrawals begin. One never moves the house's own money."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the settings and the wallets say about one network."""

    network: str
    family: Family
    test: bool
    chain_id: int | None
    hot: str
    gas: str
    own: frozenset[str]
    """Addresses of the application wallets: a payout to one of them is a mistake."""


def facts_of(name: str, network: NetworkSettings, keyring: Keyring) -> Facts:
    """Return what is known of a network of the settings."""
    wallets = keyring.wallets(network.family, LANES)
    hot, gas = (
        next(wallet.address for wallet in wallets if wallet.purpose == purpose)
        for purpose in ("hot", "gas")
    )
    return Facts(
        network=name,
        family=network.family,
        test=network.test,
        chain_id=network.chain_id,
        hot=hot,
        gas=gas,
        own=frozenset(wallet.address for wallet in wallets),
    )


def known(facts: Facts | None) -> Facts:
    """Return the facts of a network that the settings have; refuse any other."""
    if facts is None:
        raise Refused("unknown_network", "network: not in the keystore's settings")
    return facts


def require_test_network(facts: Facts) -> None:
    """Refuse every signature on a network with real money."""
    if not facts.test:
        raise Refused(
            "not_test_network",
            f"network: {facts.network} is not marked test = true and there is no policy file; "
            "nothing is signed for it",
        )


def require_right_chain(intent: Intent, facts: Facts) -> None:
    """Refuse an intent for another chain than the settings say."""
    if isinstance(intent, EthereumIntent) and intent.chain_id != facts.chain_id:
        raise Refused(
            "wrong_chain_id", f"chain_id: {facts.network} has {facts.chain_id} in the settings"
        )


def require_present(intent: Intent, clock: Callable[[], datetime]) -> None:
    """Refuse a Tron intent of a time to come: its bytes could land until then, on any day."""
    if not isinstance(intent, TronIntent | TronResourceIntent):
        return
    now_ms = int(clock().timestamp() * 1000)
    if intent.timestamp_ms > now_ms + AHEAD_MS_MAX:
        raise Refused(
            "timestamp_ahead", "timestamp_ms: more than an hour ahead of the keystore's clock"
        )


def require_payee(movement: Movement, withdrawal_id: str) -> None:
    """Refuse a destination that no policy may allow; addresses are already normal."""
    if movement.to in NOBODY or movement.to == movement.asset:
        raise Refused("bad_destination", "to: nobody could ever spend from there")
    inside = movement.kind not in {"payout", "cancel"}
    if inside and withdrawal_id.startswith(WITHDRAWAL):
        raise Refused("own_destination", "to: a withdrawal never moves the house's own money")
