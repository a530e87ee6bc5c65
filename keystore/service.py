"""Use cases: what the keystore does for a request, in the order that keeps money safe."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import assert_never

from keystore import api, policy_view
from keystore.clock import APART, since_boot
from keystore.derivation import INDEX_END
from keystore.entries import Answer
from keystore.facts import Facts, facts_of, known
from keystore.journal import Journal
from keystore.journal_file import spelled
from keystore.keyring import Keyring
from keystore.lanes import Lanes
from keystore.logs import Log
from keystore.networks import solana
from keystore.refusal import Refused
from keystore.refusals import Refusals
from keystore.rules import Policy
from keystore.settings import NetworkSettings
from keystore.signing import Signer
from keystore.spending import Spending, read_intent

Result = api.Status | api.Wallets | api.PoolRows | api.Signed | api.History | api.Rules


class Keystore:
    """An unlocked keystore. Not thread-safe: the server hands it one request at a time."""

    def __init__(
        self,
        *,
        settings: Mapping[str, NetworkSettings],
        keyring: Keyring,
        journal: Journal,
        log: Log,
        rulebook: Policy | None = None,
        boot: Callable[[], timedelta] = since_boot,
    ) -> None:
        self._rulebook = rulebook
        self._networks = settings
        self._keyring = keyring
        self._journal = journal
        self._log = log
        self._facts = {name: facts_of(name, each, keyring) for name, each in settings.items()}
        self._spending = Spending(journal, rulebook)
        self._refusals = Refusals(journal, log, boot)
        self._signer = Signer(
            keyring=keyring,
            journal=journal,
            log=log,
            rulebook=rulebook,
            spending=self._spending,
            refusals=self._refusals,
        )
        self._lanes = Lanes(
            keyring=keyring,
            journal=journal,
            log=log,
            rulebook=rulebook,
            spending=self._spending,
            refusals=self._refusals,
        )

    def together(self) -> AbstractContextManager[None]:
        """Answer a group: what it writes is on disk, with one fsync, when the block has ended.

        No answer may leave before. On any exception but `Refused` nothing of it is written.
        """
        return self._journal.together()

    def answer(self, request: api.Request) -> Result:
        """Do what `request` asks or raise `Refused`; outside a group it is on disk at once."""
        found: Result
        match request:
            case api.StatusRequest():
                found = self._status()
            case api.WalletsRequest():
                found = self._wallets(request)
            case api.DerivePoolRequest():
                found = self._derive_pool(request)
            case api.SignRequest():
                found = _wire(
                    self._signer.sign(request, self._facts.get(request.intent.network))
                )
            case api.SignNonceSetupRequest():
                found = _wire(self._lanes.sign(request, self._facts.get(request.network)))
            case api.HistoryRequest():
                found = self._history(request)
            case api.RulesRequest():
                found = self._rules(request)
            case _:
                assert_never(request)
        return found

    def _status(self) -> api.Status:
        clock, journal_at = self.clock()
        return api.Status(
            clock=clock,
            journal_at=journal_at,
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
            refusals_unwritten=self._refusals.unwritten,
            policy=self._rulebook.fingerprint if self._rulebook else "",
        )

    def clock(self) -> tuple[api.ClockState, str]:
        """Return how the clock stands, and the journal's own time where it is far ahead of it."""
        try:
            ahead = (newest := self._journal.now()) - self._journal.clock()
        except Refused:
            return "jumped", ""
        return ("behind", spelled(newest)) if ahead > APART else ("right", "")

    def _wallets(self, request: api.WalletsRequest) -> api.Wallets:
        family = self._facts_of(request.network).family
        if not 1 <= request.lanes <= solana.LANES:
            raise Refused("bad_range", f"lanes: must lie between 1 and {solana.LANES}")
        return api.Wallets(wallets=self._keyring.wallets(family, request.lanes))

    def _derive_pool(self, request: api.DerivePoolRequest) -> api.PoolRows:
        facts = self._facts_of(request.network)
        first, count = request.first, request.count
        if not 1 <= count <= api.POOL_COUNT_MAX:
            raise Refused("bad_range", f"count: must lie between 1 and {api.POOL_COUNT_MAX}")
        if not 0 <= first <= INDEX_END - count:
            raise Refused("bad_range", f"first: must lie between 0 and {INDEX_END - count}")
        if request.issue and first > self._journal.issued(request.network):
            raise Refused("bad_range", "first: rows below it were never issued")
        rows = self._keyring.pool_rows(request.network, facts.family, first, count)
        found = api.PoolRows(rows=list(rows))
        if request.issue:
            self._journal.issue(request.network, first + count)
        self._journal.afterwards(
            lambda: self._log.info(
                "pool_derived", network=request.network, first=first, count=count
            )
        )
        return found

    def _history(self, request: api.HistoryRequest) -> api.History:
        self._facts_of(request.network)
        if request.after < 0:
            raise Refused("bad_range", "after: must not be below 0")
        found = self._journal.history(request.network, request.after, api.HISTORY_COUNT_MAX)
        return api.History(
            payments=[
                api.Remembered(
                    intent=read_intent(intent),
                    signed=_wire(answer),
                )
                for intent, answer in found
            ]
        )

    def _rules(self, request: api.RulesRequest) -> api.Rules:
        self._facts_of(request.network)
        if request.after < 0:
            raise Refused("bad_range", "after: must not be below 0")
        past = self._spending.until_now()
        return policy_view.shown(self._rulebook, request.network, request.after, past)

    def _facts_of(self, network: str) -> Facts:
        return known(self._facts.get(network))


def _wire(answer: Answer) -> api.Signed:
    return api.Signed(
        raw=answer.raw.hex(),
        tx_hash=answer.tx_hash,
        sender=answer.sender,
        number=answer.number,
    )
