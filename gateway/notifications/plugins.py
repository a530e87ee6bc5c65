"""Apprise's plugins for the services that are let in; loaded where a message or a target needs them."""

from collections.abc import Mapping
from typing import Any

from apprise import Apprise, AppriseAsset
from apprise.plugins.discord import NotifyDiscord
from apprise.plugins.google_chat import NotifyGoogleChat
from apprise.plugins.messagebird import NotifyMessageBird
from apprise.plugins.plivo import NotifyPlivo
from apprise.plugins.pushover import NotifyPushover
from apprise.plugins.slack import NotifySlack
from apprise.plugins.telegram import NotifyTelegram
from apprise.plugins.twilio import NotifyTwilio
from apprise.plugins.vonage import NotifyVonage

CONNECT_SECONDS, READ_SECONDS = 5, 10
PLUGINS: Mapping[str, type] = {
    "discord": NotifyDiscord,
    "gchat": NotifyGoogleChat,
    "pover": NotifyPushover,
    "slack": NotifySlack,
    "tgram": NotifyTelegram,
    "msgbird": NotifyMessageBird,
    "plivo": NotifyPlivo,
    "twilio": NotifyTwilio,
    "vonage": NotifyVonage,
}
"""By scheme."""


def plugin_of(address: str, scheme: str) -> Any:
    """Return the service's own plugin for an address, or None where it does not know it."""
    asset = AppriseAsset(
        app_id="Cryptic Gateway", image_url_mask="", image_path_mask="", secure_logging=True
    )
    plugin: Any = Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    known = type(plugin) is PLUGINS[scheme]
    if not known:
        return None
    plugin.verify_certificate = True
    plugin.redirects = False
    plugin.socket_connect_timeout = CONNECT_SECONDS
    plugin.socket_read_timeout = READ_SECONDS
    plugin.overflow_mode = "truncate"
    return plugin
