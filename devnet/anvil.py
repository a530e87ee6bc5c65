"""Ethereum on this machine: anvil with a funded payer and the test token.

Blocks come every `block_seconds` and at once where a transaction waits; the `finalized` block
is the latest minus four. As a command, `python -m devnet.anvil --port P` serves until SIGTERM.
"""

import argparse
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from devnet.chain import (
    ANVIL,
    HOST,
    NATIVE,
    ChainFault,
    Rpc,
    free_port,
    port_argument,
    process,
    serve,
    until,
)
from devnet.contracts import TOKEN_SUPPLY_UNITS, contract

CHAIN_ID = 31337
PAYER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
ISSUER = "0xa0ee7a142d267c1f36714e4a8f75612f20a79720"
"""First and last of anvil's ten well-known accounts, which it signs for itself."""
TOKEN = "0x700b6a60ce7eaaea56f065753d8dcb9653dbad35"  # noqa: S105 - an address
"""Where the issuer's first transaction (nonce 0) creates a contract."""
SLOTS_IN_AN_EPOCH = 2
"""Anvil calls two epochs behind the tip final: four blocks here."""
STATES_KEPT = 500
"""Older states are dropped from memory instead of being written below the home directory."""
INCLUSION_SECONDS_MAX = 30.0


@dataclass(slots=True)
class AnvilChain:
    """`LocalChain` over one anvil, with levers for reorganisations, pauses and contracts.

    Addresses and hashes are lower-case 0x hex.
    """

    url: str
    rpc: Rpc
    identity: str
    block_seconds: int
    family: str = "ethereum"
    token: str = TOKEN
    payer: str = PAYER

    async def pay(self, to: str, units: int, asset: str = NATIVE) -> str:
        """Send from the payer and wait for the receipt; `ChainFault` where it reverted."""
        return await self.included(await self.send(to, units, asset))

    async def send(self, to: str, units: int, asset: str = NATIVE) -> str:
        """Hand a payment to the node without waiting, for tests that hold blocks back."""
        if asset == NATIVE:
            return await self.transact(to=to, value=hex(units))
        return await self.transact(
            to=asset,
            data=call_data("transfer(address,uint256)", to, units),
        )

    async def transact(self, **fields: Any) -> str:
        """Send a transaction of the payer with the fields of `eth_sendTransaction`."""
        tx_hash: str = await self.rpc.call("eth_sendTransaction", {"from": self.payer} | fields)
        return tx_hash

    async def included(self, tx_hash: str) -> str:
        """Return `tx_hash` once it is in a block; `ChainFault` where it reverted."""

        async def receipt() -> dict[str, Any] | None:
            found: dict[str, Any] | None = await self.rpc.call(
                "eth_getTransactionReceipt", tx_hash
            )
            return found

        found = await until(
            receipt, f"inclusion of {tx_hash}", seconds_max=INCLUSION_SECONDS_MAX
        )
        if found["status"] != "0x1":
            raise ChainFault(f"{tx_hash} reverted")
        return tx_hash

    async def balance(self, address: str, asset: str = NATIVE) -> int:
        """Return the balance at the newest block."""
        if asset == NATIVE:
            answer = await self.rpc.call("eth_getBalance", address, "latest")
        else:
            data = call_data("balanceOf(address)", address)
            answer = await self.rpc.call("eth_call", {"to": asset, "data": data}, "latest")
        return int(answer, 16)

    async def fresh_address(self) -> str:
        """Return 20 random bytes."""
        return f"0x{secrets.token_hex(20)}"

    async def mine(self, blocks: int = 1) -> None:
        """Add blocks at once; their timestamps stay within a second of the clock."""
        await self.rpc.call("anvil_mine", hex(blocks), "0x0")

    async def deploy(self, name: str, *arguments: Any, sender: str = PAYER) -> str:
        """Create one of `devnet.contracts`; return its address."""
        return await self.create(contract(name).creation_code(*arguments), sender=sender)

    async def create(self, code: bytes, *, sender: str = PAYER) -> str:
        """Create a contract from creation code (`devnet.contracts.cases`); return its address."""
        tx_hash = await self.included(
            await self.transact(**{"from": sender}, data=f"0x{code.hex()}")
        )
        receipt = await self.rpc.call("eth_getTransactionReceipt", tx_hash)
        address: str = receipt["contractAddress"]
        return address.lower()

    async def call(
        self, to: str, signature: str, *arguments: Any, value: int = 0, **fields: Any
    ) -> str:
        """Call `name(type,...)` of a contract as the payer; return the hash, once in a block."""
        data = call_data(signature, *arguments)
        return await self.included(
            await self.transact(to=to, data=data, value=hex(value), **fields)
        )

    async def etch(self, address: str, code: bytes) -> None:
        """Put runtime code at an address; history before the next block does not change."""
        await self.rpc.call("anvil_setCode", address, f"0x{code.hex()}")

    async def reorg(self, depth: int, moved: Sequence[tuple[str, int]] = ()) -> None:
        """Replace the newest `depth` blocks by as many others.

        Their transactions vanish, except that each `(tx_hash, offset)` of `moved` lands in the
        new branch's block number `offset` (0 is its lowest).
        """
        pairs = [
            [await self.rpc.call("eth_getRawTransactionByHash", tx_hash), offset]
            for tx_hash, offset in moved
        ]
        await self.rpc.call("anvil_reorg", depth, pairs)

    async def set_mining(self, on: bool) -> None:  # noqa: FBT001 - a switch
        """Hold blocks back, or let them come again.

        After switching on, transactions wait for the next of the regular blocks: anvil cannot
        return to its mixed mode.
        """
        await self.rpc.call("evm_setAutomine", False)  # noqa: FBT003 - JSON
        await self.rpc.call("evm_setIntervalMining", self.block_seconds if on else 0)


