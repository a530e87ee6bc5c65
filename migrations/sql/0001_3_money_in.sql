CREATE TABLE address_pool (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    index integer NOT NULL CHECK (index >= 0),
    path text NOT NULL,
    address text NOT NULL,
    signature bytea NOT NULL,
    status text NOT NULL DEFAULT 'AVAILABLE' CHECK (status IN ('AVAILABLE', 'ASSIGNED', 'USED')),
    merchant_id text REFERENCES merchant ON DELETE RESTRICT,
    invoice_id text,
    created_at timestamptz NOT NULL,
    assigned_at timestamptz,
    UNIQUE (network_id, index),
    UNIQUE (network_id, address),
    CHECK ((status = 'AVAILABLE') = (invoice_id IS NULL)),
    CHECK ((merchant_id IS NULL) = (invoice_id IS NULL))
);
CREATE INDEX address_pool_invoice ON address_pool (invoice_id) WHERE invoice_id IS NOT NULL;

-- The queue of addresses nobody has been shown. Claiming deletes its head, so a claim never
-- walks past used rows.
CREATE TABLE free_address (
    network_id text NOT NULL,
    address_id bigint NOT NULL REFERENCES address_pool ON DELETE CASCADE,
    PRIMARY KEY (network_id, address_id)
);

CREATE TABLE invoice (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    livemode boolean NOT NULL,
    order_id text,
    description text,
    metadata jsonb NOT NULL DEFAULT '{}',
    amount numeric(38, 18) NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    tolerance_basis_points integer NOT NULL,
    confirmations integer CHECK (confirmations > 0),
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'processing', 'settled', 'expired', 'invalid', 'canceled')),
    exception text NOT NULL DEFAULT 'none'
        CHECK (exception IN ('none', 'paid_partial', 'paid_over', 'paid_late', 'marked', 'reorged')),
    final boolean NOT NULL DEFAULT false,
    success_url text,
    cancel_url text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    monitoring_until timestamptz NOT NULL,
    paid_at timestamptz,
    settled_at timestamptz
);
CREATE INDEX invoice_merchant ON invoice (merchant_id, id DESC);
CREATE INDEX invoice_order ON invoice (merchant_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX invoice_open ON invoice (expires_at) WHERE status = 'pending';
CREATE INDEX invoice_monitored ON invoice (monitoring_until) WHERE NOT final;

ALTER TABLE address_pool ADD FOREIGN KEY (invoice_id) REFERENCES invoice ON DELETE RESTRICT
    DEFERRABLE INITIALLY DEFERRED;

-- One row per payment method; address and signature copied in when the payer chooses it.
CREATE TABLE payment_option (
    invoice_id text NOT NULL REFERENCES invoice ON DELETE RESTRICT,
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    amount_units units NOT NULL CHECK (amount_units > 0),
    rate numeric(38, 18) NOT NULL CHECK (rate > 0),
    rate_source text NOT NULL,
    rate_at timestamptz NOT NULL,
    address text,
    address_index integer,
    address_path text,
    address_signature bytea,
    activated_at timestamptz,
    PRIMARY KEY (invoice_id, currency_id)
);

CREATE TABLE invoice_timeline (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id text NOT NULL REFERENCES invoice ON DELETE RESTRICT,
    merchant_id text NOT NULL,
    status text NOT NULL,
    exception text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX invoice_timeline_invoice ON invoice_timeline (invoice_id, id);

CREATE TABLE block (
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    height bigint NOT NULL,
    hash text NOT NULL,
    parent_hash text NOT NULL,
    block_time timestamptz NOT NULL,
    transactions integer NOT NULL,
    provider text NOT NULL DEFAULT '',
    orphaned boolean NOT NULL DEFAULT false,
    scanned_at timestamptz NOT NULL,
    PRIMARY KEY (network_id, height, hash)
);
CREATE UNIQUE INDEX block_canonical ON block (network_id, height) WHERE NOT orphaned;

-- Where scanning stands: the last block processed and the last one final. `epoch` is the lease;
-- `halted` says why nothing may go on (the chain contradicts what was final).
CREATE TABLE cursor (
    network_id text PRIMARY KEY REFERENCES network ON DELETE RESTRICT,
    height bigint NOT NULL,
    hash text NOT NULL,
    final_height bigint NOT NULL,
    halted text,
    epoch bigint NOT NULL DEFAULT 0,
    holder text,
    leased_until timestamptz,
    updated_at timestamptz NOT NULL
);

CREATE TABLE transaction (
    id text PRIMARY KEY,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    tx_hash text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('incoming', 'outgoing')),
    status text NOT NULL CHECK (status IN ('pending', 'confirmed', 'failed', 'orphaned')),
    block_height bigint NOT NULL,
    block_hash text NOT NULL,
    block_time timestamptz NOT NULL,
    payer_spent_units units NOT NULL,
    seen_at timestamptz NOT NULL,
    final_at timestamptz,
    UNIQUE (network_id, tx_hash)
);

-- One row per transfer to an address of ours. The identity never mentions the block.
CREATE TABLE deposit (
    id text PRIMARY KEY,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    tx_hash text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('native', 'token', 'internal', 'withdrawal', 'balance')),
    ordinal integer NOT NULL,
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    units units NOT NULL CHECK (units > 0),
    sender text NOT NULL,
    address text NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('invoice', 'merchant', 'unattributed', 'refund', 'capital')),
    merchant_id text REFERENCES merchant ON DELETE RESTRICT,
    invoice_id text REFERENCES invoice ON DELETE RESTRICT,
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'confirmed', 'rejected', 'reorged')),
    reason text,
    late boolean NOT NULL DEFAULT false,
    block_height bigint NOT NULL,
    block_hash text NOT NULL,
    block_time timestamptz NOT NULL,
    detected_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    UNIQUE (network_id, tx_hash, kind, ordinal),
    CHECK ((purpose = 'invoice') = (invoice_id IS NOT NULL)),
    CHECK ((purpose IN ('invoice', 'merchant')) = (merchant_id IS NOT NULL))
);
CREATE INDEX deposit_pending ON deposit (network_id, block_height) WHERE status = 'pending';
CREATE INDEX deposit_merchant ON deposit (merchant_id, id DESC);
CREATE INDEX deposit_invoice ON deposit (invoice_id);
CREATE INDEX deposit_unattributed ON deposit (id) WHERE purpose = 'unattributed';
CREATE INDEX deposit_address ON deposit (network_id, address);

