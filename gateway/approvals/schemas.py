"""Request bodies of approvers."""

from typing import Annotated

import msgspec

from gateway.approvals.proofs import KeyProof, PasskeyProof

Why = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"\S")]


class ApproveOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The approver's proof for exactly this order; the keystore proves it again."""

    proof: KeyProof | PasskeyProof


class RefuseOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why not. The signature of the request is kept with it."""

    reason: Why
