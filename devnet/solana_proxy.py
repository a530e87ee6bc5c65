"""What a JSON-RPC front before Surfpool answers, so that it behaves as a real cluster's node does.

One task follows Surfpool slot by slot and closes each into the `Ledger`; requests about blocks,
slots and the state of transactions are answered from there, the rest is passed through.
`getBalance` and the account calls keep showing the newest state at every commitment.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

from devnet.chain import RpcFault
from devnet.solana_corrections import (
    Document,
    correct_block,
    correct_status,
    correct_transaction,
    priority_fee,
)
from devnet.solana_jumps import Jumps
from devnet.solana_ledger import (
    COMMITMENTS,
    GENESIS_HASH,
    INVALID_PARAMS,
    Commitment,
    Ledger,
)
from devnet.solana_upstream import Upstream

BLOCK_RANGE_MAX = 500_000
SIGNATURES_PAGE_MAX = 1_000
STATUSES_MAX = 256
BLOCKHASH_LIFE_BLOCKS = 150
CATCH_UP_REQUESTS_MAX = 32

Params = list[Any]
Answer = Callable[[Params], Awaitable[Any]]


@dataclass(slots=True)
class Proxy:
    """The corrected methods. `clock` gives Unix seconds, the times of the blocks."""

    upstream: Upstream
    ledger: Ledger
    clock: Callable[[], float]
    methods: dict[str, Answer] = field(init=False)

    def __post_init__(self) -> None:
        jumps = Jumps(self.upstream)
        self.methods = {
            "getBlock": self.block,
            "getBlockHeight": self.block_height,
            "getBlockTime": self.block_time,
            "getBlocks": self.blocks,
            "getBlocksWithLimit": self.blocks_with_limit,
            "getEpochInfo": self.epoch_info,
            "getFeeForMessage": self.fee_for_message,
            "getFirstAvailableBlock": self.first_block,
            "getGenesisHash": self.genesis_hash,
            "getLatestBlockhash": self.latest_blockhash,
            "getSignatureStatuses": self.signature_statuses,
            "getSignaturesForAddress": self.signatures_for_address,
            "getSlot": self.slot,
            "getTransaction": self.transaction,
            "minimumLedgerSlot": self.first_block,
            "sendTransaction": jumps.send,
            "surfnet_timeTravel": jumps.time_travel,
        }

    async def follow(self, pause_s: float) -> None:
        """Close slots for ever as Surfpool leaves them behind."""
        while True:
            self.ledger.tip = await self.upstream.call("getSlot", {"commitment": "processed"})
            if not self.ledger.closed:
                # The open slot becomes the first block: Surfpool has none before its own first.
                self.ledger.closed = self.ledger.tip - 1
            while await self._close_some():
                continue
            await asyncio.sleep(pause_s)

    async def _close_some(self) -> bool:
        """Close the next slots below the tip; tell whether any was closed."""
        first = self.ledger.closed + 1
        slots = range(first, min(self.ledger.tip, first + CATCH_UP_REQUESTS_MAX))
        options = _upstream_options({"transactionDetails": "signatures", "rewards": False})
        answers = [self.upstream.call("getBlock", slot, options) for slot in slots]
        now = int(self.clock())
        for slot, document in zip(slots, await asyncio.gather(*answers), strict=True):
            if document is None:
                break  # not confirmed yet: asked again on the next round
            self.ledger.close(slot, document["signatures"], now)
        return self.ledger.closed >= first

    async def answer(self, request: Document) -> Document:
        """Answer one JSON-RPC request object."""
        method, params = request.get("method", ""), request.get("params") or []
        reply: Document = {"jsonrpc": "2.0", "id": request.get("id")}
        corrected = self.methods.get(method)
        if corrected is None:
            return await self.upstream.answer(method, params) | reply
        try:
            return reply | {"result": await corrected(params)}
        except RpcFault as fault:
            return reply | {"error": {"code": fault.code, "message": fault.message}}
        except IndexError:
            missing = {"code": INVALID_PARAMS, "message": "Invalid params: too few"}
            return reply | {"error": missing}

    async def block(self, params: Params) -> Document:
        """Serve getBlock."""
        options = _options(params)
        block = self.ledger.at(_whole(params[0]), _commitment(options, of_blocks=True))
        document = await self.upstream.call("getBlock", block.slot, _upstream_options(options))
        return correct_block(document, block, options)

    async def block_height(self, params: Params) -> int:
        """Serve getBlockHeight."""
        return self.ledger.newest(_commitment(_options(params))).height

    async def block_time(self, params: Params) -> int:
        """Serve getBlockTime."""
        return self.ledger.at(_whole(params[0]), "confirmed").time

    async def blocks(self, params: Params) -> list[int]:
        """Serve getBlocks."""
        commitment = _commitment(_options(params), of_blocks=True)
        first, last = _whole(params[0]), self.ledger.limit(commitment)
        if len(params) > 1 and isinstance(params[1], int):
            last = params[1]
        if last - first > BLOCK_RANGE_MAX:
            raise RpcFault(INVALID_PARAMS, f"Slot range too large; max {BLOCK_RANGE_MAX}")
        return self.ledger.between(first, last, commitment)

    async def blocks_with_limit(self, params: Params) -> list[int]:
        """Serve getBlocksWithLimit."""
        commitment = _commitment(_options(params), of_blocks=True)
        first, count = _whole(params[0]), _whole(params[1])
        if count > BLOCK_RANGE_MAX:
            raise RpcFault(INVALID_PARAMS, f"Limit too large; max {BLOCK_RANGE_MAX}")
        return self.ledger.between(first, self.ledger.closed, commitment)[:count]

    async def epoch_info(self, params: Params) -> Document:
        """Serve getEpochInfo."""
        document: Document = await self.upstream.call("getEpochInfo", *params)
        newest = self.ledger.newest(_commitment(_options(params)))
        return document | {"absoluteSlot": newest.slot, "blockHeight": newest.height}

    async def fee_for_message(self, params: Params) -> Document:
        """Serve getFeeForMessage, the priority fee included."""
        document: Document = await self.upstream.call("getFeeForMessage", *params)
        if document["value"] is not None:
            document["value"] += priority_fee(params[0])
        return document

    async def first_block(self, _params: Params) -> int:
        """Serve getFirstAvailableBlock and minimumLedgerSlot."""
        return self.ledger.blocks[0].slot

    async def genesis_hash(self, _params: Params) -> str:
        """Serve getGenesisHash: the same on every start."""
        return GENESIS_HASH

    async def latest_blockhash(self, params: Params) -> Document:
        """Serve getLatestBlockhash.

        The hash is Surfpool's, which alone it accepts. It expires after 150 slots, and no sooner
        than that the height passes the one given here.
        """
        document: Document = await self.upstream.call("getLatestBlockhash", *params)
        height = self.ledger.newest("confirmed").height
        document["value"]["lastValidBlockHeight"] = height + BLOCKHASH_LIFE_BLOCKS
        return document

    async def signature_statuses(self, params: Params) -> Document:
        """Serve getSignatureStatuses."""
        if len(params[0]) > STATUSES_MAX:
            raise RpcFault(INVALID_PARAMS, f"Too many inputs provided; max {STATUSES_MAX}")
        document: Document = await self.upstream.call("getSignatureStatuses", *params)
        document["value"] = [
            status and correct_status(status, self.ledger) for status in document["value"]
        ]
        return document

    async def signatures_for_address(self, params: Params) -> list[Document]:
        """Serve getSignaturesForAddress."""
        options = _options(params)
        commitment = _commitment(options, of_blocks=True)
        if not 1 <= options.get("limit", SIGNATURES_PAGE_MAX) <= SIGNATURES_PAGE_MAX:
            raise RpcFault(INVALID_PARAMS, f"Invalid limit; max {SIGNATURES_PAGE_MAX}")
        entries: list[Document] = await self.upstream.call("getSignaturesForAddress", *params)
        return [
            entry
            | {
                "blockTime": self._time(entry["slot"], entry["blockTime"]),
                "confirmationStatus": self.ledger.level(entry["slot"]),
            }
            for entry in entries
            if entry["slot"] <= self.ledger.limit(commitment)
        ]

    async def slot(self, params: Params) -> int:
        """Serve getSlot; at `processed` that is the open slot, which may yet be skipped."""
        commitment = _commitment(_options(params))
        if commitment == "processed":
            return self.ledger.tip
        return self.ledger.newest(commitment).slot

    async def transaction(self, params: Params) -> Document | None:
        """Serve getTransaction."""
        options = _options(params)
        commitment = _commitment(options, of_blocks=True)
        document: Document | None = await self.upstream.call(
            "getTransaction", params[0], _upstream_options(options)
        )
        if document is None or document["slot"] > self.ledger.limit(commitment):
            return None
        time = self._time(document["slot"], document["blockTime"])
        return correct_transaction(document, options) | {"blockTime": time}

    def _time(self, slot: int, otherwise: int) -> int:
        block = self.ledger.find(slot)
        return otherwise if block is None else block.time


def _options(params: Params) -> Document:
    """Return the configuration object; a bare string in its place is an encoding."""
    last = params[-1] if params else None
    if isinstance(last, dict):
        return last
    return {"encoding": last} if isinstance(last, str) and len(params) > 1 else {}


def _commitment(options: Document, *, of_blocks: bool = False) -> Commitment:
    commitment = options.get("commitment") or "finalized"
    if commitment not in COMMITMENTS:
        raise RpcFault(INVALID_PARAMS, f"Invalid params: unknown commitment {commitment!r}")
    if of_blocks and commitment == "processed":
        raise RpcFault(INVALID_PARAMS, "Method does not support commitment below `confirmed`")
    return cast("Commitment", commitment)


def _upstream_options(options: Document) -> Document:
    """Return what Surfpool is asked: we judge commitment and version ourselves."""
    return {"maxSupportedTransactionVersion": 0} | options | {"commitment": "confirmed"}


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise RpcFault(INVALID_PARAMS, f"Invalid params: {value!r} is not a slot or count")
    return value
