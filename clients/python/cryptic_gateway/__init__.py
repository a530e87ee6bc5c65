"""Client for the API of a Cryptic Gateway, in two call styles with the same names.

`AsyncClient` is for asyncio; `Client` is made from its source and blocks.
"""

from cryptic_gateway.aio.client import AsyncClient
from cryptic_gateway.plain.client import Client
from cryptic_gateway.policy import Retrying
from cryptic_gateway.problems import (
    Conflict,
    Fault,
    Forbidden,
    GatewayError,
    Invalid,
    NoAnswer,
    NotFound,
    Problem,
    ServerFault,
    TooMany,
    Unauthenticated,
    Unavailable,
    Unintelligible,
)
from cryptic_gateway.signing import Signer
from cryptic_gateway.webhooks import WebhookRefused, Webhooks

__all__ = [
    "AsyncClient",
    "Client",
    "Conflict",
    "Fault",
    "Forbidden",
    "GatewayError",
    "Invalid",
    "NoAnswer",
    "NotFound",
    "Problem",
    "Retrying",
    "ServerFault",
    "Signer",
    "TooMany",
    "Unauthenticated",
    "Unavailable",
    "Unintelligible",
    "WebhookRefused",
    "Webhooks",
]
