"""Pure: the gates that one transfer passes on its way to a merchant's balance."""

from collections.abc import Sequence
from typing import Any, Literal

from gateway.deposits.arrival import FORGOTTEN
from gateway.deposits.leaving import NOT_SHOWN
from gateway.desk import beside
from watchers.explain import named
from watchers.explain.facts import Entry, Evidence, Explained, Gate, Move, Owner, Verdict
from watchers.pay.transactions import HOUSE

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
    "capital": "it funds the operator's own wallet",
    "internal": "it reached the operator's own wallet",
}
REVERSED = "reversed"
REFUSED = {
    REVERSED: "an operator reversed it",
    FORGOTTEN: "its final block was given up, and it was seen in no other one since",
    NOT_SHOWN: "a rescan refused it: the nodes do not show it in its block",
    "counted_as_balance": "its money was credited before, as a difference of balances",
    "own_transaction": "the operator's own wallets made this transaction",
}
"""Why a deposit was refused for good."""
BLIND = (
    "no node shows what moves inside contracts in its block, and balances find it: "
    "`watchers reconcile NETWORK --address ADDRESS` compares one address at once"
)
BESIDE = {"pool": f": {beside.GATHER}", "wallet": f": {beside.STAYS}"}
MADE = "the operator's own transaction moved it: nobody is credited"
Fate = Literal["open", "made", "missed"]
"""Of a transfer without a row: to come, left out because the house made it, or missed."""
WAITS = {
    "halted": "its network stands still",
    "suspended": "its asset is suspended",
    "doubtful": "it looks like a transaction of the operator's own that no row knows",
    "held": "it is held back by the network's watcher",
    "due": "it is final, the network's watcher is about to post it",
}
NOT_REACHED = "an earlier gate is not open"


def explained(evidence: Evidence, move: Move, *, reached: bool) -> Explained:
    """Open or close the gates of one transfer; `reached` is whether the transaction's are open."""
    fate = _fate(evidence, move, reached=reached)
    found = (
        _listed(move),
        _ours(evidence, move),
        _genuine(move),
        _counted(evidence, move, fate),
        _confirmations(evidence, move),
        _final(evidence, move),
        _ledger(evidence, move, fate),
    )
    return Explained(move, found, _verdict(move, found, fate, reached=reached))


def _listed(move: Move) -> Gate:
    shown = {"asset": move.asset, "payment_method": move.currency}
    if move.reason == "account_not_canonical":
        way = "" if move.owner is None else BESIDE[move.owner.purpose]
        return Gate("asset_listed", "no", f"it lies beside the canonical account{way}", shown)
    if move.currency is None:
        return Gate("asset_listed", "no", f"{move.asset} is not a listed asset", shown)
    return Gate("asset_listed", "yes", f"it is {move.currency}", shown)


def _ours(evidence: Evidence, move: Move) -> Gate:
    if move.owner is None:
        blind = f"; {BLIND}" if evidence.blind else ""
        return Gate("address_ours", "no", f"{move.to} is not an address of yours{blind}")
    what = "the pool" if move.owner.purpose == "pool" else "the operator's wallets"
    shown = {"address": move.to, "of": move.owner.purpose}
    how = f": {named.ROSE}" if move.kind == "balance" else ""
    return Gate("address_ours", "yes", f"{move.to} is of {what}{how}", shown)


def _genuine(move: Move) -> Gate:
    if move.owner is None:
        return Gate("signature_genuine", "unknown", NOT_REACHED)
    if move.owner.purpose == "wallet":
        return Gate("signature_genuine", "yes", "a wallet of the operator")
    if not move.owner.genuine:
        detail = "the keystore did not sign this address: it credits nobody"
        return Gate("signature_genuine", "no", detail)
    return Gate("signature_genuine", "yes", "the keystore signed this address")


