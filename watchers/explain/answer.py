"""Pure: an explanation as a JSON document with a stable schema, and as a table for people."""

from collections.abc import Iterable
from typing import Any

from watchers.explain.facts import Explained, Explanation, Gate


def document(explanation: Explanation) -> dict[str, Any]:
    """Return the explanation as JSON types; units are decimal strings."""
    return {
        "network": explanation.network,
        "tx": explanation.tx,
        "height": explanation.height,
        "verdict": explanation.verdict,
        "reason": explanation.reason,
        "gates": [_gate(gate) for gate in explanation.gates],
        "transfers": [_transfer(transfer) for transfer in explanation.transfers],
    }


def table(explanation: Explanation) -> str:
    """Return the explanation as lines."""
    lines = [
        f"{explanation.network} {explanation.tx}",
        f"{explanation.verdict}: {explanation.reason}",
        "",
    ]
    shown = explanation.gates
    if len(explanation.transfers) > 1:
        shown = shown[: len(shown) - len(explanation.transfers[0].gates)]
    lines += _lines(shown)
    for transfer in explanation.transfers:
        move = transfer.move
        name = move.currency or move.asset
        lines += ["", f"{move.kind} {move.position}: {move.units} units of {name} to {move.to}"]
        lines.append(f"  {transfer.verdict}")
        if len(explanation.transfers) > 1:
            lines += _lines(transfer.gates)
    return "\n".join(lines) + "\n"


def _lines(gates: Iterable[Gate]) -> list[str]:
    return [f"  {gate.gate:<18}{gate.answer:<9}{gate.detail}" for gate in gates]


def _gate(gate: Gate) -> dict[str, Any]:
    return {
        "gate": gate.gate,
        "answer": gate.answer,
        "detail": gate.detail,
        "evidence": dict(gate.evidence),
    }


def _transfer(transfer: Explained) -> dict[str, Any]:
    move = transfer.move
    return {
        "kind": move.kind,
        "position": move.position,
        "asset": move.asset,
        "payment_method": move.currency,
        "to": move.to,
        "units": str(move.units),
        "deposit_id": move.deposit_id,
        "status": move.status,
        "reason": move.reason,
        "verdict": transfer.verdict,
        "gates": [_gate(gate) for gate in transfer.gates],
    }
