"""A real `keystore serve`: who may speak, what it answers, and what survives kill -9."""

import asyncio
import contextlib
import json
import os
import random
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from keystore import api, vault, wire
from keystore.client import KeystoreClient, KeystoreRefused, KeystoreUnavailable
from keystore.keyring import Keyring
from tests.keystore.house import (
    PASSPHRASE,
    ROOT,
    House,
    Running,
    build,
    ethereum_intent,
    init,
    run,
    serving,
    solana_intent,
    tron_intent,
)

RSS_MIB_MAX = 100
HTTP_CLIENTS = ("httpx", "requests", "aiohttp", "urllib3", "web3", "websockets")

pytestmark = pytest.mark.anyio


def raw_exchange(path: Path, payload: bytes, *, half_close: bool = False) -> bytes:
    """Send bytes as they are; return everything until the keystore hangs up or answers."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(30)
        peer.connect(str(path))
        # It may hang up in the middle of an oversized line.
        with contextlib.suppress(BrokenPipeError):
            peer.sendall(payload)
        if half_close:
            peer.shutdown(socket.SHUT_WR)
        answer = b""
        while not answer.endswith(b"\n"):
            chunk = peer.recv(65_536)
            if not chunk:
                break
            answer += chunk
        return answer


def error_code(answer: bytes) -> str:
    """Return the code of an error reply."""
    return str(json.loads(answer)["error"]["code"])


async def test_status_wallets_and_pool(shared: House) -> None:
    """Everything an outsider may know, through the client."""
    async with KeystoreClient(shared.socket) as client:
        status = await client.status()
        solana = await client.wallets("solana")
        tron = await client.wallets("tron")
        rows = await client.derive_pool("solana", 5, 250)

    assert status.unlocked
    assert [n.network for n in status.networks] == ["ethereum", "tron", "solana", "mainnet"]
    assert [w.purpose for w in solana] == ["hot", "gas", "nonce"]
    assert solana[2].path == ""
    assert [w.purpose for w in tron] == ["hot", "gas"]
    assert [row.index for row in rows] == list(range(5, 255))
    assert len({row.address for row in rows}) == 250


async def test_each_family_signs(shared: House) -> None:
    """Typed intents and the mappings that a chain writer prepares."""
    async with KeystoreClient(shared.socket) as client:
        lane = (await client.wallets("solana"))[2].address
        token = tron_intent(withdrawal_id="wdr_t")
        for intent in (token, solana_intent(lane, withdrawal_id="wdr_s")):
            signed = await client.sign(intent)
            assert bytes.fromhex(signed.raw)
        fields = {"family": "ethereum", **_fields(ethereum_intent(withdrawal_id="wdr_e"))}
        signed = await client.sign(fields)
        assert await client.sign(ethereum_intent(withdrawal_id="wdr_e")) == signed
        setup = await client.sign_nonce_setup(
            "solana", lane=0, blockhash=lane, lamports=1_447_680
        )
        assert setup.sender == (await client.wallets("solana"))[0].address


def _fields(intent: api.EthereumIntent) -> dict[str, Any]:
    return {name: getattr(intent, name) for name in intent.__struct_fields__}


async def test_refusals_come_back_with_their_code(shared: House) -> None:
    """And the connection stays usable."""
    async with KeystoreClient(shared.socket) as client:
        for intent, code in (
            (ethereum_intent(withdrawal_id="wdr_r", units="0"), "bad_amount"),
            (ethereum_intent(withdrawal_id="wdr_r", network="mainnet"), "not_test_network"),
            ({"family": "ethereum"}, "malformed"),
        ):
            with pytest.raises(KeystoreRefused) as refused:
                await client.sign(intent)
            assert refused.value.code == code
        assert (await client.status()).unlocked
        with pytest.raises(KeystoreRefused, match="bad_range"):
            await client.derive_pool("tron", 0, 0)


async def test_many_askers_at_once_get_one_answer(shared: House) -> None:
    """Twenty connections race for one withdrawal; the journal has one row of it."""
    clients = [KeystoreClient(shared.socket) for _ in range(20)]
    before = (await clients[0].status()).signatures

    intent = ethereum_intent(withdrawal_id="wdr_race", nonce=77)
    answers = await asyncio.gather(*(client.sign(intent) for client in clients))

    assert len({answer.raw for answer in answers}) == 1
    assert (await clients[0].status()).signatures == before + 1
    for client in clients:
        await client.aclose()


async def test_a_canceled_question_does_not_shift_the_answers(shared: House) -> None:
    """The client hangs up when it is canceled; the next call gets its own reply."""
    async with KeystoreClient(shared.socket) as client:
        for delay in (0.0, 0.001, 0.003):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.derive_pool("tron", 0, 200), delay)
            assert (await client.status()).unlocked


def test_malformed_lines_get_a_code_and_the_process_lives(shared: House) -> None:
    """Junk, unknown methods, oversized and unfinished lines, seeded."""
    junk = random.Random(3)
    good = wire.request_line(api.StatusRequest())

    assert error_code(raw_exchange(shared.socket, b"hello\n")) == "malformed"
    assert error_code(raw_exchange(shared.socket, b"\n")) == "malformed"
    unknown = b'{"v":1,"method":"sign_hash","params":{"hash":"00"}}\n'
    assert error_code(raw_exchange(shared.socket, unknown)) == "unknown_method"
    assert error_code(raw_exchange(shared.socket, b"a" * 70_000 + b"\n")) == "oversized"
    assert error_code(raw_exchange(shared.socket, b"a" * 200_000)) == "oversized"
    assert raw_exchange(shared.socket, good[:-1], half_close=True) == b""
    for _ in range(50):
        line = junk.randbytes(junk.randrange(1, 500)).replace(b"\n", b"") + b"\n"
        assert error_code(raw_exchange(shared.socket, line)) == "malformed"
    assert b'"unlocked":true' in raw_exchange(shared.socket, good)


def test_the_socket_is_private(shared: House) -> None:
    """Mode 0600 in a directory of mode 0700."""
    socket_mode = shared.socket.stat().st_mode

    assert stat.S_ISSOCK(socket_mode)
    assert stat.S_IMODE(socket_mode) == 0o600
    assert stat.S_IMODE(shared.socket.parent.stat().st_mode) == 0o700


def test_a_live_socket_is_not_taken_over(shared: House) -> None:
    """A second keystore stops with one line; the first goes on."""
    second = run(shared, "serve")

    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert "another keystore serves" in second.stderr
    assert run(shared, "status").returncode == 0


def test_the_commands_ask_the_running_keystore(shared: House) -> None:
    """`pool` and `status` are the socket's calls, for a terminal."""
    pool = run(shared, "pool", "ethereum", "7", "2")
    status = run(shared, "status", "--json")
    shown = run(shared, "status")

    assert [row["index"] for row in json.loads(pool.stdout)["rows"]] == [7, 8]
    assert json.loads(status.stdout)["unlocked"] is True
    assert json.loads(status.stdout)["pool_public_key"] in shown.stdout
    refused = run(shared, "pool", "base", "0", "1")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    endless = run(shared, "pool", "ethereum", "0", str(10**26))
    assert (endless.returncode, endless.stderr.count("\n")) == (1, 1)
    assert "bad_range: first + count" in endless.stderr


