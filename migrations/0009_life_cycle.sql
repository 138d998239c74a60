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
-- So are its roles, of which there may be more.
GRANT UPDATE (roles) ON applications TO gate_control;
GRANT UPDATE (roles_since) ON watches TO gate_control;

-- What identity providers wanted and did not get: the latest wish of each kind, until it is granted.
CREATE TABLE failures (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id            uuid NOT NULL,
    connection_id uuid NOT NULL,
    -- How it came.
    source        text NOT NULL CHECK (source IN ('scim', 'sign_in')),
    -- SHA-256 of what was wanted of whom: the same again is the same failure.
    key           bytea NOT NULL,
    -- As the identity provider calls them.
    who           text NOT NULL,
    -- As names and addresses are compared; by these a later sign-in is found.
    who_key       text COLLATE "C" NOT NULL,
    -- The account or group, where there is one.
    subject_id    uuid,
    what          text NOT NULL,
    code          text NOT NULL,
    detail        text NOT NULL,
    -- What is done again when the cause is gone; NULL where that is not kept.
    wish          jsonb,
    first_at      timestamptz NOT NULL,
    last_at       timestamptz NOT NULL,
    count         bigint NOT NULL DEFAULT 1,
    -- When it was over, and by what.
    closed_at      timestamptz,
    closed_by      text CHECK (closed_by IN ('granted', 'replayed', 'overtaken', 'dismissed')),
    PRIMARY KEY (tenant_id, id),
    CHECK ((closed_at IS NULL) = (closed_by IS NULL)),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE UNIQUE INDEX failures_open ON failures (tenant_id, connection_id, key) WHERE closed_at IS NULL;
CREATE INDEX failures_subject ON failures (tenant_id, connection_id, subject_id) WHERE closed_at IS NULL;
CREATE INDEX failures_list ON failures (tenant_id, connection_id, last_at, id);
CREATE INDEX failures_end ON failures (last_at);
ALTER TABLE failures ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON failures TO gate_tenant USING (tenant_id = current_setting('app.tenant_id')::uuid);
GRANT SELECT, INSERT, UPDATE ON failures TO gate_tenant;
CREATE POLICY control_cleans ON failures TO gate_control USING (true);
GRANT SELECT (tenant_id, id, last_at, closed_at, code), DELETE ON failures TO gate_control;
-- Who has another role than was sent, and whose invitation came back, are part of the same report.
CREATE INDEX accounts_unknown_role ON accounts (tenant_id, connection_id, id) WHERE role_reason = 'unknown';
CREATE INDEX invitations_bounced ON invitations (tenant_id, connection_id, id) WHERE step = 'bounced';

-- Departures of a connection: counted within an hour, and paused when they are too many for the tenant.
ALTER TABLE tenants ADD COLUMN mass_change_percent smallint NOT NULL DEFAULT 50 CHECK (mass_change_percent BETWEEN 0 AND 100);
GRANT UPDATE (mass_change_percent) ON tenants TO gate_tenant;
CREATE TABLE guards (
    tenant_id      uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    connection_id  uuid NOT NULL,
    -- When the window began, and how many were active then.
    since          timestamptz NOT NULL,
    there          integer NOT NULL,
    -- Nobody goes while this is set.
    paused_at      timestamptz,
    -- Everybody may go until then.
    approved_until timestamptz,
    PRIMARY KEY (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
-- The count, in several rows.
CREATE TABLE departures (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    connection_id uuid NOT NULL,
    slot          smallint NOT NULL,
    since         timestamptz NOT NULL,
    gone          integer NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, slot),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['guards', 'departures']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant_isolation ON %I TO gate_tenant USING (tenant_id = current_setting(''app.tenant_id'')::uuid)', name);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON guards, departures TO gate_tenant;
