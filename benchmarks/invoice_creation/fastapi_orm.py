"""The peer: the same work on the same tables as FastAPI's and SQLAlchemy's manuals would do it.

Key, idempotency, rate, address, invoice with option and timeline, event with its delivery, audit:
one ORM session and one transaction per request, as the tables' owner (no row-level security).
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

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
    Network,
    NetworkHealth,
    PaymentOption,
    PriceHistory,
    WebhookDelivery,
    WebhookEndpoint,
)
from gateway.postgres.url import role_url
from gateway.settings import Settings


class Order(BaseModel):
    """The request."""

    amount: Decimal
    currency: str
    order_id: str | None = None
    payment_methods: list[str]
    metadata: dict[str, str] = {}


class Option(BaseModel):
    """One way to pay."""

    payment_method: str
    address: str
    amount_atomic: str
    rate: str


class Document(BaseModel):
    """The answer."""

    id: str
    status: str
    amount: str
    currency: str
    order_id: str | None
    metadata: dict[str, str]
    payment_options: list[Option]
    created_at: datetime
    expires_at: datetime


def create_app(settings: Settings) -> FastAPI:
    """Wire the application."""
    app = FastAPI()
    engine = create_async_engine(
        role_url(settings, "owner"),
        pool_size=settings.database.pool_size,
        max_overflow=0,
        pool_pre_ping=True,
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
        return await _create(db, key, order, idempotency_key)

    return app


async def _create(
    db: AsyncSession, key: ApiKey, order: Order, idempotency_key: str
) -> Document:
    place = (key.merchant_id, "test POST /v1/invoices", idempotency_key)
    kept = await db.get(IdempotencyKey, place)
    if kept is not None and kept.response_body is not None:
        return Document.model_validate_json(kept.response_body)
    now = datetime.now(UTC)
    merchant = await db.get_one(Merchant, key.merchant_id)
    invoice = _invoice(merchant, order, now)
    db.add(invoice)
    await db.flush()
    options = [await _option(db, invoice, name, now) for name in order.payment_methods]
    _trace(db, invoice, key, now)
    document = _document(invoice, options)
    await _announce(db, invoice, document, now)
    body = document.model_dump_json()
    db.add(
        IdempotencyKey(
            merchant_id=place[0],
            endpoint=place[1],
            key=place[2],
            request_hash=hashlib.sha256(order.model_dump_json().encode()).digest(),
            response_status=201,
            response_body=body,
            created_at=now,
            expires_at=now + timedelta(days=1),
        )
    )
    await db.flush()
    return document


def _invoice(merchant: Merchant, order: Order, now: datetime) -> Invoice:
    expires_at = now + timedelta(minutes=60)
    return Invoice(
        id=_id("inv"),
        merchant_id=merchant.id,
        livemode=False,
        order_id=order.order_id,
        metadata_=order.metadata,
        amount=order.amount,
        currency=order.currency,
        tolerance_basis_points=50,
        status="pending",
        exception="none",
        final=False,
        created_at=now,
        expires_at=expires_at,
        monitoring_until=expires_at + timedelta(days=7),
    )


async def _option(
    db: AsyncSession, invoice: Invoice, method: str, now: datetime
) -> PaymentOption:
    currency = await db.get_one(Currency, method)
    network = await db.get_one(Network, currency.network_id)
    health = await db.get_one(NetworkHealth, network.id)
    newest = select(PriceHistory).where(PriceHistory.code == currency.code)
    price = (await db.scalars(newest.order_by(PriceHistory.at.desc()).limit(1))).one()
    if not network.enabled or health.trouble is not None:
        raise HTTPException(503)
    assert invoice.amount is not None
    address = await _claimed(db, invoice, network.id, now)
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
    return option


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


def _trace(db: AsyncSession, invoice: Invoice, key: ApiKey, now: datetime) -> None:
    db.add(
        InvoiceTimeline(
            invoice_id=invoice.id,
            merchant_id=invoice.merchant_id,
            status="pending",
            exception="none",
            reason="the invoice was created",
            at=now,
        )
    )
    db.add(
        AuditLog(
            merchant_id=invoice.merchant_id,
            actor=key.id,
            action="invoice.created",
            subject=invoice.id,
            after={"amount": str(invoice.amount), "order_id": invoice.order_id},
            address="127.0.0.1",
            endpoint="POST /v1/invoices",
            request_id=_id("req"),
            at=now,
        )
    )


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


def _document(invoice: Invoice, options: list[PaymentOption]) -> Document:
    return Document(
        id=invoice.id,
        status=invoice.status,
        amount=str(invoice.amount),
        currency=invoice.currency,
        order_id=invoice.order_id,
        metadata=invoice.metadata_,
        payment_options=[
            Option(
                payment_method=option.currency_id,
                address=option.address or "",
                amount_atomic=str(option.amount_units),
                rate=str(option.rate),
            )
            for option in options
        ],
        created_at=invoice.created_at,
        expires_at=invoice.expires_at,
    )


def _id(prefix: str) -> str:
    return f"{prefix}_{os.urandom(4).hex()}{secrets.token_hex(9)}"