def test_it_stays_small_after_unlock(running: Running, house: House) -> None:
    """The key derivation's memory is given back; measured after work in every family."""
    for network in ("ethereum", "tron", "solana"):
        assert run(house, "pool", network, "0", "50").returncode == 0

    rss = psutil.Process(running.pid).memory_info().rss
    assert rss < RSS_MIB_MAX * 2**20, f"{rss / 2**20:.0f} MiB"


def test_serve_loads_no_http_client() -> None:
    """Nothing that could call home is even imported."""
    script = (
        "import sys, keystore.__main__, keystore.commands\n"
        f"print([name for name in {HTTP_CLIENTS!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


async def test_kill_9_forgets_nothing(house: House) -> None:
    """Killed amid a stream of signatures, it gives the same bytes after its restart.

    What was answered is repeated; what was not may be signed now; a changed intent is refused
    either way; the client reconnects by itself.
    """
    answered: dict[str, api.Signed] = {}

    def intent(n: int, **changes: Any) -> api.EthereumIntent:
        return ethereum_intent(withdrawal_id=f"wdr_{n}", nonce=n, **changes)

    async with KeystoreClient(house.socket) as client:
        with serving(house) as first:
            enough, some = asyncio.Event(), random.Random(11).randrange(5, 20)

            async def stream() -> None:
                for n in range(500):
                    answered[f"wdr_{n}"] = await client.sign(intent(n))
                    if n == some:
                        enough.set()

            task = asyncio.create_task(stream())
            await enough.wait()
            first.kill()
            with pytest.raises(KeystoreUnavailable):
                await task
        assert house.socket.exists(), "a killed process leaves its socket behind"

        with serving(house):
            for n in range(len(answered)):
                assert await client.sign(intent(n)) == answered[f"wdr_{n}"]
                with pytest.raises(KeystoreRefused, match="intent_conflict"):
                    await client.sign(intent(n, units="1"))
                with pytest.raises(KeystoreRefused, match="slot_taken"):
                    await client.sign(ethereum_intent(withdrawal_id="wdr_x", nonce=n))
            assert (await client.status()).signatures - len(answered) in (0, 1)
            assert await client.sign(intent(len(answered)))


async def test_sigterm_stops_cleanly_and_logs_no_secret(house: House) -> None:
    """Exit 0, socket gone, one JSON line per event, refusals counted."""
    with serving(house) as running:
        async with KeystoreClient(house.socket) as client:
            signed = await client.sign(ethereum_intent())
        raw_exchange(house.socket, b"junk\n")
        raw_exchange(house.socket, b"junk\n")
        with socket.socket(socket.AF_UNIX) as idle:
            idle.connect(str(house.socket))
            started = time.monotonic()
            assert running.stop() == 0
        assert time.monotonic() - started < 10

    events = running.events
    assert [e["event"] for e in events if e["event"] != "request_refused"] == [
        "unlocked",
        "ready",
        "intent_signed",
        "stopped",
    ]
    assert [e["count"] for e in events if e["event"] == "request_refused"] == [1, 2]
    assert not house.socket.exists()
    assert signed.tx_hash in running.text
    assert signed.raw not in running.text
    assert "correct horse" not in running.text


def test_other_users_are_refused(house: House) -> None:
    """A peer whose uid is not on the list gets a code and is cut off, before any request."""
    build(house.home, extra=f"allowed_uids = [{os.geteuid() + 1}]\n")

    with serving(house) as running:
        answer = raw_exchange(house.socket, wire.request_line(api.StatusRequest()))
        assert error_code(answer) == "forbidden_peer"
        assert run(house, "pool", "tron", "0", "1").returncode == 1
        assert running.wait_for("request_refused")["code"] == "forbidden_peer"


async def test_without_a_keystore_the_client_says_so(tmp_path: Path) -> None:
    """No socket is trouble of the world, not a refusal."""
    client = KeystoreClient(tmp_path / "none.sock")

    with pytest.raises(KeystoreUnavailable):
        await client.status()


def test_init_prints_the_pool_key_and_makes_private_files(tmp_path: Path) -> None:
    """What `init --json` prints is the key in the file; both files are ours alone."""
    house = build(tmp_path / "k")

    key = init(house)

    _, secrets = vault.decode(house.file.read_bytes(), PASSPHRASE.encode())
    assert Keyring(secrets).pool_public_key == key
    for path in (house.file, house.journal):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_serve_keeps_its_memory_from_others(running: Running) -> None:
    """Not dumpable, no core file; locked pages where the limit allows it, and it says which."""
    limits = Path(f"/proc/{running.pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    told = running.wait_for("unlocked")
    status = Path(f"/proc/{running.pid}/status").read_text()
    locked = next(line for line in status.splitlines() if line.startswith("VmLck"))
    assert (int(locked.split()[1]) > 0) == told["memory_locked"]
