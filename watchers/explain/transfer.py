"""Pure: the gates that one transfer passes on its way to a merchant's balance."""

from collections.abc import Sequence
from typing import Any

from gateway.deposits.leaving import NOT_SHOWN
from watchers.explain.facts import Entry, Evidence, Explained, Gate, Move, Owner, Verdict

NAMES = (
    "asset_listed",
    "address_ours",
    "signature_genuine",
    "invoice",
    "confirmations",
    "final",
    "ledger_entry",
)
COUNTED = {
    "invoice": "it counts for the invoice of this address",
    "customer": "it is the customer's whose address this is",
    "merchant": "an operator gave it to the merchant",
}
REVERSED = "reversed"
NOT_REACHED = "an earlier gate is not open"


def explained(evidence: Evidence, move: Move, *, reached: bool) -> Explained:
    """Open or close the gates of one transfer; `reached` is whether the transaction's are open."""
    found = (
        _listed(move),
        _ours(move),
        _genuine(move),
        _counted(move),
        _confirmations(evidence, move),
        _final(evidence, move),
        _ledger(move),
    )
    return Explained(move, found, _verdict(move, found, reached=reached))


def _listed(move: Move) -> Gate:
    shown = {"asset": move.asset, "payment_method": move.currency}
    if move.reason == "account_not_canonical":
        detail = "it lies in an account that is not the address's canonical one"
        return Gate("asset_listed", "no", detail, shown)
    if move.currency is None:
        return Gate("asset_listed", "no", f"{move.asset} is not a listed asset", shown)
    return Gate("asset_listed", "yes", f"it is {move.currency}", shown)


def _ours(move: Move) -> Gate:
    if move.owner is None:
        return Gate("address_ours", "no", f"{move.to} is not an address of yours")
    what = "the pool" if move.owner.purpose == "pool" else "the operator's wallets"
    shown = {"address": move.to, "of": move.owner.purpose}
    return Gate("address_ours", "yes", f"{move.to} is of {what}", shown)


def _genuine(move: Move) -> Gate:
    if move.owner is None:
        return Gate("signature_genuine", "unknown", NOT_REACHED)
    if move.owner.purpose == "wallet":
        return Gate("signature_genuine", "yes", "a wallet of the operator")
    if not move.owner.genuine:
        detail = "the keystore did not sign this address: it credits nobody"
        return Gate("signature_genuine", "no", detail)
    return Gate("signature_genuine", "yes", "the keystore signed this address")


def _counted(move: Move) -> Gate:
    """Open the gate of whom the address was given to: its invoice, or its customer for good."""
    owner = move.owner
    if owner is None:
        return Gate("invoice", "unknown", NOT_REACHED)
    gate = "invoice" if owner.customer_id is None else "customer"
    shown = _shown(move, owner)
    if move.purpose in COUNTED:
        return Gate(gate, "yes", COUNTED[move.purpose], shown)
    if move.deposit_id is None and owner.accepts:
        return Gate(gate, "unknown", "there is no deposit to count yet", shown)
    return Gate(gate, "no", _uncounted(move, owner), shown)


def _shown(move: Move, owner: Owner) -> dict[str, Any]:
    if owner.customer_id is not None:
        return {
            "merchant_id": owner.merchant_id,
            "customer_id": owner.customer_id,
            "reason": move.reason,
        }
    return {
        "merchant_id": owner.merchant_id,
        "invoice_id": owner.invoice_id,
        "invoice_status": owner.invoice_status,
        "reason": move.reason,
    }


def _uncounted(move: Move, owner: Owner) -> str:
    """Say why a transfer to an address of ours counts for no invoice and no customer."""
    if owner.purpose == "wallet":
        return "it funds the operator's own wallet"
    if owner.customer_id is None and owner.invoice_id is None:
        return "the address belongs to no invoice"
    if move.currency is not None and not owner.accepts:
        return f"the invoice of this address is not payable in {move.currency}"
    if move.reason == "below_minimum":
        return "everything at this address together is below the minimum"
    return f"it is unattributed: {move.reason or 'not listed'}"


def _confirmations(evidence: Evidence, move: Move) -> Gate:
    height = move.block_height if move.block_height is not None else evidence.height
    if height is None or evidence.scanned_height is None:
        return Gate("confirmations", "unknown", "its block or our own place is not known")
    depth = max(0, evidence.scanned_height - height + 1)
    shown = {"confirmations": depth, "height": height}
    return Gate("confirmations", "yes" if depth else "no", f"{depth} blocks by our scan", shown)


def _final(evidence: Evidence, move: Move) -> Gate:
    height = move.block_height if move.block_height is not None else evidence.height
    shown = {"final_height": evidence.final_height, "height": height, "status": move.status}
    if move.status == "reorged":
        return Gate("final", "no", "its block was orphaned", shown)
    if move.reason == NOT_SHOWN:
        detail = "a rescan refused it: the nodes do not show it in its block"
        return Gate("final", "no", detail, shown)
    if height is None or evidence.final_height is None:
        return Gate("final", "unknown", "its block or our own place is not known", shown)
    if height <= evidence.final_height:
        return Gate("final", "yes", f"everything up to {evidence.final_height} is", shown)
    left = height - evidence.final_height
    return Gate("final", "no", f"{left} blocks to go to finality", shown)


def _ledger(move: Move) -> Gate:
    name = "ledger_entry"
    shown = {"entries": [_entry(entry) for entry in move.entries]}
    if move.reason == REVERSED:
        return Gate(name, "no", "an operator reversed it", shown)
    if move.entries:
        last = move.entries[-1]
        detail = f"journal {last.journal} credited {last.units} units to {last.account}"
        return Gate(name, "yes", detail, shown)
    if move.deposit_id is None:
        return Gate(name, "no", "there is no deposit", shown)
    if move.currency is None or move.reason == "account_not_canonical":
        return Gate(name, "no", "what is not listed is in no ledger", shown)
    return Gate(name, "no", "nothing is posted before finality", shown)


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "journal": entry.journal,
        "kind": entry.kind,
        "account": entry.account,
        "units": str(entry.units),
    }


def _verdict(move: Move, found: Sequence[Gate], *, reached: bool) -> Verdict:
    if move.reason in (REVERSED, NOT_SHOWN):
        return "not_credited"
    if move.purpose in ("invoice", "customer", "merchant", "capital"):
        credited = any(entry.account != "suspense" for entry in move.entries)
        gone = move.status == "reorged"
        return "credited" if credited else "not_credited" if gone else "waiting"
    if move.deposit_id is not None:
        return "not_credited" if move.status == "reorged" else "unattributed"
    if move.owner is None:
        return "not_credited"
    listed = found[0].answer == "yes"
    return "waiting" if reached and listed else "unknown" if listed else "not_credited"
