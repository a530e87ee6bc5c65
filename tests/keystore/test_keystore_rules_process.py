"""Policy and lanes over the socket of a real keystore process."""

import shutil
from pathlib import Path

import pytest

from keystore.client import KeystoreClient, KeystoreRefused
from tests.keystore.house import House, build, serving

POLICY = """
[[rules]]
name = "sweeps"
class = "sweep"
networks = ["ethereum"]
fee_max = "1"
fee_window = { hours = 24, units = "1" }

[[rules]]
name = "solana only"
class = "sweep"
networks = ["solana"]
fee_max = "1"
fee_window = { hours = 24, units = "1" }

[[rules]]
name = "end"
class = "block"
"""


@pytest.mark.anyio
async def test_a_client_reads_rules_and_lanes(made: House, tmp_path: Path) -> None:
    """All rules of one network with the fingerprint that `status` names; lanes in order."""
    house = build(tmp_path / "k", extra='policy = "policy.toml"\n')
    shutil.copytree(made.home / "data", house.home / "data")
    (house.home / "policy.toml").write_text(POLICY)
    (house.home / "policy.toml").chmod(0o600)
    with serving(house):
        async with KeystoreClient(house.socket) as client:
            shown = await client.rules("ethereum")
            status = await client.status()
            lanes = await client.wallets("solana", lanes=3)
            with pytest.raises(KeystoreRefused, match="unknown_network"):
                await client.rules("moon")
            with pytest.raises(KeystoreRefused, match="bad_range"):
                await client.wallets("solana", lanes=17)

    assert [rule.name for rule in shown.rules] == ["sweeps", "end"]
    assert shown.policy == status.policy
    assert [wallet.purpose for wallet in lanes] == ["hot", "gas", *["nonce"] * 3]
