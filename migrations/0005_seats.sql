-- How many of a tenant's users an application lets in.

-- Only where somebody counts.
CREATE TABLE seats (
    tenant_id      uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    application_id uuid NOT NULL REFERENCES applications (id),
    seat_limit     integer NOT NULL CHECK (seat_limit >= 0),
    -- Users with an active account that does not wait for anything.
    taken          integer NOT NULL,
    -- What becomes of who comes when all are taken.
    policy         text NOT NULL CHECK (policy IN ('refuse', 'park', 'fallback-role', 'soft')),
    fallback_role  text,
    PRIMARY KEY (tenant_id, application_id),
    CHECK ((policy = 'fallback-role') = (fallback_role IS NOT NULL))
);
ALTER TABLE seats ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON seats TO gate_tenant USING (tenant_id = current_setting('app.tenant_id')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON seats TO gate_tenant;

ALTER TABLE accounts
    -- Since when it has been in line for a seat: outside where `parked` is `seat`, else with a lower role.
    ADD COLUMN waits_since timestamptz,
    DROP CONSTRAINT accounts_parked_check,
    ADD CONSTRAINT accounts_parked_check CHECK (parked IN ('link', 'seat')),
    ADD CONSTRAINT accounts_waits CHECK (parked <> 'seat' OR waits_since IS NOT NULL);
CREATE INDEX accounts_waiting ON accounts (tenant_id, connection_id, waits_since, id) WHERE waits_since IS NOT NULL;
