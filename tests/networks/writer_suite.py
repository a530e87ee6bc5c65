"""What every `ChainWriter` does, whatever the chain: subclass with a `rig` fixture.

The hands are judged by the eyes: a payout counts as made when the reader shows it.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from keystore.api import Intent
from tests.networks.rig import Rig, history, transfers_of, transfers_to
from watchers.network import NATIVE, BroadcastRejected, Refused

TOKEN_UNITS = 7_654_321
UNITS_NOBODY_HAS = 10**15


def altered(
    intent: Mapping[str, Any], *, address: str, asset: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the intent once per field, with that field alone saying something else."""
    for field, value in intent.items():
        other: Any
        if field == "asset":
            other = asset
        elif isinstance(value, bool):
            other = not value
        elif isinstance(value, int):
            other = value + 1
        elif value.isdecimal():
            other = str(int(value) + 1)
        elif len(value) == 64:  # a 32-byte block id in hex; its middle bytes are the ones used
            other = value[:20] + ("1" if value[20] == "0" else "0") + value[21:]
        else:
            other = address
        yield field, {**intent, field: other}


@pytest.mark.anyio
class WriterBehaviour:
    """Behaviours of the hands."""

    @pytest.mark.parametrize("kind", ["native", "token"])
    async def test_a_payout_arrives_exactly(self, rig: Rig, kind: str) -> None:
        """Prepared, signed, verified and broadcast, it is seen once, to the unit."""
        asset = NATIVE if kind == "native" else rig.token
        units = rig.native_units if kind == "native" else TOKEN_UNITS
        since, to = await rig.head(), await rig.chain.fresh_address()
        intent = await rig.prepared(to, units, asset)
        raw = rig.sign(intent)
        tx_hash = rig.writer.verify(intent, raw)
        await rig.writer.broadcast(raw)
        blocks = await history(rig, since, tx_hash)
        [outcome] = [block.outcomes[tx_hash] for block in blocks if tx_hash in block.outcomes]
        assert outcome.success
        assert outcome.payer_spent_units > 0
        [seen] = [each for each in transfers_to(blocks, to) if each.kind == kind]
        assert (seen.tx_hash, seen.asset, seen.units) == (tx_hash, asset, units)
        assert await rig.chain.balance(to, asset) == units

    @pytest.mark.parametrize("kind", ["native", "token"])
    async def test_the_intent_is_what_the_keystore_takes(self, rig: Rig, kind: str) -> None:
        """The wire schema is closed: every field is there and none is unknown."""
        asset = NATIVE if kind == "native" else rig.token
        units = rig.native_units if kind == "native" else TOKEN_UNITS
        intent = await rig.prepared(await rig.chain.fresh_address(), units, asset)
        typed = msgspec.convert(dict(intent), Intent)
        assert typed.units == str(units)
        assert intent["family"] == rig.chain.family

    async def test_verify_names_every_altered_field(self, rig: Rig) -> None:
        """Bytes that differ from the intent in one field are refused by that field's name."""
        to = await rig.chain.fresh_address()
        other = await rig.chain.fresh_address()
        intent = await rig.prepared(to, TOKEN_UNITS, rig.token)
        raw = rig.sign(intent)
        assert rig.writer.verify(intent, raw)
        for field, lie in altered(intent, address=other, asset=NATIVE):
            if field in rig.unbound_fields:
                continue
            with pytest.raises(ValueError, match=field):
                rig.writer.verify(lie, raw)

    async def test_verify_tells_a_coin_from_a_token(self, rig: Rig) -> None:
        """A native payment never passes for a token payment, another amount or recipient."""
        to = await rig.chain.fresh_address()
        other = await rig.chain.fresh_address()
        intent = await rig.prepared(to, rig.native_units, NATIVE)
        raw = rig.sign(intent)
        for field, lie in altered(intent, address=other, asset=rig.token):
            if field in {"asset", "to", "units"}:
                with pytest.raises(ValueError, match=field):
                    rig.writer.verify(lie, raw)

    async def test_verify_refuses_torn_bytes(self, rig: Rig) -> None:
        """Cut, lengthened or empty bytes are no transaction."""
        intent = await rig.prepared(await rig.chain.fresh_address(), rig.native_units, NATIVE)
        raw = rig.sign(intent)
        for torn in (b"", raw[:-1], raw[: len(raw) // 2], raw + b"\x00"):
            with pytest.raises(ValueError):  # noqa: PT011 - which field is torn is unknowable
                rig.writer.verify(intent, torn)

    async def test_broadcasting_again_pays_once(self, rig: Rig) -> None:
        """The same bytes may be sent at any time, before and after they land."""
        since, to = await rig.head(), await rig.chain.fresh_address()
        intent = await rig.prepared(to, rig.native_units, NATIVE)
        raw = rig.sign(intent)
        tx_hash = rig.writer.verify(intent, raw)
        await rig.writer.broadcast(raw)
        with suppress(BroadcastRejected):
            await rig.writer.broadcast(raw)
        await history(rig, since, tx_hash)
        with suppress(BroadcastRejected):
            await rig.writer.broadcast(raw)
        await rig.chain.mine(2)
        later = await rig.chain.pay(await rig.chain.fresh_address(), rig.native_units)
        blocks = await history(rig, since, later)
        assert len(transfers_to(blocks, to)) == 1
        assert await rig.chain.balance(to) == rig.native_units

    async def test_a_payout_that_fails_on_chain_moves_nothing(self, rig: Rig) -> None:
        """It has an outcome without success, it costs a fee, and it holds no transfer."""
        since, to = await rig.head(), await rig.chain.fresh_address()
        good = await rig.prepared(to, TOKEN_UNITS, rig.token)
        doomed = {**good, "units": str(UNITS_NOBODY_HAS)}
        raw = rig.sign(doomed)
        tx_hash = rig.writer.verify(doomed, raw)
        await rig.writer.broadcast(raw)
        blocks = await history(rig, since, tx_hash)
        [outcome] = [block.outcomes[tx_hash] for block in blocks if tx_hash in block.outcomes]
        assert not outcome.success
        assert outcome.payer_spent_units > 0
        assert transfers_of(blocks, tx_hash) == []
        assert await rig.chain.balance(to, rig.token) == 0

    @pytest.mark.parametrize("kind", ["native", "token"])
    async def test_prepare_refuses_what_the_wallet_lacks(self, rig: Rig, kind: str) -> None:
        """One unit more than the wallet holds is refused before anything is signed."""
        asset = NATIVE if kind == "native" else rig.token
        held = await rig.reader.balance(rig.hot, asset)
        order = rig.order(await rig.chain.fresh_address(), held + 1, asset)
        with pytest.raises(Refused):
            await rig.writer.prepare(order, await rig.next_slot())

    async def test_prepare_refuses_a_fee_above_the_ceiling(self, rig: Rig) -> None:
        """The operator's most is the most: one unit of it carries no token payment."""
        to = await rig.chain.fresh_address()
        order = rig.order(to, TOKEN_UNITS, rig.token, fee_ceiling=1)
        with pytest.raises(Refused):
            await rig.writer.prepare(order, await rig.next_slot())
