"""Composition root of the API: settings and database become one ASGI application.

The only place that knows every controller.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ASGIApp, ControllerRouterHandler

from gateway.accounts.controller import KeyController
from gateway.accounts.keys import hashed, is_well_formed
from gateway.accounts.repository import actor_of
from gateway.address_book.controller import (
    AddressBookController,
    WithdrawalSettingsController,
)
from gateway.approvals.controller import ApprovalController
from gateway.catalog.controller import CatalogController
from gateway.checkout.controller import CheckoutController, StyleController
from gateway.db import Database
from gateway.deposits.controller import DepositController
from gateway.desk.controller import ResolutionController, UnattributedController
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from gateway.http import health
from gateway.http.auth import Identify
from gateway.http.call import provide_call
from gateway.http.envelope import Envelope, Metrics
from gateway.http.errors import HANDLERS
from gateway.http.idempotency import Seal
from gateway.http.openapi import configuration
from gateway.http.paging import provide_page
from gateway.http.reading import BODY_BYTES_MAX, JsonRequest
from gateway.invoices.controller import InvoiceController
from gateway.ledger.controller import ApplicationWalletController, LedgerController
from gateway.merchants.controller import (
    MerchantController,
    MerchantKeyController,
    OwnMerchantController,
)
from gateway.pauses.controller import PauseController
from gateway.payout_rules.controller import PayoutRuleController
from gateway.prices.controller import RateController
from gateway.questions.service import Questions
from gateway.refunds.controller import RefundController
from gateway.settings import Settings
from gateway.webhooks.controller import WebhookEndpointController
from gateway.webhooks.history_controller import EventController, WebhookDeliveryController
from gateway.webhooks.outbox import API_VERSION
from gateway.webhooks.secrets import EndpointSecrets
from gateway.withdrawals.batch_controller import WithdrawalBatchController
from gateway.withdrawals.controller import WithdrawalController

Clock = Callable[[], Moment]

V1: Sequence[ControllerRouterHandler] = (
    health.alive,
    health.ready,
    AddressBookController,
    ApplicationWalletController,
    ApprovalController,
    CatalogController,
    DepositController,
    ResolutionController,
    UnattributedController,
    EventController,
    InvoiceController,
    KeyController,
    LedgerController,
    MerchantController,
    MerchantKeyController,
    OwnMerchantController,
    PauseController,
    PayoutRuleController,
    RateController,
    RefundController,
    WebhookDeliveryController,
    WebhookEndpointController,
    WithdrawalBatchController,
    WithdrawalController,
    WithdrawalSettingsController,
)
"""Everything under /v1: JSON in, JSON or a problem out."""

PUBLIC: Sequence[ControllerRouterHandler] = (
    CheckoutController,
    StyleController,
    health.metrics,
)
"""Everything at the root."""


@dataclass(frozen=True, slots=True)
class Api:
    """The application in its envelope, and Litestar's part of it by itself."""

    asgi: ASGIApp
    litestar: Litestar


def now() -> Moment:
    """Return the real moment."""
    return Moment(datetime.now(UTC), secrets.token_bytes)


def create_api(settings: Settings, database: Database, clock: Clock = now) -> Api:
    """Wire the application; whoever made the database closes it."""
    pepper = settings.secret("api.key_pepper_file")
    endpoint_secrets = EndpointSecrets(settings.secret("webhooks.master_secret_file"))
    metrics = Metrics()
    questions = Questions(database)
    v1 = Router(
        "/v1",
        route_handlers=V1,
        dependencies={"call": Provide(provide_call), "page": Provide(provide_page)},
    )
    litestar = Litestar(
        route_handlers=[v1, *PUBLIC],
        dependencies={
            "settings": Provide(lambda: settings, sync_to_thread=False),
            "database": Provide(lambda: database, sync_to_thread=False),
            "moment": Provide(clock, sync_to_thread=False),
            "questions": Provide(lambda: questions, sync_to_thread=False),
            "pepper": Provide(lambda: pepper, sync_to_thread=False),
            "endpoint_secrets": Provide(lambda: endpoint_secrets, sync_to_thread=False),
        },
        exception_handlers=HANDLERS,
        openapi_config=configuration(),
        request_class=JsonRequest,
        request_max_body_size=BODY_BYTES_MAX,
        logging_config=None,
        state=State(
            {
                "clock": clock,
                "database": database,
                "identify": _identify(
                    database, pepper, clock, settings.api.requests_per_minute
                ),
                "metrics": metrics,
                "seal": Seal(pepper),
            }
        ),
    )
    envelope = Envelope(litestar, clock=clock, metrics=metrics, version=API_VERSION)
    return Api(envelope, litestar)


def _identify(database: Database, pepper: str, clock: Clock, quota: int) -> Identify:
    # One statement that is its own transaction: half the round trips of a unit of work.
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")

    async def identify(secret: str) -> Actor | None:
        if not is_well_formed(secret):
            return None
        async with engine.connect() as connection:
            return await actor_of(connection, hashed(pepper, secret), clock().at, quota)

    return identify
