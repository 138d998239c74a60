-- Who may come by signing in, and what profiles must be like.

ALTER TABLE connections
    -- What profiles must have and must not have, where the tenant asks for that.
    ADD COLUMN profile_policy jsonb NOT NULL DEFAULT '{}',
    -- Since when SCIM keeps the connection's users; until then sign-ins may bring them.
    ADD COLUMN scim_since timestamptz;
UPDATE connections c SET scim_since =
    (SELECT min(a.created_at) FROM accounts a WHERE a.tenant_id = c.tenant_id AND a.connection_id = c.id);

-- Who may be the one whom an account waits for is found by this.
CREATE INDEX accounts_asked ON accounts (tenant_id, parked_user) WHERE parked_user IS NOT NULL;

-- Which account waited for the answer that a merge was.
ALTER TABLE user_changes ADD COLUMN answered_id uuid;

-- Who is expected in a connection.
CREATE TABLE invitations (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id            uuid NOT NULL,
    connection_id uuid NOT NULL,
    email         text NOT NULL,
    email_key     text COLLATE "C" NOT NULL,
    -- The last thing that happened, and when.
    step          text NOT NULL CHECK (step IN ('created', 'sent', 'bounced', 'accepted', 'revoked', 'superseded')),
    step_at       timestamptz NOT NULL,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX invitations_list ON invitations (tenant_id, connection_id, created_at, id);
-- One stands at a time.
CREATE UNIQUE INDEX invitations_open ON invitations (tenant_id, connection_id, email_key)
    WHERE step IN ('created', 'sent', 'bounced');
ALTER TABLE invitations ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON invitations TO gate_tenant USING (tenant_id = current_setting('app.tenant_id')::uuid);
GRANT SELECT, INSERT, UPDATE (step, step_at) ON invitations TO gate_tenant;
-- Clean-up of old ones, over all tenants.
CREATE INDEX invitations_end ON invitations (step_at);
CREATE POLICY control_cleans ON invitations TO gate_control USING (true);
GRANT SELECT (tenant_id, id, step_at), DELETE ON invitations TO gate_control;
