"""Creations of nonce accounts: the house's own, so the policy decides as over a sweep."""

from dataclasses import dataclass
from datetime import timedelta

import msgspec

from keystore import api, policy
from keystore.entries import Answer, Ground
from keystore.facts import Facts, known, require_test_network
from keystore.journal import Journal
from keystore.keyring import Keyring
from keystore.logs import Log
from keystore.networks import solana
from keystore.refusal import Refused
from keystore.refusals import Refusals
from keystore.rules import Payment, Policy
from keystore.spending import NONCE_MARK, Spending, fee_most

SETUPS_MAX = 10
"""Creations of one nonce lane that are signed within a day; one of them lands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """Signs the creation of Solana's nonce lanes."""

    keyring: Keyring
    journal: Journal
    log: Log
    rulebook: Policy | None
    spending: Spending
    refusals: Refusals

    def sign(self, request: api.SignNonceSetupRequest, facts: Facts | None) -> Answer:
        """Check and sign a creation, or recall it; every refusal is remembered."""
        network = request.network
        canonical = NONCE_MARK + msgspec.json.encode(request, order="sorted")
        try:
            answer = self._signed(request, canonical, known(facts))
        except Refused as refusal:
            # No withdrawal's id has a slash.
            lane = f"lane/{request.lane}"
            self.refusals.remember(lane, network, canonical, refusal.code)
            raise
        self.journal.afterwards(
            lambda: self.log.info("nonce_setup_signed", network=network, tx_hash=answer.tx_hash)
        )
        return answer

    def _signed(
        self, request: api.SignNonceSetupRequest, canonical: bytes, facts: Facts
    ) -> Answer:
        if facts.family != "solana":
            raise Refused("wrong_family", f"network: {request.network} has no nonce accounts")
        if self.rulebook is None:
            require_test_network(facts)
        draft = solana.nonce_setup(request, facts.hot)

        def sign() -> Answer:
            signed = draft.sign(self.keyring.key("hot", "solana"))
            return Answer(signed.raw, signed.tx_hash, facts.hot)

        return self.journal.setup_once(
            draft.slot,
            request.network,
            intent=canonical,
            allow=lambda: self._allow(draft.slot, canonical, request, facts.hot),
            sign=sign,
        )

    def _allow(
        self, lane: str, canonical: bytes, request: api.SignNonceSetupRequest, hot: str
    ) -> Ground:
        if self.rulebook is None:
            return Ground("", 0)
        past = self.spending.until_now()
        if self.journal.setups(lane, past.moment - timedelta(days=1)) >= SETUPS_MAX:
            raise Refused("too_many_setups", f"lane: {SETUPS_MAX} were signed within a day")
        payment = Payment(
            network=request.network,
            asset="native",
            to=solana.lane_account(hot, request.lane),
            units=0,
            fee=fee_most(canonical),
            counted=0,
            kind="nonce",
        )
        return Ground(policy.decide(self.rulebook, payment, None, past).name, 0)
