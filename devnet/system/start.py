"""From an empty folder to a running gateway: every process its own, in the order they need.

chains, keystore init | configuration, database, migrate | api, worker, watchers, receiver
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psutil

from devnet import anvil, surfpool, tron
from devnet.chain import LocalChain
from devnet.receiver import Inbox
from devnet.system.assets import METHODS, NETWORKS
from devnet.system.client import Client
from devnet.system.configuration import write_gateway_config, write_keystore_config
from devnet.system.place import Place
from devnet.system.processes import Fallen, Supervisor
from devnet.system.waiting import until
from devnet.tied import survivors

CHAINS: Mapping[str, tuple[str, Callable[[str], AbstractAsyncContextManager[LocalChain]]]] = {
    "ethereum": ("devnet.anvil", anvil.attached),
    "tron": ("devnet.tron", tron.attached),
    "solana": ("devnet.surfpool", surfpool.attached),
}
WATCHERS = tuple(f"watcher-{network.name}" for network in NETWORKS)
OURS = ("database", "api", "worker", *WATCHERS, "keystore")
"""The gateway's own processes; chains and receiver are its surroundings."""
STOPPED_FIRST = (("api", "worker", *WATCHERS), ("keystore", "receiver", "database"))
LEFT_SECONDS_MAX = 5.0

Tell = Callable[[str], None]


@dataclass(slots=True)
class System:
    """A running gateway with its surroundings; `inbox` is what the receiver verified."""

    place: Place
    supervisor: Supervisor
    chains: Mapping[str, LocalChain]
    inbox: Inbox
    operator_key: str
    colleague_key: str
    """Another operator's: nobody makes both keys of a merchant that ask and approve."""

    def client(self, key: str | None = None, *, patience_seconds: float = 0.0) -> Client:
        """Return a client of the API; whoever asked for it closes it."""
        return Client(self.place.api_url, key, patience_seconds)

    async def audit(self, patience_seconds: int = 20) -> Any:
        """Run the independent check as a process of its own; return its report."""
        state = self.place.state / "gateway"
        nodes = [f"--node={name}={chain.url}" for name, chain in self.chains.items()]
        printed = await self.supervisor.run(
            "devnet.audit",
            *("--socket", str(state / "pg" / "run")),
            *("--password-file", str(state / "secrets" / "owner_password")),
            *("--patience", str(patience_seconds)),
            *nodes,
            may_fail=True,
        )
        return json.loads(printed)


@asynccontextmanager
async def running(
    place: Place, tell: Tell, *, keep_alive: bool = False
) -> AsyncIterator[System]:
    """Start everything in an empty place, yield it, stop everything.

    Raises `Fallen` inside the block where a process ends by itself (unless `keep_alive`), and
    after it where one is left behind.
    """
    supervisor = Supervisor(place.logs, keep_alive=keep_alive)
    everyone: list[psutil.Process] = []
    try:
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(supervisor.watch())
            yield await _started(place, supervisor, stack, tell)
            watch.cancel()
    except BaseExceptionGroup as group:
        # The group has one member: what fell, or what went wrong in the block.
        raise group.exceptions[0] from None
    finally:
        tell("stopping")
        everyone = supervisor.everyone()
        stubborn = await asyncio.shield(supervisor.stop(*STOPPED_FIRST))
    left = survivors(everyone, LEFT_SECONDS_MAX)
    if stubborn or left:
        raise Fallen(f"had to be killed: {stubborn}; left behind: {left}")


async def _started(
    place: Place, supervisor: Supervisor, stack: AsyncExitStack, tell: Tell
) -> System:
    tell("starting three local chains, making the keystore")
    write_keystore_config(place)
    keystore = str(place.keystore_config)
    making = supervisor.run(
        "keystore", "init", "--config", keystore, "--kdf-memory-mib=64", "--json"
    )
    printed, attached = await asyncio.gather(
        making, asyncio.gather(*(_chain(supervisor, stack, name) for name in CHAINS))
    )
    chains = dict(zip(CHAINS, attached, strict=True))
    write_gateway_config(place, chains, json.loads(printed)["pool_public_key"])
    await asyncio.gather(
        _database(place, supervisor, tell),
        supervisor.start("keystore", "keystore", "serve", "--config", keystore),
        _receiver(place, supervisor),
    )
    tell("starting the gateway's processes")
    keys = await _gateway(place, supervisor)
    system = System(place, supervisor, chains, Inbox(place.kept_webhooks), *keys)
    tell("waiting until every payment method is available")
    await _ready(system)
    return system


async def _chain(supervisor: Supervisor, stack: AsyncExitStack, name: str) -> LocalChain:
    module, attached = CHAINS[name]
    process = f"chain-{name}"
    await supervisor.start(process, module)
    line = await supervisor.said(process, '"family"')
    return await stack.enter_async_context(attached(json.loads(line)["url"]))


async def _database(place: Place, supervisor: Supervisor, tell: Tell) -> None:
    tell("making the database")
    config = ("--config", str(place.config))
    await supervisor.run("gateway", "init", *config)
    await supervisor.start("database", "gateway", "database", *config)
    await supervisor.said("database", "database ready")
    await supervisor.run("gateway", "migrate", *config)


async def _receiver(place: Place, supervisor: Supervisor) -> None:
    await supervisor.start(
        "receiver",
        "devnet.receiver",
        *("--port", str(place.receiver_port), "--secret-file", str(place.webhook_secret)),
        *("--keep", str(place.kept_webhooks)),
    )
    await supervisor.said("receiver", "listening")


async def _gateway(place: Place, supervisor: Supervisor) -> tuple[str, str]:
    """Start API, worker and watchers; make the keys of two operators meanwhile."""
    config = ("--config", str(place.config))
    for name in ("api", "worker"):
        await supervisor.start(name, "gateway", name, *config)
    for process, network in zip(WATCHERS, NETWORKS, strict=True):
        await supervisor.start(process, "watchers", "run", network.name, *config)
    create = ("gateway", "admin", "create-operator-key", *config, "--name")
    first = await supervisor.run(*create, "local")
    second = await supervisor.run(*create, "colleague")
    return first.split()[-1], second.split()[-1]


async def _ready(system: System) -> None:
    """Wait for the API, then for every payment method; `watchers status` must agree."""
    client = system.client(system.operator_key, patience_seconds=30)
    try:
        await client.get("/v1/health/ready")

        async def available() -> bool | None:
            methods = (await client.get("/v1/payment_methods"))["data"]
            return {m["payment_method"] for m in methods if m["available"]} == _ALL or None

        await until(available, f"payment methods {sorted(_ALL)}")
    finally:
        await client.aclose()
    await system.supervisor.run("watchers", "status", "--config", str(system.place.config))


_ALL = {method.id for method in METHODS}
