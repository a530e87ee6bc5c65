"""The keystore's face: wire types and refusals. Outsiders import this module and `client` only.

Newline-delimited JSON over a Unix stream socket, one request and one reply per line, at most
64 KiB each. A request is `{"v":1,"method":...,"params":{...}}`; a reply is `{"result":{...}}`
or `{"error":{"code":...,"message":...}}`. Unknown fields are refused. Amounts are decimal
integer strings in base units. There is no call that signs bytes or a hash.
"""

import msgspec

from keystore.intents import (
    Approval,
    EthereumIntent,
    Intent,
    KeyApproval,
    Order,
    PasskeyApproval,
    SolanaAdvanceIntent,
    SolanaIntent,
    SolanaSweepIntent,
    SweepSource,
    TronIntent,
    TronResourceIntent,
    order_message,
)
from keystore.published import PublishedApprover, PublishedRule, PublishedWindow, Rules
from keystore.shapes import Class, ClockState, Count, Family, Purpose, Wire

__all__ = [
    "Approval",
    "Class",
    "ClockState",
    "EthereumIntent",
    "Family",
    "Intent",
    "KeyApproval",
    "Order",
    "PasskeyApproval",
    "PublishedApprover",
    "PublishedRule",
    "PublishedWindow",
    "Purpose",
    "Rules",
    "SolanaAdvanceIntent",
    "SolanaIntent",
    "SolanaSweepIntent",
    "SweepSource",
    "TronIntent",
    "TronResourceIntent",
    "order_message",
]

LINE_BYTES_MAX = 65_536
POOL_COUNT_MAX = 200
"""A signed row takes up to 310 bytes, and a reply is one line."""
POOL_INDEX_END = 2**31
"""BIP-32: from here on an index is a hardened one."""
HISTORY_COUNT_MAX = 10
"""A remembered payment takes up to 4 KiB."""


class StatusRequest(Wire, frozen=True, tag="status", tag_field="method"):
    """Ask whether the keystore is unlocked and what it serves."""


class WalletsRequest(Wire, frozen=True, tag="wallets", tag_field="method"):
    """Ask for the application wallets of one network, on Solana with its first nonce lanes."""

    network: str
    lanes: Count = 1


class DerivePoolRequest(Wire, frozen=True, tag="derive_pool", tag_field="method"):
    """Ask for signed pool rows `first .. first + count - 1` of one network.

    With `issue` they are going to be shown to payers, and the keystore remembers how far it went.
    """

    network: str
    first: Count
    count: Count
    issue: bool = False


class SignRequest(Wire, frozen=True, tag="sign", tag_field="method"):
    """Ask for the signed bytes of one intent.

    Where the policy wants approvals of a payout, `order` says what was approved and `approvals`
    by whom; for the house's own movements and for a cancel they are not looked at.
    `known` is the highest `Signed.number` of this network in the caller's database, 0 for none:
    a database that was put back to an older copy knows less than was signed, and gets nothing
    new until it has read the history.
    """

    intent: Intent
    known: Count | None = None
    order: Order | None = None
    approvals: list[Approval] = msgspec.field(default_factory=list)


class SignNonceSetupRequest(Wire, frozen=True, tag="sign_nonce_setup", tag_field="method"):
    """Ask for the signed creation of a durable-nonce lane (Solana), paid by the hot wallet.

    The account is `create_with_seed(hot, "gw-nonce-{lane}", system program)`; `lamports` is its
    rent-exempt minimum. Repeating it with a newer blockhash is harmless: the account exists once.
    """

    network: str
    lane: Count
    blockhash: str
    lamports: Count


class HistoryRequest(Wire, frozen=True, tag="history", tag_field="method"):
    """Ask for the payments of a network that were signed after number `after`, oldest first."""

    network: str
    after: Count


class RulesRequest(Wire, frozen=True, tag="rules", tag_field="method"):
    """Ask for the policy's rules that speak of one network, in order, from place `after` on."""

    network: str
    after: Count = 0


Request = (
    StatusRequest
    | WalletsRequest
    | DerivePoolRequest
    | SignRequest
    | SignNonceSetupRequest
    | HistoryRequest
    | RulesRequest
)


class NetworkStatus(Wire, frozen=True):
    """One network that the keystore serves."""

    network: str
    family: Family
    test: bool
    issued: int = 0
    """Pool rows below this index have been issued: some payer may know them."""


class Status(Wire, frozen=True):
    """State of the keystore."""

    unlocked: bool
    pool_public_key: str
    """Ed25519, 64 hex digits: verifies pool rows."""
    networks: list[NetworkStatus]
    signatures: int
    """Intents in the journal."""
    policy: str = ""
    """SHA-256 of the policy file; empty without one: test networks only."""
    refused: dict[str, int] = msgspec.field(default_factory=dict)
    """Requests refused since the process started, by code; `shortage` counts lost connections."""
    refusals_unwritten: int = 0
    """Intents refused since the start beyond a minute's ration of the journal's rows."""
    clock: ClockState = "right"
    """`jumped`: set forward since the start, nothing is signed. `behind`: the journal's newest row
    is of a later time, `journal_at`, and approvals and windows are counted from there."""
    journal_at: str = ""
    """RFC 3339; empty unless the clock is behind."""


class ApplicationWallet(Wire, frozen=True):
    """The public half of an application wallet. `purpose` is `hot`, `gas` or `nonce`."""

    purpose: str
    address: str
    path: str


class Wallets(Wire, frozen=True):
    """The application wallets of one network: hot, gas, then nonce lanes 0, 1, 2 ... (Solana)."""

    wallets: list[ApplicationWallet]


class PoolRow(Wire, frozen=True):
    """One deposit address with the keystore's signature over `pool_message` (hex Ed25519)."""

    network: str
    index: int
    path: str
    address: str
    signature: str


class PoolRows(Wire, frozen=True):
    """Consecutive pool rows."""

    rows: list[PoolRow]


class Signed(Wire, frozen=True):
    """Signed bytes (hex, no prefix) and the hash they have on chain."""

    raw: str
    tx_hash: str
    sender: str
    number: int = 0
    """Place among the payments signed for this network, from 1; 0 for a nonce lane's setup."""


class Remembered(Wire, frozen=True):
    """One payment of the history: what was asked for and what was signed."""

    intent: Intent
    signed: Signed


class History(Wire, frozen=True):
    """Payments in the order of their numbers; an empty list is the end."""

    payments: list[Remembered]


class ErrorBody(Wire, frozen=True):
    """A refusal: a stable code and a sentence without secrets."""

    code: str
    message: str


class Reply(msgspec.Struct, omit_defaults=True):
    """Exactly one of the two is set."""

    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: ErrorBody | None = None


def pool_message(network: str, index: int, path: str, address: str) -> bytes:
    """Return the bytes that the keystore signs for one pool row.

    `gateway.addresses.signature` holds the same three lines; `tests/vectors/pool.json` ties them.
    """
    body = [network, index, path, address]
    return b"gw/pool/v1\n" + msgspec.json.encode(body)
