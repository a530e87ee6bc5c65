"""The receiver keeps what verifies and nothing else."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from devnet.receiver import Inbox, Shop

SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


def _signed(event: dict[str, object]) -> tuple[bytes, dict[str, str]]:
    body, at = json.dumps(event).encode(), datetime.now(UTC)
    event_id = str(event["id"])
    return body, {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(event_id, at, body.decode()),
    }


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Return a receiver that knows its secret."""
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    return Shop(secret, tmp_path / "kept.jsonl")


def test_a_signed_event_is_kept_once(shop: Shop) -> None:
    """A repeated delivery is the same event, not a second one."""
    event = {"id": "evt_1", "type": "invoice.settled", "subject": "inv_1", "sequence": 3}
    for _ in range(2):
        shop.take(*_signed(event))
    inbox = Inbox(shop.keep)
    assert [(e.type, e.sequence) for e in inbox.of("inv_1")] == [("invoice.settled", 3)]
    assert inbox.subjects() == {"inv_1"}
    assert inbox.repeated == 1


def test_an_altered_body_is_refused(shop: Shop) -> None:
    """A signature speaks for its body only."""
    body, headers = _signed({"id": "evt_1", "type": "x", "subject": "inv_1", "sequence": 1})
    with pytest.raises(WebhookVerificationError):
        shop.take(body.replace(b"inv_1", b"inv_2"), headers)
    assert not Inbox(shop.keep).of("inv_2")


def test_a_half_written_line_is_read_later(shop: Shop) -> None:
    """The reader never trips over a line that is still being written."""
    event = {"id": "evt_1", "type": "x", "subject": "inv_1", "sequence": 1}
    line = json.dumps({"id": "evt_1", "event": event}) + "\n"
    inbox = Inbox(shop.keep)
    shop.keep.write_text(line[:20])
    assert not inbox.of("inv_1")
    shop.keep.write_text(line)
    assert len(inbox.of("inv_1")) == 1
