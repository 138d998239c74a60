-- The foundation: applications, tenants, connections, people, sign-in and the outbox.
-- Tables with a tenant_id are seen through row-level security only; `gate_tenant` is the role of a tenant's
-- transaction, `gate_control` a login with a few named doors across tenants. Roles exist before migrations run.

CREATE TABLE applications (
    id                 uuid PRIMARY KEY,
    slug               text NOT NULL,
    display_name       text NOT NULL,
    -- SHA-256 of the client secret; NULL for a public client (RFC 6749 2.1).
    client_secret_hash bytea,
    redirect_uris      text[] NOT NULL,
    initiate_login_uri text,
    -- Highest first; the last one is the default.
    roles              text[] NOT NULL,
    id_token_alg       text NOT NULL,
    created_at         timestamptz NOT NULL,
    CONSTRAINT applications_slug_key UNIQUE (slug)
);
GRANT SELECT (id, slug, display_name, redirect_uris, initiate_login_uri, roles, id_token_alg) ON applications TO gate_tenant;
GRANT SELECT, INSERT ON applications TO gate_control;

-- Keys that sign tokens; one issuer for all tenants.
CREATE TABLE signing_keys (
    id          uuid PRIMARY KEY,
    algorithm   text NOT NULL,
    root_key_id text NOT NULL,
    -- PKCS#8, AES-256-GCM under the root key.
    sealed      bytea NOT NULL,
    created_at  timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE (root_key_id, sealed) ON signing_keys TO gate_control;

CREATE TABLE tenants (
    id           uuid PRIMARY KEY,
    slug         text NOT NULL,
    display_name text NOT NULL,
    created_at   timestamptz NOT NULL,
    CONSTRAINT tenants_slug_key UNIQUE (slug)
);
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON tenants TO gate_tenant USING (id = current_setting('app.tenant_id')::uuid);
CREATE POLICY control_reads ON tenants FOR SELECT TO gate_control USING (true);
GRANT SELECT, INSERT ON tenants TO gate_tenant;
GRANT SELECT ON tenants TO gate_control;

-- Mail domains that a tenant owns; an address of one counts as verified.
CREATE TABLE domains (
    tenant_id   uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    domain      text NOT NULL,
    verified_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, domain),
    CONSTRAINT domains_owner_key UNIQUE (domain)
);

CREATE TABLE connections (
    tenant_id        uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id               uuid NOT NULL,
    application_id   uuid NOT NULL REFERENCES applications (id),
    display_name     text NOT NULL,
    -- The identity provider; all NULL until the IT admin has given it.
    idp_entity_id    text,
    idp_sso_url      text,
    idp_certificates bytea[],
    allow_sha1       boolean NOT NULL DEFAULT false,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT connections_id_key UNIQUE (id),
    CONSTRAINT connections_name_key UNIQUE (tenant_id, application_id, display_name),
    CONSTRAINT connections_idp_is_whole CHECK (
        (idp_entity_id IS NULL AND idp_sso_url IS NULL AND idp_certificates IS NULL)
        OR (idp_entity_id IS NOT NULL AND idp_sso_url IS NOT NULL AND cardinality(idp_certificates) > 0)
    )
);
-- The one door from a connection's public id to its tenant.
CREATE POLICY control_reads ON connections FOR SELECT TO gate_control USING (true);
GRANT SELECT (tenant_id, id) ON connections TO gate_control;

