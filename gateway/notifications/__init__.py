"""Messages to people: e-mail, SMS, chat. `post` writes one, the worker sends it."""

from gateway.notifications.outbox import Message, post

__all__ = ["Message", "post"]
