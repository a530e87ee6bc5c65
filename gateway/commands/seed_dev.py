"""`gateway admin seed-dev`: sample networks, currencies and merchants for a gateway of tests.

Nothing that is there is touched: every row has a name of its own, and where that name (or what
else must be unique) is taken, what is there stays. No password and no key is made; whoever is
invited chooses a password with the token that is printed here once.
"""

import argparse
import getpass
import secrets
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import resources
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.service import record
from gateway.commands import Subparsers, configured, declare
from gateway.commands.owner import as_owner
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from gateway.domain.roles import ADMIN, MERCHANT, OWNER
from gateway.models import (
    Currency,
    Customer,
    Invitation,
    Merchant,
    MerchantSettings,
    Network,
    Table,
)
from gateway.people.invitations import first_admin
from gateway.people.repository import add_invitation, has_admin
from gateway.sessions import tokens
from gateway.sessions.letters import shown
from gateway.settings import Settings, SettingsError

UNWATCHED = "it is not in the configuration: nobody watches it"


@dataclass(frozen=True, slots=True)
class Sower:
    """Writes what is missing, at one moment; `made` names it."""

    session: AsyncSession
    settings: Settings
    moment: Moment
    made: list[str]

    async def add(self, kind: type[Table], name: str, values: Mapping[str, Any]) -> bool:
        """Write a row unless something stands in its place; tell whether it was written."""
        wanted = insert(kind).values(values).on_conflict_do_nothing()
        done = await self.session.execute(wanted.returning(*kind.__table__.primary_key))
        if done.first() is None:
            return False
        self.made.append(f"{kind.__tablename__} {name}")
        return True


def add(actions: Subparsers) -> None:
    """Declare the command."""
    purpose = "fill a gateway of test networks with sample data"
    declare(actions, "seed-dev", purpose, run)


def run(args: argparse.Namespace) -> int:
    """Write what is missing; print it, and each invitation's token once."""
    settings = configured(args)
    _refuse_real([name for name, each in settings.networks.items() if not each.test])
    moment = Moment(datetime.now(UTC), secrets.token_bytes)
    lines = as_owner(settings, lambda session: _sown(Sower(session, settings, moment, [])))
    sys.stdout.writelines(f"{line}\n" for line in lines or ["nothing is missing"])
    return 0


def development() -> dict[str, Any]:
    """Return the sample data."""
    return tomllib.loads(
        resources.files("gateway.commands").joinpath("development.toml").read_text()
    )


def _refuse_real(networks: Sequence[str]) -> None:
    if networks:
        raise SettingsError(
            f"seed-dev: {', '.join(sorted(networks))} is not marked test = true; sample data"
            " belongs to test networks only, nothing was changed"
        )


async def _sown(sower: Sower) -> list[str]:
    """Write everything in one transaction; return what to print."""
    real = select(Network.id).where(Network.test.is_(False))
    _refuse_real((await sower.session.scalars(real)).all())
    data = development()
    await _networks(sower, data)
    tokens_made = await _admin(sower, data["admin"]["email"])
    for merchant in data["merchants"]:
        tokens_made += await _merchant(sower, merchant)
    if sower.made:
        actor = _actor()
        after = {"made": sower.made}
        await record(
            sower.session, actor, sower.moment, action="development.seeded", subject="seed-dev", after=after
        )  # fmt: skip
    return [*sower.made, *tokens_made]


async def _networks(sower: Sower, data: Mapping[str, Any]) -> None:
    for each in data["networks"]:
        reason = {"disabled_reason": each.get("disabled_reason", UNWATCHED)}
        state = {"test": True, "local": False, "enabled": False}
        await sower.add(Network, each["id"], {**state, **each, **reason})
    for each in data["currencies"]:
        currency_id = f"{each['code']}-{each['network']}".upper()
        values = {
            "id": currency_id,
            "network_id": each["network"],
            "code": each["code"],
            "contract": each.get("contract"),
            "decimals": each["decimals"],
            "enabled": False,
        }
        await sower.add(Currency, currency_id, values)


async def _admin(sower: Sower, email: str) -> list[str]:
    """Invite the first admin where nobody is one and nobody is invited to be one."""
    invited = select(Invitation.id).where(Invitation.role == ADMIN).limit(1)
    if await has_admin(sower.session) or await sower.session.scalar(invited):
        return []
    token = await first_admin(
        sower.session,
        sower.moment,
        email=email,
        invited_by=_actor().key_id,
        days=sower.settings.people.invitation_days,
    )
    return [] if token is None else [_line(sower, email, token)]


async def _merchant(sower: Sower, data: Mapping[str, Any]) -> list[str]:
    """Open a merchant with its settings, customers and an owner's invitation; once, all of it."""
    at = sower.moment.at
    columns = {
        name: value
        for name, value in data.items()
        if name not in {"settings", "customers", "owner"}
    }
    if not await sower.add(Merchant, data["id"], {**columns, "created_at": at}):
        return []
    wishes = dict(data["settings"])
    if "tax_rate" in wishes:
        wishes["tax_rate"] = Decimal(wishes["tax_rate"])
    wishes |= {"merchant_id": data["id"], "updated_at": at}
    await sower.add(MerchantSettings, data["id"], wishes)
    for customer in data.get("customers", []):
        values = {
            **customer,
            "merchant_id": data["id"],
            "livemode": False,
            "created_at": at,
            "updated_at": at,
        }
        await sower.add(Customer, customer["id"], values)
    return [await _owner(sower, data["id"], data["owner"])]


async def _owner(sower: Sower, merchant_id: str, email: str) -> str:
    """Invite the owner of a sample merchant; return the line with the token."""
    token = tokens.new_token(tokens.INVITATION, sower.moment.randomness(tokens.RANDOM_BYTES))
    at = sower.moment.at
    values = {
        "id": sower.moment.id("ivt"),
        "merchant_id": merchant_id,
        "token_hash": tokens.hashed(token),
        "email": email,
        "role": MERCHANT,
        "team_role": OWNER,
        "mailed": False,
        "invited_by": _actor().key_id,
        "created_at": at,
        "expires_at": at + timedelta(days=sower.settings.people.invitation_days),
    }
    await add_invitation(sower.session, values)
    return _line(sower, email, token)


def _line(sower: Sower, email: str, token: str) -> str:
    page = sower.settings.people.page_url
    return f"invitation of {email}, shown once: {shown('invitation', token, page)}"


def _actor() -> Actor:
    return Actor(f"cli:{getpass.getuser()}", None, frozenset(), livemode=False)
