"""What a TRC-20 contract says before and while it is listed.

A Tron node shows no storage and simulates one call at a time, so a fee is known only where the
contract tells its rate, and can never be measured.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.settings import NetworkSettings
from watchers.assets.rules import Finding, Inspection
from watchers.network import NodeUnavailable
from watchers.networks.tron.address import to_hex
from watchers.networks.tron.answers import Answer
from watchers.networks.tron.node import TronNode, address_word, call_failure
from watchers.rpc import Endpoints

SHARES = (
    "sharesOf(address)",
    "scaledBalanceOf(address)",
    "rebasingCreditsPerToken()",
)
"""Functions of tokens whose balances change without a transfer."""
LOGIC = ("implementation()", "upgradedAddress()", "deprecated()")
"""Where proxies, and USDT in its own way, tell which contract does the work."""
FREEZES = ("isBlackListed(address)", "isBlacklisted(address)", "getBlackListStatus(address)")
FEE_RATE = "basisPointsRate()"
NOBODY_ANSWERS = "thisIsNoFunctionOfAnyToken(address)"
NOBODY = "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb"
"""The address of twenty zero bytes."""
WORD_HEX = 64


class _Issue(Answer, frozen=True, gc=False):
    """TRC-10: the protocol leaves a precision of 0 out."""

    id: str = ""
    precision: int = 0


class _Contract(Answer, frozen=True, gc=False):
    bytecode: str = ""


@dataclass(slots=True)
class TronInspector:
    """`AssetInspector` of one Tron network."""

    node: TronNode

    async def inspect(self, asset: str, holders: Sequence[str]) -> Inspection:
        """Look at a contract."""
        try:
            return await self._inspect(asset, holders)
        except ValueError as trouble:
            raise NodeUnavailable(f"looking at {asset}: {trouble}") from trouble

    async def _inspect(self, asset: str, holders: Sequence[str]) -> Inspection:
        if asset.isdigit():
            return await self._issue(asset)
        found = await self.node.ask("/wallet/getcontract", {"value": to_hex(asset)}, _Contract)
        if not found.bytecode:
            return Inspection(None, {}, [Finding("no_contract", "there is no contract there")])
        decimals = await self._word(asset, "decimals()")
        if await self._word(asset, NOBODY_ANSWERS, NOBODY) is not None:
            text = "it answers to functions that no token has"
            return Inspection(decimals, {}, [Finding("answers_everything", text)])
        digest = hashlib.sha256(bytes.fromhex(found.bytecode)).hexdigest()
        fingerprint = {"code": digest}
        for signature in LOGIC:
            if word := await self._word(asset, signature):
                fingerprint[signature] = hex(word)
        return Inspection(
            decimals,
            fingerprint,
            await self._findings(asset),
            paused=bool(await self._word(asset, "paused()")),
            frozen=await self._frozen(asset, holders),
        )

    async def _issue(self, asset: str) -> Inspection:
        """Look at a TRC-10 token, which has no code: its number names it for good."""
        issue = await self.node.ask("/wallet/getassetissuebyid", {"value": asset}, _Issue)
        if issue.id != asset:
            return Inspection(None, {}, [Finding("no_contract", "there is no such token")])
        return Inspection(issue.precision, {"issue": issue.id})

    async def _findings(self, asset: str) -> list[Finding]:
        findings = []
        for signature in SHARES:
            if await self._word(asset, signature, NOBODY) is not None:
                text = f"balances are shares of something ({signature})"
                findings.append(Finding("rebasing", text))
                break
        if await self._word(asset, FEE_RATE):
            text = "its issuer has set a fee, which cannot be measured on this network"
            findings.append(Finding("fee_unmeasurable", text))
        return findings

    async def _frozen(self, asset: str, holders: Sequence[str]) -> frozenset[str]:
        frozen: set[str] = set()
        for signature in FREEZES:
            if not holders or await self._word(asset, signature, holders[0]) is None:
                continue
            for holder in holders:
                if await self._word(asset, signature, holder):
                    frozen.add(holder)
        return frozenset(frozen)

    async def _word(self, asset: str, signature: str, argument: str = "") -> int | None:
        """Call a function; None where it does not answer with one word."""
        words = address_word(argument) if argument else ""
        answer = await self.node.call(NOBODY, asset, signature, words)
        word = answer.constant_result[0] if answer.constant_result else ""
        if call_failure(answer) or len(word) != WORD_HEX:
            return None
        return int(word, 16)


def inspector(settings: NetworkSettings, endpoints: Endpoints) -> TronInspector:
    """Build the inspector that asks these endpoints."""
    del settings
    return TronInspector(TronNode(endpoints))
