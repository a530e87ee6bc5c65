"""Stopping payouts and letting them go again; deposits and new requests go on."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.noting import Noting
from gateway.catalog.repository import currencies, networks
from gateway.db import acting_for
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Invalid, NotFound
from gateway.domain.moment import Moment
from gateway.merchants.repository import merchant_of
from gateway.models import Pause
from gateway.pauses import repository
from gateway.pauses.documents import PauseDocument, pause_document


@dataclass(frozen=True, slots=True)
class Scope:
    """What is paused: payouts that fit everything that is named."""

    network: str | None
    payment_method: str | None
    merchant_id: str | None


@dataclass(frozen=True, slots=True)
class Case(Noting):
    """What every use case needs: the transaction, which operator acts, the moment."""

    session: AsyncSession
    actor: Actor
    moment: Moment


async def pause(case: Case, scope: Scope, reason: str) -> PauseDocument:
    """Stop payouts of a network, an asset, a merchant, or of everything in the key's mode."""
    await _require_known(case, scope)
    row = Pause(
        id=case.moment.id("pse"),
        livemode=case.actor.livemode,
        network_id=scope.network,
        currency_id=scope.payment_method,
        merchant_id=scope.merchant_id,
        reason=reason,
        created_by=case.actor.key_id,
        created_at=case.moment.at,
    )
    case.session.add(row)
    await case.session.flush()
    document = pause_document(row)
    await _note(case, "pause.created", document)
    return document


async def lift(case: Case, pause_id: str) -> PauseDocument:
    """Let what was paused go again."""
    livemode = case.actor.livemode
    row = await repository.pause_of(case.session, pause_id, livemode=livemode)
    if not await repository.lifted(case.session, row.id, case.actor.key_id, case.moment):
        raise Conflict("this pause is lifted already", code="pause_not_active")
    row = await repository.pause_of(case.session, pause_id, livemode=livemode)
    document = pause_document(row)
    await _note(case, "pause.lifted", document)
    return document


async def _require_known(case: Case, scope: Scope) -> None:
    """Refuse what does not exist or contradicts itself: a pause that stops nothing deceives."""
    mode = {
        network.id
        for network in (await networks(case.session)).values()
        if network.test != case.actor.livemode
    }
    if scope.network is not None and scope.network not in mode:
        raise Invalid.field("/network", "unknown_network", "no network of this mode")
    if scope.payment_method is not None:
        method = (await currencies(case.session)).get(scope.payment_method)
        home = {scope.network} if scope.network is not None else mode
        if method is None or method.network_id not in home:
            raise Invalid.field(
                "/payment_method", "unknown_payment_method", "no payment method there"
            )
    if scope.merchant_id is not None:
        async with acting_for(case.session, scope.merchant_id):
            try:
                await merchant_of(case.session, scope.merchant_id)
            except NotFound as fault:
                raise Invalid.field("/merchant_id", "unknown_merchant", fault.detail) from fault


async def _note(case: Case, action: str, document: PauseDocument) -> None:
    after = {
        "network": document.network,
        "payment_method": document.payment_method,
        "merchant_id": document.merchant_id,
        "reason": document.reason,
    }
    await case.note(action, document.id, after)
