"""Calls that read accounts, their resources and contracts."""

from devnet.tron import address, forms
from devnet.tron.forms import Json
from devnet.tron.parameters import (
    FREE_BANDWIDTH,
    TOTAL_BANDWIDTH,
    TOTAL_BANDWIDTH_STAKE,
    TOTAL_ENERGY,
    TOTAL_ENERGY_STAKE,
)
from devnet.tron.query import Query
from devnet.tron.reads import Handler
from devnet.tron.world import (
    BANDWIDTH,
    BANDWIDTH_METER,
    ENERGY,
    ENERGY_METER,
    FREE_METER,
    RESOURCE_NAMES,
    World,
)

ACTIVE_OPERATIONS = "7fff1fc0033ec30f" + "0" * 48


async def get_account(query: Query) -> Json:
    """Show balance, stakes and permissions; `{}` for an account that does not exist."""
    who, state = query.address("address"), query.view.state
    account = state.world.accounts.get(who)
    if account is None:
        return {}
    shown = address.shown(who, visible=query.visible)
    key = {"address": shown, "weight": 1}
    document: Json = {"address": shown, "create_time": account.created_ms}
    if balance := await query.node.evm.balance(who, state.mark):
        document["balance"] = balance
    if account.is_contract:
        document["type"] = "Contract"
    document |= _stakes(state.world, who)
    if assets := [
        {"key": asset_id, "value": units}
        for (holder, asset_id), units in state.world.holdings.items()
        if holder == who and units
    ]:
        document["assetV2"] = assets
    document["owner_permission"] = {
        "permission_name": "owner",
        "threshold": 1,
        "keys": [key],
    }
    document["active_permission"] = [
        {
            "type": "Active",
            "id": 2,
            "permission_name": "active",
            "threshold": 1,
            "operations": ACTIVE_OPERATIONS,
            "keys": [key],
        }
    ]
    return document


def _stakes(world: World, who: bytes) -> Json:
    bandwidth, energy = world.stake(who, BANDWIDTH), world.stake(who, ENERGY)
    document: Json = {
        "frozenV2": [
            _without_zeros({"amount": bandwidth.own}),
            {"type": "ENERGY", **_without_zeros({"amount": energy.own})},
            {"type": "TRON_POWER"},
        ]
    }
    for resource, stake in ((BANDWIDTH, bandwidth), (ENERGY, energy)):
        suffix = f"delegated_frozenV2_balance_for_{RESOURCE_NAMES[resource]}"
        lent, borrowed = {suffix: stake.lent}, {f"acquired_{suffix}": stake.borrowed}
        document |= _without_zeros({**lent, **borrowed})
    if waiting := world.unfreezing.get(who):
        document["unfrozenV2"] = [
            {
                **({"type": "ENERGY"} if part.resource == ENERGY else {}),
                "unfreeze_amount": part.amount,
                "unfreeze_expire_time": part.due_ms,
            }
            for part in waiting
        ]
    return document


def _without_zeros(document: Json) -> Json:
    return {name: value for name, value in document.items() if value}


async def get_account_resource(query: Query) -> Json:
    """Show limits of bandwidth and energy, and what is in use."""
    who, world, now = query.address("address"), query.view.state.world, query.node.now_ms()
    if who not in world.accounts:
        return {}
    return _without_zeros(
        {
            "freeNetUsed": world.used(who, FREE_METER, now),
            "freeNetLimit": FREE_BANDWIDTH,
            "NetUsed": world.used(who, BANDWIDTH_METER, now),
            "NetLimit": world.bandwidth_limit(who),
            "TotalNetLimit": TOTAL_BANDWIDTH,
            "TotalNetWeight": TOTAL_BANDWIDTH_STAKE,
            "EnergyUsed": world.used(who, ENERGY_METER, now),
            "EnergyLimit": world.energy_limit(who),
            "TotalEnergyLimit": TOTAL_ENERGY,
            "TotalEnergyWeight": TOTAL_ENERGY_STAKE,
        }
    )


async def get_contract(query: Query) -> Json:
    """Show ABI, creation code and owner of a contract."""
    contract = query.view.state.world.contracts.get(query.address("value"))
    return forms.to_json("SmartContract", contract, visible=query.visible) if contract else {}


async def get_contract_info(query: Query) -> Json:
    """Add the runtime code."""
    contract = await get_contract(query)
    if not contract:
        return {}
    return {
        "smart_contract": contract,
        "runtimecode": await query.node.evm.code(query.address("value")),
        "contract_state": _contract_state(query),
    }


def _contract_state(query: Query) -> Json:
    factor = query.view.state.world.factors.get(query.address("value"), 0)
    return {"update_cycle": 1, **_without_zeros({"energy_factor": factor})}


ACCOUNTS: dict[str, Handler] = {
    "getaccount": get_account,
    "getaccountresource": get_account_resource,
    "getaccountnet": get_account_resource,
    "getcontract": get_contract,
    "getcontractinfo": get_contract_info,
}
