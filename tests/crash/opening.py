"""Opening a `Site`: files, catalogue, one merchant with a deposit, a funded hot wallet."""

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from devnet.chain import LocalChain
from devnet.system.waiting import until
from gateway.catalog.sync import sync_catalog
from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import MERCHANT_SCOPES
from gateway.models import (
    AddressPool,
    ApiKey,
    ApplicationWallet,
    Deposit,
    Invoice,
    Merchant,
    PaymentOption,
)
from gateway.settings import load
from keystore.api import PoolRow
from keystore.client import KeystoreClient
from tests.chaos.networks import NATIVE_DECIMALS, SPL_TOKEN_PROGRAM, TOKEN_DECIMALS
from tests.conftest import FreshDatabase
from tests.crash.site import (
    APPROVER,
    FAMILIES,
    MAKER,
    MERCHANT,
    SECONDS_MAX,
    TOKEN_UNITS,
    Process,
    Site,
)
from tests.keystore.house import House, build, init
from watchers.crash import VARIABLE

KINDS = ("native", "token")
INVOICE = "inv_1"
POLL_MILLISECONDS = 50


@asynccontextmanager
async def opened(
    family: str,
    database: FreshDatabase,
    *,
    policy: str = "",
    chain: LocalChain | None = None,
    dying_at: str = "",
    node: str = "",
) -> AsyncIterator[Site]:
    """Open everything on a chain of its own, or on a running one, and close it afterwards.

    `policy` is the text of the keystore's policy file; without one it signs test money freely.
    With `dying_at` the first watcher dies there, and the second has to make the site ready.
    `node` is where the watcher asks, instead of the chain itself.
    """
    if chain is None:
        async with (
            FAMILIES[family].start() as own,
            opened(family, database, policy=policy, chain=own, dying_at=dying_at) as site,
        ):
            yield site
        return
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        home = Path(folder)
        house = _house(home / "k", family, policy)
        config = home / "config.toml"
        config.write_text(_config(chain, node or chain.url, database, house, init(house)))
        settings = load(config)
        owner = Database(database.url("owner"), pool_size=2)
        api = Database(database.url("api"), pool_size=2)
        site = Site(
            FAMILIES[family], chain, database, house, home, owner, api, config, settings
        )
        try:
            await _furnish(site, dying_at)
            yield site
        finally:
            site.stop()
            if site.keystore is not None:
                site.keystore.kill()
            await api.aclose()
            await owner.aclose()


def _house(home: Path, family: str, policy: str) -> House:
    chain_id = "chain_id = 31337\n" if family == "ethereum" else ""
    networks = f'\n[networks.{family}]\nfamily = "{family}"\n{chain_id}test = true\n'
    extra = 'policy = "policy.toml"\n' if policy else ""
    house = build(home, extra=extra, networks=networks)
    if policy:
        (home / "policy.toml").write_text(policy)
        (home / "policy.toml").chmod(0o600)
    return house


def _config(
    chain: LocalChain, node: str, database: FreshDatabase, house: House, pool_key: str
) -> str:
    where = database.settings.database
    roles = ("admin", "owner", "api", "worker", "watcher")
    passwords = "\n".join(
        f"{role}_password_file = {_text(getattr(where, f'{role}_password_file'))}"
        for role in roles
    )
    program = (
        f"token_program = {_text(SPL_TOKEN_PROGRAM)}\n" if chain.family == "solana" else ""
    )
    return f"""data_dir = {_text(house.home / "gateway")}

[database]
url = {_text(where.url)}
{passwords}

[keystore]
socket = {_text(house.socket)}
pool_public_key = {_text(pool_key)}

[networks.{chain.family}]
family = {_text(chain.family)}
display_name = {_text(chain.family)}
identity = {_text(chain.identity)}
rpc_urls = [{_text(node)}]
test = true
local = true
poll_milliseconds = {POLL_MILLISECONDS}
reconcile_seconds = 1
pool_low_water = 1
pool_batch = 2
fee_ceiling = {_text(FAMILIES[chain.family].fee_ceiling)}

[[networks.{chain.family}.assets]]
code = "COIN"
decimals = {NATIVE_DECIMALS[chain.family]}

[[networks.{chain.family}.assets]]
code = "TUSD"
decimals = {TOKEN_DECIMALS}
contract = {_text(chain.token)}
{program}"""


def _text(value: object) -> str:
    return json.dumps(str(value))


