"""What no transaction of the chain carries is explained too: by our own name, or by its block."""

from dataclasses import replace

import pytest

from devnet import anvil
from devnet.contracts import cases
from gateway.db import CROSS_TENANT
from gateway.deposits import service as deposits
from gateway.deposits.service import Desk
from tests.conftest import FreshDatabase
from tests.fakes.chain import Move
from tests.fakes.network import FakeReader, FakeWriter
from tests.watchers.asking import answering, asking
from tests.watchers.explaining import explained, explainer
from tests.watchers.recon_world import counted
from tests.watchers.test_counted_once import Untraced
from tests.watchers.test_questions import explain
from tests.watchers.world import DUE_UNITS, NETWORK, PUBLIC_KEY, PUBLIC_URL, World, world
from watchers.addresses import arrivals
from watchers.chain import Chain
from watchers.clock import now
from watchers.explain.answer import document
from watchers.explain.explainer import Explainer
from watchers.families import locator
from watchers.network import NATIVE, Block, Transfer

pytestmark = pytest.mark.anyio


async def found(w: World, name: str, kind: str) -> str:
    """Record and credit what no transaction carries, in the final block; return its name."""
    ref = w.chain.blocks[w.scanner.position.final_height].ref
    name = name.format(hash=ref.hash)
    transfer = Transfer(name, kind, 0, NATIVE, "", w.assigned, DUE_UNITS)
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        hit = (Block(ref, ()), transfer)
        made = await arrivals(session, NETWORK, w.scanner.currencies, w.scanner.book, [hit])
        await deposits.record(Desk(session, now(), PUBLIC_URL), made, w.scanner.heads)
    await w.scan()
    return name


@pytest.mark.parametrize(
    ("name", "kind"), [("withdrawal:5", "withdrawal"), ("balance:{hash}:0xab", "balance")]
)
async def test_our_own_names_are_explained_from_our_rows(
    database: FreshDatabase, name: str, kind: str
) -> None:
    """No node knows such a name: the row is the evidence, and it passes every gate."""
    async with world(database) as w:
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        name = await found(w, name, kind)
        for asker in (None, "mer_1"):
            answer = await explained(w, name, asker)
            assert (answer["verdict"], answer["reason"]) == ("credited", "every gate is open")
            assert answer["height"] == w.scanner.position.final_height
        other = await explained(w, name, "mer_other")
        nowhere = await explained(w, "withdrawal:6", "mer_other")
        assert other == nowhere | {"tx": name}, "a stranger learns not even that there is a row"
        assert (nowhere["verdict"], nowhere["transfers"]) == ("unknown", [])


async def test_the_api_takes_our_own_names(database: FreshDatabase) -> None:
    """A colon is no reason to refuse what our own documents show; nonsense still is."""
    async with world(database) as w, asking(database, w) as api, answering(w):
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        name = await found(w, "withdrawal:5", "withdrawal")
        key = await api.key("mer_1")
        answer = await explain(api, key, name)
        assert (answer.status_code, answer.json()["verdict"]) == (200, "credited")
        refused = await explain(api, key, "withdrawal:x")
        assert refused.json()["errors"][0]["pointer"] == "/tx"


async def test_a_balance_that_rose_in_a_block_without_traces_is_shown(
    database: FreshDatabase,
) -> None:
    """The payer's hash finds what was credited for it, though no node shows the transfer."""
    async with world(database) as w:
        blind = Untraced(w.chain, w.chain.chain_id, frozenset({w.chain.token}))
        w.scanner.reader = blind
        stranger = await w.chain.fresh_address()
        moves = [Move(stranger, 1), Move(w.assigned, DUE_UNITS, kind="internal")]
        tx_hash = w.chain.submit(moves)
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        await found(w, "balance:{hash}:0xab", "balance")
        for asker, verdict in (
            (None, "credited"),
            ("mer_1", "credited"),
            ("x", "not_credited"),
        ):
            answer = document(await seeing(w, blind).explain(tx_hash, asker))
            assert answer["verdict"] == verdict, answer
            kinds = [each["kind"] for each in answer["transfers"]]
            assert kinds == (["native"] if asker == "x" else ["balance", "native"])
        plain = await w.chain.pay(w.free, 5)
        assert plain != tx_hash
        answer = document(await seeing(w, blind).explain(plain))
        assert [each["kind"] for each in answer["transfers"]] == ["native"]


async def test_a_transaction_without_a_transfer_and_without_traces_is_not_denied(
    database: FreshDatabase,
) -> None:
    """Nobody looked inside its contracts: that is no `not_credited`."""
    async with world(database) as w:
        blind = Untraced(w.chain, w.chain.chain_id, frozenset({w.chain.token}))
        tx_hash = w.chain.submit([Move(w.assigned, DUE_UNITS, kind="internal")])
        await w.chain.mine()
        await w.scan()
        answer = document(await seeing(w, blind).explain(tx_hash))
        assert answer["verdict"] != "not_credited"
        stranger = await w.chain.fresh_address()
        tx_hash = w.chain.submit([Move(stranger, 1, kind="internal")])
        await w.chain.mine()
        await w.scan()
        answer = document(await seeing(w, blind).explain(tx_hash))
        assert answer["verdict"] == "unknown"
        assert "inside contracts" in answer["reason"]


@pytest.mark.chain
async def test_a_contracts_payment_is_explained_by_its_hash_on_a_node_without_traces(
    database: FreshDatabase,
) -> None:
    """On a real node: nothing denies it before the reconciler credits it, and it is found after."""
    async with anvil.running() as chain, counted(database, chain) as w:
        contract = await chain.create(cases.fixed_forwarder(w.assigned))
        sent = await chain.transact(to=contract, value=hex(DUE_UNITS), data="0x")
        tx_hash = await chain.included(sent)
        node = Chain(w.scanner.reader, FakeWriter(w.chain, NETWORK), w.endpoints)
        asked = Explainer(NETWORK, node, locator("ethereum"), w.database, PUBLIC_KEY, 20)
        await w.bury()
        before = document(await asked.explain(tx_hash))
        assert "no node shows what moves inside contracts" in before["reason"]
        assert "watchers reconcile NETWORK --address" in before["reason"]
        await w.settle()
        await w.settle()
        found = document(await asked.explain(tx_hash, "mer_1"))
        assert (found["verdict"], found["transfers"][0]["kind"]) == ("credited", "balance")
        [deposit] = await w.balance_deposits()
        named = document(await asked.explain(deposit.tx_hash, "mer_1"))
        assert (named["verdict"], named["height"]) == ("credited", found["height"])
        ours = next(each for each in named["gates"] if each["gate"] == "address_ours")
        assert "in this block, or below it where no node keeps older states" in ours["detail"]


def seeing(w: World, reader: FakeReader) -> Explainer:
    """Return an explainer whose only provider is this one."""
    made = explainer(w)
    chain = replace(made.chain, reader=reader, witnesses={"a.example": reader})
    return replace(made, chain=chain)
