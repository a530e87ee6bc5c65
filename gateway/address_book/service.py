"""Adding, renaming and removing destinations, and whether money may go to others.

Nothing here shortens a cool-down: an entry's is set when it is added, and a book that is opened
again stays closed for as long.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.address_book import repository
from gateway.address_book.documents import (
    AddressBookEntryDocument,
    WithdrawalSettingsDocument,
    entry_document,
    settings_document,
)
from gateway.address_book.payable import payable
from gateway.audit.noting import Noting
from gateway.catalog.repository import networks
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Invalid
from gateway.domain.moment import Moment
from gateway.models import AddressBookEntry, Network, WithdrawalSettings


@dataclass(frozen=True, slots=True)
class Book(Noting):
    """What every use case needs: the transaction, who acts, the moment, the cool-down."""

    session: AsyncSession
    actor: Actor
    moment: Moment
    cooldown_hours: int

    @property
    def over_at(self) -> datetime:
        """Return when a cool-down that begins now is over."""
        return self.moment.at + timedelta(hours=self.cooldown_hours)


async def add_entry(
    book: Book, network: str, address: str, label: str
) -> AddressBookEntryDocument:
    """Remember a destination; it counts after the cool-down."""
    stored = await payable(book.session, await _network(book, network), address, "/address")
    values = {
        "id": book.moment.id("adr"),
        "merchant_id": book.actor.tenant,
        "livemode": book.actor.livemode,
        "network_id": network,
        "address": stored,
        "label": label,
        "created_by": book.actor.key_id,
        "created_at": book.moment.at,
        "usable_at": book.over_at,
        "deleted_at": None,
    }
    added = await book.session.scalar(
        insert(AddressBookEntry)
        .values(values)
        .on_conflict_do_nothing()
        .returning(AddressBookEntry)
    )
    if added is None:
        raise Conflict("this address is in the book already", code="already_in_address_book")
    after = {"network": network, "address": stored, "label": label}
    after["usable_at"] = added.usable_at.isoformat()
    await book.note("address_book.added", added.id, after)
    return entry_document(added, book.moment.at)


async def rename_entry(book: Book, entry_id: str, label: str) -> AddressBookEntryDocument:
    """Give a standing entry another label; the address stays."""
    row = await _standing(book, entry_id)
    before = {"label": row.label}
    row.label = label
    await book.session.flush()
    await book.note("address_book.renamed", row.id, {"label": label}, before=before)
    return entry_document(row, book.moment.at)


async def delete_entry(book: Book, entry_id: str) -> AddressBookEntryDocument:
    """Forget a destination at once; added again, it begins a cool-down anew."""
    row = await _standing(book, entry_id)
    row.deleted_at = book.moment.at
    await book.session.flush()
    after = {"deleted_at": book.moment.at.isoformat()}
    await book.note("address_book.deleted", row.id, after, before={"deleted_at": None})
    return entry_document(row, book.moment.at)


async def show_settings(book: Book) -> WithdrawalSettingsDocument:
    """Return the settings of the actor's mode."""
    actor = book.actor
    row = await repository.settings_of(book.session, actor.tenant, livemode=actor.livemode)
    return _shaped(book, row)


async def restrict(book: Book, *, only: bool) -> WithdrawalSettingsDocument:
    """Close the book at once, or open it after a cool-down."""
    session, actor, at = book.session, book.actor, book.moment.at
    row = await repository.settings_of(
        session, actor.tenant, livemode=actor.livemode, lock=True
    )
    if only == (row is not None and row.address_book_only):
        return _shaped(book, row)
    values = {
        "address_book_only": only,
        "restricted_until": None if only else book.over_at,
        "changed_at": at,
    }
    await session.execute(
        insert(WithdrawalSettings)
        .values(merchant_id=actor.tenant, livemode=actor.livemode, **values)
        .on_conflict_do_update(index_elements=["merchant_id", "livemode"], set_=values)
    )
    before, after = {"address_book_only": not only}, {"address_book_only": only}
    await book.note("withdrawal_settings.changed", actor.tenant, after, before=before)
    row = await repository.settings_of(
        session, actor.tenant, livemode=actor.livemode, lock=True
    )
    return _shaped(book, row)


async def require_listed(
    session: AsyncSession, actor: Actor, network_id: str, address: str, moment: Moment
) -> None:
    """Refuse a destination outside the book of a merchant that pays its entries only."""
    settings = await repository.settings_of(session, actor.tenant, livemode=actor.livemode)
    if settings is None:
        return
    until = settings.restricted_until
    if until is not None and until <= moment.at:
        return
    entry = await repository.standing_entry(
        session, actor.tenant, network_id, address, livemode=actor.livemode
    )
    if entry is None:
        raise Invalid.field(
            "/destination", "not_in_address_book", "withdrawals go to the address book only"
        )
    if entry.usable_at > moment.at:
        raise Invalid.field(
            "/destination",
            "address_cooling_down",
            f"this entry can be used from {entry.usable_at.isoformat()}",
        )


async def _standing(book: Book, entry_id: str) -> AddressBookEntry:
    row = await repository.entry_of(
        book.session, book.actor.tenant, entry_id, livemode=book.actor.livemode, lock=True
    )
    if row.deleted_at is not None:
        raise Conflict("this entry is deleted", code="entry_deleted")
    return row


async def _network(book: Book, network: str) -> Network:
    found = (await networks(book.session)).get(network)
    if found is None or not found.enabled or not book.actor.sees(test=found.test):
        raise Invalid.field("/network", "unknown_network", "no such network of this mode")
    return found


def _shaped(book: Book, row: WithdrawalSettings | None) -> WithdrawalSettingsDocument:
    actor = book.actor
    return settings_document(
        row, actor.tenant, book.moment.at, book.cooldown_hours, livemode=actor.livemode
    )
