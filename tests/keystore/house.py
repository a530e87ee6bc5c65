"""A keystore in a directory of its own: settings, file, journal, and the process itself."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keystore import api

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "correct horse battery staple"
NETWORKS = """
[networks.ethereum]
family = "ethereum"
chain_id = 31337
test = true

[networks.tron]
family = "tron"
test = true

[networks.solana]
family = "solana"
test = true

[networks.mainnet]
family = "ethereum"
chain_id = 1
"""
START_SECONDS = 60


@dataclass(frozen=True)
class House:
    """Paths of one keystore."""

    home: Path

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.home / "keystore.toml"

    @property
    def file(self) -> Path:
        """The encrypted file."""
        return self.home / "data" / "keys.gwks"

    @property
    def journal(self) -> Path:
        """The journal."""
        return self.home / "data" / "journal.sqlite"

    @property
    def socket(self) -> Path:
        """The socket."""
        return self.home / "run" / "k.sock"


def build(home: Path, *, extra: str = "", networks: str = NETWORKS) -> House:
    """Write settings and passphrase; `extra` is more of the top level."""
    home.mkdir(parents=True, exist_ok=True)
    house = House(home)
    house.config.write_text(
        'file = "data/keys.gwks"\njournal = "data/journal.sqlite"\nsocket = "run/k.sock"\n'
        'passphrase_file = "passphrase"\n' + extra + networks
    )
    set_passphrase(house, PASSPHRASE)
    return house


def set_passphrase(house: House, passphrase: str) -> None:
    """Write the passphrase file, readable by its owner alone."""
    path = house.home / "passphrase"
    path.write_text(passphrase + "\n")
    path.chmod(0o600)


def run(house: House, *args: str) -> subprocess.CompletedProcess[str]:
    """Run one `keystore` command to its end."""
    command = [sys.executable, "-m", "keystore", *args, "--config", str(house.config)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=START_SECONDS, check=False
    )


def init(house: House) -> str:
    """Create the file with the cheapest allowed cost; return the pool's public key."""
    done = run(house, "init", "--json", "--kdf-memory-mib", "64")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["pool_public_key"])


class Running:
    """A `keystore serve` process and the log it writes."""

    def __init__(self, house: House) -> None:
        self._log = house.home / f"log-{time.monotonic_ns()}"
        command = [sys.executable, "-m", "keystore", "serve", "--config", str(house.config)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=log)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every whole line it has logged."""
        return [json.loads(line) for line in self.text.split("\n")[:-1]]

    @property
    def text(self) -> str:
        """Its log as it stands in the file."""
        return self._log.read_text()

    def wait_for(self, event: str) -> dict[str, Any]:
        """Return the first logged event of this name, waiting for it."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for found in self.events:
                if found["event"] == event:
                    return found
            assert self.process.poll() is None, self.text
            time.sleep(0.02)
        raise AssertionError(f"no {event} in {self.text}")

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(START_SECONDS)

    def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(START_SECONDS)


@contextmanager
def serving(house: House) -> Iterator[Running]:
    """Run `keystore serve` for the length of a block, from its `ready` on."""
    running = Running(house)
    try:
        running.wait_for("ready")
        yield running
    finally:
        running.stop()


def ethereum_intent(**changes: Any) -> api.EthereumIntent:
    """Return a sound native payment with `changes`."""
    fields: dict[str, Any] = {
        "withdrawal_id": "wdr_1",
        "network": "ethereum",
        "asset": "native",
        "to": "0x" + "ab" * 20,
        "units": "1000000000000000000",
        "chain_id": 31337,
        "nonce": 0,
        "gas_limit": 21_000,
        "max_fee_per_gas": "2000000000",
        "max_priority_fee_per_gas": "1000000000",
    }
    return api.EthereumIntent(**{**fields, **changes})


def tron_intent(**changes: Any) -> api.TronIntent:
    """Return a sound native payment with `changes`."""
    fields: dict[str, Any] = {
        "withdrawal_id": "wdr_1",
        "network": "tron",
        "asset": "native",
        "to": "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8",
        "units": "1000000",
        "ref_block_id": "00000000000004d2" + "1f" * 24,
        "expiration_ms": 1_700_000_000_000 + 4 * 3_600_000,
        "timestamp_ms": 1_700_000_000_000,
        "fee_limit": 0,
    }
    return api.TronIntent(**{**fields, **changes})


def solana_intent(lane: str, **changes: Any) -> api.SolanaIntent:
    """Return a sound native payment on the nonce account `lane` with `changes`."""
    fields: dict[str, Any] = {
        "withdrawal_id": "wdr_1",
        "network": "solana",
        "asset": "native",
        "to": "7cVfgArCheMR6Cs4t6vz5rfnqd56vZq4ndaBrY5xkxXy",
        "units": "5000000",
        "decimals": 0,
        "token_program": "",
        "create_ata": False,
        "nonce_account": lane,
        "nonce_value": "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N",
        "compute_unit_limit": 20_000,
        "compute_unit_price_micro_lamports": 1_000,
    }
    return api.SolanaIntent(**{**fields, **changes})
