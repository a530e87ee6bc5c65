"""What an option says of its chain, of confirmations, and which links open wallets."""

from typing import Any

import pytest

from gateway.catalog.chain_names import chain_id
from gateway.invoices.wallets import Request, wallet_links
from gateway.models import Currency, Network
from tests.gateway.invoices.test_conditions import TIERS, settings
from tests.gateway.shop import NETWORKS, Shop

pytestmark = pytest.mark.anyio

USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
USDT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGkZwyTDt1v"
TRUST = "https://link.trustwallet.com/send?asset="
IDENTITIES = {"ethereum": "1", **{n: NETWORKS[n].identity for n in ("tron", "solana")}}


def _links(
    family: str,
    contract: str | None = None,
    *,
    identity: str | None = None,
    test: bool = False,
    units: int | None = 1500,
) -> dict[str, str]:
    network = Network(family=family, identity=identity or IDENTITIES[family], test=test)
    coins = None if units is None else "1.5"
    request = Request(Currency(contract=contract), network, "OURS", units, coins)
    found = wallet_links(request, "solana:OURS" if family == "solana" else "ethereum:X")
    return {link.wallet: link.url for link in found}


@pytest.mark.parametrize(
    ("family", "identity", "name"),
    [
        ("ethereum", "1", "eip155:1"),
        ("ethereum", "11155111", "eip155:11155111"),
        ("tron", IDENTITIES["tron"], "tron:0x2b6653dc"),
        (
            "solana",
            "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
            "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
        ),
    ],
)
def test_a_chain_has_its_caip_2_name(family: str, identity: str, name: str) -> None:
    """As the namespaces of CAIP-2 and wallets have them."""
    assert chain_id(family, identity) == name


def test_each_wallet_is_told_recipient_and_amount() -> None:
    """In its own form, on the chains that it knows; an open amount is the payer's."""
    metamask = "https://link.metamask.io/send/OURS@1"
    assert _links("ethereum") == {
        "metamask": f"{metamask}?value=1500",
        "trust": f"{TRUST}c60&address=OURS&amount=1.5",
    }
    assert _links("ethereum", units=None) == {
        "metamask": metamask,
        "trust": f"{TRUST}c60&address=OURS",
    }
    assert _links("tron") == {"trust": f"{TRUST}c195&address=OURS&amount=1.5"}
    assert _links("tron", USDT) == {"trust": f"{TRUST}c195_t{USDT}&address=OURS&amount=1.5"}
    assert _links("solana", MINT) == {
        "trust": f"{TRUST}c501_t{MINT}&address=OURS&amount=1.5",
        "solana_pay": "solana:OURS",
    }


def test_no_link_has_a_token_where_a_wallet_looks_for_the_recipient() -> None:
    """MetaMask's link for tokens begins with the contract: what is sent there is lost."""
    assert list(_links("ethereum", USDC)) == ["trust"]
    assert _links("ethereum", USDC, identity="8453") == {}


def test_money_that_costs_nothing_is_not_asked_for_on_a_chain_where_it_does() -> None:
    """Trust Wallet knows main networks alone; a local copy may have the identity of one."""
    for family in IDENTITIES:
        assert "trust" not in _links(family, test=True)
    for copied in ("1", "56", "8453"):
        assert _links("ethereum", identity=copied, test=True) == {}
        assert "metamask" in _links("ethereum", identity=copied)
    assert list(_links("ethereum", identity="11155111", test=True)) == ["metamask"]
    assert "trust" not in _links("ethereum", identity="11155111")


def test_there_is_no_link_where_nothing_is_due() -> None:
    """It would ask for another payment of nothing."""
    assert _links("ethereum", units=0) == {}


async def test_what_is_paid_asks_for_nothing(shop: Shop) -> None:
    """Neither a link nor a code: a payer who follows one would pay again, or nothing."""
    _, key = await shop.merchant_and_key()
    methods = ["ETH-ETHEREUM", "SOL-SOLANA", "TRX-TRON"]
    invoice = await shop.invoice(key, payment_methods=methods, activate=methods)
    assert all(option["qr_text"] for option in invoice["payment_options"])
    eth = invoice["payment_options"][0]
    await shop.pay(eth["address"], "ETH-ETHEREUM", int(eth["amount_atomic"]))
    path = f"/v1/invoices/{invoice['id']}"
    for option in (await shop.call("GET", path, key)).json()["payment_options"]:
        assert option["address"]
        asks = option["payment_uri"], option["qr_text"], option["wallet_links"]
        assert asks == (None, None, []), option["payment_method"]


async def test_an_option_names_its_chain_and_what_settles_it(shop: Shop) -> None:
    """By the merchant's policy or by finality, whichever comes first."""
    merchant_id, key = await shop.merchant_and_key()
    await settings(shop, merchant_id, confirmation_policy=TIERS)
    chosen = {"activate": ["ETH-ETHEREUM", "USDC-ETHEREUM"]}
    big = await shop.invoice(key, amount="1000.00", **chosen)
    options = {o["payment_method"]: o for o in big["payment_options"]}
    assert {name: (o["chain_id"], o["memo"]) for name, o in options.items()} == {
        "ETH-ETHEREUM": ("eip155:31337", None),
        "USDC-ETHEREUM": ("eip155:31337", None),
        "TRX-TRON": ("tron:0x2b6653dc", None),
        "USDT-TRON": ("tron:0x2b6653dc", None),
        "SOL-SOLANA": ("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", None),
    }
    # Nobody knows when a chain of number 31337 is final but itself.
    assert _required(big) == {"ETH": None, "USDC": None, "TRX": 19, "USDT": 19, "SOL": 32}
    middle = await shop.invoice(key, amount="50.00")
    assert set(_required(middle).values()) == {2}
    asked = await shop.invoice(key, confirmations=30)
    assert _required(asked) == {"ETH": 30, "USDC": 30, "TRX": 19, "USDT": 19, "SOL": 30}
    eth = options["ETH-ETHEREUM"]
    assert eth["wallet_links"] == [
        {
            "wallet": "metamask",
            "name": "MetaMask",
            "url": f"https://link.metamask.io/send/{eth['address']}@31337"
            f"?value={eth['amount_atomic']}",
        }
    ]
    assert [o["wallet_links"] for o in options.values() if o is not eth] == [[]] * 4


def _required(invoice: dict[str, Any]) -> dict[str, int | None]:
    return {o["currency"]: o["confirmations_required"] for o in invoice["payment_options"]}
