"""A shop at the gateway's HTTP door: one key asks, another approves, a receiver listens."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from devnet.receiver import Received
from devnet.system.assets import METHODS, Method
from devnet.system.client import Client
from devnet.system.start import System
from devnet.system.waiting import until

MAKER_SCOPES = (
    "balances:read",
    "deposits:read",
    "events:read",
    "invoices:read",
    "invoices:write",
    "webhooks:read",
    "webhooks:write",
    "withdrawals:create",
    "withdrawals:read",
)
APPROVER_SCOPES = ("withdrawals:approve", "withdrawals:read")
SECONDS_MAX = 90.0

Document = dict[str, Any]


@dataclass(slots=True)
class Shop:
    """A merchant with its two keys. Waiting is bounded; `Overdue` names what did not come."""

    system: System
    merchant_id: str
    maker: Client
    approver: Client
    seconds_max: float = SECONDS_MAX

    async def order(self, method: Method, usd: str, **terms: Any) -> Document:
        """Create an invoice in US dollars for one payment method."""
        body = {"amount": usd, "currency": "USD", "payment_methods": [method.id], **terms}
        invoice: Document = await self.maker.post("/v1/invoices", body)
        return invoice

    async def pay(self, method: Method, invoice: Document, units: int) -> str:
        """Send `units` to the invoice's address on its chain; return the hash."""
        chain = self.system.chains[method.network]
        address = invoice["payment_options"][0]["address"]
        return await chain.pay(address, units, method.asset(chain))

    async def invoice_until(
        self, invoice_id: str, status: str, exception: str = "none"
    ) -> Document:
        """Wait until an invoice stands as wanted."""

        async def standing() -> Document | None:
            invoice: Document = await self.maker.get(f"/v1/invoices/{invoice_id}")
            wanted = (invoice["status"], invoice["exception"]) == (status, exception)
            return invoice if wanted else None

        what = f"{invoice_id} to be {status}/{exception}"
        return await until(standing, what, seconds_max=self.seconds_max)

    async def deposit_of(self, tx_hash: str) -> Document:
        """Return the one deposit of a transaction; more or fewer raise `ValueError`."""
        [deposit] = (await self.maker.get("/v1/deposits", tx_hash=tx_hash))["data"]
        found: Document = deposit
        return found

    async def withdraw(self, method: Method, units: int, destination: str) -> Document:
        """Ask with one key, approve with the other; return the approved withdrawal."""
        body = {
            "payment_method": method.id,
            "amount": method.text(units),
            "destination": destination,
            "reference": f"payout-{destination}",
        }
        asked = await self.maker.post("/v1/withdrawals", body)
        approved: Document = await self.approver.post(f"/v1/withdrawals/{asked['id']}/approve")
        return approved

    async def paid_out(self, withdrawal_id: str) -> Document:
        """Wait until a withdrawal is completed; return it."""

        async def standing() -> Document | None:
            found: Document = await self.maker.get(f"/v1/withdrawals/{withdrawal_id}")
            return found if found["status"] == "completed" else None

        what = f"{withdrawal_id} to be completed"
        return await until(standing, what, seconds_max=self.seconds_max)

    async def heard(self, subject: str, last: str) -> list[Received]:
        """Wait until the receiver has verified the event `last` of a subject; return them all."""

        async def events() -> list[Received] | None:
            found = self.system.inbox.of(subject)
            return found if any(event.type == last for event in found) else None

        what = f"webhook {last} of {subject}"
        return await until(events, what, seconds_max=self.seconds_max)


@asynccontextmanager
async def opened(system: System, *, patience_seconds: float = 10.0) -> AsyncIterator[Shop]:
    """Open a merchant's account as the operator, make its keys and its webhook endpoint.

    The approver's key is a colleague's to make: the operator would be one with both otherwise.
    """
    operator, colleague = (
        system.client(key) for key in (system.operator_key, system.colleague_key)
    )
    merchant_id = (await operator.post("/v1/merchants", {"name": "Demo shop"}))["id"]
    keys = []
    for name, scopes, hand in (
        ("maker", MAKER_SCOPES, operator),
        ("approver", APPROVER_SCOPES, colleague),
    ):
        body = {"name": name, "scopes": list(scopes)}
        keys.append((await hand.post(f"/v1/merchants/{merchant_id}/api_keys", body))["key"])
    maker, approver = (system.client(key, patience_seconds=patience_seconds) for key in keys)
    endpoint = await maker.post("/v1/webhook_endpoints", {"url": system.place.receiver_url})
    system.place.webhook_secret.touch(mode=0o600)
    system.place.webhook_secret.write_text(endpoint["secret"])
    try:
        await _fund(system, operator)
        yield Shop(system, merchant_id, maker, approver)
    finally:
        for client in (operator, colleague, maker, approver):
            await client.aclose()


async def _fund(system: System, operator: Client) -> None:
    """Give every hot wallet its capital, by real transfers on its chain."""
    wallets = (await operator.get("/v1/application_wallets"))["data"]
    hot = {row["network"]: row["address"] for row in wallets if row["purpose"] == "hot"}

    async def one(network: str, methods: Sequence[Method]) -> None:
        chain = system.chains[network]
        for method in methods:
            units = method.capital * 10**method.decimals
            await chain.pay(hot[network], units, method.asset(chain))

    await asyncio.gather(
        *(
            one(network, [method for method in METHODS if method.network == network])
            for network in system.chains
        )
    )
