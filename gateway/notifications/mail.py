"""E-mail through the operator's own server (RFC 5321). Blocking: it runs in a thread.

Apprise reads the server's address; it would answer a plain yes or no, and whether to try again
is in the server's reply code, so the conversation itself is the standard library's.
"""

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from ipaddress import ip_address

from gateway.domain.moment import Moment
from gateway.notifications.delivery import ACCEPTED, Letter, Outcome
from gateway.notifications.outbox import is_mail_address
from gateway.settings import NotificationSettings, SettingsError

SOCKET_SECONDS = 8
TRIED_AGAIN = Outcome("later", "the mail server could not be reached or broke off")


@dataclass(frozen=True, slots=True)
class Relay:
    """The operator's mail server; `security` is `insecure`, `starttls` or `ssl`."""

    host: str
    port: int
    security: str
    user: str | None
    password: str | None
    sender: tuple[str, str]
    """Name and address."""


def relay_of(settings: NotificationSettings, password: str | None) -> Relay | None:
    """Read `notifications.url`; None where no server is configured."""
    if not settings.url:
        return None
    # Some 170 modules that a worker without a mail server never needs.
    from apprise import Apprise  # noqa: PLC0415
    from apprise.plugins.email import NotifyEmail  # noqa: PLC0415

    plugin = Apprise.instantiate(settings.url, suppress_exceptions=True)
    if not isinstance(plugin, NotifyEmail):
        raise SettingsError("notifications.url: it is not mailto://... or mailtos://...")
    if plugin.password:
        raise SettingsError("notifications.url: the password belongs into password_file")
    security = str(getattr(plugin.secure_mode, "value", plugin.secure_mode))
    if password is not None and security == "insecure" and not _is_here(plugin.smtp_host):
        raise SettingsError("notifications.url: a password needs mailtos://")
    name, address = (str(each or "") for each in plugin.from_addr)
    return Relay(
        host=plugin.smtp_host,
        port=plugin.port or smtplib.SMTP_PORT,
        security=security,
        user=plugin.user,
        password=password,
        sender=(name, address),
    )


def send_mail(relay: Relay, letter: Letter, moment: Moment) -> Outcome:
    """Hand one message over; say whether it was accepted, refused or is to be tried again."""
    if not is_mail_address(letter.recipient):
        return Outcome("refused", "this is not one e-mail address")
    try:
        smtp = _connected(relay)
    except (OSError, smtplib.SMTPException):
        return TRIED_AGAIN
    try:
        return _handed_over(smtp, relay, letter, moment)
    finally:
        # It has the message or has it not; how it says good-bye changes neither.
        with suppress(OSError, smtplib.SMTPException):
            smtp.quit()
        smtp.close()


def _handed_over(smtp: smtplib.SMTP, relay: Relay, letter: Letter, moment: Moment) -> Outcome:
    try:
        if relay.user and relay.password:
            smtp.login(relay.user, relay.password)
        message = composed(relay, letter, moment)
        smtp.send_message(message, relay.sender[1], [letter.recipient])
    except smtplib.SMTPRecipientsRefused as refusal:
        code = max((code for code, _ in refusal.recipients.values()), default=450)
        return _answered(code, "the mail server refused the recipient")
    except smtplib.SMTPDataError as refusal:
        return _answered(refusal.smtp_code, "the mail server refused the message")
    except smtplib.SMTPNotSupportedError:
        return Outcome("refused", "the mail server does not know such addresses")
    except (OSError, smtplib.SMTPException):
        return TRIED_AGAIN
    return ACCEPTED


def composed(relay: Relay, letter: Letter, moment: Moment) -> EmailMessage:
    """Write the message; its id stays the same, so that a second copy can be told as one."""
    message = EmailMessage()
    message["From"] = formataddr(relay.sender)
    message["To"] = letter.recipient
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(moment.at)
    message["Message-ID"] = f"<{letter.id}@{relay.sender[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no machine answers it
    message.set_content(letter.body or "")
    return message


def _connected(relay: Relay) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if relay.security == "ssl":
        return smtplib.SMTP_SSL(relay.host, relay.port, timeout=SOCKET_SECONDS, context=context)
    smtp = smtplib.SMTP(relay.host, relay.port, timeout=SOCKET_SECONDS)
    if relay.security == "starttls":
        try:
            smtp.starttls(context=context)
        except BaseException:
            smtp.close()
            raise
    return smtp


def _answered(code: int, words: str) -> Outcome:
    """5yz is for good, 4yz for now (RFC 5321, 4.2.1)."""
    return Outcome("refused" if code >= 500 else "later", f"{words} ({code})")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
