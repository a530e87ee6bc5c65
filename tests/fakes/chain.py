"""A chain in memory that does what it is told: mine, fork, stall, withhold, lie about sending.

It is EVM-shaped (account nonces, real signed type-2 bytes), so the real keystore signs for it.
`FakeReader` and `FakeWriter` are its eyes and hands; they pass the same suites as the others.
Everything follows from the seed and the calls.
"""

import hashlib
import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from watchers.network import NATIVE, Block, BlockRef, Incomplete, Outcome, Transfer
from watchers.networks.ethereum.erc20 import parsed_transfer_call
from watchers.networks.ethereum.signed import SignedTransaction, decode_signed

GENESIS_TIME = datetime(2026, 1, 1, tzinfo=UTC)
BLOCK_SECONDS = 12
BASE_FEE_WEI = 10**9
TIP_WEI = 10**8
GAS_NATIVE = 21_000
GAS_TOKEN = 60_000
GENESIS_PARENT = "0x" + "00" * 32
JUNK = "0x" + "bad0" * 10
"""A token that nobody lists; the payer has plenty."""


@dataclass(frozen=True, slots=True)
class Move:
    """Value that a transaction moves to one address."""

    to: str
    units: int
    asset: str = NATIVE
    kind: str = ""
    """Empty means `native` or `token`, as the asset says."""


@dataclass(frozen=True, slots=True)
class FakeTransaction:
    """A transaction that waits or stands. `nonce` is None for the payer's, who has no key."""

    tx_hash: str
    sender: str
    moves: tuple[Move, ...]
    gas: int
    gas_price: int
    nonce: int | None = None
    doomed: bool = False

    @property
    def fee(self) -> int:
        """What it costs, successful or not."""
        return self.gas * self.gas_price


@dataclass(slots=True)
class State:
    """Balances and nonces after a block."""

    balances: dict[tuple[str, str], int] = field(default_factory=dict)
    nonces: dict[str, int] = field(default_factory=dict)

    def copy(self) -> "State":
        """Return an independent state."""
        return State(dict(self.balances), dict(self.nonces))

    def held(self, address: str, asset: str) -> int:
        """Return a balance; 0 where nothing ever arrived."""
        return self.balances.get((address, asset), 0)

    def add(self, address: str, asset: str, units: int) -> None:
        """Change a balance."""
        self.balances[address, asset] = self.held(address, asset) + units

    def admits(self, tx: FakeTransaction) -> bool:
        """Tell whether a block may hold `tx` now: its turn, and its fee is there."""
        native = sum(move.units for move in tx.moves if move.asset == NATIVE)
        paid = self.held(tx.sender, NATIVE) >= tx.fee + native
        return paid and tx.nonce in {None, self.nonces.get(tx.sender, 0)}

    def apply(self, tx: FakeTransaction) -> Outcome:
        """Carry out an admitted transaction; without success only its fee moves."""
        self.add(tx.sender, NATIVE, -tx.fee)
        self.nonces[tx.sender] = self.nonces.get(tx.sender, 0) + 1
        wanted: dict[str, int] = {}
        for move in tx.moves:
            wanted[move.asset] = wanted.get(move.asset, 0) + move.units
        covered = all(self.held(tx.sender, asset) >= units for asset, units in wanted.items())
        success = covered and not tx.doomed
        for move in tx.moves if success else ():
            self.add(tx.sender, move.asset, -move.units)
            self.add(move.to, move.asset, move.units)
        return Outcome(success, tx.fee)


@dataclass(frozen=True, slots=True)
class FakeBlock:
    """One block, its transactions with their outcomes, and the state after it."""

    ref: BlockRef
    transactions: tuple[tuple[FakeTransaction, Outcome], ...]
    state: State

    def seen(self, tokens: Collection[str]) -> Block:
        """Return what a reader that lists `tokens` sees."""
        transfers = [
            transfer
            for tx, outcome in self.transactions
            if outcome.success
            for transfer in _transfers(tx, tokens)
        ]
        outcomes = {tx.tx_hash: outcome for tx, outcome in self.transactions}
        return Block(self.ref, tuple(transfers), outcomes, lambda: self.strays(tokens))

    def strays(self, tokens: Collection[str]) -> list[Transfer]:
        """Return what arrived unlisted, or as an `account`, which no sweep reaches."""
        return [
            Transfer(
                tx.tx_hash,
                move.kind or "token",
                ordinal,
                move.asset,
                tx.sender,
                move.to,
                move.units,
            )
            for tx, outcome in self.transactions
            if outcome.success
            for ordinal, move in enumerate(tx.moves)
            if not _counts(move, tokens)
        ]


def _counts(move: Move, tokens: Collection[str]) -> bool:
    return move.kind != "account" and (move.asset == NATIVE or move.asset in tokens)


def _transfers(tx: FakeTransaction, tokens: Collection[str]) -> Iterable[Transfer]:
    for ordinal, move in enumerate(tx.moves):
        native = move.asset == NATIVE
        if _counts(move, tokens):
            kind = move.kind or ("native" if native else "token")
            yield Transfer(
                tx.tx_hash, kind, ordinal, move.asset, tx.sender, move.to, move.units
            )


