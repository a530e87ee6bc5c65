"""A shop's webhook receiver as a process of its own: verifies, keeps, answers.

It knows nothing of the gateway but its public secret; the signature is checked by the
`standardwebhooks` library. `python -m devnet.receiver --port P --secret-file F --keep K`.
"""

import argparse
import asyncio
import json
import signal
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from devnet.chain import HOST

STATE: web.AppKey["Shop"] = web.AppKey("shop")


@dataclass(slots=True)
class Shop:
    """What one shop would hold: its secret (written once the endpoint exists) and its inbox."""

    secret_file: Path
    keep: Path

    def take(self, body: bytes, headers: dict[str, str]) -> None:
        """Keep a verified event; raise `WebhookVerificationError` for anything else."""
        secret = self.secret_file.read_text().strip()
        event = Webhook(secret).verify(body, headers)
        self._write({"id": headers["webhook-id"], "event": event})

    def refuse(self, reason: str) -> None:
        """Keep a note of what was refused."""
        self._write({"refused": reason})

    def _write(self, line: object) -> None:
        with self.keep.open("a") as file:
            file.write(json.dumps(line) + "\n")


@dataclass(frozen=True, slots=True)
class Received:
    """One verified event: `subject` is the id of the object that it speaks of."""

    id: str
    type: str
    subject: str
    sequence: int


@dataclass(slots=True)
class Inbox:
    """The receiver's file as another process reads it, line by line as it grows."""

    keep: Path
    events: dict[str, Received] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    repeated: int = 0
    _offset: int = 0

    def of(self, subject: str) -> list[Received]:
        """Return the events of one subject in the order in which they first arrived."""
        self._read()
        return [event for event in self.events.values() if event.subject == subject]

    def subjects(self) -> set[str]:
        """Return every subject that was heard of."""
        self._read()
        return {event.subject for event in self.events.values()}

    def _read(self) -> None:
        if not self.keep.exists():
            return
        with self.keep.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                self._note(json.loads(line))

    def _note(self, line: dict[str, object]) -> None:
        if "refused" in line:
            self.refused.append(str(line["refused"]))
            return
        event = _event(line["event"])
        if event.id in self.events:
            self.repeated += 1
        else:
            self.events[event.id] = event


def _event(body: object) -> Received:
    match body:
        case {
            "id": str(id_),
            "type": str(type_),
            "sequence": int(sequence),
            "subject": str(subject),
        }:
            return Received(id_, type_, subject, sequence)
    raise ValueError(f"not an event: {body}")


async def _take(request: web.Request) -> web.Response:
    shop = request.app[STATE]
    body = await request.read()
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        shop.take(body, headers)
    except (WebhookVerificationError, OSError) as fault:
        shop.refuse(str(fault))
        return web.Response(status=400)
    return web.Response(status=204)


async def _serve(port: int, shop: Shop) -> None:
    app = web.Application()
    app[STATE] = shop
    app.router.add_post("/webhooks", _take)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        print("listening", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m devnet.receiver", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--secret-file", type=Path, required=True)
    parser.add_argument("--keep", type=Path, required=True, help="file for what was verified")
    options = parser.parse_args()
    asyncio.run(_serve(options.port, Shop(options.secret_file, options.keep)))
