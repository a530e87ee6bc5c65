"""A merchant's targets: where its SMS and chat messages may go, and a test of the way there."""

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.service import record
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Invalid
from gateway.domain.moment import Moment
from gateway.models import Merchant, MerchantSettings, NotificationTarget
from gateway.notifications.documents import TargetDocument, target_document
from gateway.notifications.kinds import ALERT, channels
from gateway.notifications.moved import alerts_moved
from gateway.notifications.outbox import SEALING, Message, post
from gateway.notifications.repository import has_target, is_waiting, target_count, target_of
from gateway.notifications.sealing import Sealing
from gateway.notifications.services import SERVICES, fault_of, scheme_of

TARGETS_MAX = 10
TEST = "test"


async def add_target(
    session: AsyncSession, actor: Actor, moment: Moment, name: str, address: str
) -> TargetDocument:
    """Write a new target; its address is sealed at once and shown to nobody again."""
    if (fault := fault_of(address)) is not None:
        raise Invalid.field("/address", "invalid_address", fault)
    tenant = actor.tenant
    # The merchant's row lock makes counting and adding one step.
    await session.execute(select(Merchant.id).where(Merchant.id == tenant).with_for_update())
    if await has_target(session, tenant, name):
        raise Conflict(f"there is a target {name} already", code="target_exists")
    if await target_count(session, tenant) >= TARGETS_MAX:
        raise Conflict(
            f"a merchant has at most {TARGETS_MAX} notification targets",
            code="too_many_targets",
        )
    sealing: Sealing = session.info[SEALING]
    scheme, target_id = scheme_of(address), moment.id("ntt")
    await session.execute(
        insert(NotificationTarget).values(
            id=target_id,
            merchant_id=tenant,
            name=name,
            channel=SERVICES[scheme],
            service=scheme,
            sealed=sealing.close(address, target_id, moment.randomness),
            created_by=actor.key_id,
            created_at=moment.at,
        )
    )
    after = {"name": name, "service": scheme}
    await record(
        session, actor, moment,
        action="notification_target.created", subject=target_id, after=after,
    )  # fmt: skip
    return target_document(await target_of(session, tenant, target_id))


async def remove_target(
    session: AsyncSession, actor: Actor, moment: Moment, target_id: str
) -> None:
    """Forget a target's address; what was on its way there is not sent any more."""
    row = await target_of(session, actor.tenant, target_id)
    await session.execute(
        update(NotificationTarget)
        .where(NotificationTarget.id == target_id)
        .values(deleted_at=moment.at, sealed=None)
    )
    await _tell_if_alerts_went_there(session, actor.tenant, row.channel, moment)
    before = {"name": row.name, "service": row.service}
    await record(
        session, actor, moment,
        action="notification_target.deleted", subject=target_id, before=before,
    )  # fmt: skip


async def _tell_if_alerts_went_there(
    session: AsyncSession, merchant_id: str, channel: str, moment: Moment
) -> None:
    wishes = await session.scalar(
        select(MerchantSettings.notifications).where(
            MerchantSettings.merchant_id == merchant_id
        )
    )
    if channel in channels(wishes, ALERT):
        merchant = await session.get_one(Merchant, merchant_id)
        await alerts_moved(session, merchant_id, merchant.email, moment)


async def send_test(
    session: AsyncSession, actor: Actor, moment: Moment, target_id: str
) -> TargetDocument:
    """Queue a message to this target, the same way as every other."""
    row = await target_of(session, actor.tenant, target_id)
    if await is_waiting(session, actor.tenant, row.name, TEST):
        raise Conflict("the test before is still on its way", code="test_under_way")
    message = Message(
        actor.tenant,
        str(row.name),
        TEST,
        "A test",
        "This target works.",
        livemode=actor.livemode,
    )
    await post(session, message, moment)
    return target_document(row)