async def _furnish(site: Site, dying_at: str) -> None:
    """List the assets, let a watcher make the wallets, and pay merchant and hot wallet."""
    async with site.owner.unit_of_work(CROSS_TENANT) as session:
        await sync_catalog(session, site.settings)
    site.serve_keystore()
    async with KeystoreClient(site.house.socket) as keystore:
        [row] = await keystore.derive_pool(site.name, 0, 1, issue=True)
    async with site.owner.unit_of_work(CROSS_TENANT) as session:
        for statement in _rows(site, row):
            await session.execute(statement)
    watcher = await site.start(**({VARIABLE: dying_at} if dying_at else {}))
    site.hot = await until(lambda: hot_wallet(site), "a hot wallet", seconds_max=SECONDS_MAX)
    await until(lambda: _watching(site), "a cursor", seconds_max=SECONDS_MAX)
    for address in (row.address, site.hot):
        await site.chain.pay(address, site.family.native_units)
        await site.chain.pay(address, TOKEN_UNITS, site.chain.token)
    if dying_at:
        await dead(site, watcher, dying_at)
        watcher = await site.start()
    # A set-up whose blockhash died with the first watcher is made anew after three minutes.
    patience = SECONDS_MAX * (3 if dying_at else 1)
    await until(lambda: _ready(site), "the deposits", seconds_max=patience)
    watcher.child.terminate()
    await watcher.end()
    site.running.remove(watcher)


async def hot_wallet(site: Site) -> str | None:
    """Return the hot wallet's address once the watcher has written it down."""
    query = select(ApplicationWallet.address).where(ApplicationWallet.purpose == "hot")
    site.require_alive()
    async with site.owner.unit_of_work(CROSS_TENANT) as session:
        found: str | None = await session.scalar(query)
        return found


async def _watching(site: Site) -> bool | None:
    site.require_alive()
    return bool(await site.sql("SELECT 1 FROM cursor WHERE epoch > 0")) or None


async def dead(site: Site, watcher: Process, point: str) -> None:
    """Mine until a watcher dies at its place."""

    async def status_then() -> int | None:
        await site.chain.mine(site.family.depth)
        return watcher.child.poll()

    status = await until(status_then, f"death at {point}", seconds_max=SECONDS_MAX)
    assert (status, f"crash: {point}" in watcher.words) == (-9, True), watcher.last_words
    site.running.remove(watcher)


async def _ready(site: Site) -> bool | None:
    """Mine until both deposits and both pieces of capital are booked, and a lane is made."""
    site.require_alive()
    sending = "SELECT 1 FROM attempt WHERE purpose = 'setup' AND state = 'signed'"
    if not await site.sql(sending):  # a jump of slots would kill its blockhash
        await site.chain.mine(site.family.depth)
    query = select(Deposit.id).where(Deposit.status == "confirmed")
    async with site.owner.unit_of_work(CROSS_TENANT) as session:
        credited = len((await session.scalars(query)).all()) == 2 * len(KINDS)
    return (credited and await _laned(site)) or None


async def _laned(site: Site) -> bool:
    """Tell whether every nonce lane of the network (it may have none) is made."""
    left = (
        "SELECT (SELECT count(*) FROM application_wallet WHERE purpose = 'nonce') "
        "- (SELECT count(*) FROM attempt WHERE purpose = 'setup' AND state = 'succeeded')"
    )
    return bool(await site.sql(left) == [(0,)])


def _rows(site: Site, row: PoolRow) -> Any:
    """Yield what makes a merchant, its invoice and the invoice's address, as the API would."""
    moment = datetime.now(UTC)
    yield insert(Merchant).values(
        id=MERCHANT, name="Shop", status="active", invoice_expiry_minutes=60,
        monitoring_days=7, tolerance_basis_points=50, created_at=moment,
    )  # fmt: skip
    for key in (MAKER, APPROVER):
        yield insert(ApiKey).values(
            id=key, merchant_id=MERCHANT, name=key, prefix=f"gw_test_{key}"[:16],
            key_hash=sha256(key.encode()).digest(), scopes=[*MERCHANT_SCOPES], livemode=False,
            allowed_ips=[], created_at=moment,
        )  # fmt: skip
    yield insert(Invoice).values(
        id=INVOICE, merchant_id=MERCHANT, livemode=False, metadata_={}, amount=Decimal(1),
        currency="USD", tolerance_basis_points=50, status="pending", exception="none",
        final=False, created_at=moment, expires_at=moment + timedelta(hours=1),
        monitoring_until=moment + timedelta(days=7),
    )  # fmt: skip
    for kind in KINDS:
        yield insert(PaymentOption).values(
            invoice_id=INVOICE, currency_id=site.currency(kind), merchant_id=MERCHANT,
            network_id=site.name, amount_units=1, rate=Decimal(1), rate_source="test",
            rate_at=moment, address=row.address, address_index=row.index,
            address_path=row.path, address_signature=bytes.fromhex(row.signature),
            activated_at=moment,
        )  # fmt: skip
    yield insert(AddressPool).values(
        network_id=site.name, index=row.index, path=row.path, address=row.address,
        signature=bytes.fromhex(row.signature), created_at=moment, invoice_id=INVOICE,
        status="ASSIGNED", merchant_id=MERCHANT,
    )  # fmt: skip