class FakeChain:
    """`devnet.chain.LocalChain` in memory, with levers.

    `final_lag` blocks at the tip are not final; `final_stalled` freezes the final height.
    Heights in `incomplete` cannot be read. While `down`, nothing answers. `pool` holds what
    waits; `broadcasts` every raw transaction that was ever handed over, dropped ones included.
    """

    family = "ethereum"
    url = "memory:"

    def __init__(self, seed: int = 0, *, chain_id: int = 31_337, final_lag: int = 2) -> None:
        self._random = random.Random(seed)
        self.chain_id = chain_id
        self.identity = str(chain_id)
        self.final_lag = final_lag
        self.final_stalled: int | None = None
        self.incomplete: set[int] = set()
        self.down = False
        self.pool: dict[str, FakeTransaction] = {}
        self.broadcasts: dict[str, bytes] = {}
        self.token = self._address()
        self.payer = self._address()
        state = State()
        state.add(self.payer, NATIVE, 10**30)
        state.add(self.payer, self.token, 10**18)
        state.add(self.payer, JUNK, 10**30)
        self.blocks = [FakeBlock(self._ref(0, GENESIS_PARENT), (), state)]

    @property
    def head(self) -> int:
        """Height of the newest block."""
        return self.blocks[-1].ref.height

    @property
    def final(self) -> int:
        """Height of the newest final block."""
        lagging = max(0, self.head - self.final_lag)
        return lagging if self.final_stalled is None else min(self.final_stalled, lagging)

    @property
    def state(self) -> State:
        """Balances and nonces at the head."""
        return self.blocks[-1].state

    def block(self, height: int) -> FakeBlock:
        """Return the block at `height`, or raise `Incomplete` as a node would cause."""
        if height > self.head or height in self.incomplete:
            raise Incomplete(f"block {height}: the node does not have it")
        return self.blocks[height]

    async def pay(self, to: str, units: int, asset: str = NATIVE) -> str:
        """Pay from the payer, in a block of its own together with whatever waits."""
        tx_hash = self.submit([Move(to, units, asset)])
        await self.mine()
        return tx_hash

    async def balance(self, address: str, asset: str = NATIVE) -> int:
        """Return the balance at the head."""
        return self.state.held(address, asset)

    async def fresh_address(self) -> str:
        """Return an address that nobody used."""
        return self._address()

    async def mine(self, blocks: int = 1) -> None:
        """Add blocks; the first takes everything in the pool that may be carried out."""
        for _ in range(blocks):
            self.mine_only(self.pool)

    def submit(self, moves: Sequence[Move], *, doomed: bool = False) -> str:
        """Put a transaction of the payer into the pool; `doomed` ones fail on chain."""
        tx_hash = self._digest("payer")
        gas = GAS_NATIVE + GAS_TOKEN * (len(moves) - 1)
        price = BASE_FEE_WEI + TIP_WEI
        self.pool[tx_hash] = FakeTransaction(
            tx_hash, self.payer, tuple(moves), gas, price, doomed=doomed
        )
        return tx_hash

    def receive(self, raw: bytes) -> FakeTransaction:
        """Put signed bytes into the pool, whoever else waits for the same nonce."""
        tx = _interpreted(decode_signed(raw))
        self.broadcasts[tx.tx_hash] = raw
        self.pool[tx.tx_hash] = tx
        return tx

    def mine_only(self, hashes: Iterable[str]) -> None:
        """Add one block with those of `hashes` that wait, or were ever broadcast, and fit."""
        state = self.state.copy()
        included = []
        for tx in sorted(map(self._known, hashes), key=lambda each: each.nonce or 0):
            if state.admits(tx):
                included.append((tx, state.apply(tx)))
                self.pool.pop(tx.tx_hash, None)
        ref = self._ref(self.head + 1, self.blocks[-1].ref.hash)
        self.blocks.append(FakeBlock(ref, tuple(included), state))

    def fork(self, depth: int, *, keep: Collection[str] | None = None) -> None:
        """Replace the newest `depth` blocks by as many others.

        Their transactions go back to the pool and into the first new block, but for those that
        are not in `keep` (None keeps all): these are forgotten.
        """
        orphaned, self.blocks = self.blocks[-depth:], self.blocks[:-depth]
        back = [tx for block in orphaned for tx, _ in block.transactions]
        self.pool = {
            tx.tx_hash: tx for tx in back if keep is None or tx.tx_hash in keep
        } | self.pool
        for _ in range(depth):
            self.mine_only(self.pool)

    def rewind(self, depth: int) -> None:
        """Forget the newest `depth` blocks: a node that lags behind."""
        del self.blocks[-depth:]

    def _known(self, tx_hash: str) -> FakeTransaction:
        return self.pool.get(tx_hash) or _interpreted(decode_signed(self.broadcasts[tx_hash]))

    def _ref(self, height: int, parent_hash: str) -> BlockRef:
        time = GENESIS_TIME + timedelta(seconds=BLOCK_SECONDS * height)
        return BlockRef(height, self._digest(f"block {height}"), parent_hash, time)

    def _digest(self, what: str) -> str:
        salt = self._random.randbytes(16)
        return "0x" + hashlib.sha256(what.encode() + salt).hexdigest()

    def _address(self) -> str:
        return "0x" + self._random.randbytes(20).hex()


def _interpreted(sent: SignedTransaction) -> FakeTransaction:
    price = min(sent.max_fee_per_gas, BASE_FEE_WEI + sent.max_priority_fee_per_gas)
    tx = FakeTransaction(
        tx_hash=sent.tx_hash,
        sender=sent.sender,
        moves=(Move(sent.to, sent.value),),
        gas=GAS_NATIVE,
        gas_price=price,
        nonce=sent.nonce,
    )
    if not sent.data:
        return tx
    recipient, units = parsed_transfer_call(sent.data)
    return replace(tx, moves=(Move(recipient, units, sent.to),), gas=GAS_TOKEN)
