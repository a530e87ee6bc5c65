"""The database keeps the ledger by itself, whoever asks and however."""

import psycopg
import pytest
from psycopg import errors

from gateway.postgres.url import Role
from tests.conftest import FreshDatabase

RUNTIME: tuple[Role, ...] = ("api", "worker", "watcher")
EVERYONE: tuple[Role, ...] = ("owner", *RUNTIME)
POSTING = (
    "INSERT INTO balance_history (journal_id, account, currency_id, change_type, "
    "delta_confirmed, delta_locked, at) VALUES (%s, %s, 'ETH-ETHEREUM', %s, %s, %s, now())"
)


def connect(database: FreshDatabase, role: Role) -> psycopg.Connection:
    """Open a plain connection as one role."""
    url = database.url(role).set(drivername="postgresql")
    return psycopg.connect(url.render_as_string(hide_password=False))


@pytest.fixture
def ledger(database: FreshDatabase) -> FreshDatabase:
    """Give a merchant 100 units from one deposit."""
    with connect(database, "owner") as owner:
        owner.execute(
            "INSERT INTO network VALUES ('ethereum', 'ethereum', 'Ethereum', '1', true, true)"
        )
        owner.execute(
            "INSERT INTO currency VALUES ('ETH-ETHEREUM', 'ethereum', 'ETH', NULL, NULL, 18)"
        )
        for merchant in ("mer_1", "mer_2"):
            owner.execute(
                "INSERT INTO merchant (id, name, created_at) VALUES (%s, 'x', now())",
                [merchant],
            )
        for number, units in ((1, 40), (2, 101)):
            owner.execute(
                "INSERT INTO withdrawal (id, merchant_id, livemode, currency_id, network_id, "
                "units, fee_units, destination, created_by, created_at, updated_at) VALUES "
                "(%s, 'mer_1', false, 'ETH-ETHEREUM', 'ethereum', %s, 0, '0xaa', 'k', now(), now())",
                [f"w{number}", units],
            )
        journal = new_journal(owner, "deposit", "d1", "mer_1")
        owner.execute(POSTING, [journal, "mer_1", "DEPOSIT", 100, 0])
        owner.execute(POSTING, [journal, "custody", "DEPOSIT", -100, 0])
    return database


def new_journal(
    connection: psycopg.Connection, kind: str, ref: str, merchant: str | None
) -> int:
    """Insert a journal; return its id."""
    row = connection.execute(
        "INSERT INTO journal (kind, ref, merchant_id, at) VALUES (%s, %s, %s, now()) RETURNING id",
        [kind, ref, merchant],
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_posting_fills_before_after_and_chains_the_hash(ledger: FreshDatabase) -> None:
    """What the caller cannot forge is filled by the trigger."""
    with connect(ledger, "owner") as owner:
        journal = new_journal(owner, "hold", "w1", "mer_1")
        owner.execute(POSTING, [journal, "mer_1", "HOLD", -40, 40])
        rows = owner.execute(
            "SELECT version, confirmed_before, confirmed_after, locked_after, "
            "previous_hash IS NULL, hash FROM balance_history WHERE account = 'mer_1' ORDER BY 1"
        ).fetchall()
        assert [row[:5] for row in rows] == [(1, 0, 100, 0, True), (2, 100, 60, 40, False)]
        assert rows[0][5] != rows[1][5]


@pytest.mark.parametrize("role", EVERYONE)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE wallet SET confirmed = 1000000",
        "INSERT INTO wallet (account, currency_id, confirmed) VALUES ('revenue', 'ETH-ETHEREUM', 5)",
        "DELETE FROM wallet",
        "TRUNCATE wallet CASCADE",
        "UPDATE balance_history SET delta_confirmed = 1",
        "DELETE FROM balance_history",
        "TRUNCATE balance_history",
        "UPDATE journal SET ref = 'other'",
        "DELETE FROM journal",
        "TRUNCATE journal CASCADE",
    ],
)
def test_no_role_changes_the_ledger_but_by_posting(
    ledger: FreshDatabase, role: Role, statement: str
) -> None:
    """Grants refuse the runtime roles, triggers refuse the owner too."""
    with connect(ledger, role) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement)


def test_a_journal_that_does_not_sum_to_zero_fails_at_commit(ledger: FreshDatabase) -> None:
    """Nothing of it stays."""
    with connect(ledger, "watcher") as watcher:
        journal = new_journal(watcher, "deposit", "d2", "mer_1")
        watcher.execute(POSTING, [journal, "mer_1", "DEPOSIT", 5, 0])
        with pytest.raises(errors.CheckViolation, match="does not sum to zero"):
            watcher.commit()


def test_the_same_event_is_booked_once_for_good(ledger: FreshDatabase) -> None:
    """(kind, ref) is unique."""
    with connect(ledger, "watcher") as watcher, pytest.raises(errors.UniqueViolation):
        new_journal(watcher, "deposit", "d1", "mer_1")


