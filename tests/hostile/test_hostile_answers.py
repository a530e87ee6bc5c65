"""Whatever a node answers is trouble in the world: waited out or refused, never a bug of ours.

One node among several honest ones would otherwise stop a network's watcher for everybody, and stop
it again after each restart.
"""

from collections.abc import Awaitable, Iterator
from contextlib import AsyncExitStack, suppress
from typing import Any

import msgspec
import pytest
from aiohttp import web

from gateway.models import Currency
from gateway.settings import AssetSettings, NetworkSettings
from tests.campaign import Figures
from tests.hostile.absurd import ETHEREUM_ID, SOLANA_ID, TOKENS, TRON_ID, Absurd
from watchers import families
from watchers.chain import Chain
from watchers.destination import Prospect
from watchers.loops import TROUBLE
from watchers.network import (
    NATIVE,
    BroadcastRejected,
    Incomplete,
    NodeUnavailable,
    PayoutOrder,
    Refused,
    Slot,
    WrongChain,
)
from watchers.providers.breaker import Breaker
from watchers.reconcile.balances import Holding
from watchers.sweep.hands import Job, Source, Underfunded

pytestmark = [pytest.mark.anyio, pytest.mark.campaign]

ROUNDS, ROUNDS_LONG = 40, 3_000
IDENTITIES = {"ethereum": ETHEREUM_ID, "tron": TRON_ID, "solana": SOLANA_ID}
OURS = {
    "ethereum": "0x" + "11" * 20,
    "tron": "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8",
    "solana": "9B5XszUGdMaxCZ7uSQhPzdks5ZQSmWxrmzCSvtJ6Ns6g",
}
THEIRS = {
    "ethereum": "0x" + "22" * 20,
    "tron": "TN3W4H6rK2ce4vX9YnFQHwKENnHjoxb3m9",
    "solana": "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk",
}
TOKEN = {
    "ethereum": "0x" + "aa" * 20,
    "tron": "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
    "solana": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGkZwyTDt1v",
}
TX = {"ethereum": "0x" + "22" * 32, "tron": "22" * 32, "solana": "5" * 88}
SENT = {
    "family": "ethereum",
    "max_fee_per_gas": "100",
    "max_priority_fee_per_gas": "1",
    "gas_limit": 21_000,
    "asset": NATIVE,
    "to": OURS["ethereum"],
    "units": "0",
}
WAITED_OUT = (*TROUBLE, BroadcastRejected, Underfunded, WrongChain)


@pytest.fixture
async def absurd_node() -> Any:
    """Yield a function that serves a family's absurd node and returns its address."""
    async with AsyncExitStack() as stack:

        async def serve(family: str, node: Absurd) -> str:
            async def answer(request: web.Request) -> web.Response:
                asked = msgspec.json.decode(await request.read())
                if family == "tron":
                    return _json(node.tron(request.path, asked))
                said = node.ethereum if family == "ethereum" else node.solana
                many = asked if isinstance(asked, list) else [asked]
                told = [
                    {"id": each["id"], "result": said(each["method"], each["params"])}
                    for each in many
                ]
                return _json(told if isinstance(asked, list) else told[0])

            app = web.Application()
            app.router.add_post("/{path:.*}", answer)
            runner = web.AppRunner(app)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            return f"http://{host}:{port}"

        yield serve


def _json(value: Any) -> web.Response:
    # The standard library writes the integers that msgspec refuses.
    return web.json_response(value)


@pytest.mark.parametrize("family", sorted(IDENTITIES))
async def test_absurd_answers_are_trouble_and_no_bug(
    absurd_node: Any, family: str, long: bool, figures: Figures
) -> None:
    """Every question of every loop, whatever the node says."""
    node = Absurd(seed=5)
    chain, network = _connected(family, await absurd_node(family, node))
    asked = 0
    for _round in range(ROUNDS_LONG if long else ROUNDS):
        for question in _questions(family, network, chain, node):
            _forgive(chain)
            asked += 1
            with suppress(*WAITED_OUT):
                await question
    await chain.endpoints.aclose()
    figures(f"{family}: {asked} questions to a node that answers absurdly")


