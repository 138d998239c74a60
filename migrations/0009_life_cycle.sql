-- Invitations by mail.

ALTER TABLE invitations
    -- Whose it is, where SCIM brought them; NULL for an address that is only expected.
    ADD COLUMN account_id uuid,
    ADD COLUMN lifetime_days integer NOT NULL DEFAULT 14 CHECK (lifetime_days BETWEEN 1 AND 365),
    -- When its mail is to be tried; NULL for one that has gone, or has none.
    ADD COLUMN due_at timestamptz,
    ADD COLUMN attempts integer NOT NULL DEFAULT 0,
    -- Why it was not taken, or came back.
    ADD COLUMN problem text;
CREATE INDEX invitations_due ON invitations (tenant_id, due_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX invitations_open_account ON invitations (tenant_id, account_id)
    WHERE account_id IS NOT NULL AND step IN ('created', 'sent', 'bounced');
CREATE INDEX invitations_account ON invitations (tenant_id, account_id, created_at, id) WHERE account_id IS NOT NULL;
GRANT UPDATE (code_hash, due_at, attempts, problem) ON invitations TO gate_tenant;
-- Any gateway sends what is due.
GRANT SELECT (due_at, attempts), UPDATE (due_at, attempts) ON invitations TO gate_control;

-- What an application wants of invitations is part of what gateways remember of its connections.
CREATE POLICY control_forgets ON connections FOR UPDATE TO gate_control USING (true);
GRANT SELECT (application_id, schema_version), UPDATE (schema_version) ON connections TO gate_control;
