"""`make up`: the same system, kept running for a person to try things."""

import asyncio

from rich.console import Console

from devnet.demo.screen import Screen
from devnet.demo.shop import Shop, opened
from devnet.system.assets import METHODS
from devnet.system.start import System


async def stay(system: System, screen: Screen) -> None:
    """Set up a shop, print what one needs, wait until cancelled."""
    async with opened(system) as shop:
        _print(system, shop, screen.console)
        await asyncio.Event().wait()


def _print(system: System, shop: Shop, console: Console) -> None:
    place = system.place
    lines = [
        "",
        "[bold]The gateway is up.[/] Ctrl-C stops everything.",
        f"  API          {place.api_url}/v1   OpenAPI {place.api_url}/schema/openapi.json",
        f"  operator     {system.operator_key}",
        f"  merchant     {shop.merchant_id}",
        f"  maker key    {shop.maker.key}",
        f"  approver key {shop.approver.key}",
        f"  webhooks     {place.kept_webhooks}",
        f"  logs         {place.logs}",
    ]
    for name, chain in system.chains.items():
        lines.append(f"  {name:<12} {chain.url}   TUSD {chain.token}")
    methods = " ".join(method.id for method in METHODS)
    lines += [
        f"  methods      {methods}",
        "",
        "Create an invoice:",
        "",
        _curl(place.api_url, shop),
    ]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _curl(url: str, shop: Shop) -> str:
    return (
        f"curl {url}/v1/invoices -H 'Authorization: Bearer {shop.maker.key}' "
        "-H 'Content-Type: application/json' "
        """-d '{"amount": "25.00", "currency": "USD"}'\n"""
    )
