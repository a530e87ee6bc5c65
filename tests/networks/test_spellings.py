"""Case 75 on recorded blocks: however a node spells an address, the same one is paid."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from tests.networks.ethereum.recordings import WITH_TRACES, beside, recorded
from watchers.network import Block
from watchers.networks.ethereum.recorded import decode_recorded as decode_ethereum
from watchers.networks.tron.address import canonical
from watchers.networks.tron.recorded import decode_recorded as decode_tron
from watchers.recorded import Recorded

TRON = WITH_TRACES[0].parents[2] / "tron" if WITH_TRACES else None
Spell = Callable[[str], str]

pytestmark = pytest.mark.skipif(not WITH_TRACES, reason="no recorded blocks")


def respelled(document: Any, pattern: str, spell: Spell) -> bytes:
    """Return a document in which every whole text of this pattern is spelled otherwise."""
    text = json.dumps(document)
    return re.sub(f'"({pattern})"', lambda found: f'"{spell(found[1])}"', text).encode()


@pytest.mark.parametrize(
    "spell",
    [to_checksum_address, lambda text: "0x" + text[2:].upper()],
    ids=["checksum", "upper"],
)
def test_case_75_a_recorded_block_in_another_spelling_pays_the_same(spell: Spell) -> None:
    """Ethereum: senders, recipients, contracts and frames in the case of EIP-55, or in capitals."""
    path = min(WITH_TRACES, key=lambda each: each.stat().st_size)
    told = [recorded(each) for each in (path, beside(path, "receipts"), beside(path, "traces"))]
    tokens = frozenset(log["address"] for each in told[1] for log in each["logs"])

    def decoded(spell: Spell) -> Block:
        spelled = [respelled(each, "0x[0-9a-f]{40}", spell) for each in told]
        block, receipts, traces = spelled
        return decode_ethereum(Recorded(block, receipts, traces, assets=tokens))

    plain, other = decoded(str), decoded(spell)
    assert {each.kind for each in plain.transfers} >= {"native", "token", "internal"}
    assert other == plain


@pytest.mark.parametrize("spell", [str.upper, canonical], ids=["upper", "base58"])
def test_case_75_a_recorded_tron_block_in_another_spelling_pays_the_same(spell: Spell) -> None:
    """Hex in capitals, or base58 as a node writes it where `visible` was asked for."""
    assert TRON is not None
    names = ("getblockbynum", "gettransactioninfobyblocknum")
    told = [json.loads((TRON / f"peatio/23079502.{name}.json").read_text()) for name in names]
    listed = frozenset({told[1][0]["log"][0]["address"]})

    def decoded(spell: Spell) -> Block:
        block, infos = (respelled(each, "(?:41)?[0-9a-f]{40}", spell) for each in told)
        return decode_tron(Recorded(block, infos=infos, assets=listed))

    plain, other = decoded(str), decoded(spell)
    assert {each.kind for each in plain.transfers} == {"token"}
    assert other.transfers == plain.transfers
    assert dict(other.outcomes) == dict(plain.outcomes)
