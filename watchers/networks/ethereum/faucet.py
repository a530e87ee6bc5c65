"""Anvil's levers for played payments: its unlocked accounts, its switches, its forks."""

from dataclasses import dataclass
from typing import Any

from gateway.settings import NetworkSettings
from watchers.network import NATIVE
from watchers.networks.ethereum.erc20 import balance_call, transfer_call
from watchers.rpc import Endpoints, JsonRpc, RpcError
from watchers.simulate.faucet import FaucetFault, Paid

GAS_WEI = 10**18
"""What an account keeps for gas: more than a payment can cost."""
LOOKS_MAX = 20


@dataclass(slots=True)
class AnvilFaucet:
    """One anvil."""

    rpc: JsonRpc
    _automine: bool = False
    _interval: int = 0

    async def pay(self, to: str, units: int, asset: str) -> Paid:
        """Pay from an account that anvil signs for; mine a block where none comes by itself."""
        if asset == NATIVE:
            [payer, *_] = await self._ask("eth_accounts", [], list[str])
            await self._fill(payer, units)
            fields = {"from": payer, "to": to, "value": hex(units)}
        else:
            payer = await self._holder(asset, units)
            await self._fill(payer, 0)
            data = f"0x{transfer_call(to, units).hex()}"
            fields = {"from": payer, "to": asset, "data": data}
        tx_hash = await self._ask("eth_sendTransaction", [fields], str)
        for _ in range(LOOKS_MAX):
            found = await self._ask(
                "eth_getTransactionReceipt", [tx_hash], dict[str, Any] | None
            )
            if found is None:
                await self.mine(1)
                continue
            if found["status"] != "0x1":
                raise FaucetFault(f"{tx_hash} was reverted")
            return Paid(tx_hash, int(found["blockNumber"], 16))
        raise FaucetFault(f"{tx_hash} comes into no block")

    async def mine(self, blocks: int) -> None:
        """Add blocks at once, all with the present time."""
        await self._ask("anvil_mine", [hex(blocks), "0x0"], Any)

    async def pause(self) -> None:
        """Switch mining off and remember how it was."""
        self._automine = await self._ask("anvil_getAutomine", [], bool)
        self._interval = await self._ask("anvil_getIntervalMining", [], int | None) or 0
        await self._ask("evm_setAutomine", [False], Any)
        await self._ask("evm_setIntervalMining", [0], Any)

    async def resume(self) -> None:
        """Switch it on as it was; of both ways at once anvil can only take up the regular one."""
        if self._interval:
            await self._ask("evm_setIntervalMining", [self._interval], Any)
        elif self._automine:
            await self._ask("evm_setAutomine", [True], Any)

    async def drop(self, height: int) -> None:
        """Fork below `height`; what stood there is in no block any more."""
        head = int(await self._ask("eth_blockNumber", [], str), 16)
        await self._ask("anvil_reorg", [head - height + 1, []], Any)

    async def _fill(self, account: str, units: int) -> None:
        held = int(await self._ask("eth_getBalance", [account, "latest"], str), 16)
        if held < units + GAS_WEI:
            await self._ask("anvil_setBalance", [account, hex(units + 2 * GAS_WEI)], Any)

    async def _holder(self, token: str, units: int) -> str:
        accounts: list[str] = await self._ask("eth_accounts", [], list[str])
        for account in accounts:
            data = f"0x{balance_call(account.lower()).hex()}"
            held = await self._ask("eth_call", [{"to": token, "data": data}, "latest"], str)
            if int(held, 16) >= units:
                return account
        raise FaucetFault(f"none of the local chain's accounts has enough of {token}")

    async def _ask(self, method: str, params: list[Any], kind: Any) -> Any:
        try:
            return await self.rpc.call(method, params, kind)
        except RpcError as refusal:
            raise FaucetFault(f"{method}: {refusal}") from refusal


def faucet(settings: NetworkSettings, endpoints: Endpoints) -> AnvilFaucet:
    """Return the faucet behind a network's endpoints."""
    del settings
    return AnvilFaucet(JsonRpc(endpoints))
