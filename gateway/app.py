"""Composition root of the API: settings and database become one ASGI application.

The only place that knows every controller.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ASGIApp, ControllerRouterHandler

from gateway.accounts.controller import KeyController
from gateway.accounts.keys import hashed, is_well_formed
from gateway.accounts.repository import KeyUse, actor_of
from gateway.address_book.controller import (
    AddressBookController,
    WithdrawalSettingsController,
)
from gateway.approvals.controller import ApprovalController
from gateway.catalog.controller import CatalogController
from gateway.catalog.published import SHELF, Shelf
from gateway.checkout.controller import (
    CheckoutController,
    ColorController,
    StyleController,
)
from gateway.checkout.listeners import Listeners
from gateway.checkout.live_controller import LiveController
from gateway.customers.controller import CustomerController
from gateway.customers.money_controller import (
    CustomerMoneyController,
    DepositAddressController,
)
from gateway.db import Database
from gateway.deposits.controller import CustomerDepositController, DepositController
from gateway.deposits.export_controller import DepositExportController
from gateway.desk.controller import ResolutionController, UnattributedController
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from gateway.exports.streaming import Exports
from gateway.factors.controller import (
    FactorController,
    FactorResetController,
    StepUpController,
)
from gateway.factors.secrets import FactorSecrets
from gateway.http import health
from gateway.http.auth import Credentials, Identify
from gateway.http.call import provide_call
from gateway.http.envelope import Envelope, Metrics
from gateway.http.errors import HANDLERS
from gateway.http.idempotency import Seal
from gateway.http.openapi import configuration
from gateway.http.paging import provide_page
from gateway.http.reading import BODY_BYTES_MAX, JsonRequest
from gateway.invoices.controller import InvoiceController
from gateway.ledger.controller import ApplicationWalletController, LedgerController
from gateway.ledger.export_controller import EntryExportController
from gateway.measured import measure
from gateway.merchant_settings.controller import (
    MerchantSettingsController,
    SettingsController,
)
from gateway.merchants.controller import (
    MerchantController,
    MerchantKeyController,
    OwnMerchantController,
)
from gateway.merchants.standing_controller import MerchantStandingController
from gateway.notifications.controller import (
    NotificationController,
    NotificationTargetController,
)
from gateway.notifications.outbox import SEALING
from gateway.notifications.sealing import Sealing
from gateway.pauses.controller import PauseController
from gateway.payout_rules.controller import PayoutRuleController
from gateway.people.routes import PEOPLE
from gateway.prices.controller import RateController
from gateway.questions.service import Questions
from gateway.referrals.controller import (
    CommissionController,
    OwnFeeController,
    ReferralCodeController,
    ReferralController,
    ReferralScheduleController,
)
from gateway.referrals.house_controller import (
    GivenCodeController,
    HouseScheduleController,
    MerchantFeeController,
)
from gateway.refunds.controller import RefundController
from gateway.sessions import tokens
from gateway.sessions.passwords import Passwords
from gateway.sessions.repository import person_of
from gateway.settings import Settings
from gateway.simulation.controller import SimulationController
from gateway.subscriptions.controller import SubscriptionController
from gateway.subscriptions.package_controller import PackageController
from gateway.usage.controller import MerchantUsageController, UsageController
from gateway.usage.counting import Usage
from gateway.webhooks.controller import WebhookEndpointController
from gateway.webhooks.history_controller import EventController, WebhookDeliveryController
from gateway.webhooks.outbox import API_VERSION
from gateway.webhooks.secrets import EndpointSecrets
from gateway.withdrawals.batch_controller import WithdrawalBatchController
from gateway.withdrawals.controller import WithdrawalController
from gateway.withdrawals.export_controller import WithdrawalExportController

Clock = Callable[[], Moment]

V1: Sequence[ControllerRouterHandler] = (
    health.alive,
    health.ready,
    AddressBookController,
    ApplicationWalletController,
    ApprovalController,
    CatalogController,
    CustomerController,
    CustomerDepositController,
    CustomerMoneyController,
    DepositAddressController,
    DepositController,
    DepositExportController,
    EntryExportController,
    ResolutionController,
    UnattributedController,
    EventController,
    FactorController,
    FactorResetController,
    InvoiceController,
    KeyController,
    LedgerController,
    MerchantController,
    MerchantKeyController,
    MerchantUsageController,
    MerchantSettingsController,
    MerchantStandingController,
    NotificationController,
    NotificationTargetController,
    OwnMerchantController,
    PackageController,
    PauseController,
    SubscriptionController,
    PayoutRuleController,
    RateController,
    CommissionController,
    GivenCodeController,
    HouseScheduleController,
    MerchantFeeController,
    OwnFeeController,
    ReferralCodeController,
    ReferralController,
    ReferralScheduleController,
    RefundController,
    SettingsController,
    StepUpController,
    UsageController,
    SimulationController,
    WebhookDeliveryController,
    WebhookEndpointController,
    WithdrawalBatchController,
    WithdrawalController,
    WithdrawalExportController,
    WithdrawalSettingsController,
    *PEOPLE,
)
"""Everything under /v1: JSON in, JSON or a problem out."""

PUBLIC: Sequence[ControllerRouterHandler] = (
    CheckoutController,
    ColorController,
    LiveController,
    StyleController,
    health.metrics,
)
"""Everything at the root."""


@dataclass(frozen=True, slots=True)
class Api:
    """The application in its envelope, and Litestar's part of it by itself."""

    asgi: ASGIApp
    litestar: Litestar
    usage: Usage


