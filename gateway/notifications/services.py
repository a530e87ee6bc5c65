"""SMS and chat through Apprise: services that stand at one address of their own, and no others.

A merchant chooses the target, and Apprise opens the connection: so only schemes whose host is
written in their plugin are let in. Everything that takes a host from its URL stays outside, and
so do options that would weaken TLS, follow redirects or wait for longer.
"""

from collections.abc import Mapping
from typing import Any

import structlog

from gateway.notifications.delivery import ACCEPTED, Letter, Outcome

log = structlog.get_logger()
ADDRESS_CHARACTERS_MAX = 1024
SERVICES: Mapping[str, str] = {
    "discord": "chat",
    "gchat": "chat",
    "pover": "chat",
    "slack": "chat",
    "tgram": "chat",
    "msgbird": "sms",
    "plivo": "sms",
    "twilio": "sms",
    "vonage": "sms",
}
"""Channel by scheme."""
FAILED = Outcome("later", "the service did not take the message")
UNREADABLE = Outcome("refused", "the target's address cannot be used any more")


def fault_of(address: str) -> str | None:
    """Say in a sentence why an address may not be a target, or None. Opens nothing."""
    if len(address) > ADDRESS_CHARACTERS_MAX or not address.isprintable() or " " in address:
        return f"an address is at most {ADDRESS_CHARACTERS_MAX} printable characters"
    if scheme_of(address) not in SERVICES:
        return f"the address must begin with one of {', '.join(sorted(SERVICES))} and ://"
    if "?" in address:
        return "options (what follows a ?) are not taken"
    if _plugin_of(address) is None:
        return "the service does not know such an address"
    return None


def scheme_of(address: str) -> str:
    """Return what stands before `://`, in lower case."""
    return address.partition("://")[0].lower() if "://" in address else ""


def send_through(letter: Letter) -> Outcome:
    """Hand one message to the service of its target; blocks."""
    plugin = (
        None if letter.target is None or fault_of(letter.target) else _plugin_of(letter.target)
    )
    if plugin is None:
        return UNREADABLE
    try:
        sent = plugin.notify(title=letter.subject, body=letter.body, body_format="text")
    except Exception:  # a plugin that breaks on a stranger's address is not our bug
        log.exception(
            "notification service", id=letter.id, service=scheme_of(letter.target or "")
        )
        return UNREADABLE
    return ACCEPTED if sent else FAILED


def _plugin_of(address: str) -> Any:
    # Fifteen megabytes that a process without such a target never needs.
    from gateway.notifications.plugins import plugin_of  # noqa: PLC0415

    return plugin_of(address, scheme_of(address))
