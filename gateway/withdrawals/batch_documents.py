"""What the world sees of payouts that were asked for together."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from gateway.domain.errors import Refusal
from gateway.models import WithdrawalBatch
from gateway.withdrawals.documents import WithdrawalDocument


class ItemFault(msgspec.Struct, kw_only=True):
    """One refused field of an item, its pointer into the whole body."""

    pointer: str
    code: str
    detail: str


class ItemProblem(msgspec.Struct, kw_only=True):
    """Why one item was refused: what would have been the problem of a request by itself."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[ItemFault]


class BatchResult(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of one item: a withdrawal or a problem, never both and never neither.

    `withdrawal_id` names the withdrawal that a problem is about, where it stands already.
    """

    index: int
    withdrawal: WithdrawalDocument | None = None
    withdrawal_id: str | None = None
    problem: ItemProblem | None = None


class BatchDocument(msgspec.Struct, kw_only=True):
    """A batch and, in the answer to a call about all of it, a result per item."""

    id: str
    object: str
    livemode: bool
    merchant_id: str
    items: int
    created_by: str
    created_at: datetime
    succeeded: int
    refused: int
    data: list[BatchResult]


class BatchSummaryDocument(msgspec.Struct, kw_only=True):
    """A batch and how many of its withdrawals are in each state; refused items are in none."""

    id: str
    object: str
    livemode: bool
    merchant_id: str
    items: int
    created_by: str
    created_at: datetime
    statuses: dict[str, int]


def item_problem(refusal: Refusal) -> ItemProblem:
    """Shape the refusal of one item."""
    return ItemProblem(
        type=f"urn:cryptic-gateway:problem:{refusal.code}",
        title=refusal.code.replace("_", " ").capitalize(),
        status=refusal.status,
        detail=refusal.detail,
        code=refusal.code,
        errors=[
            ItemFault(pointer=each.pointer, code=each.code, detail=each.detail)
            for each in refusal.faults
        ],
    )


def batch_document(batch: WithdrawalBatch, results: Sequence[BatchResult]) -> BatchDocument:
    """Shape a batch with what became of each item."""
    succeeded = sum(each.withdrawal is not None for each in results)
    return BatchDocument(
        id=batch.id,
        object="withdrawal_batch",
        livemode=batch.livemode,
        merchant_id=batch.merchant_id,
        items=batch.items,
        created_by=batch.created_by,
        created_at=batch.created_at,
        succeeded=succeeded,
        refused=len(results) - succeeded,
        data=sorted(results, key=lambda each: each.index),
    )


def summary_document(
    batch: WithdrawalBatch, statuses: Mapping[str, int]
) -> BatchSummaryDocument:
    """Shape a batch as it stands."""
    return BatchSummaryDocument(
        id=batch.id,
        object="withdrawal_batch",
        livemode=batch.livemode,
        merchant_id=batch.merchant_id,
        items=batch.items,
        created_by=batch.created_by,
        created_at=batch.created_at,
        statuses=dict(statuses),
    )
