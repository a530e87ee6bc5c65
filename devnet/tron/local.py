"""`LocalChain` over a Tron node emulator, with levers for tests."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from coincurve import PrivateKey
from eth_hash.auto import keccak

from devnet.chain import NATIVE, ChainFault, until
from devnet.tron import address
from devnet.tron.address import parse, word
from devnet.tron.genesis import PAYER, PAYER_KEY, TOKEN, compiled, described
from devnet.tron.protobuf import Message
from devnet.tron.transaction import raw_data, reference, sign, whole

LIFE_MS = 600_000
FEE_LIMIT = 100_000_000
"""Sun; a transfer of the test token burns about 3 million."""
DEPLOY_FEE_LIMIT = 10_000_000_000
INCLUSION_SECONDS_MAX = 60.0

Json = dict[str, Any]


@dataclass(slots=True)
class TronChain:
    """`LocalChain` over one emulator, with levers for reorganisations, faults and time.

    Addresses are base58, hashes lower-case hex, amounts sun or token units.
    """

    url: str
    client: httpx.AsyncClient
    identity: str
    family: str = "tron"
    token: str = address.base58_text(TOKEN)
    payer: str = address.base58_text(PAYER)
    _stamped_ms: int = field(default=0, init=False)

    async def ask(self, path: str, **fields: Any) -> Any:
        """Call `wallet/...`, `walletsolidity/...` or `devnode/...`; return the parsed answer.

        Raises `ChainFault` for an `Error` answer.
        """
        answer = (await self.client.post(f"{self.url}/{path}", json=fields)).json()
        if isinstance(answer, dict) and "Error" in answer:
            raise ChainFault(f"{path}: {answer['Error']}")
        return answer

    async def pay(self, to: str, units: int, asset: str = NATIVE) -> str:
        """Send from the payer and wait for the block; `ChainFault` where it failed."""
        return await self.included(await self.send(to, units, asset))

    async def send(self, to: str, units: int, asset: str = NATIVE) -> str:
        """Broadcast a payment without waiting."""
        recipient = address.parse(to, visible=True)
        if asset == NATIVE:
            value = {"to_address": recipient, "amount": units}
            return await self.transact("TransferContract", value)
        return await self.trigger(asset, token_transfer(recipient, units))

    async def trigger(self, contract: str, data: bytes, call_value: int = 0) -> str:
        """Broadcast a contract call of the payer; its outcome is not looked at."""
        target = address.parse(contract, visible=True)
        value = {"contract_address": target, "data": data, "call_value": call_value}
        return await self.transact("TriggerSmartContract", value, fee_limit=FEE_LIMIT)

    async def transact(self, kind: str, value: Message, **fields: Any) -> str:
        """Sign a contract of the payer and broadcast it; return the transaction id."""
        return await self.broadcast(*await self.signed(kind, value, **fields))

    async def signed(
        self,
        kind: str,
        value: Message,
        *,
        key: PrivateKey = PAYER_KEY,
        life_ms: int = LIFE_MS,
        **fields: Any,
    ) -> tuple[bytes, bytes]:
        """Build a contract of the payer; return `raw_data` bytes and the signature by `key`.

        It expires `life_ms` after the head block; `fields` replace those of `Raw`.
        """
        solid = await self.ask("walletsolidity/getnowblock")
        head = await self.ask("wallet/getnowblock")
        # Two payments of the same amount in one millisecond would be one transaction.
        self._stamped_ms = max(time.time_ns() // 1_000_000, self._stamped_ms + 1)
        facts = {
            **reference(bytes.fromhex(solid["blockID"])),
            "expiration": head["block_header"]["raw_data"]["timestamp"] + life_ms,
            "timestamp": self._stamped_ms,
        }
        raw = raw_data(kind, {"owner_address": PAYER, **value}, **{**facts, **fields})
        return raw, sign(raw, key)

    async def broadcast(self, raw: bytes, signature: bytes) -> str:
        """Hand in `raw_data` bytes and a signature; `ChainFault` where the node refuses."""
        answer = await self.ask("wallet/broadcasthex", transaction=whole(raw, signature).hex())
        if not answer["result"]:
            raise ChainFault(f"{answer['code']}: {answer['message']}")
        tx_id: str = answer["txid"]
        return tx_id

    async def included(self, tx_id: str) -> str:
        """Return `tx_id` once it is in a block; `ChainFault` where it failed there."""

        async def look() -> Json | None:
            return await self.info(tx_id) or None

        found = await until(look, f"block of {tx_id}", seconds_max=INCLUSION_SECONDS_MAX)
        if "result" in found:
            raise ChainFault(f"{tx_id}: {found['receipt'].get('result', 'FAILED')}")
        return tx_id

    async def info(self, tx_id: str, *, solid: bool = False) -> Json:
        """Return the info of a transaction, empty where none is known."""
        tree = "walletsolidity" if solid else "wallet"
        found: Json = await self.ask(f"{tree}/gettransactioninfobyid", value=tx_id)
        return found

    async def mined(self, tx_id: str) -> Json:
        """Seal a block and return the info of a transaction in it."""
        await self.mine()
        return await self.info(tx_id)

    async def deploy(self, name: str) -> str:
        """Send the creation of a contract without arguments; return its id.

        The info of the transaction names the address.
        """
        abi, code = compiled(name)
        value = {"new_contract": described(name, PAYER, code, abi)}
        return await self.transact("CreateSmartContract", value, fee_limit=DEPLOY_FEE_LIMIT)

    async def create(self, code: bytes, name: str = "Case") -> str:
        """Deploy creation code, wait for the block, return the base58 address."""
        value = {"new_contract": described(name, PAYER, code, [])}
        sent = await self.transact("CreateSmartContract", value, fee_limit=DEPLOY_FEE_LIMIT)
        await self.mine()
        await self.included(sent)
        found: str = (await self.info(sent))["contract_address"]
        return address.base58_text(bytes.fromhex(found))

    async def issue(self, name: str, supply: int) -> str:
        """Issue a TRC-10 asset of the payer; return its numeric id."""
        fields = {"name": name.encode(), "abbr": name.encode(), "total_supply": supply}
        sent = await self.transact("AssetIssueContract", {**fields, "trx_num": 1, "num": 1})
        await self.mine()
        await self.included(sent)
        found: str = (await self.info(sent))["assetIssueID"]
        return found

    async def balance(self, address: str, asset: str = NATIVE) -> int:
        """Return the balance in the node's present state."""
        if asset == NATIVE:
            account = await self.ask("wallet/getaccount", address=address, visible=True)
            units: int = account.get("balance", 0)
            return units
        answer = await self.ask(
            "wallet/triggerconstantcontract",
            owner_address=address,
            contract_address=asset,
            function_selector="balanceOf(address)",
            parameter=word(parse(address, visible=True)).hex(),
            visible=True,
        )
        return int(answer["constant_result"][0], 16)

    async def fresh_address(self) -> str:
        """Return 20 random bytes."""
        return address.base58_text(address.PREFIX + secrets.token_bytes(20))

    async def mine(self, blocks: int = 1) -> None:
        """Seal blocks at once."""
        await self.ask("devnode/mine", blocks=blocks)

    async def reorg(self, depth: int, *, drop: bool = False, delay: int = 0) -> None:
        """Replace the newest blocks; their transactions return `delay` blocks above the fork."""
        await self.ask("devnode/reorg", depth=depth, drop=drop, delay=delay)

    async def set_faults(self, **faults: Any) -> None:
        """Replace what the node does wrong; see `devnet.tron.faults.Faults`."""
        await self.ask("devnode/faults", **faults)

    async def set_up(self, *, save_internal: bool) -> None:
        """Switch the node's record of inner transfers on or off."""
        await self.ask("devnode/settings", save_internal=save_internal)

    async def penalise(self, contract: str, factor: int) -> None:
        """Let calls of a contract cost `factor` ten-thousandths more energy."""
        await self.ask("devnode/penalty", contract=contract, factor=factor)

    async def travel(self, seconds: int) -> None:
        """Date the blocks to come this much later."""
        await self.ask("devnode/travel", seconds=seconds)


def token_transfer(recipient: bytes, units: int) -> bytes:
    """Encode a call of `transfer(address,uint256)`."""
    selector = keccak(b"transfer(address,uint256)")[:4]
    return selector + address.word(recipient) + units.to_bytes(32, "big")


def call_data(signature: str, *arguments: Any) -> bytes:
    """Encode a call of `name(type,type)`; addresses in their EVM form, no tuples."""
    # Imported here, because the encoder would take a third of the emulator's start.
    from eth_abi.abi import encode  # noqa: PLC0415

    types = [each for each in signature[signature.index("(") + 1 : -1].split(",") if each]
    return keccak(signature.encode())[:4] + encode(types, arguments)
