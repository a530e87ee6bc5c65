"""The tables of the networks: `[networks.NAME]` and what stands below it."""

from typing import Literal

import msgspec

Family = Literal["ethereum", "tron", "solana"]
_ETHEREUM = frozenset({"1", "11155111", "17000", "560048"})
"""Ethereum's own chains: mainnet, Sepolia, Holesky, Hoodi."""
_FINAL_CONFIRMATIONS: dict[Family, int] = {"ethereum": 64, "tron": 19, "solana": 32}
"""Two epochs of 32 slots; 19 of 27 representatives; 32 slots until a vote is a root."""


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A closed table of the file."""


class AssetSettings(_Section, frozen=True):
    """One `[[networks.NAME.assets]]`. Amounts are decimal strings in whole coins."""

    code: str
    decimals: int
    contract: str | None = None
    """Contract or mint; absent for the network's own coin."""
    token_program: str | None = None
    """Solana: the program that owns the mint."""
    minimum_deposit: str = "0"
    withdrawal_fee: str = "0"
    automatic_approval_below: str = "0"
    """A withdrawal under this amount may be approved by the key that created it."""
    fee_on_transfer: bool = False
    """The token keeps a part of every transfer: deposits are measured on the balance."""
    allowed_extensions: list[str] = []
    """Solana: dangerous Token-2022 extensions that the operator accepts, `permanentDelegate` for one."""
    quorum_above: str | None = None
    """A larger deposit is believed once `quorum` nodes show it; absent: blocks alone are compared."""
    sweep_minimum: str = "0"
    """Less than this stays at its pool address until it is old."""
    sweep_ratio: int = 20
    """A sweep is worth it from so many times its cost on."""
    sweep_after_hours: int = 168
    """What waited so long is swept although it is not worth it."""
    hot_ceiling: str | None = None
    """Above this the hot wallet sends to the cold address; absent: never."""
    hot_target: str | None = None
    """What it keeps then; absent: half of the ceiling."""


class SweepSettings(_Section, frozen=True):
    """`[networks.NAME.sweeping]`. Amounts are decimal strings in whole native coins."""

    at_once: int = 8
    """Sweeps under way side by side."""
    cost_max: str | None = None
    """The most that a sweep may cost which only waited long; absent: `fee_ceiling`."""
    gas_price_max: int | None = None
    """Ethereum: wei per gas above which young money waits for a cheaper hour."""
    gas_low: str | None = None
    """Below this the hot wallet refills the gas wallet; absent: twice `fee_ceiling`."""
    gas_high: str | None = None
    """Up to this; absent: ten times `fee_ceiling`."""
    stake: str = "0"
    """Tron: what the gas wallet keeps staked for energy, lent to addresses while they are swept."""


class NetworkSettings(_Section, frozen=True):
    """`[networks.NAME]`."""

    family: Family
    display_name: str
    identity: str
    """Decimal chain id (Ethereum), genesis block id (Tron), genesis hash (Solana)."""
    rpc_urls: list[str]
    assets: list[AssetSettings]
    test: bool = False
    local: bool = False
    final_depth: int | None = None
    """Blocks behind head that count as final; absent: the node's own final tag."""
    start_height: int | None = None
    """First height to scan on an empty database; absent: the final height at first start."""
    poll_milliseconds: int = 2000
    rpc_timeout_seconds: int = 10
    rpc_requests_per_second: float = 0
    """What each node may be asked; 0 without limit."""
    quorum: int | None = None
    """Nodes that have to agree on a final block; absent: two, or one where there is only one.

    1 also says that a single node is trusted: what it calls failed gives money back.
    """
    logged_from: int | None = None
    """Ethereum: unix time from which the chain logs every move of value (EIP-7708)."""
    traces: bool = True
    """Ethereum: ask for call traces where a node offers them; without, the reconciler finds what came."""
    internal_probe_tx: str | None = None
    """Tron: a transaction that paid from inside a contract, to see whether a node keeps those."""
    reconcile_seconds: int = 384
    """Pause between two comparisons of the chain with the ledger; 384 is an epoch of Ethereum."""
    multicall: str | None = None
    """EVM: a Multicall3 contract; absent: the one at its usual address, where it has code."""
    pool_low_water: int = 200
    pool_batch: int = 500
    lag_seconds_max: int = 300
    fee_ceiling: str = "0.01"
    """The most one payout may pay to the network, in whole native coins."""
    bump_blocks: int = 4
    """EVM: blocks that a transaction of ours waits before its fee is raised."""
    cancel_minutes: int = 30
    """EVM: how long a payout must have waited before an operator may cancel it."""
    nonce_lanes: int = 4
    """Solana: payouts that may be under way at once, 1 to 16; each is an account with its rent."""
    sweep: bool = True
    """Empty pool addresses into the hot wallet where it is worth it."""
    sweeping: SweepSettings = SweepSettings()
    cold_address: str | None = None
    """Where the hot wallet sends what is above its ceilings; the operator alone has its key."""

    @property
    def unplayable(self) -> frozenset[str]:
        """Return the simulations that the family's local chain cannot play.

        Surfpool neither forks nor stops.
        """
        return frozenset({"reorg", "slow_confirm"} if self.family == "solana" else ())

    @property
    def final_confirmations(self) -> int | None:
        """Return after how many confirmations, its own block's among them, a payment is final.

        None where the chain alone says when: an EVM network that is not Ethereum and has no depth.
        """
        if self.family != "ethereum":
            return _FINAL_CONFIRMATIONS[self.family]
        if self.final_depth is not None:
            return self.final_depth + 1
        return _FINAL_CONFIRMATIONS["ethereum"] if self.identity in _ETHEREUM else None

    @property
    def counts_assets(self) -> bool:
        """Tell whether the family has assets that are numbers instead of contracts: TRC-10."""
        return self.family == "tron"

    @property
    def trusts_one(self) -> bool:
        """Tell whether the word of one node alone may give a payment's hold back."""
        return self.test or self.quorum == 1

    @property
    def witnesses_needed(self) -> int:
        """Return how many nodes have to agree."""
        return self.quorum or min(2, len(self.rpc_urls))
