"""Pure: why a transaction was or was not credited, gate by gate.

A payment passes these gates in this order. `unknown` means that nobody could say, because a node
did not answer or because an earlier gate is closed.
"""

from collections.abc import Sequence

from watchers.explain import transaction, transfer
from watchers.explain.facts import Evidence, Explained, Explanation, Gate, Verdict


def explain(evidence: Evidence) -> Explanation:
    """Open or close every gate."""
    common = transaction.gates(evidence)
    reached = _open(common)
    transfers = tuple(
        transfer.explained(evidence, move, reached=reached) for move in evidence.moves
    )
    furthest = max(transfers, key=_reach, default=None)
    if furthest is None:
        nothing = "no transfer to an address of ours is known in it"
        if evidence.blind:
            nothing += f": {transfer.BLIND}"
        vague = evidence.blind or any(gate.answer == "unknown" for gate in common)
        verdict: Verdict = "unknown" if vague else "not_credited"
        below = tuple(Gate(name, "unknown", nothing) for name in transfer.NAMES)
    else:
        below, verdict = furthest.gates, furthest.verdict
    gates = (*common, *below)
    closed = next((gate for gate in gates if gate.answer != "yes"), None)
    reason = "every gate is open" if closed is None else f"{closed.gate}: {closed.detail}"
    return Explanation(
        evidence.network, evidence.tx, evidence.height, verdict, reason, gates, transfers
    )


def gates(evidence: Evidence) -> list[Gate]:
    """Return the gates of the transaction and of its furthest transfer to us."""
    return list(explain(evidence).gates)


def _open(gates_: Sequence[Gate]) -> bool:
    return all(gate.answer == "yes" for gate in gates_)


def _reach(explained: Explained) -> int:
    return sum(gate.answer == "yes" for gate in explained.gates)
