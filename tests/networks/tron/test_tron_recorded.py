"""Recorded Tron answers: what we decode equals an independent reading of the same bytes."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.networks.tron.documents import block, block_id, call_info, tx_id
from watchers.__main__ import main
from watchers.network import NATIVE, Block, Incomplete, Outcome, Transfer
from watchers.networks.tron.address import canonical
from watchers.networks.tron.inner import NEXT_VALUE
from watchers.networks.tron.recorded import decode_recorded
from watchers.networks.tron.transfers import TRANSFER_TOPIC
from watchers.recorded import Recorded

FIXTURES = Path(__file__).resolve().parents[4] / "shared/fixtures/tron"
USDT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
BLOCKS = sorted(FIXTURES.glob("*/*.getblockbynum.json"))
INNER_TX = "e14935e6144007163609bb49292897ba81bf7ee93bf28ba4cc5ebd0d6b95f4b9"


def recorded(name: str) -> bytes:
    """Return a recorded answer, or skip where the recordings are not beside the project."""
    path = FIXTURES / name
    if not path.exists():
        pytest.skip(f"recorded answers are not there: {path}")
    return path.read_bytes()


def decoded(block_document: Any, infos_document: Any, *assets: str) -> Block:
    """Decode documents as `watchers decode tron` does."""
    return decode_recorded(
        Recorded(
            block=msgspec.json.encode(block_document),
            infos=msgspec.json.encode(infos_document),
            assets=frozenset(assets),
        )
    )


def sums(transfers: tuple[Transfer, ...]) -> dict[tuple[str, str], int]:
    """Sum what each address received of each asset."""
    found: dict[tuple[str, str], int] = {}
    for each in transfers:
        key = (each.asset, each.recipient)
        found[key] = found.get(key, 0) + each.units
    return found


def surrounding(infos: list[dict[str, Any]], **transactions: dict[str, Any]) -> dict[str, Any]:
    """Return a block around recorded infos; only a bare call stands for each transaction."""
    height, time = infos[0]["blockNumber"], infos[0]["blockTimeStamp"]
    bare = {"type": "TriggerSmartContract", "parameter": {"value": {}}}
    listed = [
        transactions.get(info["id"])
        or {
            "txID": info["id"],
            "ret": [{"contractRet": info["receipt"].get("result", "SUCCESS")}],
            "raw_data": {"contract": [bare]},
        }
        for info in infos
    ]
    made = block(*listed, height=height)
    made["block_header"]["raw_data"]["timestamp"] = time
    return made


@pytest.mark.skipif(not BLOCKS, reason=f"no recorded blocks at {FIXTURES}")
@pytest.mark.parametrize("path", BLOCKS, ids=lambda path: path.stem)
def test_every_recorded_block_decodes_to_the_same_sums(path: Path) -> None:
    """Every contract that it names is listed; the sums come straight from the JSON."""
    body = path.read_bytes()
    infos_body = path.with_name(
        path.name.replace("getblockbynum", "gettransactioninfobyblocknum")
    ).read_bytes()
    expected: dict[tuple[str, str], int] = {}
    tokens = set()
    for info in json.loads(infos_body):
        for log in info.get("log", []):
            token, to = canonical(log["address"]), canonical(log["topics"][2][-40:])
            tokens.add(token)
            expected[token, to] = expected.get((token, to), 0) + int(log["data"], 16)
    seen = decode_recorded(Recorded(body, infos=infos_body, assets=frozenset(tokens)))
    assert expected
    assert sums(seen.transfers) == expected
    assert seen.ref.hash == json.loads(body)["blockID"]
    assert set(seen.outcomes) == {each["txID"] for each in json.loads(body)["transactions"]}


def test_a_recorded_block_shows_its_token_transfer() -> None:
    """Block 23079502 of a test network as a node answered it."""
    files = Recorded(
        recorded("peatio/23079502.getblockbynum.json"),
        infos=recorded("peatio/23079502.gettransactioninfobyblocknum.json"),
        assets=frozenset({"4170082243784dcdf3042034e7b044d6d342a91360"}),
    )
    seen = decode_recorded(files)
    tx_hash = "404af98b6f35de3e42546db8bf5de5ed94236d96ca66917c86f026a792a85d00"
    assert seen.ref.hash == "0000000001602a4ef16949cc9141f9c288a6968893c4b87d76095c36e43184c7"
    assert seen.transfers == (
        Transfer(
            tx_hash,
            "token",
            0,
            canonical("4170082243784dcdf3042034e7b044d6d342a91360"),
            canonical("41bdadc90ce073c4464b03fcd9ccc8ea0a26b5132b"),
            canonical("4175f6a3be1bf8d02e6f82ec24e210e91acec38be8"),
            100_000_000_000_000_000_000,
        ),
    )
    payer = canonical("41bdadc90ce073c4464b03fcd9ccc8ea0a26b5132b")
    assert seen.outcomes == {
        tx_hash: Outcome(success=True, payer_spent_units=8_329_200, payer=payer)
    }


def test_a_recorded_block_with_its_infos_missing_is_incomplete() -> None:
    """The same block without its infos, or with none of them, is refused."""
    body = recorded("peatio/23079502.getblockbynum.json")
    for infos in (None, b"[]", b"{}"):
        with pytest.raises(Incomplete, match="infos"):
            decode_recorded(Recorded(body, infos=infos))


def test_recorded_transactions_of_mainnet_pay_what_their_log_says() -> None:
    """55 USDT calls of block 78115149, two of them under a permission of several keys."""
    listed = json.loads(recorded("untron/78115149.gettransactionbyid_list.json"))
    moves = json.loads(recorded("untron/78115149.trc20_txs.encoded.json"))["trc20Txs"]
    assert any("Permission_id" in each["raw_data"]["contract"][0] for each in listed)
    infos: list[dict[str, Any]] = []
    expected: dict[tuple[str, str], int] = {}
    for each in moves:
        topics = [TRANSFER_TOPIC, _word(each["fromTron"]), _word(each["toTron"])]
        log = {
            "address": each["tronTokenEvm"][2:],
            "topics": topics,
            "data": f"{int(each['amount']):064x}",
        }
        infos.append(call_info("x", log=[log]) | {"id": each["txId"][2:]})
        to = canonical(each["toTron"][2:])
        expected[USDT, to] = expected.get((USDT, to), 0) + int(each["amount"])
    made = surrounding(infos, **{each["txID"]: each for each in listed})
    assert 0 in expected.values(), "one of them moves nothing and is no payment"
    paid = {key: units for key, units in expected.items() if units}
    assert sums(decoded(made, infos, USDT).transfers) == paid


def _word(address: str) -> str:
    return "0" * 24 + address[-40:]


def test_recorded_usdt_infos_count_by_result() -> None:
    """Of a successful, an out-of-energy and a plain info, only the first moves USDT."""
    infos = json.loads(recorded("docs/usdt_infos_success_and_OUT_OF_ENERGY.json"))
    seen: list[Transfer] = []
    for info in infos:
        seen += decoded(surrounding([info]), [info], USDT).transfers
    assert [(each.asset, each.units) for each in seen] == [(USDT, 3_500_000)]
    assert [info["receipt"].get("result") for info in infos] == [
        "SUCCESS",
        "OUT_OF_ENERGY",
        None,
    ]


def test_case_47_recorded_inner_calls_count_moved_trx_alone() -> None:
    """A recorded transaction moves TRX and TRC-10 1004777, and undelegates 822994 TRX."""
    infos = json.loads(recorded("cipherowl/67325788.raw_block_trace_tx_info.EXCERPT.json"))
    seen = decoded(surrounding(infos), infos, "1004777")
    assert {each.asset for each in seen.transfers} == {NATIVE}
    assert [(each.ordinal, each.units) for each in seen.transfers] == [
        (0, 200),
        (1, 1_000),
        (3, 100_000),
        (6, 1_424_255_258),
    ]
    asset = [each for each in seen.strays() if each.asset == "1004777"]
    assert [(each.ordinal % NEXT_VALUE, each.units) for each in asset] == [
        (1, 10**15),
        (2, 1_100),
        (3, 100),
    ]
    assert {each.kind for each in seen.transfers} == {"internal"}
    names = [(each.tx_hash, each.kind, each.ordinal) for each in seen.transfers]
    assert len(set(names)) == len(names)
    assert {each.tx_hash for each in seen.transfers} == {INNER_TX}
    assert seen.internal


def test_an_envelope_and_a_hex_asset_are_read_as_they_are_meant() -> None:
    """A recorder's JSON-RPC envelope is tolerated; a contract may be named in any spelling."""
    infos = json.loads(recorded("docs/usdt_infos_success_and_OUT_OF_ENERGY.json"))[:1]
    made = surrounding(infos)
    hexadecimal = "a614f803b6fd780986a42c78ec9c7f77e6ded13c"
    for asset in (USDT, f"41{hexadecimal}", hexadecimal.upper(), f"0x{hexadecimal}"):
        answers = [{"jsonrpc": "2.0", "id": 1, "result": each} for each in (made, infos)]
        seen = decoded(answers[0], answers[1], asset)
        assert [(each.asset, each.units) for each in seen.transfers] == [(USDT, 3_500_000)]
    with pytest.raises(ValueError, match="asset: not a Tron address"):
        decoded(made, infos, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u")


def test_recipients_are_found_in_any_spelling(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list of `--to` may hold base58, hex with or without 41 and 0x, and strangers."""
    infos = json.loads(recorded("docs/usdt_infos_success_and_OUT_OF_ENERGY.json"))[:1]
    (tmp_path / "block").write_text(json.dumps(surrounding(infos)))
    (tmp_path / "infos").write_text(json.dumps(infos))
    words = ["tron", "--block", str(tmp_path / "block"), "--infos", str(tmp_path / "infos")]
    digits = "cdae4e9a6287333a3f7df432b050af7b17e79e63"
    base58 = canonical(digits)
    for spelled in (base58, f"41{digits}", digits.upper(), f"0x{digits}", f"0x41{digits}"):
        (tmp_path / "to").write_text(f"nobody\n{spelled}\n")
        assert main(["decode", *words, "--asset", USDT, "--to", str(tmp_path / "to")]) == 0
        out, err = capsys.readouterr()
        [line] = out.splitlines()
        assert json.loads(line)["to"] == base58
        assert err == f"watchers decode: {tmp_path / 'to'} line 1: 'nobody' is no address\n"
    assert main(["decode", *words, "--asset", "USDT"]) == 2
    assert "asset: not a Tron address: 'USDT'" in capsys.readouterr().err


def test_a_recorded_contradiction_counts_as_failed() -> None:
    """Nobody can be asked again, and the other payments of the block stand."""
    infos = json.loads(recorded("docs/usdt_infos_success_and_OUT_OF_ENERGY.json"))[:1]
    made = surrounding(infos)
    made["transactions"][0]["ret"] = [{"contractRet": "REVERT"}]
    seen = decoded(made, infos, USDT)
    assert seen.transfers == ()
    assert not seen.outcomes[infos[0]["id"]].success


def test_a_file_of_another_family_cannot_be_meant() -> None:
    """Left unread it would look as if it had been understood."""
    body = msgspec.json.encode(block())
    for files in (Recorded(body, receipts=b"[]"), Recorded(body, traces=b"[]")):
        with pytest.raises(ValueError, match="has infos"):
            decode_recorded(files)


@pytest.mark.parametrize("result", [{}, {"result": None}])
def test_the_error_of_a_recorded_envelope_is_told(result: dict[str, None]) -> None:
    """Its words are the reason, not that the block has none."""
    said = msgspec.json.encode({"id": 1, "error": {"code": 7, "message": "too old"}} | result)
    for files in (Recorded(said), Recorded(msgspec.json.encode(block()), infos=said)):
        with pytest.raises(Incomplete, match="too old"):
            decode_recorded(files)


@pytest.mark.parametrize("body", [b"[]", b"7", b'{"Error": "busy"}', b'{"result": {}}', b"{}"])
def test_what_is_no_recorded_block_is_incomplete(body: bytes) -> None:
    """One line says so; nothing is printed as if the block were empty."""
    with pytest.raises(Incomplete):
        decode_recorded(Recorded(body))


def test_a_recorded_block_without_transactions_needs_no_infos() -> None:
    """There is nothing that they could say."""
    seen = decode_recorded(Recorded(msgspec.json.encode(block())))
    assert (seen.transfers, len(seen.outcomes)) == ((), 0)
    assert seen.ref.hash == block_id(seen.ref.height)
    assert tx_id("a") not in seen.outcomes


@pytest.mark.parametrize("infos", [None, b"[]", b"{}"])
def test_a_header_alone_is_no_block_without_transactions(infos: bytes | None) -> None:
    """`detail: false` leaves the transactions out, and only the header's root tells of them."""
    alone = block()
    raw = alone["block_header"]["raw_data"]
    raw["txTrieRoot"] = "00" * 32
    files = Recorded(msgspec.json.encode(alone), infos=infos)
    assert decode_recorded(files).transfers == ()
    raw["txTrieRoot"] = tx_id("root")
    with pytest.raises(Incomplete, match="announces transactions"):
        decode_recorded(Recorded(msgspec.json.encode(alone), infos=infos))
