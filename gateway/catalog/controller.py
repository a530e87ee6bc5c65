"""Payment methods and networks over HTTP, for any key, each mode its own."""

from litestar import Controller, get

from gateway.catalog.documents import (
    MethodDocument,
    NetworkDocument,
    method_document,
    network_document,
)
from gateway.catalog.repository import health_of
from gateway.catalog.service import available_methods
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, whole
from gateway.settings import Settings


class CatalogController(Controller):
    """What can be paid with, and how the networks are."""

    @get("/payment_methods", guards=[requires()])
    async def methods(self, call: Call, settings: Settings) -> Page[MethodDocument]:
        """List the payment methods and whether each can be offered now."""
        async with call.transaction() as session:
            found = await available_methods(
                session, settings, call.moment, livemode=call.actor.livemode
            )
        return whole([method_document(method) for method in found])

    @get("/networks", guards=[requires()])
    async def networks(self, call: Call, settings: Settings) -> Page[NetworkDocument]:
        """List the networks with how far each has been read."""
        async with call.transaction() as session:
            found = await health_of(session, test=not call.actor.livemode)
        return whole(
            [
                network_document(
                    network,
                    health,
                    call.moment.at,
                    settings.networks[network.id].lag_seconds_max,
                )
                for network, health in found
                if network.id in settings.networks
            ]
        )
