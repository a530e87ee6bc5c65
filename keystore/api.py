"""The keystore's face: wire types and refusals. Outsiders import this module and `client` only.

Newline-delimited JSON over a Unix stream socket, one request and one reply per line, at most
64 KiB each. A request is `{"v":1,"method":...,"params":{...}}`; a reply is `{"result":{...}}`
or `{"error":{"code":...,"message":...}}`. Unknown fields are refused. Amounts are decimal
integer strings in base units. There is no call that signs bytes or a hash.
"""

from typing import Literal

import msgspec

LINE_BYTES_MAX = 65_536
POOL_COUNT_MAX = 200
"""A signed row takes up to 310 bytes, and a reply is one line."""
HISTORY_COUNT_MAX = 10
"""A remembered payment takes up to 4 KiB."""

Family = Literal["ethereum", "tron", "solana"]
Purpose = Literal["pool", "hot", "gas"]


class _Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Closed schema: an unknown field is an error."""


class EthereumIntent(
    _Wire, frozen=True, tag="ethereum", tag_field="family", omit_defaults=True
):
    """One EIP-1559 payment. `asset` is `native` or the ERC-20 contract.

    `source` is `hot`, `gas` or `pool/INDEX`; `pool_index` says which pool address `to` is where
    the house tops one up. A payment of 0 native units to the sender itself cancels the one that
    was signed for the same order and nonce.
    """

    withdrawal_id: str
    network: str
    asset: str
    to: str
    units: str
    chain_id: int
    nonce: int
    gas_limit: int
    max_fee_per_gas: str
    max_priority_fee_per_gas: str
    source: str = "hot"
    pool_index: int | None = None


class TronIntent(_Wire, frozen=True, tag="tron", tag_field="family", omit_defaults=True):
    """One TRX or TRC-20 payment. `asset` is `native` or the base58 contract.

    `source` and `pool_index` are those of `EthereumIntent`.

    `ref_block_id` is the 32-byte hex id of a solid block; the keystore takes bytes 6-8 and 8-16.
    Times are Unix milliseconds; `fee_limit` is in sun and 0 for a native payment.
    """

    withdrawal_id: str
    network: str
    asset: str
    to: str
    units: str
    ref_block_id: str
    expiration_ms: int
    timestamp_ms: int
    fee_limit: int
    source: str = "hot"
    pool_index: int | None = None


class TronResourceIntent(_Wire, frozen=True, tag="tron_resource", tag_field="family"):
    """Stake the gas wallet's TRX, or lend what it yields to a pool address and take it back.

    `action` is `stake` (FreezeBalanceV2Contract), `delegate` or `undelegate`
    (DelegateResourceContract, UnDelegateResourceContract); `units` is staked TRX in sun. `to` is
    pool address `pool_index`, empty and None for a stake. Never locked for a time.
    """

    withdrawal_id: str
    network: str
    action: Literal["stake", "delegate", "undelegate"]
    resource: Literal["ENERGY", "BANDWIDTH"]
    to: str
    pool_index: int | None
    units: str
    ref_block_id: str
    expiration_ms: int
    timestamp_ms: int


class SweepSource(_Wire, frozen=True):
    """One pool address of a Solana sweep and the base units that leave it."""

    index: int
    address: str
    units: str


class SolanaSweepIntent(_Wire, frozen=True, tag="solana_sweep", tag_field="family"):
    """Empty pool addresses into the hot wallet on a durable nonce; the hot wallet pays the fee.

    `asset` is `native` or the mint. With `close` the emptied token accounts are closed and their
    rent goes to the hot wallet. Every source signs, so their number is bounded by the 1,232
    bytes of a transaction.
    """

    withdrawal_id: str
    network: str
    asset: str
    decimals: int
    token_program: str
    sources: list[SweepSource]
    close: bool
    nonce_account: str
    nonce_value: str
    compute_unit_limit: int
    compute_unit_price_micro_lamports: int


class SolanaIntent(_Wire, frozen=True, tag="solana", tag_field="family"):
    """One SOL or SPL payment on a durable nonce. `asset` is `native` or the mint.

    `to` is the owner, never the token account; `create_ata` adds CreateIdempotent for its
    canonical associated account. `nonce_value` is the base58 value now stored in the account.
    `decimals` and `token_program` are 0 and empty for a native payment.
    """

    withdrawal_id: str
    network: str
    asset: str
    to: str
    units: str
    decimals: int
    token_program: str
    create_ata: bool
    nonce_account: str
    nonce_value: str
    compute_unit_limit: int
    compute_unit_price_micro_lamports: int


Intent = EthereumIntent | TronIntent | SolanaIntent


class Order(_Wire, frozen=True):
    """What a person approves: a withdrawal in full, before the chain's own facts are known.

    `asset` is `native` or the contract or mint, `units` and `fee_ceiling` are in base units (the
    ceiling in the network's own coin), `requested_by` is who asked for it, `expires_ms` is Unix
    time: later the approval counts for nothing.
    """

    withdrawal_id: str
    network: str
    asset: str
    to: str
    units: str
    fee_ceiling: str
    merchant: str
    requested_by: str
    expires_ms: int


class KeyApproval(_Wire, frozen=True, tag="key", tag_field="kind"):
    """An approver's Ed25519 signature (hex) over `order_message`."""

    approver: str
    signature: str


class PasskeyApproval(_Wire, frozen=True, tag="passkey", tag_field="kind"):
    """A WebAuthn assertion (ES256) whose challenge is SHA-256 of `order_message`.

    Authenticator data, client data and signature are hex of what the browser returned.
    """

    approver: str
    authenticator_data: str
    client_data: str
    signature: str


Approval = KeyApproval | PasskeyApproval


class StatusRequest(_Wire, frozen=True, tag="status", tag_field="method"):
    """Ask whether the keystore is unlocked and what it serves."""


class WalletsRequest(_Wire, frozen=True, tag="wallets", tag_field="method"):
    """Ask for the application wallets (hot, gas) of one network."""

    network: str


class DerivePoolRequest(_Wire, frozen=True, tag="derive_pool", tag_field="method"):
    """Ask for signed pool rows `first .. first + count - 1` of one network.

    With `issue` they are going to be shown to payers, and the keystore remembers how far it went.
    """

    network: str
    first: int
    count: int
    issue: bool = False


class SignRequest(_Wire, frozen=True, tag="sign", tag_field="method"):
    """Ask for the signed bytes of one payment.

    Where the policy wants approvals, `order` says what was approved and `approvals` by whom.
    `known` is the highest `Signed.number` of this network in the caller's database, 0 for none:
    a database that was put back to an older copy knows less than was signed, and gets nothing
    new until it has read the history.
    """

    intent: Intent
    known: int | None = None
    order: Order | None = None
    approvals: list[Approval] = []


class SignNonceSetupRequest(_Wire, frozen=True, tag="sign_nonce_setup", tag_field="method"):
    """Ask for the signed creation of a durable-nonce lane (Solana), paid by the hot wallet.

    The account is `create_with_seed(hot, "gw-nonce-{lane}", system program)`; `lamports` is its
    rent-exempt minimum. Repeating it with a newer blockhash is harmless: the account exists once.
    """

    network: str
    lane: int
    blockhash: str
    lamports: int


class HistoryRequest(_Wire, frozen=True, tag="history", tag_field="method"):
    """Ask for the payments of a network that were signed after number `after`, oldest first."""

    network: str
    after: int


Request = (
    StatusRequest
    | WalletsRequest
    | DerivePoolRequest
    | SignRequest
    | SignNonceSetupRequest
    | HistoryRequest
)


class NetworkStatus(_Wire, frozen=True):
    """One network that the keystore serves."""

    network: str
    family: Family
    test: bool
    issued: int = 0
    """Pool rows below this index have been issued: some payer may know them."""


class Status(_Wire, frozen=True):
    """State of the keystore."""

    unlocked: bool
    pool_public_key: str
    """Ed25519, 64 hex digits: verifies pool rows."""
    networks: list[NetworkStatus]
    signatures: int
    """Intents in the journal."""
    policy: str = ""
    """SHA-256 of the policy file; empty without one: test networks only."""


class ApplicationWallet(_Wire, frozen=True):
    """The public half of an application wallet. `purpose` is `hot`, `gas` or `nonce`."""

    purpose: str
    address: str
    path: str


class Wallets(_Wire, frozen=True):
    """The application wallets of one network; a Solana network lists its nonce lane too."""

    wallets: list[ApplicationWallet]


class PoolRow(_Wire, frozen=True):
    """One deposit address with the keystore's signature over `pool_message` (hex Ed25519)."""

    network: str
    index: int
    path: str
    address: str
    signature: str


class PoolRows(_Wire, frozen=True):
    """Consecutive pool rows."""

    rows: list[PoolRow]


class Signed(_Wire, frozen=True):
    """Signed bytes (hex, no prefix) and the hash they have on chain."""

    raw: str
    tx_hash: str
    sender: str
    number: int = 0
    """Place among the payments signed for this network, from 1; 0 for a nonce lane's setup."""


class Remembered(_Wire, frozen=True):
    """One payment of the history: what was asked for and what was signed."""

    intent: Intent
    signed: Signed


class History(_Wire, frozen=True):
    """Payments in the order of their numbers; an empty list is the end."""

    payments: list[Remembered]


class ErrorBody(_Wire, frozen=True):
    """A refusal: a stable code and a sentence without secrets."""

    code: str
    message: str


class Reply(msgspec.Struct, omit_defaults=True):
    """Exactly one of the two is set."""

    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: ErrorBody | None = None


def order_message(order: Order) -> bytes:
    """Return the bytes that approvers sign: the order with sorted keys, domain separated."""
    return b"gw/approval/v1\n" + msgspec.json.encode(order, order="sorted")


def pool_message(network: str, index: int, path: str, address: str) -> bytes:
    """Return the bytes that the keystore signs for one pool row.

    `gateway.addresses.signature` holds the same three lines; `tests/vectors/pool.json` ties them.
    """
    body = [network, index, path, address]
    return b"gw/pool/v1\n" + msgspec.json.encode(body)
