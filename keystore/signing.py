"""One intent to signed bytes, in the order that keeps money safe, and every refusal remembered."""

from dataclasses import dataclass

import msgspec

from keystore import api, crash, movement, networks, policy
from keystore.approvals import approved_by
from keystore.entries import Answer, Ground
from keystore.facts import (
    ORDER_ID,
    Facts,
    known,
    require_payee,
    require_present,
    require_right_chain,
    require_test_network,
)
from keystore.journal import Journal
from keystore.keyring import Keyring
from keystore.logs import Log
from keystore.movement import House, Movement
from keystore.once import Replaces
from keystore.refusal import Refused
from keystore.refusals import Refusals
from keystore.rules import Payment, Policy, Proof
from keystore.spending import INTENT_MARK, Spending, read_intent

_BAD_ID = "#bad_id"
"""What a refusal stands under whose id is none; the intent beside it has it in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Signs what the policy lets go. Not thread-safe, like the journal it writes."""

    keyring: Keyring
    journal: Journal
    log: Log
    rulebook: Policy | None
    spending: Spending
    refusals: Refusals

    def sign(self, request: api.SignRequest, facts: Facts | None) -> Answer:
        """Recall, else check and sign; every refusal of a well-formed intent is remembered.

        `facts` are its network's, None where the keystore has no such network.
        """
        asked = request.intent
        named = ORDER_ID.fullmatch(asked.withdrawal_id) is not None
        intent = networks.normal(asked)
        canonical = INTENT_MARK + msgspec.json.encode(intent, order="sorted")
        try:
            _require_id(named=named)
            where = _fitting(known(facts), asked)
            answer = self.journal.recall(intent.withdrawal_id, canonical, _replaced_by(intent))
            replayed = answer is not None
            answer = answer or self._sign_new(intent, canonical, where, request)
        except Refused as refusal:
            subject = intent.withdrawal_id if named else _BAD_ID
            self.refusals.remember(subject, intent.network, canonical, refusal.code)
            raise
        signed = answer
        self.journal.afterwards(lambda: self._tell_signed(intent, signed, replayed=replayed))
        return answer

    def _tell_signed(self, intent: api.Intent, answer: Answer, *, replayed: bool) -> None:
        crash.reach("sign.remembered")
        self.log.info(
            "intent_signed",
            withdrawal_id=intent.withdrawal_id,
            network=intent.network,
            tx_hash=answer.tx_hash,
            replayed=replayed,
        )

    def _sign_new(
        self,
        intent: api.Intent,
        canonical: bytes,
        facts: Facts,
        request: api.SignRequest,
    ) -> Answer:
        if self.rulebook is None:
            require_test_network(facts)
        require_right_chain(intent, facts)
        require_present(intent, self.journal.clock)
        moved = self._understood(intent, facts)
        require_payee(moved, intent.withdrawal_id)
        draft = networks.draft(intent, moved.sender)

        def sign() -> Answer:
            crash.reach("sign.allowed")
            keys = (
                self.keyring.key(each.purpose, facts.family, each.index)
                for each in moved.signers
            )
            signed = draft.sign(*keys)
            return Answer(signed.raw, signed.tx_hash, moved.sender)

        return self.journal.sign_once(
            intent.withdrawal_id,
            intent.network,
            intent=canonical,
            slot=draft.slot,
            known=request.known,
            replaces=_replaced_by(intent),
            allow=lambda held: self._allow(intent, moved, draft.slot, request, held),
            sign=sign,
        )

    def _understood(self, intent: api.Intent, facts: Facts) -> Movement:
        def pool(index: int) -> str:
            return self.keyring.pool_address(facts.family, index)

        def cold(asset: str, to: str) -> bool:
            return policy.lists_cold(self.rulebook, intent.network, asset, to)

        house = House(facts.hot, facts.gas, facts.own, pool)
        return movement.understood(intent, house, cold)

    def _allow(
        self,
        intent: api.Intent,
        moved: Movement,
        slot: str,
        request: api.SignRequest,
        held: Ground | None,
    ) -> Ground:
        """Let the policy decide; without one, play money goes.

        `held` says why the transaction was signed in whose place this one stands, if any.
        """
        if moved.kind == "cancel" and held is None:
            raise Refused("nothing_to_cancel", "withdrawal_id: nothing was signed for it yet")
        counted = moved.units if held is None else 0
        if self.rulebook is None:
            return Ground("", counted)
        payment = Payment(
            network=intent.network,
            asset=moved.asset,
            to=moved.to,
            units=moved.units,
            fee=networks.fee_most(intent),
            counted=counted,
            kind=moved.kind,
            source=moved.source,
            slot=slot,
        )
        if held is not None:
            order, past = _order_of(held), self.spending.until_now()
            rule = policy.decide_again(self.rulebook, payment, held.rule, order, past)
            return Ground(rule.name, 0)
        return self._decided(self.rulebook, intent.withdrawal_id, payment, request)

    def _decided(
        self, rulebook: Policy, withdrawal_id: str, payment: Payment, request: api.SignRequest
    ) -> Ground:
        """Prove the approvals of a payout, and ask the rules; others need no approval."""
        past = self.spending.until_now()
        proof, told = None, None
        if request.order is not None and payment.kind == "payout":
            order = request.order
            now_ms = int(past.moment.timestamp() * 1000)
            policy.require_same(order, payment, withdrawal_id, now_ms)
            proof = Proof(order, approved_by(order, request.approvals, rulebook.approvers))
            told = msgspec.json.encode([order, request.approvals])
        rule = policy.decide(rulebook, payment, proof, past)
        return Ground(rule.name, payment.counted, told)


def _require_id(*, named: bool) -> None:
    if not named:
        raise Refused("bad_field", "withdrawal_id: up to 64 of A-Z, a-z, 0-9, - and _")


def _order_of(held: Ground) -> api.Order | None:
    """Return the order that was approved when the slot was taken."""
    if held.proof is None:
        return None
    order, _ = msgspec.json.decode(held.proof, type=tuple[api.Order, list[api.Approval]])
    return order


def _fitting(facts: Facts, intent: api.Intent) -> Facts:
    """Return the facts of an intent's network; refuse one of another family."""
    if networks.family_of(intent) != facts.family:
        raise Refused("wrong_family", f"family: {intent.network} is {facts.family}")
    return facts


def _replaced_by(intent: api.Intent) -> Replaces:
    return lambda old: networks.replaces(intent, read_intent(old))
