"""Why a transaction is refused before it runs: the node's codes and words. Pure."""

from collections.abc import Callable, Mapping

from devnet.tron.address import base58_text
from devnet.tron.assets import asset_of
from devnet.tron.parameters import (
    ASSET_ISSUE_FEE,
    EXPIRATION_MS_MAX,
    FEE_LIMIT_MAX,
    NEW_ACCOUNT_FEE,
    SUN_PER_TRX,
    TRANSACTION_BYTES_MAX,
)
from devnet.tron.transaction import BadSignature, Transaction, signer
from devnet.tron.world import World

PERMISSIONS = frozenset({0, 2})
"""Owner and the default active permission; both hold the account's own key alone."""


class Refused(Exception):
    """The node declines a transaction: `code` is its response code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def invalid(message: str) -> Refused:
    """Return the refusal of a contract that cannot be executed."""
    return Refused("CONTRACT_VALIDATE_ERROR", f"Contract validate error : {message}")


def check_envelope(
    transaction: Transaction,
    *,
    head_ms: int,
    recent: Mapping[bytes, bytes],
    is_known: bool,
) -> None:
    """Check signature, reference block, expiration and repetition, in the node's order.

    `recent` maps the last two bytes of a height to bytes 8 to 16 of the block id there;
    `is_known` says that the chain, or what waits to enter it, holds the transaction already.
    """
    if transaction.size > TRANSACTION_BYTES_MAX:
        raise Refused("TOO_BIG_TRANSACTION_ERROR", "Transaction size is too big.")
    _check_signature(transaction)
    body = transaction.body
    # Only java-tron's window of 65 536 blocks fits two bytes of height.
    if recent.get(body.get("ref_block_bytes", b"")) != body.get("ref_block_hash", b""):
        raise Refused("TAPOS_ERROR", "Tapos check error.")
    if not head_ms < body.get("expiration", 0) <= head_ms + EXPIRATION_MS_MAX:
        raise Refused("TRANSACTION_EXPIRATION_ERROR", "Transaction expired")
    if is_known:
        raise Refused("DUP_TRANSACTION_ERROR", "Dup transaction.")


def _check_signature(transaction: Transaction) -> None:
    def wrong(reason: str) -> Refused:
        return Refused("SIGERROR", f"Validate signature error: {reason}")

    if not transaction.signatures:
        raise wrong("miss sig or contract")
    if len(transaction.signatures) > 1:
        count = len(transaction.signatures)
        raise wrong(f"Signature count is {count} more than key counts of permission : 1")
    if transaction.body["contract"][0].get("Permission_id", 0) not in PERMISSIONS:
        raise wrong("permission isn't exit")
    signature = transaction.signatures[0]
    try:
        signed_by = signer(transaction, signature)
    except BadSignature as trouble:
        raise wrong(str(trouble)) from trouble
    if signed_by != transaction.owner:
        raise wrong(
            f"{signature.hex()} is signed by {base58_text(signed_by)} "
            "but it is not contained of permission."
        )


def check_contract(transaction: Transaction, world: World, spendable: int) -> None:
    """Check what the contract asks for against the state.

    `spendable` is the owner's sun that remains after bandwidth and memo are paid.
    """
    if transaction.owner not in world.accounts:
        raise invalid(f"account [{base58_text(transaction.owner)}] does not exist")
    if not 0 <= transaction.body.get("fee_limit", 0) <= FEE_LIMIT_MAX:
        raise invalid(f"feeLimit must be >= 0 and <= {FEE_LIMIT_MAX}")
    check = _CHECKS.get(transaction.kind)
    if check:
        check(transaction, world, spendable)


def creates_account(transaction: Transaction, world: World) -> bool:
    """Tell whether the transaction brings its recipient into existence, which costs extra."""
    fields = {
        "TransferContract": "to_address",
        "TransferAssetContract": "to_address",
        "AccountCreateContract": "account_address",
    }
    field = fields.get(transaction.kind)
    return field is not None and transaction.value.get(field) not in world.accounts


def _check_transfer(transaction: Transaction, world: World, spendable: int) -> None:
    recipient, amount = transaction.value.get("to_address", b""), transaction.number("amount")
    if amount <= 0:
        raise invalid("Amount must be greater than 0.")
    if recipient == transaction.owner:
        raise invalid("Cannot transfer TRX to yourself.")
    if recipient in world.contracts:
        raise invalid("Cannot transfer TRX to a smartContract.")
    fee = NEW_ACCOUNT_FEE if creates_account(transaction, world) else 0
    if spendable < amount + fee:
        raise invalid("Validate TransferContract error, balance is not sufficient.")


def _check_asset_transfer(transaction: Transaction, world: World, spendable: int) -> None:
    recipient, asset_id = transaction.value.get("to_address", b""), asset_of(transaction)
    if asset_id not in world.assets:
        raise invalid("No asset!")
    if transaction.number("amount") <= 0:
        raise invalid("Amount must be greater than 0.")
    if recipient == transaction.owner:
        raise invalid("Cannot transfer asset to yourself.")
    if recipient in world.contracts:
        raise invalid("Cannot transfer asset to smartContract.")
    if world.holding(transaction.owner, asset_id) < transaction.number("amount"):
        raise invalid("assetBalance is not sufficient.")
    if creates_account(transaction, world) and spendable < NEW_ACCOUNT_FEE:
        raise invalid("Validate TransferAssetActuator error, insufficient fee.")


def _check_asset_issue(transaction: Transaction, world: World, spendable: int) -> None:
    issued = [each.get("owner_address") for each in world.assets.values()]
    if transaction.owner in issued:
        raise invalid("An account can only issue one asset")
    if transaction.number("total_supply") <= 0 or not transaction.value.get("name"):
        raise invalid("Invalid assetName or TotalSupply")
    if spendable < ASSET_ISSUE_FEE:
        raise invalid("No enough balance for fee!")


def _check_account_create(transaction: Transaction, world: World, spendable: int) -> None:
    if not creates_account(transaction, world):
        raise invalid("Account has existed")
    if spendable < NEW_ACCOUNT_FEE:
        raise invalid("Validate CreateAccountActuator error, insufficient fee.")


def _check_trigger(transaction: Transaction, world: World, spendable: int) -> None:
    if transaction.value.get("contract_address") not in world.contracts:
        raise invalid("No contract or not a smart contract")
    if transaction.number("call_token_value"):
        raise invalid("TRC-10 inside contract calls is not emulated")
    _check_call_value(transaction.number("call_value"), spendable)


def _check_create(transaction: Transaction, _world: World, spendable: int) -> None:
    contract = transaction.value.get("new_contract", {})
    if contract.get("origin_address") != transaction.owner:
        raise invalid("OwnerAddress is not equals OriginAddress")
    _check_call_value(contract.get("call_value", 0), spendable)


def _check_call_value(value: int, spendable: int) -> None:
    if not 0 <= value <= spendable:
        raise invalid("Validate InternalTransfer error, balance is not sufficient.")


def _check_freeze(transaction: Transaction, _world: World, spendable: int) -> None:
    if transaction.number("frozen_balance") < SUN_PER_TRX:
        raise invalid("frozenBalance must be greater than or equal to 1 TRX")
    if transaction.number("frozen_balance") > spendable:
        raise invalid("frozenBalance must be less than or equal to accountBalance")


def _check_unfreeze(transaction: Transaction, world: World, _spendable: int) -> None:
    stake = world.stake(transaction.owner, transaction.number("resource"))
    if not 0 < transaction.number("unfreeze_balance") <= stake.own - stake.lent:
        raise invalid("Invalid unfreeze_balance")


def _check_delegate(transaction: Transaction, world: World, _spendable: int) -> None:
    if transaction.number("lock"):
        raise invalid("delegation for a fixed time is not emulated")
    stake = world.stake(transaction.owner, transaction.number("resource"))
    receiver = world.accounts.get(transaction.value.get("receiver_address", b""))
    if receiver is None or receiver.is_contract:
        raise invalid("Do not allow delegate resources to contract addresses or to nobody")
    if not SUN_PER_TRX <= transaction.number("balance") <= stake.own - stake.lent:
        raise invalid("delegateBalance must be less than or equal to available balance")


def _check_undelegate(transaction: Transaction, world: World, _spendable: int) -> None:
    receiver = transaction.value.get("receiver_address", b"")
    loan = world.loans.get((transaction.owner, receiver, transaction.number("resource")), 0)
    if not 0 < transaction.number("balance") <= loan:
        raise invalid("insufficient delegatedFrozenBalance")


_CHECKS: dict[str, Callable[[Transaction, World, int], None]] = {
    "TransferContract": _check_transfer,
    "TransferAssetContract": _check_asset_transfer,
    "AssetIssueContract": _check_asset_issue,
    "AccountCreateContract": _check_account_create,
    "TriggerSmartContract": _check_trigger,
    "CreateSmartContract": _check_create,
    "FreezeBalanceV2Contract": _check_freeze,
    "UnfreezeBalanceV2Contract": _check_unfreeze,
    "DelegateResourceContract": _check_delegate,
    "UnDelegateResourceContract": _check_undelegate,
}
