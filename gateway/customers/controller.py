"""Customers over HTTP, for the merchant's keys."""

from litestar import Controller, Response, delete, get, patch, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.customers import service
from gateway.customers.documents import CustomerDocument, customer_document
from gateway.customers.repository import customer_page
from gateway.customers.schemas import ChangeCustomer, CreateCustomer, TextParameter
from gateway.customers.service import Counter
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.http.parts import given
from gateway.paging import PageRequest


async def provide_wanted(
    reference: TextParameter = None,
    email: TextParameter = None,
    search: TextParameter = None,
) -> dict[str, str]:
    """Read the filters of a list."""
    given = {"reference": reference, "email": email, "search": search}
    return {name: value for name, value in given.items() if value is not None}


class CustomerController(Controller):
    """Who pays the merchant again and again."""

    path = "/customers"
    dependencies = {"wanted": provide_wanted}  # noqa: RUF012 - Litestar reads it from the class

    @post("/", guards=[requires("customers:write")])
    async def create(self, call: Call, data: CreateCustomer) -> Response[CustomerDocument]:
        """Write a customer down."""

        async def work(session: AsyncSession) -> CustomerDocument:
            return await service.create_customer(counter_of(call, session), given(data))

        return await call.once(work)

    @get("/", guards=[requires("customers:read")])
    async def index(
        self, call: Call, page: PageRequest, wanted: dict[str, str]
    ) -> Page[CustomerDocument]:
        """List the standing customers, newest first."""
        actor = call.actor
        async with call.transaction() as session:
            found = await customer_page(
                session, actor.tenant, page, wanted, livemode=actor.livemode
            )
        return page_of(found, page, customer_document, lambda row: row.id)

    @get("/{customer_id:str}", guards=[requires("customers:read")])
    async def show(self, call: Call, customer_id: str) -> CustomerDocument:
        """Show one customer, a deleted one too."""
        async with call.transaction() as session:
            row = await counter_of(call, session).customer(customer_id)
        return customer_document(row)

    @patch("/{customer_id:str}", guards=[requires("customers:write")])
    async def change(
        self, call: Call, customer_id: str, data: ChangeCustomer
    ) -> CustomerDocument:
        """Change a customer."""
        async with call.transaction() as session:
            counter = counter_of(call, session)
            return await service.change_customer(counter, customer_id, given(data))

    @delete("/{customer_id:str}", guards=[requires("customers:write")], status_code=200)
    async def end(self, call: Call, customer_id: str) -> CustomerDocument:
        """Forget a customer; what it has stays, and so do its addresses."""
        async with call.transaction() as session:
            return await service.delete_customer(counter_of(call, session), customer_id)


def counter_of(call: Call, session: AsyncSession) -> Counter:
    """Return what the use cases of this call need."""
    return Counter(session, call.actor, call.moment)
