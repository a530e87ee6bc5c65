"""One intent to signed bytes, in the order that keeps money safe, and every refusal remembered."""

import re
from datetime import datetime

import msgspec

from keystore import api, crash, movement, networks, policy
from keystore.approvals import approved_by
from keystore.journal import Answer, Ground, Journal, Replaces
from keystore.keyring import Keyring
from keystore.logs import Log
from keystore.movement import House, Movement
from keystore.refusal import Refused

_INTENT_MARK = b"gw/withdrawal/v1\n"
_WITHDRAWAL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Signer:
    """Signs what the policy lets go. Not thread-safe, like the journal it writes."""

    def __init__(
        self,
        *,
        keyring: Keyring,
        journal: Journal,
        log: Log,
        rulebook: policy.Policy | None,
    ) -> None:
        self._keyring = keyring
        self._journal = journal
        self._log = log
        self._rulebook = rulebook

    def sign(self, request: api.SignRequest, facts: policy.Facts) -> Answer:
        """Recall, else check and sign; every refusal of a well-formed intent is remembered."""
        asked = request.intent
        if networks.family_of(asked) != facts.family:
            raise Refused("wrong_family", f"family: {asked.network} is {facts.family}")
        if _WITHDRAWAL_ID.fullmatch(asked.withdrawal_id) is None:
            raise Refused("bad_field", "withdrawal_id: up to 64 of A-Z, a-z, 0-9, - and _")
        intent = networks.normal(asked)
        canonical = _INTENT_MARK + msgspec.json.encode(intent, order="sorted")
        try:
            answer = self._journal.recall(intent.withdrawal_id, canonical, _replaced_by(intent))
            replayed = answer is not None
            answer = answer or self._sign_new(intent, canonical, facts, request)
            crash.reach("sign.remembered")
        except Refused as refusal:
            self._journal.record_refusal(
                intent.withdrawal_id, intent.network, canonical, refusal.code
            )
            self._log.warning(
                "intent_refused", withdrawal_id=intent.withdrawal_id, code=refusal.code
            )
            raise
        self._log.info(
            "intent_signed",
            withdrawal_id=intent.withdrawal_id,
            network=intent.network,
            tx_hash=answer.tx_hash,
            replayed=replayed,
        )
        return answer

    def _sign_new(
        self,
        intent: api.Intent,
        canonical: bytes,
        facts: policy.Facts,
        request: api.SignRequest,
    ) -> Answer:
        if self._rulebook is None:
            policy.require_test_network(facts)
        policy.require_right_chain(intent, facts)
        moved = self._understood(intent, facts)
        policy.require_payee(moved)
        draft = networks.draft(intent, moved.sender)

        def sign() -> Answer:
            crash.reach("sign.allowed")
            leaves = (
                self._keyring.signer(each.purpose, facts.family, each.index)
                for each in moved.signers
            )
            signed = draft.sign(*(leaf.key for leaf in leaves))
            return Answer(signed.raw, signed.tx_hash, moved.sender)

        return self._journal.sign_once(
            intent.withdrawal_id,
            intent.network,
            intent=canonical,
            slot=draft.slot,
            known=request.known,
            replaces=_replaced_by(intent),
            allow=lambda held_by: self._allow(intent, moved, request, held_by),
            sign=sign,
        )

    def _understood(self, intent: api.Intent, facts: policy.Facts) -> Movement:
        def pool(index: int) -> str:
            return self._keyring.signer("pool", facts.family, index).address

        def cold(asset: str, to: str) -> bool:
            return policy.lists_cold(self._rulebook, intent.network, asset, to)

        house = House(facts.hot, facts.gas, facts.own, pool)
        return movement.understood(intent, house, cold)

    def _allow(
        self, intent: api.Intent, moved: Movement, request: api.SignRequest, held_by: str | None
    ) -> Ground:
        """Let the policy decide; without one, play money goes.

        `held_by` is the rule of the transaction in whose place this one stands, if any.
        """
        if moved.kind == "cancel" and held_by is None:
            raise Refused("nothing_to_cancel", "withdrawal_id: nothing was signed for it yet")
        counted = moved.units if held_by is None else 0
        if self._rulebook is None:
            return Ground("", counted)
        fee = networks.fee_most(intent)
        payment = policy.Payment(
            network=intent.network,
            asset=moved.asset,
            to=moved.to,
            units=moved.units,
            fee=fee,
            counted=counted,
            kind=moved.kind,
            source=moved.source,
        )
        if held_by is not None and moved.kind == "cancel":
            return Ground(policy.cancels(self._rulebook, payment, held_by).name, 0)
        return self._decided(self._rulebook, intent.withdrawal_id, payment, request)

    def _decided(
        self,
        rulebook: policy.Policy,
        withdrawal_id: str,
        payment: policy.Payment,
        request: api.SignRequest,
    ) -> Ground:
        """Prove the approvals of a payout, and ask the rules; others need no approval."""
        moment = self._journal.now()
        proof, told = None, None
        if request.order is not None and payment.kind == "payout":
            order = request.order
            now_ms = int(moment.timestamp() * 1000)
            policy.require_same(order, payment, withdrawal_id, now_ms)
            proof = policy.Proof(
                order, approved_by(order, request.approvals, rulebook.approvers)
            )
            told = msgspec.json.encode([order, request.approvals])
        spent = spent_until(self._journal, moment)
        rule = policy.decide(rulebook, payment, proof, spent)
        return Ground(rule.name, payment.counted, told)


def spent_until(journal: Journal, moment: datetime) -> policy.Spent:
    """Return what the journal says about the time before a moment."""
    return lambda rule, time: journal.spent(rule.name, moment - time)


def read_intent(canonical: bytes) -> api.Intent:
    """Read an intent back from the bytes that the journal keeps."""
    intent: api.Intent = msgspec.json.decode(
        canonical.removeprefix(_INTENT_MARK), type=api.Intent
    )
    return intent


def _replaced_by(intent: api.Intent) -> Replaces:
    return lambda old: networks.replaces(intent, read_intent(old))
