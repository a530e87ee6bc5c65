"""The peer: the same work on the same tables as FastAPI's and SQLAlchemy's manuals would do it.

Key, idempotency, the merchant's settings, rate, address and its signature, invoice with option and
timeline, event with its delivery, audit, the same answer: one ORM session and one transaction per
request. It does less than ours where that is not the work itself: it is the tables' owner (no
row-level security), encrypts no kept answer, and neither counts nor logs requests.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from benchmarks.invoice_creation.fastapi_documents import (
    Document,
    Option,
    Order,
    document_of,
    option_of,
)
from gateway.addresses.signature import SignedAddress, is_genuine
from gateway.domain.money import units_due
from gateway.models import (
    AddressPool,
    ApiKey,
    AuditLog,
    Currency,
    Event,
    FreeAddress,
    IdempotencyKey,
    Invoice,
    InvoiceTimeline,
    Merchant,
    MerchantSettings,
    Network,
    NetworkHealth,
    PaymentOption,
    PriceHistory,
    WebhookDelivery,
    WebhookEndpoint,
)
from gateway.postgres.url import role_url
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Asking:
    """One request: its session, its key, the settings, the moment."""

    db: AsyncSession
    key: ApiKey
    settings: Settings
    now: datetime


def create_app(settings: Settings) -> FastAPI:
    """Wire the application."""
    app = FastAPI()
    engine = create_async_engine(
        role_url(settings, "owner"),
        pool_size=settings.database.pool_size,
        max_overflow=0,  # and no ping before each use: ours asks only what has rested
    )
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    pepper = settings.secret("api.key_pepper_file").encode()

    async def session() -> AsyncIterator[AsyncSession]:
        async with sessions() as opened, opened.begin():
            yield opened

    Session = Annotated[AsyncSession, Depends(session)]  # noqa: N806 - a type

    async def caller(db: Session, authorization: Annotated[str, Header()]) -> ApiKey:
        secret = authorization.removeprefix("Bearer ")
        digest = hmac.digest(pepper, secret.encode(), "sha256")
        key = (await db.scalars(select(ApiKey).where(ApiKey.key_hash == digest))).one_or_none()
        if key is None or key.revoked_at is not None:
            raise HTTPException(401)
        return key

    @app.post("/v1/invoices", status_code=201)
    async def create(
        order: Order,
        db: Session,
        key: Annotated[ApiKey, Depends(caller)],
        idempotency_key: Annotated[str, Header()],
    ) -> Document:
        asking = Asking(db, key, settings, datetime.now(UTC))
        return await _create(asking, order, idempotency_key)

    return app


async def _create(asking: Asking, order: Order, idempotency_key: str) -> Document:
    db, key, now = asking.db, asking.key, asking.now
    place = (key.merchant_id, "test POST /v1/invoices", idempotency_key)
    digest = hashlib.sha256(order.model_dump_json().encode()).digest()
    kept = await db.get(IdempotencyKey, place)
    if kept is not None and kept.response_body is not None:
        if kept.request_hash != digest:
            raise HTTPException(422)
        return Document.model_validate_json(kept.response_body)
    merchant = await db.get_one(Merchant, key.merchant_id)
    wishes = await db.get(MerchantSettings, merchant.id)
    invoice = _invoice(merchant, wishes, order, now)
    db.add(invoice)
    await db.flush()
    options = [await _option(asking, invoice, name) for name in order.payment_methods]
    step = _trace(asking, invoice)
    document = document_of(invoice, options, step, asking.settings.api.public_url)
    await _announce(db, invoice, document, now)
    db.add(
        IdempotencyKey(
            merchant_id=place[0],
            endpoint=place[1],
            key=place[2],
            request_hash=digest,
            response_status=201,
            response_body=document.model_dump_json(),
            created_at=now,
            expires_at=now + timedelta(days=1),
        )
    )
    await db.flush()
    return document


def _invoice(
    merchant: Merchant, wishes: MerchantSettings | None, order: Order, now: datetime
) -> Invoice:
    expires_at = now + timedelta(minutes=merchant.invoice_expiry_minutes)
    return Invoice(
        id=_id("inv"),
        merchant_id=merchant.id,
        livemode=False,
        order_id=order.order_id,
        metadata_=order.metadata,
        amount=order.amount,
        currency=order.currency,
        tolerance_basis_points=merchant.tolerance_basis_points,
        status="pending",
        exception="none",
        final=False,
        success_url=None if wishes is None else wishes.success_url,
        cancel_url=None if wishes is None else wishes.cancel_url,
        created_at=now,
        expires_at=expires_at,
        monitoring_until=expires_at + timedelta(days=merchant.monitoring_days),
    )


async def _option(asking: Asking, invoice: Invoice, method: str) -> Option:
    db, now = asking.db, asking.now
    currency = await db.get_one(Currency, method)
    network = await db.get_one(Network, currency.network_id)
    health = await db.get_one(NetworkHealth, network.id)
    newest = select(PriceHistory).where(PriceHistory.code == currency.code)
    price = (await db.scalars(newest.order_by(PriceHistory.at.desc()).limit(1))).one()
    if not network.enabled or health.trouble is not None:
        raise HTTPException(503)
    assert invoice.amount is not None
    address = await _claimed(db, invoice, network.id, now)
    if not is_genuine(_signed(address), asking.settings.keystore.pool_public_key):
        raise HTTPException(503)
    option = PaymentOption(
        invoice_id=invoice.id,
        currency_id=currency.id,
        merchant_id=invoice.merchant_id,
        network_id=network.id,
        amount_units=units_due(invoice.amount, price.price, currency.decimals),
        rate=price.price,
        rate_source=price.source,
        rate_at=now,
        address=address.address,
        address_index=address.index,
        address_path=address.path,
        address_signature=address.signature,
        activated_at=now,
    )
    db.add(option)
    return option_of(option, currency, network)


def _signed(row: AddressPool) -> SignedAddress:
    return SignedAddress(row.network_id, row.index, row.path, row.address, row.signature)


async def _claimed(
    db: AsyncSession, invoice: Invoice, network: str, now: datetime
) -> AddressPool:
    head = (
        select(FreeAddress)
        .where(FreeAddress.network_id == network)
        .order_by(FreeAddress.address_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    free = (await db.scalars(head)).one()
    address = await db.get_one(AddressPool, free.address_id)
    await db.delete(free)
    address.status = "ASSIGNED"
    address.merchant_id = invoice.merchant_id
    address.invoice_id = invoice.id
    address.assigned_at = now
    await db.flush()
    return address


def _trace(asking: Asking, invoice: Invoice) -> InvoiceTimeline:
    step = InvoiceTimeline(
        invoice_id=invoice.id,
        merchant_id=invoice.merchant_id,
        status="pending",
        exception="none",
        reason="the invoice was created",
        at=asking.now,
    )
    asking.db.add(step)
    asking.db.add(
        AuditLog(
            merchant_id=invoice.merchant_id,
            actor=asking.key.id,
            action="invoice.created",
            subject=invoice.id,
            after={"amount": str(invoice.amount), "order_id": invoice.order_id},
            address="127.0.0.1",
            endpoint="POST /v1/invoices",
            request_id=_id("req"),
            at=asking.now,
        )
    )
    return step


async def _announce(
    db: AsyncSession, invoice: Invoice, document: Document, now: datetime
) -> None:
    data: dict[str, Any] = {"object": document.model_dump(mode="json")}
    event = Event(
        id=_id("evt"),
        merchant_id=invoice.merchant_id,
        type="invoice.created",
        subject=invoice.id,
        sequence=1,
        livemode=False,
        api_version="1",
        data=data,
        at=now,
    )
    db.add(event)
    await db.flush()
    wanted = select(WebhookEndpoint).where(
        WebhookEndpoint.merchant_id == invoice.merchant_id, WebhookEndpoint.status == "enabled"
    )
    for endpoint in await db.scalars(wanted):
        db.add(
            WebhookDelivery(
                id=_id("whd"),
                merchant_id=invoice.merchant_id,
                endpoint_id=endpoint.id,
                event_id=event.id,
                subject=invoice.id,
                sequence=1,
                status="scheduled",
                attempts=0,
                next_attempt_at=now,
                created_at=now,
            )
        )
    await db.execute(select(func.pg_notify("webhook_deliveries", "")))


def _id(prefix: str) -> str:
    return f"{prefix}_{os.urandom(4).hex()}{secrets.token_hex(9)}"
