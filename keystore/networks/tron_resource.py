"""Stake 2.0 on Tron: stake the gas wallet's TRX, lend what it yields, take it back.

Contract types and fields are those of java-tron's `core/Tron.proto` and
`core/contract/balance_contract.proto`.
"""

from keystore.intents import TronResourceIntent
from keystore.networks.scheme import whole
from keystore.networks.tron import TronDraft, address, contract, enveloped, message

RESOURCES = {"BANDWIDTH": 0, "ENERGY": 1}
"""`ResourceCode`."""
CONTRACTS = {
    "stake": (54, "FreezeBalanceV2Contract"),
    "delegate": (57, "DelegateResourceContract"),
    "undelegate": (58, "UnDelegateResourceContract"),
}


def draft(intent: TronResourceIntent, sender: str) -> TronDraft:
    """Build the contract; a loan is never locked, so it can be taken back at once."""
    units, resource = whole(intent.units, "units", bits=63), RESOURCES[intent.resource]
    owner = address(sender, "sender")
    if intent.action == "stake":
        body = message((1, owner), (2, units), (3, resource))
    else:
        body = message((1, owner), (2, resource), (3, units), (4, address(intent.to, "to")))
    return enveloped(intent, contract(*CONTRACTS[intent.action], body), fee_limit=0)