-- Where a deposit was seen: a reorganisation adds a sighting, it never edits one away.
CREATE TABLE deposit_sighting (
    deposit_id text NOT NULL REFERENCES deposit ON DELETE RESTRICT,
    block_hash text NOT NULL,
    block_height bigint NOT NULL,
    units units NOT NULL,
    orphaned boolean NOT NULL DEFAULT false,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (deposit_id, block_hash)
);

-- Claim one address for an invoice of the current tenant; null when the pool is empty.
CREATE FUNCTION claim_address(wanted_network text, wanted_invoice text, now timestamptz)
    RETURNS TABLE (address text, index integer, path text, signature bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE claimed bigint;
BEGIN
    DELETE FROM free_address f WHERE (f.network_id, f.address_id) = (
        SELECT q.network_id, q.address_id FROM free_address q WHERE q.network_id = wanted_network
        ORDER BY q.address_id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING f.address_id INTO claimed;
    IF NOT FOUND THEN RETURN; END IF;
    RETURN QUERY UPDATE address_pool p
        SET status = 'ASSIGNED', invoice_id = wanted_invoice, merchant_id = current_merchant(), assigned_at = now
        WHERE p.id = claimed AND current_merchant() IS NOT NULL
        RETURNING p.address, p.index, p.path, p.signature;
END $$;

-- How many addresses are left per network (whether, above 1000).
CREATE FUNCTION free_addresses(wanted_network text) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT count(*) FROM (SELECT 1 FROM free_address WHERE network_id = wanted_network LIMIT 1000) AS counted
$$;

-- The checkout page knows an invoice id and nothing else.
CREATE FUNCTION invoice_merchant(wanted text) RETURNS text
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT merchant_id FROM invoice WHERE id = wanted
$$;
