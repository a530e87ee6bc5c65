"""What an ERC-20 contract says and does before and while it is listed.

Nothing here trusts names. A contract is asked what it answers to, where its logic lies, and how
much of a simulated transfer arrives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from eth_utils.crypto import keccak

from gateway.settings import NetworkSettings
from watchers.assets.rules import FEE_ON_TRANSFER, Finding, Inspection
from watchers.network import NodeUnavailable
from watchers.networks.ethereum.address import ZERO
from watchers.networks.ethereum.erc20 import TRANSFER_TOPIC, address_in_topic, balance_call
from watchers.networks.ethereum.node import reverted
from watchers.networks.ethereum.wire import quantity
from watchers.rpc import Endpoints, JsonRpc, RpcError

SLOTS = {
    "implementation": 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC,
    "beacon": 0xA3F0AD74E5423AEBFD80D3EF4346578335A9A72AEAEE59FF6CB3582B35133D50,
    "former implementation": int.from_bytes(keccak(text="org.zeppelinos.proxy.implementation")),
    "proxiable": int.from_bytes(keccak(text="PROXIABLE")),
}
"""EIP-1967, its forerunner (USDC stands on it) and EIP-1822: where proxies keep their logic."""
SHARES = (
    "sharesOf(address)",
    "getPooledEthByShares(uint256)",
    "scaledBalanceOf(address)",
    "rebasingCreditsPerToken()",
    "gonsForBalance(uint256)",
    "rebaseIndex()",
)
"""Functions of tokens whose balances change without a transfer."""
FREEZES = (
    "isBlackListed(address)",
    "isBlacklisted(address)",
    "isFrozen(address)",
    "frozen(address)",
)
"""Functions by which USDT, USDC and others tell whom their issuer has frozen."""
REPLACED = ("upgradedAddress()", "deprecated()")
"""USDT's own way to be replaced by another contract."""
FEE_RATE = "basisPointsRate()"
NOBODY_ANSWERS = "thisIsNoFunctionOfAnyToken(address)"
WORD_HEX = 66
RECENT_BLOCKS = 1000
HOLDERS_MAX = 10
BATCH_MAX = 100
STRANGER = "0x" + keccak(text="recipient of a simulated transfer")[-20:].hex()

PROBE = (
    "6370a0823160e01b60005260203560045260206080602460006000355afa5063a9059cbb60e01b600052"
    "602035600452604035602452600060006044600060006000355af160c0526370a0823160e01b60005260"
    "2035600452602060a0602460006000355afa5060606080f3"
)
"""Code that stands in for a holder's: `balanceOf` of the recipient, `transfer`, `balanceOf` again.

It takes token, recipient and units as words and returns both balances and whether it was sent.
Its source is in the tests, which assemble it again.
"""


class _Log(msgspec.Struct, gc=False):
    topics: list[str]


