"""Pools that were assigned network by network: what is free follows, what is given stays."""

from gateway.postgres.connect import connected
from gateway.postgres.migrate import migrate
from tests.conftest import FreshDatabase

BEFORE = "0006"
STAGE = """
INSERT INTO network (id, family, display_name, identity, test, local, enabled)
    SELECT n, 'ethereum', n, n, n = 'sepolia', false, true FROM unnest(ARRAY['ethereum', 'base', 'sepolia']) AS n;
INSERT INTO merchant (id, name, created_at) VALUES ('mer_1', 'Shop', now()), ('mer_2', 'Shop', now());
INSERT INTO customer (id, merchant_id, livemode, created_at, updated_at)
    SELECT c, m, true, now(), now() FROM (VALUES ('cus_1', 'mer_1'), ('cus_2', 'mer_2')) AS v (c, m);
INSERT INTO invoice (id, merchant_id, livemode, currency, tolerance_basis_points, created_at, expires_at,
        monitoring_until)
    VALUES ('inv_1', 'mer_1', true, 'USD', 0, now(), now(), now());
INSERT INTO address_pool (network_id, index, path, address, signature, status, merchant_id, invoice_id,
        customer_id, created_at)
    SELECT n, v.index, 'm', v.address, '', CASE WHEN v.merchant IS NULL THEN 'AVAILABLE' ELSE 'ASSIGNED' END,
        v.merchant, v.invoice, v.customer, now()
    FROM (VALUES ('ethereum', 0, 'bill', 'mer_1', 'inv_1', NULL), ('base', 0, 'bill', NULL, NULL, NULL),
        ('sepolia', 0, 'bill', NULL, NULL, NULL), ('ethereum', 1, 'home', 'mer_1', NULL, 'cus_1'),
        ('base', 1, 'home', NULL, NULL, NULL), ('ethereum', 2, 'torn', 'mer_2', NULL, 'cus_2'),
        ('base', 2, 'torn', 'mer_1', 'inv_1', NULL), ('ethereum', 3, 'free', NULL, NULL, NULL),
        ('base', 3, 'free', NULL, NULL, NULL)) AS v (n, index, address, merchant, invoice, customer);
INSERT INTO free_address SELECT network_id, id FROM address_pool WHERE status = 'AVAILABLE';
"""
ROWS = """
SELECT p.network_id || ' ' || p.address, coalesce(p.invoice_id, p.customer_id),
    EXISTS (SELECT 1 FROM free_address f WHERE f.address_id = p.id) FROM address_pool p
"""


def test_what_is_free_here_and_somebodys_elsewhere_is_theirs(database: FreshDatabase) -> None:
    """On the other mode it is nobody's; two owners of one address keep what they have."""
    migrate(database.settings, to=BEFORE)
    with connected(database.settings, "owner") as owner:
        owner.exec_driver_sql(STAGE)
        owner.commit()
    migrate(database.settings)
    with connected(database.settings, "owner") as owner:
        found = {name: (whose, free) for name, whose, free in owner.exec_driver_sql(ROWS)}
    assert found == {
        "ethereum bill": ("inv_1", False),
        "base bill": ("inv_1", False),
        "sepolia bill": (None, False),
        "ethereum home": ("cus_1", False),
        "base home": ("cus_1", False),
        "ethereum torn": ("cus_2", False),
        "base torn": ("inv_1", False),
        "ethereum free": (None, True),
        "base free": (None, True),
    }
