"""One column edited alone, by somebody who owns the database: a payment's hash, a pool address.

Our scan goes by both. Neither takes money to anybody else, and none is given back or credited.
"""

import asyncio

import pytest

from tests.hostile.edits import only_signed
from tests.hostile.machine import Machine
from watchers.clock import now
from watchers.families import locator
from watchers.network import ChainReader
from watchers.pay import own_bytes
from watchers.pay.judged import Judgement, NotSettled, settle
from watchers.pay.own_bytes import EDITED
from watchers.pay.withdrawing import OTHER_TRANSFER
from watchers.reconcile.signatures import Signatures
from watchers.scan.rescan import Rescan

POOL_INDEX = 5


async def hash_edited(m: Machine, kind: str) -> None:
    """Have a stranger's transaction taken for ours: it ends nothing, and ours is found again."""
    m.honest()
    destination, somebody = [await m.w.chain.fresh_address() for _ in range(2)]
    id_ = await m.approved(kind, destination)
    await only_signed(m, id_)
    [ours] = await m.attempts(id_)
    strange = await m.w.chain.pay(somebody, m.units("native"), "native")
    await m.edit("attempt", "UPDATE attempt SET tx_hash = :tx WHERE id = :id",
        tx=strange, id=ours.id)  # fmt: skip
    said = await m.until_said(id_, OTHER_TRANSFER)
    for _ in range(2):
        await m.turn(id_)
    assert await m.held(destination, kind) == m.units(kind), "it landed under its own"
    kinds = await m.sql("SELECT kind FROM journal WHERE ref = :id", id=id_)
    assert [each for (each,) in kinds] == ["hold"], "nothing is given back"
    await Signatures(m.w.name, m.w.database, m.w.keystore, m.w.currencies).round()
    drifts = await m.sql(
        "SELECT reason FROM signature_drift WHERE tx_hash = :tx", tx=ours.tx_hash
    )
    assert drifts, "the keystore's journal knows what it signed"
    readers: list[ChainReader] = [m.w.parts.reader]
    judged = Judgement(m.w.name, id_, paid=False, person="eve", reason="it shows nothing paid")
    edited = own_bytes.by(m.w.parts.writer.verify)
    with pytest.raises(NotSettled, match=EDITED):
        await settle(m.w.database, readers, judged, now(), edited=edited)
    await m.note(f"edited: a payment's hash ({kind})", f"{said}; {drifts[0][0]}")
    await _put_right(m, id_, ours.id, ours.tx_hash or "")
    await m.paid_once(id_, kind, destination)


async def _put_right(m: Machine, id_: str, attempt_id: str, tx_hash: str) -> None:
    """Write the hash back and have its block read again, as an operator does."""
    await m.edit(
        "attempt",
        "UPDATE attempt SET tx_hash = :tx, state = 'signed', block_height = NULL, "
        "block_hash = NULL, success = NULL WHERE id = :id",
        tx=tx_hash,
        id=attempt_id,
    )
    await m.edit(
        "withdrawal",
        "UPDATE withdrawal SET status = 'broadcast', blocked_reason = NULL, tx_hash = :tx "
        "WHERE id = :id",
        tx=tx_hash,
        id=id_,
    )
    await m.sql("DELETE FROM signature_drift")
    await m.sql("DELETE FROM asset_hold")
    nodes = m.w.payouts.adoption.locate
    assert nodes is not None
    height = await nodes(locator(m.w.name).spelled(tx_hash))
    assert height is not None
    await Rescan(m.w.scanner, lambda _: None, asyncio.sleep).run(height, height)


async def pool_address_edited(m: Machine) -> None:
    """Write somebody else's address into the pool: what comes there is nobody's, and stays there."""
    m.honest()
    foreign, units = await m.w.chain.fresh_address(), m.units("native")
    [*_, (true,)] = await m.sql(
        "SELECT address FROM address_pool WHERE index <= :index ORDER BY index",
        index=POOL_INDEX,
    )
    row = "UPDATE address_pool SET address = :to WHERE address = :address"
    await m.edit("address_pool", row, to=foreign, address=true)
    await m.w.begin()
    await m.w.receive((foreign, units, "native"))
    [(purpose, reason)] = await m.sql(
        "SELECT purpose, reason FROM deposit WHERE address = :address", address=foreign
    )
    assert (purpose, reason) == ("unattributed", "address_unverified")
    for _ in range(3):
        await m.w.turn()
    assert await m.held(foreign, "native") == units
    assert not [each for each in await m.w.sweeps() if each.address == foreign]
    asked = await m.sql(
        "SELECT 1 FROM attempt WHERE intent::text LIKE '%' || :to || '%'", to=foreign
    )
    assert asked == [], "the keystore is not even asked"
    await m.edit("address_pool", row, to=true, address=foreign)
    await m.w.begin()
    await m.note("edited: a pool address", reason)
