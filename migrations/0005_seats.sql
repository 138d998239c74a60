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
    -- Whether somebody waits although there is room, because whose turn it was was being changed: somebody looks again soon.
    is_due         boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, application_id),
    CHECK ((policy = 'fallback-role') = (fallback_role IS NOT NULL))
);
ALTER TABLE seats ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON seats TO gate_tenant USING (tenant_id = current_setting('app.tenant_id')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON seats TO gate_tenant;
CREATE INDEX seats_due ON seats (tenant_id) WHERE is_due;
CREATE POLICY control_looks ON seats TO gate_control USING (true);
GRANT SELECT (tenant_id, is_due) ON seats TO gate_control;

ALTER TABLE accounts
    -- Since when it has been in line for a seat: outside where `parked` is `seat`, else with a lower role.
    ADD COLUMN waits_since timestamptz,
    DROP CONSTRAINT accounts_parked_check,
    ADD CONSTRAINT accounts_parked_check CHECK (parked IN ('link', 'seat')),
    ADD CONSTRAINT accounts_waits CHECK (parked <> 'seat' OR waits_since IS NOT NULL);
CREATE INDEX accounts_waiting ON accounts (tenant_id, connection_id, waits_since, id) WHERE waits_since IS NOT NULL;

-- Whether the merge was the answer to a question, so that undoing it asks again.
ALTER TABLE user_changes ADD COLUMN answers boolean NOT NULL DEFAULT false;

-- One by one, by the whole key: one UPDATE for all reads the whole tenant wherever statistics take it for small.
CREATE FUNCTION move_in_line(of_accounts uuid[], leaves boolean, is_outside boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE one uuid;
BEGIN
    FOREACH one IN ARRAY of_accounts LOOP
        UPDATE accounts a SET waits_since = CASE WHEN NOT leaves THEN waits_since END,
            parked = CASE WHEN is_outside AND waits_since IS NOT NULL THEN 'seat' ELSE nullif(parked, 'seat') END
        WHERE a.id = one;
    END LOOP;
END $$;
