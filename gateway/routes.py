"""Every controller of the API, and how its handlers get what they ask for."""

from collections.abc import Sequence
from functools import cache

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.types import ControllerRouterHandler

from gateway.accounts.controller import KeyController
from gateway.address_book.controller import (
    AddressBookController,
    WithdrawalSettingsController,
)
from gateway.approvals.controller import ApprovalController
from gateway.audit.controller import (
    AuditController,
    HouseAuditController,
    MerchantAuditController,
)
from gateway.catalog.controller import CatalogController
from gateway.checkout.controller import (
    CheckoutController,
    ColorController,
    StyleController,
)
from gateway.checkout.live_controller import LiveController
from gateway.customers.controller import CustomerController
from gateway.customers.money_controller import (
    CustomerMoneyController,
    DepositAddressController,
)
from gateway.deposits.controller import CustomerDepositController, DepositController
from gateway.deposits.export_controller import DepositExportController
from gateway.desk.controller import ResolutionController, UnattributedController
from gateway.factors.controller import (
    FactorController,
    FactorResetController,
    StepUpController,
)
from gateway.http import health
from gateway.http.call import provide_call
from gateway.http.errors import HANDLERS
from gateway.http.openapi import configuration
from gateway.http.paging import provide_page
from gateway.http.reading import BODY_BYTES_MAX, JsonRequest
from gateway.http.wiring import part, provide_moment
from gateway.invoices.controller import InvoiceController
from gateway.invoices.export_controller import InvoiceExportController
from gateway.ledger.controller import ApplicationWalletController, LedgerController
from gateway.ledger.export_controller import EntryExportController
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
from gateway.pauses.controller import PauseController
from gateway.payout_rules.controller import PayoutRuleController
from gateway.people.controller import MerchantUserController, TeamController
from gateway.people.house_controller import OperatorController
from gateway.people.own_controller import DoorController, PersonController
from gateway.prices.controller import RateController
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
from gateway.sessions.controller import SessionController
from gateway.simulation.controller import SimulationController
from gateway.subscriptions.controller import SubscriptionController
from gateway.subscriptions.package_controller import PackageController
from gateway.usage.controller import MerchantUsageController, UsageController
from gateway.webhooks.controller import WebhookEndpointController
from gateway.webhooks.history_controller import EventController, WebhookDeliveryController
from gateway.withdrawals.batch_controller import WithdrawalBatchController
from gateway.withdrawals.controller import WithdrawalController
from gateway.withdrawals.export_controller import WithdrawalExportController

V1: Sequence[ControllerRouterHandler] = (
    health.alive,
    health.ready,
    AddressBookController,
    ApplicationWalletController,
    ApprovalController,
    AuditController,
    HouseAuditController,
    MerchantAuditController,
    CatalogController,
    CustomerController,
    CustomerDepositController,
    CustomerMoneyController,
    DepositAddressController,
    DepositController,
    DepositExportController,
    DoorController,
    EntryExportController,
    ResolutionController,
    UnattributedController,
    EventController,
    FactorController,
    FactorResetController,
    InvoiceController,
    InvoiceExportController,
    KeyController,
    LedgerController,
    MerchantController,
    MerchantKeyController,
    MerchantUsageController,
    MerchantSettingsController,
    MerchantStandingController,
    MerchantUserController,
    NotificationController,
    NotificationTargetController,
    OperatorController,
    OwnMerchantController,
    PackageController,
    PauseController,
    PersonController,
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
    SessionController,
    SettingsController,
    StepUpController,
    TeamController,
    UsageController,
    SimulationController,
    WebhookDeliveryController,
    WebhookEndpointController,
    WithdrawalBatchController,
    WithdrawalController,
    WithdrawalExportController,
    WithdrawalSettingsController,
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


PARTS = (
    "clock",
    "database",
    "endpoint_secrets",
    "exports",
    "factor_secrets",
    "identify",
    "listeners",
    "metrics",
    "passwords",
    "pepper",
    "public_url",
    "questions",
    "seal",
    "settings",
    "visitors",
)
"""What a gateway brings to its routes; handlers ask for a part by its name."""


@cache
def litestar() -> Litestar:
    """Build the routes: about 200, half a second, the same for every gateway of this process."""
    v1 = Router(
        "/v1",
        route_handlers=V1,
        dependencies={"call": Provide(provide_call), "page": Provide(provide_page)},
    )
    return Litestar(
        route_handlers=[v1, *PUBLIC],
        dependencies={
            **{name: part(name) for name in PARTS},
            "moment": Provide(provide_moment, sync_to_thread=False),
        },
        exception_handlers=HANDLERS,
        openapi_config=configuration(),
        request_class=JsonRequest,
        request_max_body_size=BODY_BYTES_MAX,
        logging_config=None,
    )