def now() -> Moment:
    """Return the real moment."""
    return Moment(datetime.now(UTC), secrets.token_bytes)


def create_api(settings: Settings, database: Database, clock: Clock = now) -> Api:
    """Wire the application; whoever made the database closes it."""
    pepper = settings.secret("api.key_pepper_file")
    endpoint_secrets = EndpointSecrets(settings.secret("webhooks.master_secret_file"))
    database.info[SHELF] = Shelf(settings.api.offers_milliseconds / 1000, time.monotonic)
    database.info[SEALING] = Sealing(settings.secret("webhooks.master_secret_file"))
    metrics = Metrics()
    measure(database.engine, metrics.registry)
    passwords = Passwords(settings.people)
    factor_secrets = FactorSecrets(pepper)
    questions = Questions(database)
    exports = Exports()
    listeners = Listeners(database)
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
            "exports": Provide(lambda: exports, sync_to_thread=False),
            "listeners": Provide(lambda: listeners, sync_to_thread=False),
            "passwords": Provide(lambda: passwords, sync_to_thread=False),
            "factor_secrets": Provide(lambda: factor_secrets, sync_to_thread=False),
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
                "identify": _identify(database, pepper, clock, settings),
                "metrics": metrics,
                "public_url": settings.api.public_url,
                "seal": Seal(pepper),
            }
        ),
    )
    usage = Usage()
    envelope = Envelope(
        litestar, clock=clock, metrics=metrics, usage=usage.count, version=API_VERSION
    )
    return Api(envelope, litestar, usage)


def _identify(database: Database, pepper: str, clock: Clock, settings: Settings) -> Identify:
    quota = settings.api.requests_per_minute
    idle = timedelta(minutes=settings.people.session_idle_minutes)
    # One statement that is its own transaction: half the round trips of a unit of work.
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")

    async def identify(given: Credentials) -> Actor | None:
        if tokens.is_token(given.secret, tokens.SESSION):
            shown, at = tokens.hashed(given.secret), clock().at
            async with engine.connect() as connection:
                return await person_of(connection, shown, at, idle=idle, quota=quota)
        if not is_well_formed(given.secret):
            return None
        digest = hashed(pepper, given.secret)
        use = KeyUse(digest, given.address, given.nonce, given.nonce_until)
        async with engine.connect() as connection:
            return await actor_of(connection, use, clock().at, quota)

    return identify
