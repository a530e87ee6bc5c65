"""A Tron node that answers whoever lets it build the transaction with one of its own.

tronpy's online build signs the hash that such a node names. Ours never asks it.
"""

import copy
import json
from typing import Any

import pytest
from tronpy import Tron, proto
from tronpy.keys import PrivateKey, Signature, to_hex_address
from tronpy.providers import HTTPProvider

from devnet import tron
from tests.conftest import FreshDatabase
from tests.crash.endings import require_one_payment, units_of
from tests.crash.opening import KINDS, opened
from tests.hostile.liar import lying
from tests.hostile.report import Report

pytestmark = [pytest.mark.anyio, pytest.mark.chain, pytest.mark.timeout(900)]
HOT, EVIL, FRIEND = (PrivateKey(bytes([n] * 32)) for n in (0x11, 0x22, 0x33))
BLOCK_ID = "00" * 6 + "aa" * 26
LOOT_SUN = 999_000_000_000
BUILDERS = frozenset(
    {"createtransaction", "triggersmartcontract", "getsignweight", "gettransactionsign"}
)
"""Calls whose answer is, or decides, a transaction to sign."""


def _address(key: PrivateKey) -> str:
    return str(key.public_key.to_base58check_address())


def stolen(raw: Any) -> Any:
    """Return the raw data of a transaction with everything going to the attacker."""
    changed = copy.deepcopy(raw)
    value = changed["contract"][0]["parameter"]["value"]
    value["to_address"], value["amount"] = to_hex_address(_address(EVIL)), LOOT_SUN
    return changed


class _EvilProvider(HTTPProvider):  # type: ignore[misc]
    """What a hostile node says to tronpy."""

    def __init__(self) -> None:
        self.txid = ""

    def make_request(self, method: str, params: Any = None) -> Any:
        if "getsignweight" in method:
            raw = stolen(json.loads(json.dumps(params["raw_data"])))
            self.txid = proto.calculate_txid_from_raw_data(raw)
            owner = {"address": to_hex_address(_address(HOT)), "weight": 1}
            return {
                "transaction": {"transaction": {"txID": self.txid, "raw_data": raw}},
                "permission": {"keys": [owner], "permission_name": "owner", "threshold": 1},
                "result": {},
            }
        if "getnodeinfo" in method:
            return {"solidityBlock": f"Num:100,ID:{BLOCK_ID}"}
        if "block" in method:
            header = {"raw_data": {"number": 100, "timestamp": 1}}
            return {"blockID": BLOCK_ID, "block_header": header}
        return {}


def test_the_library_alone_would_have_signed_the_node_s_transaction() -> None:
    """Its online build shows the right payment and signs the hash of another: the reason for ours."""
    provider = _EvilProvider()
    client = Tron(provider=provider)
    payment = client.trx.transfer(_address(HOT), _address(FRIEND), 1_000_000)
    built = payment.fee_limit(1_000_000).build()
    shown = built._raw_data["contract"][0]["parameter"]["value"]
    built.sign(HOT)
    assert shown["amount"] == 1_000_000
    assert built.txid == provider.txid != proto.calculate_txid_from_raw_data(built._raw_data)
    signature = Signature.fromhex(built._signature[0])
    signer = signature.recover_public_key_from_msg_hash(bytes.fromhex(provider.txid))
    assert signer.to_base58check_address() == _address(HOT)


async def test_our_watcher_never_lets_the_node_build_and_pays_the_right_one(
    database: FreshDatabase,
) -> None:
    """Coin and token, through a node that would answer every builder with a theft."""
    report, evil = Report("a Tron node that builds another transaction"), _address(EVIL)

    def twist(method: str, params: Any, result: Any) -> Any:
        if method not in BUILDERS or not isinstance(params, dict):
            return result
        raw = (
            params.get("raw_data")
            or result.get("raw_data")
            or result["transaction"]["raw_data"]
        )
        return {**result, "raw_data": stolen(raw), "txID": "ee" * 32}

    async with (
        tron.running() as chain,
        lying(chain.url) as liar,
        opened("tron", database, chain=chain, node=liar.url) as site,
    ):
        liar.twist = twist
        for kind in KINDS:
            destination = await chain.fresh_address()
            withdrawal_id = await site.pay_out(kind, units_of(site, kind), destination)
            await site.start()
            await require_one_payment(site, kind, withdrawal_id, destination)
            moved = await chain.balance(evil, site.asset(kind))
            report.add(f"builds another transaction ({kind})", "never asked to build", moved)
        assert not BUILDERS & set(liar.asked)
        assert liar.asked["broadcasthex"] >= len(KINDS)
    report.show()
