"""Calls that read who lends staked resources to whom."""

from devnet.tron import address
from devnet.tron.forms import Json
from devnet.tron.query import Query
from devnet.tron.reads import Handler
from devnet.tron.world import RESOURCE_NAMES


async def get_delegated_resource(query: Query) -> Json:
    """Show what one account lends another."""
    lender, borrower = query.address("fromAddress"), query.address("toAddress")
    loans = {
        f"frozen_balance_for_{name}": query.view.state.world.loans.get(
            (lender, borrower, resource), 0
        )
        for resource, name in RESOURCE_NAMES.items()
    }
    if not any(loans.values()):
        return {}
    ends = {"from": query.text("fromAddress"), "to": query.text("toAddress")}
    return {
        "delegatedResource": [{**ends, **{name: sun for name, sun in loans.items() if sun}}]
    }


async def get_delegatable(query: Query) -> Json:
    """Show how much of a stake is not lent, in sun."""
    stake = query.view.state.world.stake(query.address("owner_address"), query.number("type"))
    free = stake.own - stake.lent
    return {"max_size": free} if free else {}


async def get_delegation_index(query: Query) -> Json:
    """Name the accounts that lend to one account, and those it lends to."""
    who = query.address("value")
    loans = [
        (lender, borrower)
        for (lender, borrower, _), sun in query.view.state.world.loans.items()
        if sun and who in {lender, borrower}
    ]
    lists = {
        "fromAccounts": [lender for lender, borrower in loans if borrower == who],
        "toAccounts": [borrower for lender, borrower in loans if lender == who],
    }
    return {
        "account": query.text("value"),
        **{
            name: [address.shown(each, visible=query.visible) for each in dict.fromkeys(found)]
            for name, found in lists.items()
            if found
        },
    }


DELEGATION: dict[str, Handler] = {
    "getdelegatedresourcev2": get_delegated_resource,
    "getdelegatedresourceaccountindexv2": get_delegation_index,
    "getcandelegatedmaxsize": get_delegatable,
}