@dataclass(slots=True)
class EthereumInspector:
    """`AssetInspector` of one EVM chain."""

    rpc: JsonRpc

    async def inspect(self, asset: str, holders: Sequence[str]) -> Inspection:
        """Look at a contract."""
        try:
            return await self._inspect(asset, holders)
        except (RpcError, ValueError) as trouble:
            raise NodeUnavailable(f"looking at {asset}: {trouble}") from trouble

    async def _inspect(self, asset: str, holders: Sequence[str]) -> Inspection:
        code = await self.rpc.call("eth_getCode", [asset, "latest"], str)
        if len(code) <= len("0x"):
            return Inspection(None, {}, [Finding("no_contract", "there is no code there")])
        decimals = await self._word(asset, "decimals()")
        talkative = await self._word(asset, NOBODY_ANSWERS, ZERO) is not None
        findings = await self._findings(asset, holders, talkative=talkative)
        frozen = await self._frozen(asset, holders) if not talkative else frozenset()
        return Inspection(
            decimals,
            await self._fingerprint(asset, code),
            findings,
            paused=not talkative and bool(await self._word(asset, "paused()")),
            frozen=frozen,
        )

    async def _findings(
        self, asset: str, holders: Sequence[str], *, talkative: bool
    ) -> list[Finding]:
        if talkative:
            text = "it answers to functions that no token has"
            return [Finding("answers_everything", text)]
        findings = []
        for signature in SHARES:
            if await self._word(asset, signature, ZERO) is not None:
                text = f"balances are shares of something ({signature})"
                findings.append(Finding("rebasing", text))
                break
        if await self._word(asset, FEE_RATE):
            findings.append(Finding(FEE_ON_TRANSFER, "its issuer has set a fee"))
        return [*findings, *await self._simulated(asset, holders)]

    async def _simulated(self, asset: str, holders: Sequence[str]) -> list[Finding]:
        """Let somebody who has tokens send them, without effect, and count what arrives."""
        holder, held = await self._holder(asset, holders)
        if not held:
            text = "no transfer could be simulated: nobody is known to hold any"
            return [Finding("not_simulated", text, refuses=False)]
        words = "".join(_padded(word) for word in (asset, STRANGER, hex(held)))
        call = {"from": ZERO, "to": holder, "data": f"0x{words}"}
        try:
            answer = await self.rpc.call(
                "eth_call", [call, "latest", {holder: {"code": f"0x{PROBE}"}}], str
            )
            before, after, sent = _words(answer)
        except (RpcError, ValueError) as trouble:
            text = f"no transfer could be simulated: {trouble}"
            return [Finding("not_simulated", text, refuses=False)]
        if not sent:
            text = "a simulated transfer was refused by the contract"
            return [Finding("transfer_refused", text, refuses=False)]
        return _arrived(held, after - before)

    async def _holder(self, asset: str, holders: Sequence[str]) -> tuple[str, int]:
        """Return somebody with tokens and how many; zero where none is found."""
        for holder in [*holders[:HOLDERS_MAX], *await self._recipients(asset)]:
            held = await self._asked(asset, balance_call(holder))
            if held and holder != ZERO:
                return holder, held
        return "", 0

    async def _recipients(self, asset: str) -> list[str]:
        """Return who received tokens lately, newest first."""
        head = quantity(await self.rpc.call("eth_blockNumber", [], str))
        question = {
            "address": asset,
            "topics": [TRANSFER_TOPIC],
            "fromBlock": hex(max(0, head - RECENT_BLOCKS)),
            "toBlock": hex(head),
        }
        try:
            logs = await self.rpc.call("eth_getLogs", [question], list[_Log])
        except (RpcError, NodeUnavailable):
            return []  # too many for one answer, or not served: it only helps the simulation
        found = (address_in_topic(log.topics[2]) for log in logs if len(log.topics) == 3)
        return [each for each in dict.fromkeys(found) if each is not None][-HOLDERS_MAX:][::-1]

    async def _fingerprint(self, asset: str, code: str) -> dict[str, str]:
        """Return what decides the contract's behaviour: its code and where its logic lies."""
        found = {"code": _digest(code)}
        for name, slot in SLOTS.items():
            word = await self.rpc.call(
                "eth_getStorageAt", [asset, f"0x{slot:064x}", "latest"], str
            )
            if int(word, 16):
                found[name] = f"0x{int(word, 16):040x}"
        logic = next((found[name] for name in SLOTS if name in found), None)
        if "beacon" in found:
            word_of = await self._word(found["beacon"], "implementation()")
            logic = f"0x{word_of or 0:040x}"
            found["implementation of the beacon"] = logic
        if logic is not None:
            runs = await self.rpc.call("eth_getCode", [logic, "latest"], str)
            found["code of the implementation"] = _digest(runs)
        for signature in REPLACED:
            if replaced := await self._word(asset, signature):
                found[signature] = hex(replaced)
        return found

    async def _frozen(self, asset: str, holders: Sequence[str]) -> frozenset[str]:
        """Return which of these addresses the issuer has frozen."""
        frozen: set[str] = set()
        for signature in FREEZES:
            if not holders or await self._word(asset, signature, holders[0]) is None:
                continue
            selector = keccak(text=signature)[:4].hex()
            for first in range(0, len(holders), BATCH_MAX):
                portion = holders[first : first + BATCH_MAX]
                calls = [
                    [{"to": asset, "data": f"0x{selector}{_padded(holder)}"}, "latest"]
                    for holder in portion
                ]
                answers = await self.rpc.call_batch("eth_call", calls, str)
                frozen |= {
                    holder
                    for holder, answer in zip(portion, answers, strict=True)
                    if len(answer) == WORD_HEX and int(answer, 16)
                }
        return frozenset(frozen)

    async def _word(self, asset: str, signature: str, argument: str = "") -> int | None:
        """Call a function; None where it does not answer with one word."""
        data = keccak(text=signature)[:4] + bytes.fromhex(_padded(argument) if argument else "")
        return await self._asked(asset, data)

    async def _asked(self, asset: str, data: bytes) -> int | None:
        call = {"to": asset, "data": f"0x{data.hex()}"}
        try:
            answer = await self.rpc.call("eth_call", [call, "latest"], str)
        except RpcError as refusal:
            if reverted(refusal):
                return None
            raise NodeUnavailable(f"eth_call of {asset}: {refusal}") from refusal
        return int(answer, 16) if len(answer) == WORD_HEX else None


def inspector(settings: NetworkSettings, endpoints: Endpoints) -> EthereumInspector:
    """Build the inspector that asks these endpoints."""
    del settings
    return EthereumInspector(JsonRpc(endpoints))


def _arrived(sent: int, arrived: int) -> list[Finding]:
    if arrived == sent:
        return []
    if arrived < sent:
        text = f"of {sent} units sent in a simulation {arrived} arrive"
        return [Finding(FEE_ON_TRANSFER, text)]
    return [Finding("rebasing", f"of {sent} units sent in a simulation {arrived} arrive")]


def _padded(word: str) -> str:
    return word.removeprefix("0x").rjust(64, "0")


def _words(answer: str) -> tuple[int, int, int]:
    if len(answer) != len("0x") + 3 * 64:
        raise ValueError("the node does not run code in place of an account's")
    first, second, third = (int(answer[start : start + 64], 16) for start in (2, 66, 130))
    return first, second, third


def _digest(code: str) -> str:
    return keccak(bytes.fromhex(code.removeprefix("0x"))).hex()
