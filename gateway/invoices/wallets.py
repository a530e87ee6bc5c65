"""What wallets understand: request links, codes, and links of one wallet. Pure.

No link of a wallet has a token's contract where it looks for the recipient: one that read no further
would burn the money. So MetaMask has a link for a chain's own coin alone; its form for tokens begins
with the contract.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from gateway.models import Currency, Network

_METAMASK = "https://link.metamask.io/send/"
_TRUST = "https://link.trustwallet.com/send?asset="
_TRUST_COINS = {
    ("ethereum", "1"): "c60",
    ("ethereum", "56"): "c20000714",
    ("solana", "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"): "c501",
    ("tron", "00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc"): "c195",
}
"""How Trust Wallet calls the chains that it knows, all of them with real money (its UAI format)."""
_MAIN_CHAINS = frozenset(
    {"1", "10", "56", "100", "137", "250", "324", "8453", "42161", "42220", "43114", "59144"}
)
"""Numbers of the well known chains of Ethereum's family with real money (chainid.network)."""


class WalletLinkDocument(msgspec.Struct, kw_only=True, gc=False):
    """A link that opens `wallet`, known to people as `name`, with recipient and amount filled in."""

    wallet: str
    name: str
    url: str


class Request(NamedTuple):
    """A payment that is asked for: base `units`, which are so many `coins`, to an address.

    Without units the payer says how much; without an address the option was not chosen yet.
    """

    currency: Currency
    network: Network
    address: str | None
    units: int | None
    coins: str | None


class _Known(NamedTuple):
    """What is the same in every link of one payment method; None where a wallet has no link."""

    metamask_chain: str | None
    trust_asset: str | None


def payment_uri(request: Request) -> str | None:
    """Return the request link: EIP-681 on Ethereum, Solana Pay on Solana, none on Tron.

    Tron has no URI standard; a bare address is what its wallets scan. Where nothing is due there
    is none.
    """
    currency, network, address, units, coins = request
    if address is None or units == 0 or network.family == "tron":
        return None
    if network.family == "solana":
        wanted = {"amount": coins, "spl-token": currency.contract}
        return f"solana:{address}{_query(wanted)}"
    if currency.contract is None:
        link = f"ethereum:{address}@{network.identity}"
        return link if units is None else f"{link}?value={units}"
    wanted = {"address": address, "uint256": None if units is None else str(units)}
    return f"ethereum:{currency.contract}@{network.identity}/transfer{_query(wanted)}"


def qr_text(request: Request, uri: str | None) -> str | None:
    """Return what the QR carries: the full request only where a naive wallet still pays us.

    An ERC-20 request has the token contract where a naive wallet looks for the recipient. Where
    nothing is due there is none.
    """
    if request.units == 0:
        return None
    erc20 = request.network.family == "ethereum" and request.currency.contract is not None
    return request.address if uri is None or erc20 else uri


def wallet_links(request: Request, uri: str | None) -> list[WalletLinkDocument]:
    """Return the links of wallets; where nothing is due there is none.

    `uri` is the chain's own link: Solana's opens whatever speaks Solana Pay.
    """
    currency, network, address, units, coins = request
    if address is None or units == 0:
        return []
    known = _known(network.family, network.identity, network.test, currency.contract)
    found = []
    if known.metamask_chain is not None:
        url = f"{_METAMASK}{address}@{known.metamask_chain}"
        if units is not None:
            url = f"{url}?value={units}"
        found.append(WalletLinkDocument(wallet="metamask", name="MetaMask", url=url))
    if known.trust_asset is not None:
        url = f"{_TRUST}{known.trust_asset}&address={address}"
        if coins is not None:
            url = f"{url}&amount={coins}"
        found.append(WalletLinkDocument(wallet="trust", name="Trust Wallet", url=url))
    if network.family == "solana" and uri is not None:
        found.append(WalletLinkDocument(wallet="solana_pay", name="Solana Pay", url=uri))
    return found


@lru_cache(maxsize=512)
def _known(family: str, identity: str, test: bool, contract: str | None) -> _Known:  # noqa: FBT001
    own = family == "ethereum" and contract is None
    # A copy of a chain may call itself like it: nobody is sent there with real money.
    copied = test and identity in _MAIN_CHAINS
    coin = None if test else _TRUST_COINS.get((family, identity))
    token = "" if contract is None else f"_t{contract}"
    return _Known(
        metamask_chain=identity if own and not copied else None,
        trust_asset=None if coin is None else f"{coin}{token}",
    )


def _query(parameters: Mapping[str, str | None]) -> str:
    """Return the query of a link; what is None stays out."""
    given = "&".join(
        [f"{name}={value}" for name, value in parameters.items() if value is not None]
    )
    return f"?{given}" if given else ""
