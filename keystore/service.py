"""Use cases: what the keystore does for a request, in the order that keeps money safe."""

import re
from collections.abc import Mapping

import msgspec

from keystore import api, networks, policy
from keystore.approvals import approved_by
from keystore.derivation import INDEX_END
from keystore.journal import Answer, Ground, Journal, Replaces
from keystore.keyring import Keyring
from keystore.logs import Log
from keystore.networks import solana
from keystore.refusal import Refused
from keystore.settings import NetworkSettings

_INTENT_MARK = b"gw/withdrawal/v1\n"
_WITHDRAWAL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

Result = api.Status | api.Wallets | api.PoolRows | api.Signed | api.History


class Keystore:
    """An unlocked keystore. Not thread-safe: the server hands it one request at a time."""

    def __init__(
        self,
        *,
        settings: Mapping[str, NetworkSettings],
        keyring: Keyring,
        journal: Journal,
        log: Log,
        rulebook: policy.Policy | None = None,
    ) -> None:
        self._rulebook = rulebook
        self._networks = settings
        self._keyring = keyring
        self._journal = journal
        self._log = log
        self._facts = {name: self._facts_from(name) for name in settings}

    def answer(self, request: api.Request) -> Result:
        """Do what `request` asks or raise `Refused`."""
        match request:
            case api.StatusRequest():
                return self._status()
            case api.WalletsRequest():
                family = self._facts_of(request.network).family
                return api.Wallets(wallets=self._keyring.wallets(family))
            case api.DerivePoolRequest():
                return self._derive_pool(request)
            case api.SignRequest():
                return self._sign(request)
            case api.SignNonceSetupRequest():
                return self._sign_nonce_setup(request)
            case api.HistoryRequest():
                return self._history(request)

    def _status(self) -> api.Status:
        return api.Status(
            unlocked=True,
            pool_public_key=self._keyring.pool_public_key,
            networks=[
                api.NetworkStatus(
                    network=name,
                    family=network.family,
                    test=network.test,
                    issued=self._journal.issued(name),
                )
                for name, network in self._networks.items()
            ],
            signatures=self._journal.signatures,
            policy=self._rulebook.fingerprint if self._rulebook else "",
        )

    def _derive_pool(self, request: api.DerivePoolRequest) -> api.PoolRows:
        facts = self._facts_of(request.network)
        first, count = request.first, request.count
        if not 1 <= count <= api.POOL_COUNT_MAX:
            raise Refused("bad_range", f"count: must lie between 1 and {api.POOL_COUNT_MAX}")
        if not 0 <= first <= INDEX_END - count:
            raise Refused("bad_range", f"first: must lie between 0 and {INDEX_END - count}")
        rows = self._keyring.pool_rows(request.network, facts.family, first, count)
        found = api.PoolRows(rows=list(rows))
        if request.issue:
            self._journal.issue(request.network, first + count)
        self._log.info("pool_derived", network=request.network, first=first, count=count)
        return found

    def _sign(self, request: api.SignRequest) -> api.Signed:
        """Recall, else check and sign; every refusal of a well-formed intent is remembered."""
        asked = request.intent
        facts = self._facts_of(asked.network)
        if networks.family_of(asked) != facts.family:
            raise Refused("wrong_family", f"family: {asked.network} is {facts.family}")
        if _WITHDRAWAL_ID.fullmatch(asked.withdrawal_id) is None:
            raise Refused("bad_field", "withdrawal_id: up to 64 of A-Z, a-z, 0-9, - and _")
        intent = networks.normal(asked)
        canonical = _INTENT_MARK + msgspec.json.encode(intent, order="sorted")
        try:
            answer = self._journal.recall(intent.withdrawal_id, canonical, _replaced_by(intent))
            replayed = answer is not None
            answer = answer or self._sign_new(intent, canonical, request)
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
        return _wire(answer)

    def _sign_new(
        self, intent: api.Intent, canonical: bytes, request: api.SignRequest
    ) -> Answer:
        facts = self._facts_of(intent.network)
        if self._rulebook is None:
            policy.require_test_network(facts)
        policy.require_sound(intent, facts)
        payer = self._keyring.hot(facts.family)
        draft = networks.draft(intent, payer.address)

        def sign() -> Answer:
            signed = draft.sign(payer.key)
            return Answer(signed.raw, signed.tx_hash, payer.address)

        return self._journal.sign_once(
            intent.withdrawal_id,
            intent.network,
            intent=canonical,
            slot=draft.slot,
            known=request.known,
            replaces=_replaced_by(intent),
            allow=lambda replacing: self._allow(intent, request, replacing=replacing),
            sign=sign,
        )

    def _allow(
        self, intent: api.Intent, request: api.SignRequest, *, replacing: bool
    ) -> Ground:
        """Let the policy decide; without one, play money goes."""
        units = int(intent.units)
        counted = 0 if replacing else units
        if self._rulebook is None:
            return Ground("", counted)
        moment = self._journal.now()
        fee = networks.fee_most(intent)
        payment = policy.Payment(intent.network, intent.asset, intent.to, units, fee, counted)
        proof, told = None, None
        if request.order is not None:
            order = request.order
            now_ms = int(moment.timestamp() * 1000)
            policy.require_same(order, payment, intent.withdrawal_id, now_ms)
            known = self._rulebook.approvers
            proof = policy.Proof(order, approved_by(order, request.approvals, known))
            told = msgspec.json.encode([order, request.approvals])
        rule = policy.decide(
            self._rulebook,
            payment,
            proof,
            lambda rule, hours: self._journal.spent(rule.name, moment - hours),
        )
        return Ground(rule.name, counted, told)

    def _sign_nonce_setup(self, request: api.SignNonceSetupRequest) -> api.Signed:
        facts = self._facts_of(request.network)
        if facts.family != "solana":
            raise Refused("wrong_family", f"network: {request.network} has no nonce accounts")
        if self._rulebook is None:
            policy.require_test_network(facts)
        payer = self._keyring.hot("solana")
        draft = solana.nonce_setup(request, payer.address)
        signed = draft.sign(payer.key)
        answer = Answer(signed.raw, signed.tx_hash, payer.address)
        canonical = b"gw/nonce/v1\n" + msgspec.json.encode(request, order="sorted")
        self._journal.record_setup(draft.slot, request.network, canonical, answer)
        self._log.info("nonce_setup_signed", network=request.network, tx_hash=answer.tx_hash)
        return _wire(answer)

    def _history(self, request: api.HistoryRequest) -> api.History:
        self._facts_of(request.network)
        if request.after < 0:
            raise Refused("bad_range", "after: must not be below 0")
        found = self._journal.history(request.network, request.after, api.HISTORY_COUNT_MAX)
        return api.History(
            payments=[
                api.Remembered(
                    intent=_read(intent),
                    signed=_wire(answer),
                )
                for intent, answer in found
            ]
        )

    def _facts_of(self, network: str) -> policy.Facts:
        facts = self._facts.get(network)
        if facts is None:
            raise Refused("unknown_network", "network: not in the keystore's settings")
        return facts

    def _facts_from(self, name: str) -> policy.Facts:
        network = self._networks[name]
        own = {wallet.address for wallet in self._keyring.wallets(network.family)}
        if network.family == "solana":
            hot = self._keyring.hot("solana").address
            own |= {solana.lane_account(hot, lane) for lane in range(solana.LANES)}
        return policy.Facts(
            network=name,
            family=network.family,
            test=network.test,
            chain_id=network.chain_id,
            own=frozenset(own),
        )


def _wire(answer: Answer) -> api.Signed:
    return api.Signed(
        raw=answer.raw.hex(),
        tx_hash=answer.tx_hash,
        sender=answer.sender,
        number=answer.number,
    )


def _read(canonical: bytes) -> api.Intent:
    intent: api.Intent = msgspec.json.decode(
        canonical.removeprefix(_INTENT_MARK), type=api.Intent
    )
    return intent


def _replaced_by(intent: api.Intent) -> Replaces:
    return lambda old: networks.replaces(intent, _read(old))
