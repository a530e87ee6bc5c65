"""The envelope is read strictly, and the longest reply still fits its line."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystore import api, wire
from keystore.refusal import Refused
from tests.keystore.house import ethereum_intent, solana_intent, tron_intent

REQUESTS: list[api.Request] = [
    api.StatusRequest(),
    api.WalletsRequest(network="tron"),
    api.DerivePoolRequest(network="tron", first=0, count=5),
    api.SignRequest(intent=ethereum_intent()),
    api.SignRequest(intent=tron_intent()),
    api.SignRequest(intent=solana_intent("x")),
    api.SignNonceSetupRequest(network="solana", lane=0, blockhash="b", lamports=1),
]


def code_of(line: bytes) -> str:
    """Return the code that a line is refused with."""
    with pytest.raises(Refused) as refused:
        wire.read_request(line)
    return refused.value.code


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: type(r).__name__)
def test_every_request_survives_the_wire(request_: api.Request) -> None:
    """One line out, the same request in, in the documented envelope."""
    line = wire.request_line(request_)

    assert wire.read_request(line) == request_
    assert line.count(b"\n") == 1
    assert set(msgspec.json.decode(line)) == {"v", "method", "params"}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b"{\n",
        b"\xff\xfe\n",
        b"[" * 60_000,
        b'{"v":1,"method":"status"}',
        b'{"v":2,"method":"status","params":{}}',
        b'{"v":1.0,"method":"status","params":{}}',
        b'{"v":1,"method":"status","params":{},"sudo":true}',
        b'{"v":1,"method":"status","params":{"x":1}}',
        b'{"v":1,"method":"status","params":[]}',
        b'{"v":1,"method":"status","params":{}} {}',
        b'{"v":1,"method":"wallets","params":{}}',
        b'{"v":1,"method":"wallets","params":{"network":7}}',
        b'{"v":1,"method":"wallets","params":{"method":"sign","network":"tron"}}',
        b'{"v":1,"method":"derive_pool","params":{"network":"tron","first":0.5,"count":1}}',
        b'{"v":1,"method":"derive_pool","params":{"network":"tron","first":0,"count":1e1}}',
        b'{"v":1,"method":"sign","params":{"intent":{"family":"bitcoin"}}}',
        b'{"v":1,"method":"sign","params":{"intent":{"family":"ethereum"}}}',
    ],
)
def test_malformed_lines_are_refused(line: bytes) -> None:
    """Broken JSON, unknown or missing fields, wrong types, floats for whole numbers."""
    assert code_of(line) == "malformed"


def test_there_is_no_call_that_signs_bytes() -> None:
    """The methods are a closed list."""
    for method in ("sign_hash", "sign_raw", "export", "unlock", ""):
        line = msgspec.json.encode({"v": 1, "method": method, "params": {}})
        assert code_of(line) == "unknown_method"
    assert set(wire.METHODS) == {
        "status",
        "wallets",
        "derive_pool",
        "history",
        "sign",
        "sign_nonce_setup",
        "rules",
    }


def outcome(line: bytes) -> str:
    """Return what became of a line; any exception but a refusal is the test's failure."""
    try:
        wire.read_request(line)
    except Refused as refused:
        return refused.code
    return "read"


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_line_surprises_the_reader(line: bytes) -> None:
    """Whatever the bytes: a refusal, never another exception."""
    assert outcome(line) == "malformed"


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=3))
def test_no_damage_to_a_good_line_surprises_the_reader(place: int, junk: bytes) -> None:
    """The same for lines that were nearly right."""
    line = wire.request_line(REQUESTS[place % len(REQUESTS)])
    cut = place % len(line)

    damaged = line[:cut] + junk + line[cut + 1 :]

    assert outcome(damaged) in {"malformed", "unknown_method", "read"}


def test_the_longest_pool_reply_fits_a_line() -> None:
    """`POOL_COUNT_MAX` rows of the longest names, paths and addresses."""
    row = api.PoolRow(
        network="n" * 32,
        index=2**31 - 1,
        path="m/44'/501'/2147483647'/0'",
        address="1" * 44,
        signature="f" * 128,
    )

    line = wire.result_line(api.PoolRows(rows=[row] * api.POOL_COUNT_MAX))

    assert len(line) <= api.LINE_BYTES_MAX


def test_a_reply_is_a_result_or_an_error() -> None:
    """Never both, never a null beside it."""
    result = wire.result_line(api.Signed(raw="00", tx_hash="h", sender="s"))

    assert result == b'{"result":{"raw":"00","tx_hash":"h","sender":"s","number":0}}\n'
    assert wire.refusal_line("a", "b") == b'{"error":{"code":"a","message":"b"}}\n'
