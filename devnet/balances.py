"""What addresses hold, asked of a node in its own words: the chains' side of the audit."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any

import httpx

BATCH = 100
SIDE_BY_SIDE = 8
BALANCE_OF = "70a08231"
"""Selector of `balanceOf(address)`."""
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class NoAnswer(Exception):
    """A node answered a question with something that is no answer."""


Read = Callable[[str], Awaitable[int]]


async def onchain(
    client: httpx.AsyncClient,
    family: str,
    url: str,
    contract: str | None,
    addresses: Sequence[str],
) -> int:
    """Return the sum of one asset over `addresses` in base units; native without `contract`."""
    return await FAMILIES[family](client, url, contract, addresses)


async def _ethereum(
    client: httpx.AsyncClient, url: str, contract: str | None, addresses: Sequence[str]
) -> int:
    calls = [_evm_call(number, contract, address) for number, address in enumerate(addresses)]
    total = 0
    for first in range(0, len(calls), BATCH):
        batch = calls[first : first + BATCH]
        answers = await _answer(client, url, batch)
        if len(answers) != len(batch):
            raise ValueError(f"{url}: {len(answers)} answers to {len(batch)} questions")
        total += sum(int(answer["result"], 16) for answer in answers)
    return total


def _evm_call(number: int, contract: str | None, address: str) -> dict[str, Any]:
    call: dict[str, Any] = {"jsonrpc": "2.0", "id": number}
    if contract is None:
        return call | {"method": "eth_getBalance", "params": [address, "latest"]}
    data = f"0x{BALANCE_OF}{address.removeprefix('0x').lower():0>64}"
    return call | {"method": "eth_call", "params": [{"to": contract, "data": data}, "latest"]}


async def _tron(
    client: httpx.AsyncClient, url: str, contract: str | None, addresses: Sequence[str]
) -> int:
    async def native(address: str) -> int:
        question = {"address": address, "visible": True}
        answer = await _answer(client, f"{url}/wallet/getaccount", question)
        return int(answer.get("balance", 0))

    async def token(address: str) -> int:
        question = {
            "owner_address": address,
            "contract_address": contract,
            "function_selector": "balanceOf(address)",
            "parameter": f"{_account_of(address):0>64}",
            "visible": True,
        }
        path = f"{url}/wallet/triggerconstantcontract"
        answer = await _answer(client, path, question)
        return int(answer["constant_result"][0], 16)

    return await _sum(native if contract is None else token, addresses)


def _account_of(address: str) -> str:
    """Return the 20 bytes of a Tron address in hex: base58 of 0x41, account, checksum."""
    number = 0
    for letter in address:
        number = number * 58 + BASE58.index(letter)
    return number.to_bytes(25, "big")[1:21].hex()


async def _solana(
    client: httpx.AsyncClient, url: str, contract: str | None, addresses: Sequence[str]
) -> int:
    async def ask(method: str, *params: Any) -> Any:
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return (await _answer(client, url, question))["result"]["value"]

    async def native(address: str) -> int:
        return int(await ask("getBalance", address, {"commitment": "confirmed"}))

    async def token(address: str) -> int:
        options = {"commitment": "confirmed", "encoding": "jsonParsed"}
        accounts = await ask("getTokenAccountsByOwner", address, {"mint": contract}, options)
        return sum(
            int(account["account"]["data"]["parsed"]["info"]["tokenAmount"]["amount"])
            for account in accounts
        )

    return await _sum(native if contract is None else token, addresses)


async def _answer(client: httpx.AsyncClient, url: str, question: Any) -> Any:
    answer = await client.post(url, json=question)
    if answer.status_code != HTTPStatus.OK or not answer.content:
        raise NoAnswer(
            f"{url}: {answer.status_code} {answer.text[:200]!r} to {question!r:.200}"
        )
    return answer.json()


async def _sum(read: Read, addresses: Sequence[str]) -> int:
    places = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(address: str) -> int:
        async with places:
            return await read(address)

    return sum(await asyncio.gather(*(one(address) for address in addresses)))


FAMILIES: dict[str, Callable[..., Awaitable[int]]] = {
    "ethereum": _ethereum,
    "tron": _tron,
    "solana": _solana,
}