def call_data(signature: str, *arguments: Any) -> str:
    """Encode a call of `name(type,type)`; types must not be tuples."""
    types = [kind for kind in signature[signature.index("(") + 1 : -1].split(",") if kind]
    return f"0x{(keccak(text=signature)[:4] + encode(types, arguments)).hex()}"


@asynccontextmanager
async def attached(url: str, *, block_seconds: int = 1) -> AsyncIterator[AnvilChain]:
    """Serve the chain that `running` started at `url`, in another process perhaps."""
    rpc = Rpc(url)
    try:

        async def identity() -> str:
            return str(int(await rpc.call("eth_chainId"), 16))

        chain_id = await until(identity, f"anvil at {url}")
        yield AnvilChain(url, rpc, chain_id, block_seconds)
    finally:
        await rpc.aclose()


@asynccontextmanager
async def running(
    block_seconds: int = 1, *, port: int = 0, chain_id: int = CHAIN_ID
) -> AsyncIterator[AnvilChain]:
    """Start anvil, deploy the token, yield the chain, stop it."""
    port = free_port(port)
    command: list[str | Path] = [
        ANVIL,
        *("--host", HOST, "--port", str(port), "--silent", "--chain-id", str(chain_id)),
        *("--block-time", str(block_seconds), "--mixed-mining"),
        *("--slots-in-an-epoch", str(SLOTS_IN_AN_EPOCH), "--balance", "1000000"),
        *("--prune-history", str(STATES_KEPT)),
    ]
    url = f"http://{HOST}:{port}"
    async with process(command) as child, attached(url, block_seconds=block_seconds) as chain:
        if child.returncode is not None:
            raise ChainFault(f"anvil ended with {child.returncode}; is port {port} taken?")
        token = await chain.deploy("TestToken", PAYER, TOKEN_SUPPLY_UNITS, sender=ISSUER)
        if token != TOKEN:
            raise ChainFault(f"the token came to lie at {token}")
        yield chain


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m devnet.anvil", description=__doc__)
    port_argument(parser)
    parser.add_argument("--block-seconds", type=int, default=1)
    parser.add_argument("--chain-id", type=int, default=CHAIN_ID)
    options = parser.parse_args()
    serve(
        running(options.block_seconds, port=options.port, chain_id=options.chain_id),
        stop_with_stdin=options.stop_with_stdin,
    )
