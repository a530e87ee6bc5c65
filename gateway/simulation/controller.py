"""Simulations over HTTP, for test keys."""

from litestar import Controller, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.service import alarm
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.invoices.service import Desk
from gateway.settings import Settings
from gateway.simulation.documents import SimulationDocument, simulation_document
from gateway.simulation.repository import simulation_of
from gateway.simulation.schemas import Simulate
from gateway.simulation.service import simulate


class SimulationController(Controller):
    """Played payments."""

    path = "/test"

    @post(
        "/invoices/{invoice_id:str}/simulate",
        guards=[requires("invoices:write")],
        status_code=202,
    )
    async def simulate(
        self, call: Call, settings: Settings, invoice_id: str, data: Simulate
    ) -> Response[SimulationDocument]:
        """Have a payment to a test invoice played on a local network; its watcher does it soon."""

        async def work(session: AsyncSession) -> SimulationDocument:
            desk = Desk(session, call.actor, settings, call.moment)
            return await simulate(desk, invoice_id, data.case, data.payment_method)

        async with alarm(call.database, call.actor, call.moment):
            return await call.once(work, status=202)

    @get("/simulations/{simulation_id:str}", guards=[requires("invoices:read")])
    async def show(self, call: Call, simulation_id: str) -> SimulationDocument:
        """Show how far a simulation has come."""
        actor = call.actor
        async with call.transaction() as session:
            row = await simulation_of(
                session, actor.tenant, simulation_id, livemode=actor.livemode
            )
        return simulation_document(row)