def _connected(family: str, url: str) -> tuple[Chain, NetworkSettings]:
    program = TOKENS if family == "solana" else None
    token = {"code": "T", "decimals": 6, "contract": TOKEN[family], "token_program": program}
    network = NetworkSettings(
        family=family,  # type: ignore[arg-type]
        display_name=family,
        identity=IDENTITIES[family],
        rpc_urls=[url],
        assets=[AssetSettings(code="C", decimals=9), msgspec.convert(token, AssetSettings)],
    )
    currencies = [
        Currency(id="C", code="C", contract=None, decimals=9, token_program=None),
        Currency(id="T", **token),
    ]
    return families.connect(family, network, currencies), network


def _forgive(chain: Chain) -> None:
    """Ask the node again, however often it failed."""
    witnesses: Any = chain.witnesses
    for witness in witnesses.values():
        witness.node.breaker = Breaker()


def _questions(
    family: str, network: NetworkSettings, chain: Chain, node: Absurd
) -> Iterator[Awaitable[Any]]:
    """Yield what the loops ask: eyes, balances, quotes, looks at destinations and assets, hands."""
    ours, theirs, token = OURS[family], THEIRS[family], TOKEN[family]
    asset = node.one(NATIVE, token)
    balances = families.balance_readers(network, chain.endpoints)
    reader = chain.reader
    yield from (reader.check_identity(), reader.tip(), reader.ref_at(5), reader.read(5))
    yield reader.balance(ours, asset)
    yield balances.observe([Holding(ours, NATIVE), Holding(ours, token)], 5)
    yield families.fee_quoter(network, chain.endpoints).quote(asset, ours)
    inspector = families.destination_inspector(network, chain.endpoints)
    yield inspector.inspect(Prospect(asset, 6, theirs, 1000, ours))
    yield families.asset_inspector(network, chain.endpoints).inspect(token, [ours, theirs])
    witness: Any = next(iter(chain.witnesses.values()))
    yield families.locator(family).locate(witness.reader, TX[family])
    yield from _hands(family, network, chain, asset)


def _hands(
    family: str, network: NetworkSettings, chain: Chain, asset: str
) -> Iterator[Awaitable[Any]]:
    ours, theirs, writer = OURS[family], THEIRS[family], chain.writer
    slot = Slot(nonce=1, nonce_account="SysvarC1ock11111111111111111111111111111111")
    order = PayoutOrder("wdr_1", asset, 6, theirs, 1000, ours, 10**16)
    yield from (writer.next_nonce(ours), writer.prepare(order, slot))
    yield writer.broadcast(b"\x01" * 9)
    hands: Any = families.sweep_hands(family, network, chain.endpoints)
    yield hands.cost(asset, theirs, ours)
    job = Job(asset, 6, ours, theirs, 10**15, (Source(0, theirs, 1000),))
    yield from (hands.prepare(step, job, "swo_1", slot) for step in hands.steps)
    if family == "ethereum":
        evm: Any = writer
        yield evm.outbid(SENT, ceiling_units=10**15, overdue=True)
        yield evm.vacate(SENT, ours, ceiling_units=10**15)
    if family == "tron":
        yield from (hands.borrowers(ours), hands.stake(5, "hou_1"))
    if chain.lanes:
        yield chain.lanes.nonce_setup(ours, 0)
        yield chain.lanes.nonce_account_state(ours)


@pytest.mark.parametrize("trouble", [NodeUnavailable, Incomplete, Refused, BroadcastRejected])
def test_words_of_a_node_hold_nothing_that_a_column_cannot(trouble: type[Exception]) -> None:
    """A merchant's own contract chooses why it reverts: a NUL in it once ended the watcher."""
    assert str(trouble("reverted: a\x00b\ud800\u202e")) == "reverted: a b  "
