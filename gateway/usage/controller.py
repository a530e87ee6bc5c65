"""Usage over HTTP: a merchant sees its own, operators anybody's."""

from datetime import datetime
from typing import Annotated

from litestar import Controller, get
from litestar.params import Parameter

from gateway.db import acting_for
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.merchants.repository import merchant_of
from gateway.usage.documents import UsageDocument
from gateway.usage.repository import Bucket, Group
from gateway.usage.service import span_of, usage

Since = Annotated[datetime | None, Parameter(query="from")]
Until = Annotated[datetime | None, Parameter(query="to")]


class UsageController(Controller):
    """For merchants."""

    path = "/usage"

    @get("/", guards=[requires("settings:read")])
    async def index(
        self,
        call: Call,
        *,
        since: Since = None,
        until: Until = None,
        bucket: Bucket = "hour",
        group: Group = "none",
    ) -> UsageDocument:
        """Show requests, errors and latency of this mode, by hour or by day."""
        span = span_of(since, until, bucket, call.moment.at)
        actor = call.actor
        async with call.transaction() as session:
            return await usage(session, actor.tenant, span, group, livemode=actor.livemode)


class MerchantUsageController(Controller):
    """For operators."""

    path = "/merchants/{merchant_id:str}/usage"

    @get("/", guards=[requires("merchants:write")])
    async def index(
        self,
        call: Call,
        merchant_id: str,
        *,
        since: Since = None,
        until: Until = None,
        bucket: Bucket = "hour",
        group: Group = "none",
    ) -> UsageDocument:
        """Show a merchant's requests, errors and latency of both modes, by hour or by day."""
        span = span_of(since, until, bucket, call.moment.at)
        async with call.transaction() as session, acting_for(session, merchant_id):
            found = await merchant_of(session, merchant_id)
            return await usage(session, found.id, span, group, livemode=None)
