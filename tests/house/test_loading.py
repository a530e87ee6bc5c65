"""A command loads what it needs for what it does, and no other command's or family's libraries."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "OpenSSL", "aiohttp", "alembic", "apprise", "bip_utils", "coincurve", "cryptography", "eth_abi",
    "eth_account", "eth_utils", "httpx", "hypothesis", "jsonschema", "litestar", "psycopg", "pydantic",
    "requests", "rlp", "segno", "solana", "solders", "sqlalchemy", "standardwebhooks", "structlog",
    "tronpy", "uvicorn", "uvloop", "web3", "webauthn",
)  # fmt: skip
"""Libraries that cost a start tens of milliseconds, or that come with many others."""
DATABASE = {"psycopg", "sqlalchemy", "structlog"}
NODES = DATABASE | {"aiohttp", "cryptography"}
MAY_LOAD: dict[str, set[str]] = {
    "gateway --help": set(),
    "gateway init": {"sqlalchemy", "structlog"},
    "gateway database": {"sqlalchemy", "structlog"},
    "gateway migrate": DATABASE | {"alembic"},
    "gateway audit verify": DATABASE,
    "gateway admin create-operator-key": DATABASE | {"cryptography"},
    "gateway worker": DATABASE | {"aiohttp", "cryptography", "uvloop"},
    "gateway api": DATABASE
    | {"OpenSSL", "cryptography", "litestar", "segno", "uvicorn", "uvloop", "webauthn"},
    "watchers --help": set(),
    "watchers status": DATABASE,
    "watchers coverage": DATABASE,
    "watchers export": DATABASE,
    "watchers cancel": NODES,
    "watchers explain": NODES,
    "watchers rescan": NODES,
    "watchers run": NODES,
    "keystore --help": set(),
    "keystore pool": set(),
    "keystore status": set(),
}
"""By command, as far as its arguments are read; a configuration may ask for more later."""
FAMILIES: dict[str, set[str]] = {
    "ethereum": NODES | {"coincurve", "eth_abi", "eth_utils", "pydantic", "rlp"},
    "solana": NODES | {"solders"},
    "tron": NODES | {"coincurve", "solders"},
}
ROOMS = ("connect", "balances", "listing", "destination", "quote", "sweep", "locate")
"""What `watchers.families` opens of a family."""


def _after(program: str) -> Any:
    """Run a program of its own; return what its last line says of the process."""
    asked = (
        f"\nprint(json.dumps([[n for n in {HEAVY!r} if n in sys.modules],"
        " [n for n in sys.modules if n.startswith('watchers.networks.')],"
        " gc.get_freeze_count() > 0, gc.isenabled()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import gc, json, sys\n{program}{asked}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("command", MAY_LOAD)
def test_a_command_loads_no_other_commands_libraries(command: str) -> None:
    """With its module and its arguments; and what is loaded stays out of searches for garbage."""
    house, *words = command.split()
    loaded, families, left_out, searching = _after(
        f"from {house}.__main__ import main\n"
        f"try: main({[*words, '--help']!r})\n"
        "except SystemExit as ended: assert not ended.code"
    )
    assert set(loaded) <= MAY_LOAD[command]
    assert families == []
    assert searching
    assert left_out or house == "keystore" or words == ["--help"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_loads_no_other_familys_libraries(family: str) -> None:
    """Whoever watches Tron has nothing of Ethereum or Solana loaded, but for what they share."""
    names = ", ".join(f"watchers.networks.{family}.{room}" for room in ROOMS)
    loaded, families, *_ = _after(f"import {names}")
    assert set(loaded) <= FAMILIES[family]
    assert all(name.split(".")[2] == family for name in families)
