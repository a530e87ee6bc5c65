"""Pure: the gates that a transaction passes as a whole."""

from typing import Any

from watchers.explain import named
from watchers.explain.facts import Evidence, Gate, Seen


def gates(evidence: Evidence) -> tuple[Gate, ...]:
    """Return the gates that the transaction passes as a whole."""
    if evidence.named:
        return named.gates(evidence)
    return (_seen(evidence), _complete(evidence), _success(evidence), _scanned(evidence))


def _seen(evidence: Evidence) -> Gate:
    facts = [_said(seen) for seen in evidence.seen]
    having = sum(seen.height is not None for seen in evidence.seen)
    silent = sum(seen.height is None and seen.trouble is not None for seen in evidence.seen)
    shown = {"providers": facts}
    asked = len(evidence.seen)
    if having:
        return Gate("seen_by_provider", "yes", f"{having} of {asked} providers have it", shown)
    if silent:
        detail = f"{silent} of {asked} providers did not answer, the others do not have it"
        return Gate("seen_by_provider", "unknown", detail, shown)
    return Gate("seen_by_provider", "no", f"none of {asked} providers has it in a block", shown)


def _said(seen: Seen) -> dict[str, Any]:
    return {
        "provider": seen.provider,
        "height": seen.height,
        "block_hash": seen.block_hash,
        "complete": seen.complete,
        "success": seen.success,
        "trouble": seen.trouble,
    }


def _complete(evidence: Evidence) -> Gate:
    name = "block_complete"
    having = [seen for seen in evidence.seen if seen.height is not None]
    whole = [seen.provider for seen in having if seen.complete]
    hashes = sorted({seen.block_hash for seen in having if seen.block_hash is not None})
    shown = {"providers": whole, "block_hashes": hashes}
    if whole and len(hashes) > 1:
        return Gate(name, "no", "the providers show different blocks at this height", shown)
    if whole:
        return Gate(name, "yes", f"proved by {', '.join(whole)}", shown)
    if any(seen.complete is False for seen in having):
        troubles = "; ".join(seen.trouble or "" for seen in having if seen.complete is False)
        return Gate(name, "no", troubles or "no provider could prove it", shown)
    return Gate(name, "unknown", "no provider served the block", shown)


def _success(evidence: Evidence) -> Gate:
    said = {seen.success for seen in evidence.seen if seen.success is not None}
    if not said:
        return Gate("success", "unknown", "no provider served the block")
    if len(said) > 1:
        return Gate("success", "unknown", "the providers contradict each other")
    success = said.pop()
    detail = "it succeeded on chain" if success else "it failed on chain: nothing moved"
    return Gate("success", "yes" if success else "no", detail)


def _scanned(evidence: Evidence) -> Gate:
    name, height = "scanned", evidence.height
    shown = {
        "height": height,
        "scanned_height": evidence.scanned_height,
        "our_block_hash": evidence.our_hash,
    }
    if height is None or evidence.scanned_height is None:
        return Gate(name, "unknown", "its block or our own place is not known", shown)
    if evidence.scanned_height < height:
        left = height - evidence.scanned_height
        return Gate(name, "no", f"we are {left} blocks behind it", shown)
    theirs = {seen.block_hash for seen in evidence.seen if seen.block_hash is not None}
    if evidence.our_hash is None:
        return Gate(name, "no", "it lies before the first block that we scanned", shown)
    if theirs and evidence.our_hash not in theirs:
        return Gate(name, "no", "we scanned another block at this height", shown)
    return Gate(name, "yes", f"our scan stands at {evidence.scanned_height}", shown)
