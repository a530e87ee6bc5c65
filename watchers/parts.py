"""What the loops of a watcher are made of: each part from the network's settings, chain and position."""

import importlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from gateway.db import Database
from gateway.domain.money import to_units
from gateway.models import Currency
from gateway.settings import NetworkSettings, Settings
from keystore.client import KeystoreClient
from watchers.addresses import AddressBook
from watchers.assets.checks import AssetChecks
from watchers.chain import Chain
from watchers.desk.decisions import Decisions
from watchers.desk.destinations import Destinations
from watchers.desk.questions import Answers
from watchers.explain.explainer import Explainer
from watchers.families import (
    asset_inspector,
    balance_readers,
    destination_inspector,
    fee_quoter,
    locator,
    sweep_hands,
)
from watchers.network import ChainReader
from watchers.pay.adoption import looked_up
from watchers.pay.lanes import Lanes
from watchers.pay.orders import Orders
from watchers.pay.payouts import Payouts
from watchers.policy import Policies
from watchers.pool import Pool
from watchers.providers.witness import Witness
from watchers.quotes import Quotes
from watchers.reconcile.balances import gained
from watchers.reconcile.credit import Credits
from watchers.reconcile.signatures import Signatures
from watchers.scan.evidence import large_units
from watchers.scan.scanner import Scanner
from watchers.store import Position
from watchers.sweep import keeper, rounds


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that one network's process holds, and what it builds from that."""

    name: str
    settings: Settings
    network: NetworkSettings
    chain: Chain
    currencies: Sequence[Currency]
    database: Database
    keystore: KeystoreClient
    book: AddressBook

    @property
    def public_url(self) -> str:
        """Where payers reach the checkout."""
        return self.settings.api.public_url

    def pool(self, position: Position) -> Pool:
        """Keep enough addresses that nobody has."""
        return Pool(self.name, self.network, self.database, self.keystore, self.book, position)

    def policies(self) -> Policies:
        """Publish what the keystore would allow."""
        return Policies(self.name, self.database, self.keystore)

    def scanner(self, position: Position) -> Scanner:
        """Read blocks and follow them to finality."""
        balances = balance_readers(self.network, self.chain.endpoints)
        states = balances.nodes if balances.historic else {}
        return Scanner(
            self.chain.reader,
            self.database,
            self.currencies,
            self.book,
            position,
            self.public_url,
            dense=self.chain.dense,
            switches=lambda: self.chain.endpoints.switches,
            witnesses=self.chain.witnesses,
            quorum=self.network.witnesses_needed,
            quorum_above=large_units(self.network, self.currencies),
            gains={label: partial(gained, node) for label, node in states.items()},
            locate=locator(self.network.family).locate,
            seals=self.chain.seals,
            verify=self.chain.writer.verify,
            lone_word=self.network.trusts_one,
        )

    def payouts(self, position: Position) -> Payouts:
        """Pay what was approved."""
        return Payouts(
            self.name,
            self.network,
            self.chain,
            self.database,
            self.keystore,
            position,
            locate=partial(looked_up, locator(self.network.family).locate, self._nodes()),
        )

    def lanes(self, position: Position) -> Lanes:
        """Make the durable nonces that a network wants."""
        return Lanes(self.name, self.chain, self.database, position, self.network.nonce_lanes)

    def orders(self, position: Position) -> Orders:
        """Ask people where the policy of the keystore wants them."""
        return Orders(self.name, self.network, self.database, position)

    def sweeping(self, position: Position) -> rounds.Sweeping:
        """Gather what lies in the pool; also where none is begun, the house's own are followed."""
        keeper.register(self.database, self.public_url)
        return rounds.compose(
            self.name,
            self.network,
            self.chain,
            self.currencies,
            sweep_hands(self.name, self.network, self.chain.endpoints),
            database=self.database,
            position=position,
            public_key=self.settings.keystore.pool_public_key,
            fee_is_alone=balance_readers(self.network, self.chain.endpoints).fee_is_alone,
        )

    def credits(self, position: Position) -> Credits:
        """Compare balances with what is known, and credit what came silently."""
        balances = balance_readers(self.network, self.chain.endpoints)
        return Credits(
            self.name,
            balances,
            balances.nodes,
            self.network.witnesses_needed,
            self.database,
            self.currencies,
            self.book,
            position,
            self.public_url,
            large_units(self.network, self.currencies),
        )

    def signatures(self) -> Signatures:
        """Compare the keystore's journal with our rows."""
        return Signatures(self.name, self.database, self.keystore, self.currencies)

    def assets(self) -> AssetChecks:
        """Look again at every listed contract."""
        inspector = asset_inspector(self.network, self.chain.endpoints)
        return AssetChecks(self.name, self.network, inspector, self.database, self.currencies)

    def decisions(self, position: Position) -> Decisions:
        """Carry out what operators decided about misdirected funds."""
        public_key = self.settings.keystore.pool_public_key
        return Decisions(self.name, self.database, position, self.public_url, public_key)

    def quotes(self) -> Quotes:
        """Publish what a payout would cost."""
        native = next(each for each in self.currencies if each.contract is None)
        ceiling = to_units(self.network.fee_ceiling, native.decimals)
        quoter = fee_quoter(self.network, self.chain.endpoints)
        return Quotes(self.name, self.database, quoter, self.currencies, ceiling)

    def answers(self) -> Answers:
        """Answer what needs the node: explanations and looks at destinations."""
        public_key = self.settings.keystore.pool_public_key
        family = locator(self.network.family)
        explainer = Explainer(self.name, self.chain, family, self.database, public_key)
        inspector = destination_inspector(self.network, self.chain.endpoints)
        looked = Destinations(self.name, self.database, inspector, self.currencies)
        return Answers(self.name, self.database, explainer, looked)

    def player(self, position: Position) -> Callable[[], Awaitable[object]]:
        """Play payers of test invoices.

        Loaded here and not above: where money is real this code is not even in the process.
        """
        loading = importlib.import_module("watchers.simulate.loading")
        player = loading.player(
            self.name,
            self.network,
            self.chain,
            self.database,
            position=position,
            public_url=self.public_url,
        )
        round_: Callable[[], Awaitable[object]] = player.round
        return round_

    def _nodes(self) -> Sequence[ChainReader]:
        """Return a reader of each node."""
        readers = [
            each.reader if isinstance(each, Witness) else each
            for each in self.chain.witnesses.values()
        ]
        return readers or [self.chain.reader]
