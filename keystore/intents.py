"""What may be asked of the signer, and what people approve: the wire types that carry money.

`keystore.api` shows them to outsiders.
"""

from typing import Literal

import msgspec

from keystore.shapes import Count, Wire


class EthereumIntent(Wire, frozen=True, tag="ethereum", tag_field="family", omit_defaults=True):
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
    chain_id: Count
    nonce: Count
    gas_limit: Count
    max_fee_per_gas: str
    max_priority_fee_per_gas: str
    source: str = "hot"
    pool_index: Count | None = None


class TronIntent(Wire, frozen=True, tag="tron", tag_field="family", omit_defaults=True):
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
    expiration_ms: Count
    timestamp_ms: Count
    fee_limit: Count
    source: str = "hot"
    pool_index: Count | None = None


class TronResourceIntent(Wire, frozen=True, tag="tron_resource", tag_field="family"):
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
    pool_index: Count | None
    units: str
    ref_block_id: str
    expiration_ms: Count
    timestamp_ms: Count


class SweepSource(Wire, frozen=True, omit_defaults=True):
    """One pool address of a Solana sweep and the base units that leave it.

    `account` is a token account of the address that is not its canonical one: its tokens go into
    the canonical one then, and stay the address's.
    """

    index: Count
    address: str
    units: str
    account: str = ""


class SolanaSweepIntent(Wire, frozen=True, tag="solana_sweep", tag_field="family"):
    """Empty pool addresses into the hot wallet on a durable nonce; the hot wallet pays the fee.

    `asset` is `native` or the mint. With `close` the emptied token accounts are closed and their
    rent goes to the hot wallet. Every source signs, so their number is bounded by the 1,232
    bytes of a transaction. A source that names an `account` is the only one.
    """

    withdrawal_id: str
    network: str
    asset: str
    decimals: Count
    token_program: str
    sources: list[SweepSource]
    close: bool
    nonce_account: str
    nonce_value: str
    compute_unit_limit: Count
    compute_unit_price_micro_lamports: Count


class SolanaIntent(Wire, frozen=True, tag="solana", tag_field="family"):
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
    decimals: Count
    token_program: str
    create_ata: bool
    nonce_account: str
    nonce_value: str
    compute_unit_limit: Count
    compute_unit_price_micro_lamports: Count


class SolanaAdvanceIntent(
    Wire, frozen=True, tag="solana_advance", tag_field="family", omit_defaults=True
):
    """Advance a durable nonce and do nothing else; the hot wallet pays the fee.

    It cancels what was signed for the same order on `nonce_value`: of the two one lands.
    `present_value` is what the account holds where that is another value, one that a node
    invented: where this lands, the account does not hold the other and never will.
    """

    withdrawal_id: str
    network: str
    nonce_account: str
    nonce_value: str
    compute_unit_limit: Count
    compute_unit_price_micro_lamports: Count
    present_value: str = ""


OnNonce = SolanaIntent | SolanaSweepIntent | SolanaAdvanceIntent
Intent = EthereumIntent | TronIntent | TronResourceIntent | OnNonce


class Order(Wire, frozen=True):
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
    expires_ms: Count


class KeyApproval(Wire, frozen=True, tag="key", tag_field="kind"):
    """An approver's Ed25519 signature (hex) over `order_message`."""

    approver: str
    signature: str


class PasskeyApproval(Wire, frozen=True, tag="passkey", tag_field="kind"):
    """A WebAuthn assertion (ES256) whose challenge is SHA-256 of `order_message`.

    Authenticator data, client data and signature are hex of what the browser returned.
    """

    approver: str
    authenticator_data: str
    client_data: str
    signature: str


Approval = KeyApproval | PasskeyApproval


def order_message(order: Order) -> bytes:
    """Return the bytes that approvers sign: the order with sorted keys, domain separated."""
    return b"gw/approval/v1\n" + msgspec.json.encode(order, order="sorted")
