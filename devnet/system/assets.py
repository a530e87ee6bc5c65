"""What the local system takes: three networks, six payment methods, and what a coin costs."""

from dataclasses import dataclass
from decimal import Decimal

from devnet.chain import NATIVE, TOKEN_DECIMALS, LocalChain

SPL_TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # noqa: S105 - an address


@dataclass(frozen=True, slots=True)
class Network:
    """`fee_ceiling` in whole native coins: the most that one payout may cost."""

    name: str
    display_name: str
    fee_ceiling: str


@dataclass(frozen=True, slots=True)
class Method:
    """One payment method; `capital` is what the hot wallet starts with, in whole coins."""

    network: str
    code: str
    decimals: int
    is_token: bool
    capital: int

    @property
    def id(self) -> str:
        """Return the payment method as the API names it."""
        return f"{self.code}-{self.network.upper()}"

    def asset(self, chain: LocalChain) -> str:
        """Return what the chain calls it: `native`, or the test token's address."""
        return chain.token if self.is_token else NATIVE

    def text(self, units: int) -> str:
        """Return base units as a decimal string in whole coins."""
        return f"{Decimal(units).scaleb(-self.decimals):f}"


NETWORKS = (
    Network("ethereum", "Ethereum (local)", "0.01"),
    Network("tron", "Tron (local)", "100"),
    Network("solana", "Solana (local)", "0.01"),
)
METHODS = (
    Method("ethereum", "ETH", 18, is_token=False, capital=10),
    Method("ethereum", "USDC", TOKEN_DECIMALS, is_token=True, capital=100_000),
    Method("tron", "TRX", 6, is_token=False, capital=50_000),
    Method("tron", "USDT", TOKEN_DECIMALS, is_token=True, capital=100_000),
    Method("solana", "SOL", 9, is_token=False, capital=100),
    Method("solana", "USDC", TOKEN_DECIMALS, is_token=True, capital=100_000),
)
PRICES_USD = {"ETH": "2500", "SOL": "150", "TRX": "0.3", "USDC": "1", "USDT": "1"}