def test_a_merchant_never_goes_below_zero(ledger: FreshDatabase) -> None:
    """Neither confirmed nor locked, whoever posts."""
    with connect(ledger, "watcher") as watcher:
        journal = new_journal(watcher, "hold", "w2", "mer_1")
        with pytest.raises(errors.CheckViolation):
            watcher.execute(POSTING, [journal, "mer_1", "HOLD", -101, 101])


@pytest.mark.parametrize("units", ["1.5", "'NaN'", "2::numeric ^ 256", "'Infinity'"])
def test_an_amount_is_whole_units_up_to_uint256(ledger: FreshDatabase, units: str) -> None:
    """The domain refuses what numeric would round or hold."""
    with connect(ledger, "owner") as owner, pytest.raises(errors.CheckViolation):
        owner.execute(f"UPDATE currency SET minimum_deposit_units = {units}")


@pytest.mark.parametrize(
    ("kind", "account", "change_type", "confirmed", "locked"),
    [
        ("deposit", "mer_1", "DEPOSIT", 5, -5),
        ("hold", "mer_1", "DEPOSIT", 5, -5),
        ("hold", "mer_1", "HOLD", 5, 0),
        ("hold", "mer_2", "HOLD", -1, 1),
        ("hold", "custody", "HOLD", -1, 1),
    ],
)
def test_the_api_can_only_hold_and_release_its_own_tenants_money(
    ledger: FreshDatabase,
    kind: str,
    account: str,
    change_type: str,
    confirmed: int,
    locked: int,
) -> None:
    """A compromised API cannot credit, and cannot touch another tenant or the house."""
    with connect(ledger, "api") as api:
        api.execute("SELECT set_config('app.merchant_id', 'mer_1', true)")
        with pytest.raises((errors.InsufficientPrivilege, errors.CheckViolation)):
            journal = new_journal(api, kind, "x", "mer_1")
            api.execute(POSTING, [journal, account, change_type, confirmed, locked])


@pytest.mark.parametrize(
    ("kind", "withdrawal", "units"),
    [
        ("hold", "w1", 39),
        ("hold", "nothing", 40),
        ("release", "w1", -40),
        ("settle", "w1", -40),
    ],
)
def test_a_hold_and_its_end_fit_their_withdrawal_to_the_unit(
    ledger: FreshDatabase, kind: str, withdrawal: str, units: int
) -> None:
    """Another amount, no withdrawal, or one that has not ended: refused at commit."""
    with connect(ledger, "watcher") as watcher:
        if units < 0:
            held = new_journal(watcher, "hold", "w1", "mer_1")
            watcher.execute(POSTING, [held, "mer_1", "HOLD", -40, 40])
            watcher.commit()
        journal = new_journal(watcher, kind, withdrawal, "mer_1")
        watcher.execute(POSTING, [journal, "mer_1", "HOLD", -units, units])
        with pytest.raises(errors.CheckViolation, match="does not fit"):
            watcher.commit()


def test_the_api_cannot_write_a_withdrawal_that_is_approved_already(
    ledger: FreshDatabase,
) -> None:
    """Whatever took over the API, a request is born pending."""
    with connect(ledger, "api") as api:
        api.execute("SELECT set_config('app.merchant_id', 'mer_1', true)")
        with pytest.raises(errors.InsufficientPrivilege):
            api.execute(
                "INSERT INTO withdrawal (id, merchant_id, livemode, currency_id, network_id, "
                "units, fee_units, destination, created_by, created_at, updated_at, status) "
                "VALUES ('w9', 'mer_1', false, 'ETH-ETHEREUM', 'ethereum', 5, 0, '0xaa', 'k', "
                "now(), now(), 'approved')"
            )


def test_the_api_cannot_end_a_payment_that_is_under_way(ledger: FreshDatabase) -> None:
    """Whatever took over the API: a hold is released before the payment begins, or by the chain."""
    with connect(ledger, "owner") as owner:
        owner.execute("UPDATE withdrawal SET status = 'approved'")
        owner.execute("UPDATE withdrawal SET status = 'signing'")
        owner.execute("UPDATE withdrawal SET status = 'broadcast'")
        owner.commit()
    with connect(ledger, "api") as api:
        api.execute("SELECT set_config('app.merchant_id', 'mer_1', true)")
        with pytest.raises(errors.InsufficientPrivilege):
            api.execute("UPDATE withdrawal SET status = 'failed'")


def test_what_a_withdrawal_asks_for_never_changes(ledger: FreshDatabase) -> None:
    """Destination and amount are fixed at birth, for the owner too."""
    with connect(ledger, "owner") as owner:
        with pytest.raises(errors.CheckViolation), owner.transaction():
            owner.execute("UPDATE withdrawal SET destination = '0xbb'")
        with pytest.raises(errors.CheckViolation, match="cannot become"):
            owner.execute("UPDATE withdrawal SET status = 'completed'")
