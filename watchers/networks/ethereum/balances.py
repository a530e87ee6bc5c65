"""Balances at a block: through Multicall3 where it has code, else in batches of single calls."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from gateway.settings import NetworkSettings
from watchers.network import NATIVE, NodeUnavailable
from watchers.networks.ethereum.address import canonical
from watchers.networks.ethereum.erc20 import WORD_HEX, balance_call
from watchers.networks.ethereum.wire import quantity
from watchers.reconcile.balances import Holding, NoHistory, Observation
from watchers.rpc import Endpoints, JsonRpc, RpcError

MULTICALL3 = "0xca11bde05977b3631167028862be2a173976ca11"
"""Where one pre-signed transaction puts it on every EVM chain."""
AGGREGATE = keccak(text="aggregate3((address,bool,bytes)[])")[:4]
NATIVE_SELECTOR = keccak(text="getEthBalance(address)")[:4]
Place = str | dict[str, str]
"""A block by its number, or by its hash (EIP-1898)."""
CALLS_MAX = 500
BATCH_MAX = 100
WORD = 32


class _Author(msgspec.Struct, gc=False):
    miner: str = ""


@dataclass(slots=True)
class EthereumBalances:
    """`BalanceReader` of one EVM chain."""

    rpc: JsonRpc
    multicall: str = MULTICALL3
    historic: bool = field(default=True, init=False)
    credits: bool = field(default=True, init=False)
    fee_is_alone: bool = field(default=True, init=False)
    _deployed: bool = field(default=False, init=False)

    async def observe(self, wanted: Sequence[Holding], height: int) -> Observation:
        """Return what is held at the end of block `height`."""
        block = hex(height)
        units: dict[Holding, int] = {}
        together = len(wanted) > 1 and await self._has_multicall(block)
        size = CALLS_MAX if together else BATCH_MAX
        try:
            for first in range(0, len(wanted), size):
                portion = wanted[first : first + size]
                if together:
                    units |= await self._aggregate(portion, block)
                else:
                    units |= await self._batch(portion, block)
        except RpcError as refusal:
            raise NoHistory(f"balances at block {height}: {refusal}") from refusal
        return Observation(height, height, units)

    async def at_block(self, wanted: Sequence[Holding], block_hash: str) -> dict[Holding, int]:
        """Return what is held at the end of the block with this hash, and of no other."""
        try:
            return await self._batch(wanted, {"blockHash": block_hash})
        except RpcError as refusal:
            raise NoHistory(f"balances at block {block_hash}: {refusal}") from refusal

    async def beneficiary(self, height: int) -> str:
        """Return the fee recipient that the block names."""
        try:
            block = await self.rpc.call(
                "eth_getBlockByNumber",
                [hex(height), False],
                _Author,
            )
        except RpcError as refusal:
            raise NodeUnavailable(f"block {height}: {refusal}") from refusal
        return block.miner.lower()

    async def _has_multicall(self, block: str) -> bool:
        """Tell whether the contract has code there; once it has, it keeps it."""
        if not self._deployed:
            try:
                code = await self.rpc.call("eth_getCode", [self.multicall, block], str)
            except RpcError:
                return False
            self._deployed = len(code) > len("0x")
        return self._deployed

    async def _aggregate(self, wanted: Sequence[Holding], block: str) -> dict[Holding, int]:
        calls = [self._call(holding) for holding in wanted]
        data = AGGREGATE + encode(["(address,bool,bytes)[]"], [calls])
        answer = await self.rpc.call(
            "eth_call", [{"to": self.multicall, "data": f"0x{data.hex()}"}, block], str
        )
        try:
            [found] = decode(["(bool,bytes)[]"], bytes.fromhex(answer.removeprefix("0x")))
        except (DecodingError, ValueError) as trouble:
            raise NodeUnavailable(f"aggregate3: {trouble}") from trouble
        if len(found) != len(wanted):
            raise NodeUnavailable(f"aggregate3: {len(found)} answers to {len(wanted)} calls")
        return {
            holding: int.from_bytes(word)
            for holding, (good, word) in zip(wanted, found, strict=True)
            if good and len(word) == WORD
        }

    def _call(self, holding: Holding) -> tuple[str, bool, bytes]:
        if holding.asset == NATIVE:
            owner = bytes.fromhex(holding.address[2:]).rjust(WORD, b"\0")
            return self.multicall, True, NATIVE_SELECTOR + owner
        return holding.asset, True, balance_call(holding.address)

    async def _batch(self, wanted: Sequence[Holding], block: Place) -> dict[Holding, int]:
        natives = [holding for holding in wanted if holding.asset == NATIVE]
        tokens = [holding for holding in wanted if holding.asset != NATIVE]
        units: dict[Holding, int] = {}
        if natives:
            params = [[holding.address, block] for holding in natives]
            answers = await self.rpc.call_batch("eth_getBalance", params, str)
            for holding, answer in zip(natives, answers, strict=True):
                units[holding] = _quantity(answer)
        if tokens:
            units |= await self._tokens(tokens, block)
        return units

    async def _tokens(self, wanted: Sequence[Holding], block: Place) -> dict[Holding, int]:
        params = [_balance_of(holding, block) for holding in wanted]
        try:
            answers = await self.rpc.call_batch("eth_call", params, str)
        except RpcError:
            # One contract that refuses spoils the batch: the others answer for themselves.
            if len(wanted) == 1:
                return {}
            middle = len(wanted) // 2
            first = await self._tokens(wanted[:middle], block)
            return first | await self._tokens(wanted[middle:], block)
        return {
            holding: _quantity(answer)
            for holding, answer in zip(wanted, answers, strict=True)
            if len(answer) == WORD_HEX
        }


def balances(settings: NetworkSettings, endpoints: Endpoints) -> EthereumBalances:
    """Build the reader of balances for these endpoints."""
    multicall = MULTICALL3 if settings.multicall is None else canonical(settings.multicall)
    return EthereumBalances(JsonRpc(endpoints), multicall)


def _balance_of(holding: Holding, block: Place) -> list[object]:
    data = f"0x{balance_call(holding.address).hex()}"
    return [{"to": holding.asset, "data": data}, block]


def _quantity(answer: str) -> int:
    try:
        return quantity(answer)
    except ValueError as trouble:
        raise NodeUnavailable(f"a balance: {trouble}") from trouble
