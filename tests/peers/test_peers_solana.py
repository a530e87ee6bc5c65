"""How others miss Solana deposits, played again on our decoder."""

from tests.networks.solana.documents import (
    FEE_ONLY,
    MINT,
    OTHER,
    PAYER,
    POOL,
    THIRD,
    Tx,
    ata,
    block,
    decoded,
)
from watchers.network import NATIVE

RICH = 10**10


def gained(*transactions: Tx) -> list[tuple[str, str, int]]:
    """Return (recipient, asset, units) of every transfer of a block."""
    whole = decoded(block(*transactions))
    return [(each.recipient, each.asset, each.units) for each in whole.transfers]


def test_peer_s1_one_transaction_pays_several_of_our_addresses() -> None:
    """SHKeeper sees neither of two: three recipients of SOL and two of a token are five here."""
    coins = {POOL: (0, 10), OTHER: (5, 25), THIRD: (1, 31), PAYER: (RICH, RICH - 60 - 5000)}
    tokens = [ata(PAYER, 900, 0), ata(POOL, None, 400), ata(OTHER, 100, 600)]
    seen = gained(Tx(coins), Tx(FEE_ONLY, tokens, number=2))
    assert sorted(seen) == sorted(
        [
            (POOL, NATIVE, 10),
            (OTHER, NATIVE, 20),
            (THIRD, NATIVE, 30),
            (POOL, MINT, 400),
            (OTHER, MINT, 500),
        ]
    )


def test_peer_s2_a_recipient_from_a_lookup_table_is_seen() -> None:
    """SHKeeper reads the message's own keys only; `loadedAddresses` continue them."""
    document = block(Tx({PAYER: (RICH, RICH - 70 - 5000), POOL: (0, 70)}))
    [entry] = document["transactions"]
    keys = [key["pubkey"] for key in entry["transaction"]["accountKeys"]]
    entry["transaction"] = {
        "signatures": entry["transaction"]["signatures"],
        "message": {"accountKeys": keys[:1]},
    }
    entry["meta"]["loadedAddresses"] = {"writable": keys[1:], "readonly": []}
    seen = [(each.recipient, each.units) for each in decoded(document).transfers]
    assert seen == [(POOL, 70)]
