"""Payout rules over HTTP, for keys that may change a merchant's settings."""

from litestar import Controller, Response, delete, get, patch, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.http.parts import given
from gateway.paging import PageRequest
from gateway.payout_rules import service
from gateway.payout_rules.documents import PayoutRuleDocument, rule_document
from gateway.payout_rules.repository import parts_of, rule_of, rule_page
from gateway.payout_rules.schemas import ChangeRule, CreateRule
from gateway.withdrawals.service import Gate


class PayoutRuleController(Controller):
    """Balances that pay themselves out."""

    path = "/payout_rules"

    @post("/", guards=[requires("settings:write", step_up=True)])
    async def create(self, call: Call, data: CreateRule) -> Response[PayoutRuleDocument]:
        """Begin a rule; with `automatic` this key needs the scope to approve as well."""
        wanted = given(data)
        payment_method = wanted.pop("payment_method")

        async def work(session: AsyncSession) -> PayoutRuleDocument:
            return await service.create_rule(_gate(call, session), payment_method, wanted)

        return await call.once(work)

    @get("/", guards=[requires("withdrawals:read")])
    async def index(self, call: Call, page: PageRequest) -> Page[PayoutRuleDocument]:
        """List the standing rules, newest first."""
        actor = call.actor
        async with call.transaction() as session:
            found = await rule_page(session, actor.tenant, page, livemode=actor.livemode)
            parts = await parts_of(session, found.rows)
        return page_of(
            found, page, lambda row: rule_document(row, *parts[row.id]), lambda row: row.id
        )

    @get("/{rule_id:str}", guards=[requires("withdrawals:read")])
    async def show(self, call: Call, rule_id: str) -> PayoutRuleDocument:
        """Show one rule, one that has ended too."""
        actor = call.actor
        async with call.transaction() as session:
            row = await rule_of(session, actor.tenant, rule_id, livemode=actor.livemode)
            parts = await parts_of(session, [row])
        return rule_document(row, *parts[row.id])

    @patch("/{rule_id:str}", guards=[requires("settings:write", step_up=True)])
    async def change(self, call: Call, rule_id: str, data: ChangeRule) -> PayoutRuleDocument:
        """Change a rule, or switch it on and off."""
        async with call.transaction() as session:
            return await service.change_rule(_gate(call, session), rule_id, given(data))

    @delete(
        "/{rule_id:str}", guards=[requires("settings:write", step_up=True)], status_code=200
    )
    async def end(self, call: Call, rule_id: str) -> PayoutRuleDocument:
        """End a rule for good; what it has asked for goes on."""
        async with call.transaction() as session:
            return await service.delete_rule(_gate(call, session), rule_id)


def _gate(call: Call, session: AsyncSession) -> Gate:
    return Gate(session, call.actor, call.moment)
