-- Sign-in over SAML, whole: both bindings, settings of a connection, logout, keys that follow each other.

ALTER TABLE connections
    ADD COLUMN idp_sso_binding text NOT NULL DEFAULT 'redirect',
    -- Single logout; all NULL where the identity provider takes no part in it.
    ADD COLUMN idp_slo_url text,
    ADD COLUMN idp_slo_response_url text,
    ADD COLUMN idp_slo_binding text,
    -- How sign-in behaves where that is not as usual.
    ADD COLUMN sign_in_settings jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT connections_bindings CHECK (
        idp_sso_binding IN ('redirect', 'post')
        AND ((idp_slo_url IS NULL AND idp_slo_binding IS NULL AND idp_slo_response_url IS NULL)
            OR (idp_slo_url IS NOT NULL AND idp_slo_binding IN ('redirect', 'post')))
    );

ALTER TABLE sp_keys
    -- An RSA key signs and decrypts, an EC key signs.
    ADD COLUMN algorithm text NOT NULL DEFAULT 'rsa',
    -- Otherwise it only decrypts.
    ADD COLUMN signs boolean NOT NULL DEFAULT true,
    -- Published from the beginning, it signs from here on, unless a younger one does; NULL: from the beginning.
    ADD COLUMN signs_from timestamptz,
    -- Not published, and of no use, from here on.
    ADD COLUMN ends_at timestamptz,
    ADD CONSTRAINT sp_keys_algorithm CHECK (algorithm IN ('rsa', 'ec'));
GRANT UPDATE (ends_at) ON sp_keys TO gate_tenant;

-- The whole name, as logout must repeat it.
ALTER TABLE sessions
    ADD COLUMN name_id_format text,
    ADD COLUMN name_qualifier text,
    ADD COLUMN sp_name_qualifier text,
    -- What the assertion said, as it was mapped.
    ADD COLUMN attributes jsonb NOT NULL DEFAULT '{}';
CREATE INDEX sessions_name_id ON sessions (tenant_id, connection_id, name_id) WHERE ended_at IS NULL;

ALTER TABLE sign_in_requests
    -- NULL: the identity provider began, and the connection accepts that from any browser.
    ALTER COLUMN browser_hash DROP NOT NULL,
    -- Where in the application the identity provider wants to send the browser.
    ADD COLUMN target text;