-- Keys with which the gateway signs AuthnRequests.
CREATE TABLE sp_keys (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id            uuid NOT NULL,
    connection_id uuid NOT NULL,
    root_key_id   text NOT NULL,
    -- PKCS#8, AES-256-GCM under the root key.
    sealed        bytea NOT NULL,
    -- X.509 DER, public.
    certificate   bytea NOT NULL,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX sp_keys_connection ON sp_keys (tenant_id, connection_id, created_at);
-- Re-sealing after a new root key walks over all tenants.
CREATE POLICY control_reseals ON sp_keys TO gate_control USING (true);
GRANT SELECT, UPDATE (root_key_id, sealed) ON sp_keys TO gate_control;

CREATE TABLE scim_tokens (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id            uuid NOT NULL,
    connection_id uuid NOT NULL,
    -- SHA-256; the token itself is shown once and stored nowhere.
    token_hash    bytea NOT NULL,
    created_at    timestamptz NOT NULL,
    revoked_at    timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT scim_tokens_hash_key UNIQUE (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX scim_tokens_connection ON scim_tokens (tenant_id, connection_id, created_at);

-- A person in a tenant: the `sub` of tokens.
CREATE TABLE users (
    tenant_id    uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id           uuid NOT NULL,
    email        text,
    email_key    text,
    display_name text,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX users_email ON users (tenant_id, email_key);

-- A user in one connection: the SCIM User.
CREATE TABLE accounts (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id            uuid NOT NULL,
    connection_id uuid NOT NULL,
    user_id       uuid NOT NULL,
    user_name     text NOT NULL,
    -- Folded once in Rust; Postgres folds some letters differently.
    user_name_key text NOT NULL,
    external_id   text,
    email         text,
    email_key     text,
    display_name  text,
    active        boolean NOT NULL,
    role          text NOT NULL,
    role_reason   text NOT NULL,
    -- The SAML NameID that this account's sign-ins are bound to.
    name_id       text,
    -- The SCIM document as the identity provider keeps it.
    document      jsonb NOT NULL,
    version       bigint NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT accounts_connection_key UNIQUE (tenant_id, connection_id, id),
    CONSTRAINT accounts_user_name_key UNIQUE (tenant_id, connection_id, user_name_key),
    CONSTRAINT accounts_name_id_key UNIQUE (tenant_id, connection_id, name_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE,
    -- A user never goes while an account is left.
    FOREIGN KEY (tenant_id, user_id) REFERENCES users
);
CREATE INDEX accounts_list ON accounts (tenant_id, connection_id, created_at, id);
CREATE INDEX accounts_external_id ON accounts (tenant_id, connection_id, external_id);
CREATE INDEX accounts_email ON accounts (tenant_id, connection_id, email_key);
CREATE INDEX accounts_user ON accounts (tenant_id, user_id);

CREATE TABLE groups (
    tenant_id        uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id               uuid NOT NULL,
    connection_id    uuid NOT NULL,
    display_name     text NOT NULL,
    display_name_key text NOT NULL,
    external_id      text,
    version          bigint NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT groups_connection_key UNIQUE (tenant_id, connection_id, id),
    CONSTRAINT groups_display_name_key UNIQUE (tenant_id, connection_id, display_name_key),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX groups_list ON groups (tenant_id, connection_id, created_at, id);
CREATE INDEX groups_external_id ON groups (tenant_id, connection_id, external_id);

-- Group and member are of one connection: the foreign keys see to it.
CREATE TABLE group_members (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    connection_id uuid NOT NULL,
    group_id      uuid NOT NULL,
    account_id    uuid NOT NULL,
    PRIMARY KEY (tenant_id, group_id, account_id),
    FOREIGN KEY (tenant_id, connection_id, group_id) REFERENCES groups (tenant_id, connection_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, connection_id, account_id) REFERENCES accounts (tenant_id, connection_id, id) ON DELETE CASCADE
);
CREATE INDEX group_members_account ON group_members (tenant_id, account_id);

-- An AuthnRequest on its way: what started it, in which browser, and what came back.
CREATE TABLE sign_in_requests (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    -- The ID of the AuthnRequest.
    id            text NOT NULL,
    connection_id uuid NOT NULL,
    -- SHA-256 of the cookie of the browser that started it.
    browser_hash  bytea NOT NULL,
    -- The OpenID Connect request to answer in the end; NULL for a bookmark.
    authorize     jsonb,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    -- Set when a response was accepted: one request, one response.
    answered_at   timestamptz,
    -- SHA-256 of the ticket with which the browser collects the answer.
    ticket_hash   bytea,
    -- The verified identity, until the browser has collected it.
    identity      jsonb,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT sign_in_requests_ticket_key UNIQUE (tenant_id, ticket_hash),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX sign_in_requests_expiry ON sign_in_requests (expires_at);

-- Assertions that were accepted, until they would be refused for their age.
CREATE TABLE assertions (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    connection_id uuid NOT NULL,
    assertion_id  text NOT NULL,
    expires_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, assertion_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections ON DELETE CASCADE
);
CREATE INDEX assertions_expiry ON assertions (expires_at);

CREATE TABLE sessions (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id            uuid NOT NULL,
    -- SHA-256 of the browser's cookie.
    token_hash    bytea NOT NULL,
    connection_id uuid NOT NULL,
    account_id    uuid NOT NULL,
    user_id       uuid NOT NULL,
    -- What proved it.
    name_id       text NOT NULL,
    session_index text,
    auth_time     timestamptz NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    end_reason    text,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT sessions_token_key UNIQUE (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, connection_id, account_id) REFERENCES accounts (tenant_id, connection_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX sessions_live ON sessions (tenant_id, account_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_account ON sessions (tenant_id, connection_id, account_id);
CREATE INDEX sessions_user ON sessions (tenant_id, user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- What one authorization code grew into.
CREATE TABLE grants (
    tenant_id      uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id             uuid NOT NULL,
    application_id uuid NOT NULL REFERENCES applications (id),
    session_id     uuid NOT NULL,
    -- The authorize request, for the rules of the token endpoint.
    request        jsonb NOT NULL,
    code_hash      bytea NOT NULL,
    code_expires_at timestamptz NOT NULL,
    code_used_at   timestamptz,
    revoked_at     timestamptz,
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT grants_code_key UNIQUE (tenant_id, code_hash),
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions ON DELETE CASCADE
);
CREATE INDEX grants_session ON grants (tenant_id, session_id);

CREATE TABLE refresh_tokens (
    tenant_id  uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    token_hash bytea NOT NULL,
    grant_id   uuid NOT NULL,
    created_at timestamptz NOT NULL,
    -- Set when it was traded for the next one; a second use revokes the grant.
    used_at    timestamptz,
    PRIMARY KEY (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, grant_id) REFERENCES grants ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_grant ON refresh_tokens (tenant_id, grant_id);

-- The outbox: facts, appended in the transaction that made them true, never changed.
CREATE TABLE events (
    tenant_id     uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id) ON DELETE CASCADE,
    id            uuid NOT NULL,
    kind          text NOT NULL,
    subject       text NOT NULL,
    subject_id    uuid NOT NULL,
    connection_id uuid,
    actor         text NOT NULL,
    data          jsonb NOT NULL,
    occurred_at   timestamptz NOT NULL,
    -- Orders the events of one transaction; ids of one moment do not.
    position      bigint GENERATED ALWAYS AS IDENTITY,
    -- A reader takes events of transactions below pg_snapshot_xmin only, so that none appears behind it later.
    xid           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX events_subject ON events (tenant_id, subject_id, position);
CREATE INDEX events_order ON events (xid, position);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['domains', 'connections', 'sp_keys', 'scim_tokens', 'users', 'accounts', 'groups',
        'group_members', 'sign_in_requests', 'assertions', 'sessions', 'grants', 'refresh_tokens', 'events']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant_isolation ON %I TO gate_tenant USING (tenant_id = current_setting(''app.tenant_id'')::uuid)', name);
    END LOOP;
END $$;
GRANT SELECT, INSERT ON domains, assertions, events TO gate_tenant;
GRANT SELECT, INSERT, UPDATE ON connections, scim_tokens, sessions, grants, refresh_tokens, sign_in_requests TO gate_tenant;
GRANT SELECT, INSERT ON sp_keys TO gate_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON users, accounts, groups, group_members TO gate_tenant;

-- Clean-up of what has run out, over all tenants.
CREATE POLICY control_cleans ON sign_in_requests TO gate_control USING (true);
CREATE POLICY control_cleans ON assertions TO gate_control USING (true);
CREATE POLICY control_cleans ON sessions TO gate_control USING (true);
GRANT SELECT (tenant_id, id, expires_at), DELETE ON sign_in_requests TO gate_control;
GRANT SELECT (tenant_id, connection_id, assertion_id, expires_at), DELETE ON assertions TO gate_control;
GRANT SELECT (tenant_id, id, expires_at), DELETE ON sessions TO gate_control;

-- `serve` and `/readyz` compare what was applied with what the binary was built for.
GRANT SELECT ON _sqlx_migrations TO gate_control;
