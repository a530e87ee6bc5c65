"""What a Tron node may say instead of the truth before a payout is signed, and of its sending."""

from typing import Any

from tests.hostile.liar import Twist
from tests.hostile.lies import Lie, Tell, always, answering
from tests.hostile.machine import Machine
from watchers.networks.tron.address import to_hex

CALL = "triggerconstantcontract"
HOUR_MS = 3_600_000
BALANCE_OF, TRANSFER = "balanceOf(address)", "transfer(address,uint256)"


def _account(whose: str, **changes: Any) -> Tell:
    """Change what `getaccount` tells of the hot wallet or of the destination."""

    def tell(machine: Machine, destination: str) -> Twist:
        address = to_hex(machine.hot if whose == "hot" else destination)

        def twist(method: str, params: Any, result: Any) -> Any:
            mine = method == "getaccount" and params["address"] == address
            return {**result, **changes} if mine else result

        return twist

    return tell


def _parameters(**prices: int) -> Tell:
    """Change the network's prices."""

    def change(_params: Any, result: Any) -> Any:
        found = [each for each in result["chainParameter"] if each["key"] not in prices]
        told = [{"key": key, "value": value} for key, value in prices.items()]
        return {**result, "chainParameter": found + told}

    return answering(change, "getchainparameters")


def _called(selector: str, **changes: Any) -> Tell:
    """Change what a simulated call answers."""

    def change(params: Any, result: Any) -> Any:
        return {**result, **changes} if params["function_selector"] == selector else result

    return answering(change, CALL)


def _resources(**changes: int) -> Tell:
    return answering(lambda _params, result: {**result, **changes}, "getaccountresource")


def _solid(hours: int = 0) -> Tell:
    """Move the time of the newest solid block."""

    def change(params: Any, result: Any) -> Any:
        if "id_or_num" not in params:
            result["block_header"]["raw_data"]["timestamp"] += hours * HOUR_MS
        return result

    return answering(change, "getblock")


FAILED = {"result": {"code": "CONTRACT_EXE_ERROR", "message": b"REVERT".hex()}}
LIES = (
    Lie("hot wallet is empty", "native", _account("hot", balance=0), "holds 0 sun"),
    Lie("no sun for a token's fees", "token", _account("hot", balance=0), "fees may take"),
    Lie("no tokens", "token", _called(BALANCE_OF, constant_result=["0" * 64]), "holds 0 units"),
    Lie(
        "destination is a contract",
        "native",
        _account("destination", address="41" + "1" * 40, type="Contract"),
        "is a contract",
    ),
    Lie("energy is dear", "token", _parameters(getEnergyFee=10**9), "the ceiling is"),
    Lie("energy is free", "token", _parameters(getEnergyFee=0), "the node states"),
    Lie("energy is cheap", "token", _parameters(getEnergyFee=1), "failed on chain", "failed"),
    Lie("bytes are dear", "native", _parameters(getTransactionFee=0), "the node states"),
    Lie(
        "activation is dear",
        "native",
        _parameters(getCreateNewAccountFeeInSystemContract=10**12),
        "the ceiling is",
    ),
    Lie(
        "parameters are gone", "native", always({}, "getchainparameters"), "no chain parameters"
    ),
    Lie("no energy used", "token", _called(TRANSFER, energy_used=0), "without energy"),
    Lie("energy without end", "token", _called(TRANSFER, energy_used=10**9), "the ceiling is"),
    Lie(
        "hardly any energy",
        "token",
        _called(TRANSFER, energy_used=1),
        "failed on chain",
        "failed",
    ),
    Lie("simulation fails", "token", _called(TRANSFER, **FAILED), "the transfer would fail"),
    Lie("bandwidth without end", "token", _resources(freeNetLimit=10**12), "", "paid"),
    Lie("staked energy without end", "token", _resources(EnergyLimit=10**12), "", "paid"),
    Lie("solid block of tomorrow", "native", _solid(hours=24), "our clock says"),
    Lie("solid block of yesterday", "native", _solid(hours=-24), "our clock says"),
    Lie(
        "broadcast has another id",
        "native",
        always({"result": True, "txid": "ee" * 32}, "broadcasthex"),
        "",
        "paid",
    ),
    Lie(
        "broadcast was refused",
        "native",
        always({"result": False, "code": "SIGERROR", "message": ""}, "broadcasthex"),
        "",
        "paid",
    ),
)
