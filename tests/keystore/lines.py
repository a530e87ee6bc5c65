"""Seeded request lines: sound ones, damaged ones, and what was never one."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from keystore import api, wire
from tests.keystore.house import ethereum_intent, solana_intent, tron_intent

ORDER = api.Order(
    withdrawal_id="wdr_1",
    network="ethereum",
    asset="native",
    to=ethereum_intent().to,
    units=ethereum_intent().units,
    fee_ceiling="10000000000000000",
    merchant="mer_1",
    requested_by="key_shop",
    expires_ms=4_000_000_000_000,
)
ASSERTION = api.PasskeyApproval(
    approver="carol", authenticator_data="00" * 37, client_data=b"{}".hex(), signature="00"
)
SOUND: tuple[api.Request, ...] = (
    api.StatusRequest(),
    api.WalletsRequest(network="tron"),
    api.DerivePoolRequest(network="tron", first=0, count=5),
    api.HistoryRequest(network="ethereum", after=0),
    api.SignRequest(intent=ethereum_intent()),
    api.SignRequest(intent=tron_intent(), known=3),
    api.SignRequest(intent=solana_intent("x")),
    api.SignNonceSetupRequest(network="solana", lane=0, blockhash="b", lamports=1),
    api.RulesRequest(network="ethereum"),
    api.SignRequest(intent=ethereum_intent(), order=ORDER, approvals=[ASSERTION]),
    api.SignRequest(
        intent=api.TronResourceIntent(
            withdrawal_id="hou_1",
            network="tron",
            action="delegate",
            resource="ENERGY",
            to=tron_intent().to,
            pool_index=3,
            units="1",
            ref_block_id=tron_intent().ref_block_id,
            expiration_ms=2,
            timestamp_ms=1,
        )
    ),
    api.SignRequest(
        intent=api.SolanaSweepIntent(
            withdrawal_id="hou_2",
            network="solana",
            asset="native",
            decimals=0,
            token_program="",
            sources=[api.SweepSource(index=0, address="1" * 32, units="1")],
            close=False,
            nonce_account="x",
            nonce_value="x",
            compute_unit_limit=1,
            compute_unit_price_micro_lamports=1,
        )
    ),
    api.SignRequest(
        intent=api.SolanaAdvanceIntent(
            withdrawal_id="wdr_2",
            network="solana",
            nonce_account="x",
            nonce_value="x",
            compute_unit_limit=1,
            compute_unit_price_micro_lamports=1,
        )
    ),
)
ODD: tuple[Any, ...] = (
    *(None, True, -1, 2**64, 2**600, 1.5, 1e400, "", "0", "\x00", "\ud800", "x" * 5_000),
    *(2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, (b"[" * 30_000).hex()),
    *((b'{"a":' * 6_000).hex(), "\ud800".encode(errors="surrogatepass").hex(), "7b7d" * 9),
    *([], {}, [[]], {"": {}}, "status", "sign_hash", "\u0661", "-0", "1e3", " 1"),
)
JUNK = (
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b",",
    b":",
    b"\x00",
    b"\xff",
    b"\xc3\x28",
    b"0",
    b"-",
    b"e9",
)

Maker = Callable[[random.Random], bytes]


def lines(seed: int, count: int) -> Iterator[bytes]:
    """Yield `count` lines without their line break; the same seed gives the same ones."""
    random_ = random.Random(seed)
    for _ in range(count):
        maker = random_.choice(MAKERS)
        yield maker(random_).replace(b"\n", b" ")


def noise(random_: random.Random) -> bytes:
    """Return bytes of any kind, seldom many."""
    longest = random_.choice((8, 80, 800)) if random_.random() < 0.999 else 60_000
    return random_.randbytes(random_.randrange(longest))


def damaged(random_: random.Random) -> bytes:
    """Return a sound line with a few bytes flipped, cut, doubled or put in."""
    line = bytearray(wire.request_line(random_.choice(SOUND))[:-1])
    for _ in range(random_.randrange(1, 4)):
        place = random_.randrange(len(line))
        match random_.randrange(4):
            case 0:
                line[place] ^= 1 << random_.randrange(8)
            case 1:
                del line[place : place + random_.randrange(1, 9)]
            case 2:
                line[place:place] = line[place : place + random_.randrange(1, 30)]
            case _:
                line[place:place] = random_.choice(JUNK)
        if not line:
            break
    return bytes(line)


def misshapen(random_: random.Random) -> bytes:
    """Return well-spelled JSON of a request whose fields are missing, odd, doubled or unknown."""
    document = json.loads(wire.request_line(random_.choice(SOUND)))
    for _ in range(random_.randrange(1, 3)):
        home = random_.choice(list(_objects(document)))
        name = random_.choice([*home, "sudo"])
        if random_.random() < 0.3:
            home.pop(name, None)
        else:
            home[name] = copy.deepcopy(random_.choice(ODD))
    return json.dumps(document, ensure_ascii=random_.random() < 0.9).encode(
        errors="surrogatepass"
    )


def altered() -> Iterator[bytes]:
    """Yield every sound request with every field, one at a time, made every odd thing."""
    for request in SOUND:
        plain = wire.request_line(request)
        fields = [
            (place, name)
            for place, home in enumerate(_objects(json.loads(plain)))
            for name in home
        ]
        for place, name in fields:
            for odd in ODD:
                document = json.loads(plain)
                list(_objects(document))[place][name] = odd
                yield json.dumps(document).encode()


def nested(random_: random.Random) -> bytes:
    """Return brackets, closed or not, some deep enough for a careless reader's stack."""
    deep = random_.choice((2, 31, 33, 1_000)) if random_.random() < 0.99 else 60_000
    opening, closing = random_.choice(((b"[", b"]"), (b'{"v":', b"}")))
    depth = min(deep, 60_000 // len(opening + closing))
    return opening * depth + b"1" + closing * random_.choice((0, depth))


def sound(random_: random.Random) -> bytes:
    """Return a line that may be answered."""
    return wire.request_line(random_.choice(SOUND))[:-1]


MAKERS: tuple[Maker, ...] = (noise, damaged, damaged, misshapen, misshapen, nested, sound)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _objects(each)
    elif isinstance(value, list):
        for each in value:
            yield from _objects(each)