def _counted(evidence: Evidence, move: Move, fate: Fate) -> Gate:
    """Open the gate of whom the address was given to: its invoice, or its customer for good."""
    owner = move.owner
    if owner is None:
        return Gate("invoice", "unknown", NOT_REACHED)
    gate = "invoice" if owner.customer_id is None else "customer"
    shown = _shown(move, owner)
    if move.purpose in COUNTED:
        return Gate(gate, "yes", COUNTED[move.purpose], shown)
    if fate == "made":
        return Gate(gate, "no", MADE, shown)
    if fate == "missed":
        return Gate(gate, "no", _missed(evidence), shown)
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
    if move.purpose == "refund":
        return "an operator's refund pays it out"
    if owner.purpose == "wallet":
        return "it is at the operator's own wallet"
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
    if move.reason in {NOT_SHOWN, FORGOTTEN}:
        return Gate("final", "no", REFUSED[move.reason or ""], shown)
    if height is None or evidence.final_height is None:
        return Gate("final", "unknown", "its block or our own place is not known", shown)
    if height <= evidence.final_height:
        return Gate("final", "yes", f"everything up to {evidence.final_height} is", shown)
    left = height - evidence.final_height
    return Gate("final", "no", f"{left} blocks to go to finality", shown)


def _ledger(evidence: Evidence, move: Move, fate: Fate) -> Gate:
    name = "ledger_entry"
    shown = {"entries": [_entry(entry) for entry in move.entries]}
    if move.entries and move.reason != REVERSED:
        last = move.entries[-1]
        detail = f"journal {last.journal} credited {last.units} units to {last.account}"
        return Gate(name, "yes", detail, shown)
    return Gate(name, "no", _unposted(evidence, move, fate), shown)


def _unposted(evidence: Evidence, move: Move, fate: Fate) -> str:
    """Say why the ledger has no entry for it."""
    if move.deposit_id is None:
        without = {"made": MADE, "missed": _missed(evidence), "open": "there is no deposit"}
        return without[fate]
    if move.status == "rejected":
        return REFUSED.get(move.reason or "", f"it was refused: {move.reason}")
    if move.currency is None or move.reason == "account_not_canonical":
        return "what is not listed, or where no sweep reaches, is in no ledger"
    if move.purpose == "internal":
        return "it was the operator's before, in cold storage: nobody is credited"
    if move.wait is None:
        passed = _is_final(evidence, move.block_height)
        return WAITS["due"] if passed else "nothing is posted before finality"
    return WAITS[move.wait.cause] + (f": {move.wait.detail}" if move.wait.detail else "")


def _fate(evidence: Evidence, move: Move, *, reached: bool) -> Fate:
    """Say why a listed transfer to us has no row: by design, or left out of a final block."""
    made, owner = evidence.made_as, move.owner
    if owner is None or move.currency is None or move.deposit_id is not None:
        return "open"
    if made in HOUSE or (made is not None and owner.purpose == "wallet"):
        return "made"
    return "missed" if reached and _is_final(evidence, evidence.height) else "open"


def _is_final(evidence: Evidence, height: int | None) -> bool:
    final = evidence.final_height
    return height is not None and final is not None and height <= final


def _missed(evidence: Evidence) -> str:
    command = f"`watchers rescan {evidence.network} --tx {evidence.tx}`"
    return f"its block was scanned without it: run {command}"


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "journal": entry.journal,
        "kind": entry.kind,
        "account": entry.account,
        "units": str(entry.units),
    }


def _verdict(move: Move, found: Sequence[Gate], fate: Fate, *, reached: bool) -> Verdict:
    if move.deposit_id is not None:
        return _stands(move)
    if fate == "made":
        return "internal"
    if move.owner is None or fate == "missed" or found[0].answer != "yes":
        return "not_credited"
    return "waiting" if reached else "unknown"


def _stands(move: Move) -> Verdict:
    """Judge a transfer that has a row."""
    if move.status in ("rejected", "reorged"):
        return "not_credited"
    if move.purpose in ("invoice", "customer", "merchant", "capital"):
        credited = any(entry.account != "suspense" for entry in move.entries)
        return "credited" if credited else "waiting"
    if move.purpose == "refund":
        return "refunded"
    return "internal" if move.purpose == "internal" else "unattributed"
