"""The gateway and the keystore mean the same order: `tests/vectors/order.json` ties them."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.approvals import proofs
from gateway.approvals.credentials import request_message
from gateway.domain.policy import PolicyApprover
from keystore import api
from keystore.approving import wire

VECTORS: dict[str, Any] = msgspec.json.decode(
    (Path(__file__).parents[2] / "vectors" / "order.json").read_bytes()
)
APPROVER = PolicyApprover(name="alice", kind="key", public_key=VECTORS["public_key"])


@pytest.mark.parametrize("vector", VECTORS["orders"], ids=lambda v: v["order"]["withdrawal_id"])
def test_both_houses_sign_the_same_order(vector: dict[str, Any]) -> None:
    """The bytes are the same, so a proof made for one holds for the other."""
    order = msgspec.convert(vector["order"], proofs.Order)
    assert proofs.message(order).hex() == vector["message"]
    assert api.order_message(api.Order(**vector["order"])).hex() == vector["message"]
    proof = proofs.KeyProof(approver="alice", signature=vector["signature"])
    assert proofs.holds(proof, APPROVER, order)


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda v: v["method"])
def test_both_houses_sign_the_same_request(vector: dict[str, Any]) -> None:
    """What the command signs is what the door expects."""
    asked = (vector["method"], vector["target"], vector["body"].encode(), vector["at"])
    assert request_message(*asked).hex() == vector["message"]
    assert wire.request_message(*asked).hex() == vector["message"]


def test_a_proof_of_the_wrong_kind_or_shape_does_not_hold() -> None:
    """Whatever stands in the policy and whatever is sent: false, never an exception."""
    vector = VECTORS["orders"][0]
    order = msgspec.convert(vector["order"], proofs.Order)
    good = proofs.KeyProof(approver="alice", signature=vector["signature"])
    short = proofs.KeyProof(approver="alice", signature="00")
    odd = proofs.KeyProof(approver="alice", signature="000")
    empty = proofs.PasskeyProof(
        approver="alice", authenticator_data="00", client_data="00", signature="00"
    )
    passkey = msgspec.structs.replace(APPROVER, kind="passkey")
    cases: list[tuple[proofs.Proof, PolicyApprover]] = [
        (short, APPROVER), (odd, APPROVER), (empty, APPROVER), (good, passkey),
        (empty, passkey), (good, msgspec.structs.replace(APPROVER, public_key="00")),
    ]  # fmt: skip
    for proof, approver in cases:
        assert not proofs.holds(proof, approver, order)
