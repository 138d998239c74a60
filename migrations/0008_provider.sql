-- The OpenID provider: what applications set, sessions that end, and who is told of it.

-- What grew out of sessions that are over is cleaned away before them, so many rows at a time. First here, because requests look
-- at these before they look at what follows.
CREATE POLICY control_cleans ON refresh_tokens TO gate_control USING (true);
CREATE POLICY control_cleans ON grants TO gate_control USING (true);
GRANT SELECT (tenant_id, token_hash, grant_id), DELETE ON refresh_tokens TO gate_control;
GRANT SELECT (tenant_id, id, session_id), DELETE ON grants TO gate_control;

ALTER TABLE applications
    -- Told when a session ends (OpenID Connect Back-Channel Logout 1.0).
    ADD COLUMN backchannel_logout_uri text,
    -- Lifetimes, keys, addresses after a logout, looks; read by the gateway.
    ADD COLUMN settings jsonb NOT NULL DEFAULT '{}';
GRANT SELECT (backchannel_logout_uri, settings) ON applications TO gate_tenant;
GRANT UPDATE (display_name, client_secret_hash, redirect_uris, initiate_login_uri, id_token_alg, backchannel_logout_uri, settings)
    ON applications TO gate_control;

-- Shown on pages; apart, so that no request reads it along.
CREATE TABLE application_logos (
    application_id uuid PRIMARY KEY REFERENCES applications (id) ON DELETE CASCADE,
    media_type     text NOT NULL CHECK (media_type IN ('image/png', 'image/jpeg', 'image/webp', 'image/svg+xml')),
    image          bytea NOT NULL CHECK (octet_length(image) <= 65536),
    updated_at     timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON application_logos TO gate_control;

-- Other names by which applications are asked for: those of a system from before.
CREATE TABLE application_aliases (
    name           text PRIMARY KEY,
    application_id uuid NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    created_at     timestamptz NOT NULL
);
CREATE INDEX application_aliases_of ON application_aliases (application_id);
GRANT SELECT, INSERT, DELETE ON application_aliases TO gate_control;

-- The same of tenants and their connections.
CREATE TABLE aliases (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    name          text COLLATE "C" NOT NULL,
    -- NULL where the tenant itself is meant.
    connection_id uuid,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name),
    -- One name leads to one place, whoever gives it.
    CONSTRAINT aliases_name_key UNIQUE (name),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX aliases_connection ON aliases (tenant_id, connection_id) WHERE connection_id IS NOT NULL;
ALTER TABLE aliases ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON aliases TO gate_tenant USING (tenant_id = current_setting('app.tenant_id')::uuid);
GRANT SELECT, INSERT, DELETE ON aliases TO gate_tenant;
CREATE POLICY control_reads ON aliases FOR SELECT TO gate_control USING (true);
GRANT SELECT (tenant_id, name, connection_id) ON aliases TO gate_control;

-- Nobody signs in while one of these is set; SCIM is heard all the same, so that no departure is missed.
ALTER TABLE tenants ADD COLUMN suspended_at timestamptz;
GRANT UPDATE (suspended_at) ON tenants TO gate_tenant;
ALTER TABLE connections ADD COLUMN suspended_at timestamptz;

ALTER TABLE sessions
    -- Over when nobody uses it until then. Those that older processes begin have no such limit.
    ADD COLUMN idle_until timestamptz NOT NULL DEFAULT '9999-01-01T00:00:00Z',
    -- How the identity provider says it knows who this is (core 2.7.2.2); NULL for a password of ours.
    ADD COLUMN authn_context text,
    -- Whether a password of the directory proved it, and no assertion.
    ADD COLUMN by_password boolean NOT NULL DEFAULT false,
    -- As what the application asked for codes: the audiences of what it is told of the end.
    ADD COLUMN client_ids text[] NOT NULL DEFAULT '{}';
UPDATE sessions s SET client_ids = g.client_ids
FROM (
    SELECT g.tenant_id, g.session_id, array_agg(DISTINCT g.request->>'client_id') AS client_ids
    FROM sessions l JOIN grants g ON g.tenant_id = l.tenant_id AND g.session_id = l.id
    WHERE l.ended_at IS NULL AND g.request ? 'client_id'
    GROUP BY g.tenant_id, g.session_id
) AS g
WHERE s.tenant_id = g.tenant_id AND s.id = g.session_id;

-- Applications that are still to be told of a session's end.
CREATE TABLE logout_deliveries (
    tenant_id      uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id             uuid NOT NULL,
    application_id uuid NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    -- As the application calls itself: the audience of what it is told.
    client_id      text NOT NULL,
    -- Neither has to be there any more.
    session_id     uuid NOT NULL,
    user_id        uuid NOT NULL,
    ended_at       timestamptz NOT NULL,
    -- Whether somebody else than the user wanted that: how soon it is told is measured then.
    is_departure   boolean NOT NULL,
    due_at         timestamptz NOT NULL,
    attempts       integer NOT NULL DEFAULT 0,
    problem        text,
    -- Set where it was given up.
    given_up_at    timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX logout_deliveries_due ON logout_deliveries (application_id, due_at) WHERE given_up_at IS NULL;
CREATE INDEX logout_deliveries_end ON logout_deliveries (given_up_at) WHERE given_up_at IS NOT NULL;
CREATE INDEX logout_deliveries_lost ON logout_deliveries (application_id, given_up_at) WHERE given_up_at IS NOT NULL;
ALTER TABLE logout_deliveries ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON logout_deliveries TO gate_tenant USING (tenant_id = current_setting('app.tenant_id')::uuid);
GRANT SELECT, INSERT ON logout_deliveries TO gate_tenant;
CREATE POLICY control_delivers ON logout_deliveries TO gate_control USING (true);
GRANT SELECT, UPDATE (due_at, attempts, problem, given_up_at), DELETE ON logout_deliveries TO gate_control;

-- Also of one account, of somebody who has none yet, and of everybody where nobody is named: no sign-in that began before opens
-- a session.
ALTER TABLE logouts
    ALTER COLUMN name_id DROP NOT NULL,
    ADD COLUMN account_id uuid,
    -- An address or a name, folded.
    ADD COLUMN subject text;
CREATE INDEX logouts_account ON logouts (tenant_id, connection_id, account_id) WHERE account_id IS NOT NULL;
CREATE INDEX logouts_subject ON logouts (tenant_id, connection_id, subject) WHERE account_id IS NULL AND name_id IS NULL;

-- Where the browser goes when the identity provider has answered.
ALTER TABLE logout_requests ADD COLUMN return_url text;

-- Authorization requests that applications sent ahead (RFC 9126).
CREATE TABLE pushed_requests (
    -- SHA-256 of the reference.
    hash           bytea PRIMARY KEY,
    application_id uuid NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    -- As the query that it stands for.
    parameters     text NOT NULL,
    expires_at     timestamptz NOT NULL
);
CREATE INDEX pushed_requests_end ON pushed_requests (expires_at);
CREATE INDEX pushed_requests_application ON pushed_requests (application_id);
GRANT SELECT, INSERT, DELETE ON pushed_requests TO gate_control;

-- Assertions by which clients proved themselves, until they have run out (RFC 7523 3).
CREATE TABLE client_assertions (
    application_id uuid NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    -- SHA-256 of the jti.
    hash           bytea NOT NULL,
    expires_at     timestamptz NOT NULL,
    PRIMARY KEY (application_id, hash)
);
CREATE INDEX client_assertions_end ON client_assertions (expires_at);
GRANT SELECT, INSERT, DELETE ON client_assertions TO gate_control;

-- A key is published some time before it signs, and some time after another has taken its place.
ALTER TABLE signing_keys ADD COLUMN signs_from timestamptz NOT NULL DEFAULT '2000-01-01T00:00:00Z';
UPDATE signing_keys SET signs_from = created_at;
GRANT DELETE ON signing_keys TO gate_control;

-- SHA-256 of the code that stands in the link. Those from before have none.
ALTER TABLE invitations ADD COLUMN code_hash bytea;
CREATE UNIQUE INDEX invitations_code ON invitations (tenant_id, code_hash) WHERE code_hash IS NOT NULL;