-- Logouts that an identity provider asked for, until no assertion from before them can come any more (core 3.7.3.1).
CREATE TABLE logouts (
    tenant_id       uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    connection_id   uuid NOT NULL,
    -- The ID of the LogoutRequest.
    id              text NOT NULL,
    name_id         text NOT NULL,
    -- Empty: all sessions.
    session_indexes text[] NOT NULL,
    -- By the identity provider's clock, as the instants of its assertions are.
    issued_at       timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX logouts_name_id ON logouts (tenant_id, connection_id, name_id) WHERE name_id IS NOT NULL;
CREATE INDEX logouts_expiry ON logouts (expires_at);

-- LogoutRequests of ours on their way.
CREATE TABLE logout_requests (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    -- The ID of the LogoutRequest.
    id            text NOT NULL,
    connection_id uuid NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    answered_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX logout_requests_expiry ON logout_requests (expires_at);

-- Each step of each attempt to sign in or out: bounded, and without what it says of a person unless a test is on.
CREATE TABLE sign_in_steps (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid,
    connection_id uuid NOT NULL,
    id            uuid NOT NULL,
    occurred_at   timestamptz NOT NULL,
    -- The ID of the request, or one of its own where there is none.
    attempt       text NOT NULL,
    step          text NOT NULL,
    -- `ok`, or the code of what was wrong.
    code          text NOT NULL,
    expected      text,
    received      text,
    message       text,
    understood    jsonb,
    address       text NOT NULL,
    agent         text NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX sign_in_steps_age ON sign_in_steps USING brin (occurred_at);

-- A plan that is kept from when there were few rows takes an index that ends with another column for one that ends with the
-- id, and reads the whole tenant. So only who names the column is led to these.
ALTER TABLE sign_in_requests DROP CONSTRAINT sign_in_requests_ticket_key;
CREATE UNIQUE INDEX sign_in_requests_ticket_key ON sign_in_requests (tenant_id, ticket_hash) WHERE ticket_hash IS NOT NULL;
ALTER TABLE sessions DROP CONSTRAINT sessions_token_key;
CREATE UNIQUE INDEX sessions_token_key ON sessions (tenant_id, token_hash) WHERE token_hash IS NOT NULL;
DROP INDEX sessions_account, sessions_user;
CREATE INDEX sessions_account ON sessions (tenant_id, connection_id, account_id) WHERE account_id IS NOT NULL;
CREATE INDEX sessions_user ON sessions (tenant_id, user_id) WHERE user_id IS NOT NULL;
ALTER TABLE grants DROP CONSTRAINT grants_code_key;
CREATE UNIQUE INDEX grants_code_key ON grants (tenant_id, code_hash) WHERE code_hash IS NOT NULL;
DROP INDEX grants_session, refresh_tokens_grant;
CREATE INDEX grants_session ON grants (tenant_id, session_id) WHERE session_id IS NOT NULL;
CREATE INDEX refresh_tokens_grant ON refresh_tokens (tenant_id, grant_id) WHERE grant_id IS NOT NULL;

-- What is looked at from time to time without anybody asking: metadata given by URL, and certificates that end.
CREATE TABLE watches (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    connection_id uuid NOT NULL,
    -- When to look next. Whoever looks puts it off first, so that one looks at a time and another does when that one dies.
    due_at        timestamptz NOT NULL,
    metadata_url  text,
    -- What the server said of the document that was taken last, to ask only for another one.
    etag          text,
    last_modified text,
    -- Until when that document is valid; then it is asked for whole.
    valid_until   timestamptz,
    -- When it was last asked for, and when it was last as it should be.
    asked_at      timestamptz,
    fetched_at    timestamptz,
    -- Why it is not, in the operator's words.
    problem       text,
    -- How many days before its end was last told of a certificate, by its SHA-256.
    told          jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX watches_due ON watches (due_at);
INSERT INTO watches (tenant_id, connection_id, due_at) SELECT tenant_id, id, created_at FROM connections;

-- Certificates with which answers said they were signed, and that are not trusted. Anybody can write them: for people to
-- compare, and no more than a few.
CREATE TABLE seen_certificates (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    connection_id uuid NOT NULL,
    -- SHA-256 in hexadecimal.
    fingerprint   text NOT NULL,
    subject       text NOT NULL,
    ends_at       timestamptz NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, fingerprint),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX seen_certificates_age ON seen_certificates (last_seen_at);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['logouts', 'logout_requests', 'sign_in_steps', 'watches', 'seen_certificates']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant_isolation ON %I TO gate_tenant USING (tenant_id = current_setting(''app.tenant_id'')::uuid)', name);
        EXECUTE format('CREATE POLICY control_cleans ON %I TO gate_control USING (true)', name);
    END LOOP;
END $$;
GRANT SELECT, INSERT, DELETE ON sign_in_steps TO gate_tenant;
GRANT SELECT (tenant_id, connection_id, id, occurred_at), DELETE ON sign_in_steps TO gate_control;
GRANT SELECT, INSERT ON logouts TO gate_tenant;
GRANT SELECT, INSERT, UPDATE (answered_at) ON logout_requests TO gate_tenant;
GRANT SELECT (tenant_id, connection_id, id, expires_at), DELETE ON logouts TO gate_control;
GRANT SELECT (tenant_id, id, expires_at), DELETE ON logout_requests TO gate_control;
GRANT SELECT, INSERT, UPDATE ON watches TO gate_tenant;
GRANT SELECT (tenant_id, connection_id, due_at), UPDATE (due_at, asked_at) ON watches TO gate_control;
GRANT SELECT, INSERT, UPDATE (last_seen_at), DELETE ON seen_certificates TO gate_tenant;
GRANT SELECT (tenant_id, connection_id, fingerprint, last_seen_at), DELETE ON seen_certificates TO gate_control;
