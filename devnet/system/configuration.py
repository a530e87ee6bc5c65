"""Writing `config.toml` and `keystore.toml` for the local system."""

import json
import secrets
from collections.abc import Mapping

from devnet.chain import HOST, LocalChain
from devnet.system.assets import (
    METHODS,
    NETWORKS,
    PRICES_USD,
    SPL_TOKEN_PROGRAM,
    Method,
    Network,
)
from devnet.system.place import Place

ETHEREUM_CHAIN_ID = 31337


def write_keystore_config(place: Place) -> None:
    """Write the keystore's file and a random passphrase beside its data."""
    keystore = place.state / "keystore"
    keystore.mkdir(mode=0o700)
    passphrase = keystore / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text(f"{secrets.token_urlsafe(32)}\n")
    networks = "\n".join(_keystore_network(network) for network in NETWORKS)
    place.keystore_config.write_text(
        f"""file = {_text(keystore / "vault")}
journal = {_text(keystore / "journal")}
socket = {_text(place.state / "run" / "keystore.sock")}
passphrase_file = {_text(passphrase)}

{networks}"""
    )


def _keystore_network(network: Network) -> str:
    chain_id = f"chain_id = {ETHEREUM_CHAIN_ID}\n" if network.name == "ethereum" else ""
    return f"[networks.{network.name}]\nfamily = {_text(network.name)}\n{chain_id}test = true\n"


def write_gateway_config(
    place: Place, chains: Mapping[str, LocalChain], pool_public_key: str
) -> None:
    """Write the file that gateway and watchers share."""
    prices = "\n".join(f"{code} = {_text(price)}" for code, price in PRICES_USD.items())
    networks = "\n".join(_network(network, chains[network.name]) for network in NETWORKS)
    place.config.write_text(
        f"""data_dir = {_text(place.state / "gateway")}

[database]
url = "embedded"

[api]
host = {_text(HOST)}
port = {place.api_port}
public_url = {_text(place.api_url)}

[webhooks]
allow_private = true
poll_milliseconds = 200
timeout_seconds = 3

[prices.static]
{prices}

[keystore]
socket = {_text(place.state / "run" / "keystore.sock")}
pool_public_key = {_text(pool_public_key)}

{networks}"""
    )


def _network(network: Network, chain: LocalChain) -> str:
    assets = "\n".join(
        _asset(method, chain) for method in METHODS if method.network == network.name
    )
    return f"""[networks.{network.name}]
family = {_text(network.name)}
display_name = {_text(network.display_name)}
identity = {_text(chain.identity)}
rpc_urls = [{_text(chain.url)}]
test = true
local = true
poll_milliseconds = 300
reconcile_seconds = 2
pool_low_water = 50
pool_batch = 100
fee_ceiling = {_text(network.fee_ceiling)}
sweep = false

{assets}"""


def _asset(method: Method, chain: LocalChain) -> str:
    token = f"contract = {_text(chain.token)}\n" if method.is_token else ""
    program = (
        f"token_program = {_text(SPL_TOKEN_PROGRAM)}\n"
        if method.is_token and method.network == "solana"
        else ""
    )
    return (
        f"[[networks.{method.network}.assets]]\n"
        f"code = {_text(method.code)}\ndecimals = {method.decimals}\n{token}{program}"
    )


def _text(value: object) -> str:
    """Quote for TOML: a JSON string is one of its basic strings."""
    return json.dumps(str(value))
