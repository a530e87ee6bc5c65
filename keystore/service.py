"""Use cases: what the keystore does for a request, in the order that keeps money safe."""

import re
from collections.abc import Mapping

import msgspec

from keystore import api, networks, policy
from keystore.derivation import INDEX_END
from keystore.journal import Answer, Journal
from keystore.keyring import Keyring
from keystore.logs import Log
from keystore.networks import solana
from keystore.refusal import Refused
from keystore.settings import NetworkSettings

_WITHDRAWAL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

Result = api.Status | api.Wallets | api.PoolRows | api.Signed


class Keystore:
    """An unlocked keystore. Not thread-safe: the server hands it one request at a time."""

    def __init__(
        self,
        *,
        settings: Mapping[str, NetworkSettings],
        keyring: Keyring,
        journal: Journal,
        log: Log,
    ) -> None:
        self._networks = settings
        self._keyring = keyring
        self._journal = journal
        self._log = log
        self._rules = {name: self._rules_of(name) for name in settings}

    def answer(self, request: api.Request) -> Result:
        """Do what `request` asks or raise `Refused`."""
        match request:
            case api.StatusRequest():
                return self._status()
            case api.WalletsRequest():
                family = self._rules_for(request.network).family
                return api.Wallets(wallets=self._keyring.wallets(family))
            case api.DerivePoolRequest():
                return self._derive_pool(request)
            case api.SignRequest():
                return self._sign(request.intent)
            case api.SignNonceSetupRequest():
                return self._sign_nonce_setup(request)

    def _status(self) -> api.Status:
        return api.Status(
            unlocked=True,
            pool_public_key=self._keyring.pool_public_key,
            networks=[
                api.NetworkStatus(network=name, family=network.family, test=network.test)
                for name, network in self._networks.items()
            ],
            signatures=self._journal.signatures,
        )

    def _derive_pool(self, request: api.DerivePoolRequest) -> api.PoolRows:
        rules = self._rules_for(request.network)
        first, count = request.first, request.count
        if not 1 <= count <= api.POOL_COUNT_MAX:
            raise Refused("bad_range", f"count: must lie between 1 and {api.POOL_COUNT_MAX}")
        if not 0 <= first <= INDEX_END - count:
            raise Refused("bad_range", f"first: must lie between 0 and {INDEX_END - count}")
        rows = self._keyring.pool_rows(request.network, rules.family, first, count)
        found = api.PoolRows(rows=list(rows))
        self._log.info("pool_derived", network=request.network, first=first, count=count)
        return found

    def _sign(self, asked: api.Intent) -> api.Signed:
        """Recall, else check and sign; every refusal of a well-formed intent is remembered."""
        rules = self._rules_for(asked.network)
        if networks.family_of(asked) != rules.family:
            raise Refused("wrong_family", f"family: {asked.network} is {rules.family}")
        if _WITHDRAWAL_ID.fullmatch(asked.withdrawal_id) is None:
            raise Refused("bad_field", "withdrawal_id: up to 64 of A-Z, a-z, 0-9, - and _")
        intent = networks.normal(asked)
        canonical = b"gw/withdrawal/v1\n" + msgspec.json.encode(intent, order="sorted")
        try:
            answer = self._journal.recall(intent.withdrawal_id, canonical)
            replayed = answer is not None
            answer = answer or self._sign_new(intent, canonical, rules)
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

    def _sign_new(self, intent: api.Intent, canonical: bytes, rules: policy.Rules) -> Answer:
        policy.require_allowed(intent, rules)
        payer = self._keyring.hot(rules.family)
        draft = networks.draft(intent, payer.address)

        def sign() -> Answer:
            signed = draft.sign(payer.key)
            return Answer(signed.raw, signed.tx_hash, payer.address)

        return self._journal.sign_once(
            intent.withdrawal_id,
            intent.network,
            intent=canonical,
            slot=draft.slot,
            sign=sign,
        )

    def _sign_nonce_setup(self, request: api.SignNonceSetupRequest) -> api.Signed:
        rules = self._rules_for(request.network)
        if rules.family != "solana":
            raise Refused("wrong_family", f"network: {request.network} has no nonce accounts")
        policy.require_test_network(rules)
        payer = self._keyring.hot("solana")
        draft = solana.nonce_setup(request, payer.address)
        signed = draft.sign(payer.key)
        answer = Answer(signed.raw, signed.tx_hash, payer.address)
        canonical = b"gw/nonce/v1\n" + msgspec.json.encode(request, order="sorted")
        self._journal.record_setup(draft.slot, request.network, canonical, answer)
        self._log.info("nonce_setup_signed", network=request.network, tx_hash=answer.tx_hash)
        return _wire(answer)

    def _rules_for(self, network: str) -> policy.Rules:
        rules = self._rules.get(network)
        if rules is None:
            raise Refused("unknown_network", "network: not in the keystore's settings")
        return rules

    def _rules_of(self, name: str) -> policy.Rules:
        network = self._networks[name]
        own = {wallet.address for wallet in self._keyring.wallets(network.family)}
        if network.family == "solana":
            hot = self._keyring.hot("solana").address
            own |= {solana.lane_account(hot, lane) for lane in range(solana.LANES)}
        return policy.Rules(
            network=name,
            family=network.family,
            test=network.test,
            chain_id=network.chain_id,
            own=frozenset(own),
        )


def _wire(answer: Answer) -> api.Signed:
    return api.Signed(raw=answer.raw.hex(), tx_hash=answer.tx_hash, sender=answer.sender)
