"""Whether a Tron node keeps inner payments is seen on one that is known, or not known at all."""

from typing import Any

import pytest

from tests.fakes.chain import FakeChain, Move
from tests.fakes.network import FakeReader
from tests.networks.tron.scripted_node import scripted
from watchers.networks.tron.capabilities import probe
from watchers.providers.capabilities import INTERNAL
from watchers.providers.witness import Witness
from watchers.rpc import Endpoints

pytestmark = pytest.mark.anyio
TX = "ab" * 32
INFO = {"id": TX, "blockNumber": 7}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (INFO | {"internal_transactions": [{"hash": "cd" * 32}]}, True),
        (INFO | {"internal_transactions": []}, False),
        (INFO, False),
        ({}, None),
        (INFO | {"id": "cd" * 32}, None),
        ({"Error": "class java.lang.NullPointerException"}, None),
        (b"<html>", None),
        (b"[]", None),
    ],
)
async def test_case_49_a_known_inner_payment_tells(answer: Any, found: bool | None) -> None:
    """A node that does not know the transaction proves nothing."""
    async with scripted(gettransactioninfobyid=answer) as node:
        endpoints = Endpoints([node.url])
        assert await probe(endpoints, TX) == {INTERNAL: found}
        await endpoints.aclose()


async def test_case_49_without_a_known_payment_nothing_is_claimed() -> None:
    """And nothing is asked."""
    async with scripted() as node:
        endpoints = Endpoints([node.url])
        assert await probe(endpoints, None) == {}
        await endpoints.aclose()
    assert node.asked == []


async def test_case_49_an_inner_payment_in_a_block_shows_that_they_are_kept() -> None:
    """Until then it is not claimed."""
    chain = FakeChain(seed=1)
    to = await chain.fresh_address()
    await chain.pay(to, 5)
    chain.submit([Move(to, 5, kind="internal")])
    await chain.mine()
    endpoints = Endpoints(["http://node"])
    node = endpoints.node("node")
    reader = FakeReader(chain, chain.chain_id, frozenset())
    witness = Witness(reader, node, endpoints, endpoints.clock)
    await witness.read(1)
    assert not endpoints.offers(INTERNAL)
    await witness.read(2)
    assert endpoints.offers(INTERNAL)
